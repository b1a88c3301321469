"""The saved corpus: one small file per input, named by its content, or `found-…` where a bug was."""

from __future__ import annotations

import hashlib
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
MAX_FILE_BYTES = 8_192


def saved(target: str) -> dict[str, bytes]:
    """Name → content, in order of names."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / target).glob("*")) if path.is_file()}


def save(target: str, data: bytes, prefix: str = "") -> Path:
    """Write it unless it is there. Raises `ValueError` for one that is too large to keep."""
    if len(data) > MAX_FILE_BYTES and not prefix:
        raise ValueError(f"{target}: {len(data)} bytes are too many for the corpus")
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (prefix + hashlib.sha256(data).hexdigest()[:16])
    path.write_bytes(data)
    return path
