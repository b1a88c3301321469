"""The log's own key, its name, and whose logs to trust."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from archive.checkpoint import COSIGNATURE, ED25519, Checkpoint, Note, VerifierKey
from archive.keys import ArchiveSigner, load_signer, write_secret
from archive.log_records import CHECKPOINTS, MAX_RECORD_BYTES, TRUSTED_LOGS, CheckpointRecord, parse_record
from archive.store import add_line, locked_folder
from core.errors import ConfigError, ProtocolError

DEFAULT_NAME: Final = "teleconsult/"
"""And 16 digits of the key: two installations that were never told a name have different ones."""


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log's public key and where we have it from."""

    key: VerifierKey
    source: str


def ensure_log_key(path: Path) -> ArchiveSigner:
    """The log's key at `path`, made first if there is none. Raises `ConfigError`."""
    if not path.exists():
        key = ArchiveSigner.generate()
        write_secret(path, key.pem())
    return load_signer(path)


def log_verifier(origin: str | None, key: ArchiveSigner) -> VerifierKey:
    """The log's public key under its name (the setting `log_origin`). Raises `ConfigError`."""
    digits = VerifierKey.of("log", key.public).public.hex()[:16]
    try:
        return VerifierKey.of(origin or DEFAULT_NAME + digits, key.public)
    except ProtocolError as error:
        raise ConfigError(f"log_origin: {error}") from None


def known_origin(folder: Path) -> str | None:
    """The name that the log in `folder` has borne from its first checkpoint on; None: there is none yet."""
    path = folder / CHECKPOINTS
    line = b""
    if path.is_file():
        with path.open("rb") as file:
            line = file.readline(MAX_RECORD_BYTES)
    try:
        record = parse_record(line.removesuffix(b"\n"))
        if isinstance(record, CheckpointRecord):
            return Checkpoint.parse(Note.parse(record.note).text).origin
    except ProtocolError:
        return None
    return None


def publish_log(root: Path, verifier: VerifierKey, comment: str = "this service") -> None:
    """Add the log to the archive root's `trusted-logs.txt` if it is not there. Raises `ConfigError`."""
    path = root / TRUSTED_LOGS
    root.mkdir(parents=True, exist_ok=True)
    with locked_folder(root):
        known = [item.key for item in read_key_file(path, ED25519)] if path.exists() else []
        if verifier not in known:
            add_line(path, f"{verifier.text}  # {comment}")


def parse_keys(value: str, source: str, kind: int) -> list[TrustedLog]:
    """A verifier key, or a file that lists some. Raises `ConfigError`."""
    if "+" not in value or Path(value).is_file():
        return read_key_file(Path(value), kind)
    return [TrustedLog(_key(value, source, kind), source)]


def read_key_file(path: Path, kind: int) -> list[TrustedLog]:
    """Keys listed in a file. Raises `ConfigError`."""
    try:
        return parse_key_lines(path.read_bytes(), str(path), kind)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def parse_key_lines(data: bytes, source: str, kind: int) -> list[TrustedLog]:
    """One key a line, `#` begins a comment. Raises `ConfigError`."""
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"{source} is not a list of verifier keys") from None
    texts = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
    return [
        TrustedLog(_key(text, f"{source}, line {number}", kind), source) for number, text in texts if text
    ]


def parse_witnesses(values: list[str], source: str = "setting witnesses") -> list[VerifierKey]:
    """Verifier keys of witnesses, or files that list them. Raises `ConfigError`."""
    return [item.key for value in values for item in parse_keys(value, source, COSIGNATURE)]


def _key(text: str, source: str, kind: int) -> VerifierKey:
    try:
        key = VerifierKey.parse(text)
    except ProtocolError as error:
        raise ConfigError(f"{source}: {error}") from None
    if key.kind != kind:
        wanted = "a log's (type 0x01)" if kind == ED25519 else "a witness's (type 0x04)"
        raise ConfigError(f"{source}: not {wanted} verifier key")
    return key
