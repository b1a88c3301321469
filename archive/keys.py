"""Keys: age identities of auditors, the archive's Ed25519 signer, a consultation's pair, and whom to trust.

Secrets are written with mode 0600 and never replace an existing file.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import pyrage
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from archive import layout
from archive.chain import SIGNER_PREFIX
from archive.entries import SIGNER_PATTERN
from archive.store import add_line, locked_folder, sync_directory
from core.errors import ConfigError

MIN_RECIPIENTS: Final = 2
HELPER_DEADLINE_S: Final = 30
SIGNER_SHAPE: Final = "expected ed25519: and 64 hexadecimal digits"
_SIGNER: Final = re.compile(SIGNER_PATTERN)


class RecipientLike(Protocol):
    """`core.config.Recipient` and the like."""

    @property
    def custodian(self) -> str: ...
    @property
    def recipient(self) -> str: ...
    @property
    def offline(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class SessionKey:
    """A consultation's public half and the age file with its wrapped secret half."""

    public_key: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class TrustedSigner:
    """A signer's public key and where we have it from."""

    public: str
    source: str


class ArchiveSigner:
    """The archive's signing key in memory (`archive.chain.SigningKey`)."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = SIGNER_PREFIX + raw.hex()

    @classmethod
    def generate(cls) -> ArchiveSigner:
        return cls(Ed25519PrivateKey.generate())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def pem(self) -> bytes:
        """PKCS #8, unencrypted: the file's mode protects it."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def check_custodians(recipients: Sequence[RecipientLike]) -> None:
    """Raises `ConfigError` unless two people can open the archive and one key is kept offline (DESIGN §7)."""
    fix = "run `teleconsult archive keygen` for each custodian and set `recipients`"
    if len({item.recipient for item in recipients}) < MIN_RECIPIENTS:
        raise ConfigError(f"recording needs at least two recipients with different keys: {fix}")
    names = [item.custodian.strip() for item in recipients]
    if not all(names) or len(set(names)) < MIN_RECIPIENTS:
        raise ConfigError("recording needs recipients in the hands of at least two named custodians")
    if not any(item.offline for item in recipients):
        raise ConfigError(
            "recording needs one recipient marked `offline = true`, its key on no connected machine"
        )
    for item in recipients:
        try:
            pyrage.x25519.Recipient.from_str(item.recipient)
        except pyrage.RecipientError:
            raise ConfigError(f"the recipient of {item.custodian} is not an age X25519 public key") from None


def make_session_key(recipients: Sequence[str]) -> SessionKey:
    """Have a helper process make a consultation's pair; its secret half never enters this process.

    Raises `ConfigError` when the helper fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "archive.keyhelper"],
            input=json.dumps({"recipients": list(recipients)}).encode(),
            capture_output=True,
            timeout=HELPER_DEADLINE_S,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"the key helper did not answer: {type(error).__name__}") from None
    if done.returncode != 0:
        raise ConfigError(f"the key helper failed: {done.stderr.decode(errors='replace').strip()[:200]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return SessionKey(answer["public_key"], base64.b64decode(answer["session_key_age"]))


def write_secret(path: Path, data: bytes) -> None:
    """Write a new file only its owner can read. Raises `ConfigError` when `path` exists or cannot be
    written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path} exists and is not overwritten: give another name") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)


def create_identity(path: Path) -> str:
    """Write a new auditor's age identity file; returns its recipient (`age1…`). Raises `ConfigError`."""
    identity = pyrage.x25519.Identity.generate()
    public = str(identity.to_public())
    created = datetime.now(UTC).isoformat(timespec="seconds")
    write_secret(path, f"# created: {created}\n# public key: {public}\n{identity}\n".encode())
    return public


def parse_identities(text: str, where: str) -> list[pyrage.x25519.Identity]:
    """The secret keys in an age identity file's text. Raises `ConfigError` naming `where`."""
    if text.startswith(("age-encryption.org/", "-----BEGIN AGE")):
        raise ConfigError(f"{where} is protected by a passphrase: open it with `age -d` first")
    lines = [line.strip() for line in text.splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#")]
    try:
        identities = [pyrage.x25519.Identity.from_str(line) for line in wanted]
    except pyrage.IdentityError:
        raise ConfigError(f"{where} is not an age identity file") from None
    if not identities:
        raise ConfigError(f"{where} holds no age secret key")
    return identities


def read_identities(path: Path) -> list[pyrage.x25519.Identity]:
    """The secret keys in an age identity file. Raises `ConfigError`."""
    try:
        return parse_identities(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not an age identity file") from None


def create_signer(path: Path) -> ArchiveSigner:
    """Write a new archive signing key to `path` and its public half to `path` + `.pub`. Raises
    `ConfigError`.
    """
    signer = ArchiveSigner.generate()
    write_secret(path, signer.pem())
    path.with_name(path.name + ".pub").write_text(f"{signer.public}\n", encoding="ascii")
    return signer


def load_signer(path: Path) -> ArchiveSigner:
    """Read an archive signing key. Raises `ConfigError`."""
    try:
        return parse_signer(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; `teleconsult archive keygen --signer` makes one"
        ) from None


def parse_signer(data: bytes, where: str) -> ArchiveSigner:
    """The key in a PEM file's content. Raises `ConfigError` naming `where`."""
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(f"{where} is not an unencrypted PEM private key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{where} is not an Ed25519 key")
    return ArchiveSigner(key)


def ensure_signer(path: Path) -> ArchiveSigner:
    """The signing key at `path`, made first if there is none. Raises `ConfigError`."""
    return load_signer(path) if path.exists() else create_signer(path)


def publish_signer(root: Path, signer: str, comment: str = "this service") -> None:
    """Add `signer` to the archive root's `trusted-signers.txt` if it is not there."""
    _list_in(root / layout.TRUSTED_SIGNERS, signer, comment)


def register_person(root: Path, key: str, comment: str) -> None:
    """Add a person's public key to the archive root's `trusted-people.txt` if it is not there."""
    _list_in(root / layout.TRUSTED_PEOPLE, key, comment)


def _list_in(path: Path, key: str, comment: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked_folder(path.parent):
        known = [item.public for item in read_trust_file(path)] if path.exists() else []
        if key not in known:
            add_line(path, f"{key}  # {comment}")


def read_trust_file(path: Path) -> list[TrustedSigner]:
    """Signers listed in a file: one `ed25519:…` per line, `#` begins a comment. Raises `ConfigError`."""
    try:
        return read_trust(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def read_trust(data: bytes, where: str) -> list[TrustedSigner]:
    """Signers listed in a file's content; `where` it was. Raises `ConfigError`."""
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"{where} is not a list of signers") from None
    entries = [line.partition("#")[0].strip() for line in lines]
    wrong = [number for number, text in enumerate(entries, 1) if text and not _SIGNER.fullmatch(text)]
    if wrong:
        raise ConfigError(f"{where}, line {wrong[0]}: not a signer: {SIGNER_SHAPE}")
    return [TrustedSigner(text, where) for text in entries if text]


def parse_trust(value: str, source: str) -> list[TrustedSigner]:
    """A signer given as `ed25519:…` or as a file that lists signers. Raises `ConfigError`."""
    if _SIGNER.fullmatch(value):
        return [TrustedSigner(value, source)]
    if value.startswith(SIGNER_PREFIX):
        raise ConfigError(f"{source}: not a signer: {SIGNER_SHAPE}")
    return read_trust_file(Path(value))
