"""Where a certificate authority lives: a folder with certificate, key (mode 0600), what it issued."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core.errors import ConfigError
from core.tokens import write_secret_file
from teleconsult import authority
from teleconsult.authority import Authority, Permitted, ServerName

CERTIFICATE: Final = "ca.pem"
KEY: Final = "ca-key.pem"
ISSUED: Final = "issued.jsonl"
MIN_PASSPHRASE_CHARS: Final = 12


class PassphraseNeeded(ConfigError):
    """The authority's key is sealed with a passphrase, and none, or a wrong one, was given."""


@dataclass(frozen=True)
class Issued:
    """A certificate that was written."""

    cert: Path
    key: Path
    certificate: x509.Certificate


class AuthorityFolder:
    """One authority on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate_file, self._key_file = folder / CERTIFICATE, folder / KEY

    def create(self, name: str, permitted: list[Permitted], days: int, passphrase: str | None) -> Authority:
        """Make it. Raises `ConfigError` where one is already."""
        if self.certificate_file.exists() or self._key_file.exists():
            raise ConfigError(f"{self.folder} holds an authority already; `admin ca show` shows it")
        _check_passphrase(passphrase)
        made = authority.create_authority(name, permitted, datetime.now(UTC), days)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_secret_file(self._key_file, _key_pem(made.key, passphrase))
        replace_file(self.certificate_file, _certificate_pem(made.certificate), 0o644)
        return made

    def certificate(self) -> x509.Certificate:
        """Its certificate. Raises `ConfigError` when there is none."""
        try:
            return x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        except OSError:
            raise ConfigError(
                f"{self.folder} holds no authority; make one: teleconsult admin ca init"
            ) from None
        except ValueError:
            raise ConfigError(f"{self.certificate_file} is damaged; restore it from a backup") from None

    def needs_passphrase(self) -> bool:
        """True when its key is sealed."""
        return b"ENCRYPTED PRIVATE KEY" in self._key()

    def open(self, passphrase: str | None) -> Authority:
        """To issue with it. Raises `PassphraseNeeded`, `ConfigError`."""
        certificate, sealed = self.certificate(), self.needs_passphrase()
        secret = passphrase.encode() if passphrase and sealed else None
        try:
            key = serialization.load_pem_private_key(self._key(), secret)
        except (TypeError, ValueError):
            if sealed:
                raise PassphraseNeeded(f"{self._key_file}: wrong passphrase, or none given") from None
            raise ConfigError(f"{self._key_file} is damaged; restore it from a backup") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigError(f"{self._key_file} is no key this program made")
        return Authority(certificate, key)

    def issue(self, opened: Authority, names: list[ServerName], days: int, cert: Path, key: Path) -> Issued:
        """A new certificate with a new key, in place of what the two files held."""
        made, made_key = authority.issue(opened, names, datetime.now(UTC), days)
        for path in (cert, key):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The key first: the service takes a pair only when both fit.
        replace_file(key, _key_pem(made_key, None), 0o600)
        replace_file(cert, _certificate_pem(made), 0o644)
        self._note(made, cert)
        return Issued(cert, key, made)

    def issued(self) -> list[dict[str, Any]]:
        """Every certificate it ever issued, oldest first."""
        path = self.folder / ISSUED
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _note(self, certificate: x509.Certificate, path: Path) -> None:
        line = {
            "serial": f"{certificate.serial_number:x}",
            "names": [str(name) for name in authority.names_of(certificate)],
            "not_after": certificate.not_valid_after_utc.isoformat(),
            "fingerprint": authority.fingerprint(certificate),
            "file": str(path),
        }
        with (self.folder / ISSUED).open("a") as file:
            file.write(json.dumps(line) + "\n")

    def _key(self) -> bytes:
        try:
            return self._key_file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{self._key_file}: cannot be read: {error.strerror}") from None


def read_server_certificate(path: Path) -> x509.Certificate:
    """The certificate to renew. Raises `ConfigError`."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); issue one first: teleconsult admin ca issue NAME"
        ) from None
    except ValueError:
        raise ConfigError(f"{path} holds no certificate") from None


def due(certificate: x509.Certificate, within: timedelta) -> bool:
    """True when it ends within that time."""
    return certificate.not_valid_after_utc - datetime.now(UTC) <= within


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Write it whole or not at all, durably, with that mode from its first moment on."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _check_passphrase(passphrase: str | None) -> None:
    if passphrase is not None and len(passphrase) < MIN_PASSPHRASE_CHARS:
        raise ConfigError(f"a passphrase has at least {MIN_PASSPHRASE_CHARS} characters")


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey, passphrase: str | None) -> bytes:
    sealing: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        sealing = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealing)
