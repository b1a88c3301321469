"""Who this box is: the key it made for itself, kept in a file that nobody else may read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.device_access import KEY_BYTES, from_base64, to_base64
from core.errors import ConfigError
from edge_agents.config import EdgeConfig

FILE_MODE: Final = 0o600
_FORBIDDEN: Final = 0o077


@dataclass(frozen=True)
class Identity:
    """`device_id`: as the server calls this box; empty until it is enrolled. The key never leaves the box."""

    server: str
    device_id: str = ""
    name: str = ""
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate, repr=False)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def sign(self, statement: bytes) -> str:
        """base64url."""
        return to_base64(self.key.sign(statement))

    def enrolled_as(self, device_id: str, name: str) -> Identity:
        return replace(self, device_id=device_id, name=name)

    def write(self, path: Path) -> None:
        """Whole or not at all, durable, and for its owner alone. Raises `ConfigError`."""
        fields = {
            "server": self.server,
            "device_id": self.device_id,
            "name": self.name,
            "private_key": to_base64(self.key.private_bytes_raw()),
        }
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(aside, (json.dumps(fields, ensure_ascii=False, indent=2) + "\n").encode())
            aside.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise ConfigError(f"identity_file: {path}: cannot be written: {error.strerror}") from None
        finally:
            aside.unlink(missing_ok=True)


def read_identity(path: Path) -> Identity | None:
    """None when there is none yet. Raises `ConfigError` when others may read it, or it is damaged."""
    try:
        mode = path.stat().st_mode
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"identity_file: {path}: cannot be read") from None
    if mode & _FORBIDDEN:
        raise ConfigError(f"identity_file: {path}: may be read by others; run: chmod 600 {path}")
    try:
        return _identity(json.loads(content))
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"identity_file: {path}: is damaged; remove it and enrol this box again") from None


def _identity(fields: dict[str, Any]) -> Identity:
    raw = from_base64(fields["private_key"], KEY_BYTES)
    if raw is None:
        raise ValueError("not a key")
    server, device_id, name = (str(fields[word]) for word in ("server", "device_id", "name"))
    return Identity(server, device_id, name, Ed25519PrivateKey.from_private_bytes(raw))


def _write_whole(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), FILE_MODE)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def own_identity(config: EdgeConfig) -> Identity | None:
    """None for a box with a token for one room. Raises `ConfigError` for one that is not enrolled."""
    if config.token_file is not None:
        return None
    identity = read_identity(config.identity_file)
    if identity is None or not identity.device_id:
        raise ConfigError(
            "this box is not enrolled; ask the administrator for a code and run: teleconsult edge enroll CODE"
        )
    if identity.server != config.base_url:
        raise ConfigError(
            f"server: {config.base_url}, but this box is enrolled at {identity.server}; "
            "change one of them, or enrol it anew: teleconsult edge enroll --again CODE"
        )
    return identity
