"""`teleconsult demo --tls`: the demo's own certificate authority, and where everybody finds the demo."""

from __future__ import annotations

import contextlib
import socket
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from core.config import Settings
from core.errors import ConfigError
from signaling.tls import check_pair
from teleconsult import authority
from teleconsult.authority import ServerName
from teleconsult.authority_files import AuthorityFolder, due, read_server_certificate

RENEW_BEFORE: Final = timedelta(days=30)
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_PROBE: Final = ("192.0.2.1", 9)
"""RFC 5737: nothing is sent there; the kernel only says which of our addresses it would use."""


def demo_certificate(data_dir: Path, host: str) -> tuple[Path, Path, Path]:
    """Certificate, key and authority's certificate for this machine, made when missing or about to end."""
    names = server_names(host)
    folder = AuthorityFolder(data_dir / "ca")
    if not folder.certificate_file.exists():
        permitted = [authority.parse_permitted(str(name)) for name in names]
        folder.create("Teleconsult demo CA", permitted, authority.AUTHORITY_DAYS, None)
    cert, key = data_dir / "tls" / "server.pem", data_dir / "tls" / "server-key.pem"
    permitted_names = [name for name in names if authority.may_name(folder.certificate(), name)]
    if not _still_good(cert, permitted_names):
        folder.issue(folder.open(None), permitted_names, authority.SERVER_DAYS, cert, key)
    return cert, key, folder.certificate_file


def _still_good(cert: Path, names: list[ServerName]) -> bool:
    if not cert.exists():
        return False
    present = read_server_certificate(cert)
    return set(names) <= set(authority.names_of(present)) and not due(present, RENEW_BEFORE)


def server_names(host: str) -> list[ServerName]:
    """What this machine may be called by whoever reaches it on `host`."""
    found: list[str] = ["localhost", "127.0.0.1"]
    if host in _EVERYWHERE:
        found += [socket.gethostname(), *_own_address()]
    elif host not in found:
        found.append(host)
    names: list[ServerName] = []
    for text in found:
        with contextlib.suppress(ConfigError):  # a host name that is none cannot be typed either
            names.append(authority.parse_server_name(text))
    return list(dict.fromkeys(names))


def _own_address() -> list[str]:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_PROBE)
        return [probe.getsockname()[0]]
    return []


def demo_url(settings: Settings) -> str:
    """Where the demo's people and its capture box find it."""
    host = "127.0.0.1" if settings.host in _EVERYWHERE else settings.host
    scheme = "http"
    if settings.tls_cert is not None and settings.tls_key is not None:
        scheme = "https"
        host = _name_for(host, check_pair(settings.tls_cert, settings.tls_key).names)
    return f"{scheme}://[{host}]:{settings.port}" if ":" in host else f"{scheme}://{host}:{settings.port}"


def _name_for(host: str, names: tuple[str, ...]) -> str:
    """A name of the certificate's that leads here: `host` itself, or the first that is no wildcard."""
    plain = [name for name in names if not name.startswith("*")]
    return host if host in plain or not plain else plain[0]


def box_authority(settings: Settings) -> Path | None:
    """What the demo's capture box has to trust; None: the system's authorities."""
    if settings.tls_ca is not None or settings.tls_cert is None:
        return settings.tls_ca
    certificate = x509.load_pem_x509_certificates(settings.tls_cert.read_bytes())[0]
    return settings.tls_cert if certificate.issuer == certificate.subject else None
