"""Replaces the log's key: the old one signs that the new one comes after it, then it is gone.

Every step may be the last before a power cut; doing it again finishes what was begun.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from archive.checkpoint import VerifierKey
from archive.keys import ArchiveSigner, load_signer, write_secret
from archive.log_keys import known_origin, log_verifier, publish_log
from archive.log_store import LogStore
from archive.store import sync_directory
from core.errors import ConfigError

NEXT_SUFFIX: Final = ".next"
"""After the key's file: the key that comes after it, until it takes its place."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """Public halves; `leaf`: the log's last one, which says so."""

    old: VerifierKey
    new: VerifierKey
    leaf: int


def replace_log_key(folder: Path, key_file: Path, origin: str | None, at_us: int) -> Replaced:
    """`folder`: the log's; `origin`: the setting. Nobody else may be writing the log.

    Raises `ConfigError`, `Conflict` when the service runs, `LogDamaged`, `OSError`.
    """
    name = origin or known_origin(folder)
    if name is None:
        raise ConfigError(f"there is no log in {folder}: its key can be replaced by another file")
    old_key = load_signer(key_file)
    store = LogStore.open(folder, name, old_key, finishing=True)
    try:
        new_key = _next_key(key_file)
        old, new = store.verifier, log_verifier(name, new_key)
        if not store.replaced:
            store.replace_key(new, at_us)
        leaf = store.size - 1
    finally:
        store.close()
    os.replace(key_file.with_name(key_file.name + NEXT_SUFFIX), key_file)
    sync_directory(key_file.parent)
    publish_log(folder.parent, new)
    return Replaced(old, new, leaf)


def _next_key(key_file: Path) -> ArchiveSigner:
    """The one that was made before, or a new one, on the disk."""
    path = key_file.with_name(key_file.name + NEXT_SUFFIX)
    if not path.exists():
        write_secret(path, ArchiveSigner.generate().pem())
        sync_directory(path.parent)
    return load_signer(path)
