"""Where our own clients (recorder, supervisor) find the service, and whose certificate they trust there."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

from core.config import Settings
from core.errors import ConfigError, Unavailable

_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
_HERE: Final = ("127.0.0.1", "::1", "localhost")

Trust = ssl.SSLContext | aiohttp.Fingerprint | bool
"""What aiohttp takes as `ssl`."""


def service_url(settings: Settings) -> URL:
    """`service_url`, else this machine. Raises `ConfigError`: no fixed port, or no TLS."""
    if settings.service_url is None:
        return local_url(settings)
    url = URL(settings.service_url)
    if url.scheme != "https" and url.host not in _HERE:
        raise ConfigError(f"service_url {url} sends the service's secret in clear; use https://, and tls_ca")
    return url


def service_trust(settings: Settings) -> Trust:
    """For `service_url`: `tls_ca`, or the system's authorities; for this machine: exactly its certificate.

    Ask again for every connection: certificates are renewed. Raises `ConfigError`, `Unavailable`.
    """
    if settings.service_url is None:
        return local_trust(settings)
    return True if settings.tls_ca is None else private_authority(settings.tls_ca)


def private_authority(path: Path) -> ssl.SSLContext:
    """Trust that authority and no other. Raises `ConfigError`."""
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no PEM certificate"
        raise ConfigError(f"{path}: tls_ca cannot be used: {reason}") from None


def local_url(settings: Settings) -> URL:
    """The service on this machine. Raises `ConfigError` when its port is not fixed."""
    if not settings.port:
        raise ConfigError("our own clients need a fixed `port` to find the service")
    scheme = "http" if settings.tls_cert is None else "https"
    host = _ANYWHERE.get(settings.host, settings.host)
    return URL.build(scheme=scheme, host=host, port=settings.port)


def local_trust(settings: Settings) -> Trust:
    """The certificate in `tls_cert` itself: it need not name the way we take. Raises `Unavailable`."""
    if settings.tls_cert is None:
        return True
    try:
        der = ssl.PEM_cert_to_DER_cert(_first_certificate(settings.tls_cert.read_text()))
    except (OSError, ValueError):
        raise Unavailable(f"{settings.tls_cert}: tls_cert cannot be read") from None
    return aiohttp.Fingerprint(hashlib.sha256(der).digest())


def _first_certificate(pem: str) -> str:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return pem[pem.index(begin) : pem.index(end) + len(end)] + "\n"
