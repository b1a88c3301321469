"""Certificates as an administrator would make them, for tests of TLS."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from teleconsult import authority
from teleconsult.authority import Authority, parse_server_name


@dataclass(frozen=True)
class Pair:
    """A certificate's and its key's file."""

    cert: Path
    key: Path


def make_authority(name: str = "Test CA") -> Authority:
    return authority.create_authority(name, [], datetime.now(UTC))


def write_authority(made: Authority, path: Path) -> Path:
    path.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    return path


def write_pair(made: Authority, folder: Path, *names: str, ends_in: timedelta = timedelta(days=25)) -> Pair:
    """A pair for `names` that is valid for 30 days until `ends_in` from now."""
    folder.mkdir(parents=True, exist_ok=True)
    issued_at = datetime.now(UTC) - timedelta(days=30) + ends_in
    certificate, key = authority.issue(
        made, [parse_server_name(name) for name in names or ("127.0.0.1",)], issued_at, days=30
    )
    pair = Pair(folder / "cert.pem", folder / "key.pem")
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    pair.key.chmod(0o600)
    pair.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return pair
