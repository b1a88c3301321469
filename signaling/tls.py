"""The service's certificate: checked with clear words, and taken anew when its files change.

New handshakes get the new certificate; open connections go on. A pair that does not fit together (one file of
two is written already) is never taken: the certificate in use stays until both are there.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from core.config import Settings
from core.errors import ConfigError

log = structlog.get_logger()

WATCH_S: Final = 2.0
WARN_BEFORE: Final = timedelta(days=21)
WARN_EVERY_S: Final = 6 * 3600.0
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption only. TLS 1.3 has nothing else."""
FORBIDDEN_MODE: Final = 0o027
"""Nothing for others. The group may read: Debian has the group ssl-cert for it, Kubernetes fsGroup."""
RENEW: Final = "teleconsult admin ca renew, or the tool that made it, makes a new one"

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What operators ask about a certificate."""

    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]

    def expired(self, now: datetime) -> bool:
        return now >= self.not_after


def is_loopback(host: str) -> bool:
    """True when only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def require_tls_outside(settings: Settings) -> None:
    """Raises `ConfigError` when passwords and pictures would cross a network in clear."""
    if settings.tls_cert is not None or settings.trusted_proxies or is_loopback(settings.host):
        return
    raise ConfigError(
        f"serving on {settings.host} needs TLS: give --tls-cert and --tls-key "
        "(`teleconsult admin ca init` and `ca issue` make them), or list your TLS proxy in trusted_proxies, "
        "or use --host 127.0.0.1"
    )


def check_pair(cert: Path, key: Path) -> CertificateFacts:
    """Look at both files. Raises `ConfigError` that says which one is wrong, why, and what to do."""
    certificate = _read_certificate(cert)
    private = _read_key(key)
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if certificate.public_key().public_bytes(*spki) != private.public_key().public_bytes(*spki):
        raise ConfigError(
            f"{key}: tls_key does not belong to the certificate in {cert}; give the key it was made with"
        )
    return _facts(certificate)


def check_dates(cert: Path, facts: CertificateFacts, now: datetime) -> None:
    """Raises `ConfigError` for a certificate that no browser takes because of its dates."""
    if facts.expired(now):
        raise ConfigError(f"{cert}: tls_cert expired on {facts.not_after:%Y-%m-%d}; {RENEW}")
    if now < facts.not_before:
        raise ConfigError(
            f"{cert}: tls_cert is not valid before {facts.not_before:%Y-%m-%d %H:%M} UTC; "
            "is this machine's clock right?"
        )


def check_tls(settings: Settings, now: datetime | None = None) -> None:
    """All that can be wrong with the TLS settings, before anything is started. Raises `ConfigError`."""
    require_tls_outside(settings)
    if settings.tls_cert is not None and settings.tls_key is not None:
        facts = check_pair(settings.tls_cert, settings.tls_key)
        check_dates(settings.tls_cert, facts, now or datetime.now(UTC))


class ServerTls:
    """The listening socket's TLS. `context` is given to the server once; `watch` keeps it fresh."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Raises `ConfigError`."""
        self._cert, self._key = cert, key
        self._stamps = self._stamp()
        self.facts = check_pair(cert, key)
        self.context = self._current = _load(cert, key)
        self.context.sni_callback = self._choose
        self._warned_s = -WARN_EVERY_S

    @classmethod
    def of(cls, settings: Settings) -> ServerTls | None:
        """None when the settings name no certificate."""
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        return cls(settings.tls_cert, settings.tls_key)

    def reload_if_changed(self) -> bool:
        """True when another certificate is in use from now on. Never raises for what the files hold."""
        stamps = self._stamp()
        if stamps == self._stamps:
            return False
        try:
            facts = check_pair(self._cert, self._key)
            fresh = _load(self._cert, self._key)
        except ConfigError as error:
            log.warning("tls.not_reloaded", reason=str(error))
            self._stamps = stamps
            return False
        self._stamps, self.facts, self._current = stamps, facts, fresh
        self._warned_s = -WARN_EVERY_S
        log.info("tls.reloaded", not_after=facts.not_after.isoformat(), names=facts.names)
        return True

    async def watch(self) -> None:
        """Until cancelled: take new files, and say when the certificate is about to end."""
        loop = asyncio.get_running_loop()
        while True:
            self._warn(loop.time(), datetime.now(UTC))
            await asyncio.sleep(WATCH_S)
            self.reload_if_changed()

    def _warn(self, loop_s: float, now: datetime) -> None:
        left = self.facts.not_after - now
        if left > WARN_BEFORE or loop_s - self._warned_s < WARN_EVERY_S:
            return
        self._warned_s = loop_s
        event = "tls.expired" if left <= timedelta(0) else "tls.expires_soon"
        log.warning(event, certificate=str(self._cert), not_after=self.facts.not_after.isoformat(), fix=RENEW)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """OpenSSL asks at every handshake, with or without a server name."""
        connection.context = self._current

    def _stamp(self) -> tuple[Stamp, Stamp] | None:
        try:
            return _stamp(self._cert), _stamp(self._key)
        except OSError:
            return None


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _load(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{cert}: tls_cert, tls_key: {error}") from None
    return context


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {setting} cannot be read: {error.strerror}") from None


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(_read(path, "tls_cert"))[0]
    except ValueError:
        raise ConfigError(
            f"{path}: tls_cert holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        ) from None


def _read_key(path: Path) -> PrivateKeyTypes:
    content = _read(path, "tls_key")
    if stat.S_IMODE(os.stat(path).st_mode) & FORBIDDEN_MODE:
        raise ConfigError(f"{path}: tls_key may be read by everybody on this machine; run: chmod 600 {path}")
    try:
        return serialization.load_pem_private_key(content, None)
    except TypeError:
        raise ConfigError(
            f"{path}: tls_key has a passphrase, which nobody is there to type; store it without one, mode 600"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            f"{path}: tls_key holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"
        ) from None


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = (*found.get_values_for_type(x509.DNSName),
                 *map(str, found.get_values_for_type(x509.IPAddress)))  # fmt: skip
    except x509.ExtensionNotFound:
        names = ()
    return CertificateFacts(certificate.not_valid_before_utc, certificate.not_valid_after_utc, names)
