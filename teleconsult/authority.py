"""A hospital's own certificate authority, made and used without the internet (X.509, RFC 5280).

It can vouch for the hospital's own names and addresses only: name constraints in its certificate say which,
and browsers enforce them, so that trusting it risks nothing else. What it issues lives at most 397 days.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.errors import ConfigError

AUTHORITY_DAYS: Final = 3650
SERVER_DAYS: Final = 397
"""Browsers take no longer-lived certificates from public authorities, and some from none."""
CLOCK_SLACK: Final = timedelta(hours=1)
"""Clocks in a hospital without a time server differ."""
PRIVATE_NAMES: Final = ("localhost", "local", "lan", "internal", "intranet", "home.arpa")
PRIVATE_NETWORKS: Final = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "fc00::/7", "::1/128",
)  # fmt: skip
"""RFC 1918, RFC 6598 (private 5G networks), loopback, RFC 4193."""
MAX_NAMES: Final = 100
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SUBJECT: Final = "Teleconsult server"
"""Names are in the alternative names. OpenSSL takes a common name that looks like one for a DNS name."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
ServerName = str | Address
Permitted = str | Network


@dataclass(frozen=True)
class Authority:
    """A certificate that signs, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def parse_server_name(text: str) -> ServerName:
    """A DNS name (in its ASCII form) or an IP address. Raises `ConfigError`."""
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        return _dns_name(text)


def parse_permitted(text: str) -> Permitted:
    """A DNS name with everything below it, or a network. Raises `ConfigError`."""
    try:
        return ip_network(text)
    except ValueError:
        if "/" in text:
            raise ConfigError(f"{text} is no network: write it like 10.20.0.0/16") from None
        return _dns_name(text.removeprefix("."))


def _dns_name(text: str) -> str:
    name = text.rstrip(".").lower()
    try:
        name = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        raise ConfigError(f"{text} is no host name") from None
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ConfigError(f"{text} is neither a host name (consult.hospital.local) nor an IP address")
    return name


def create_authority(
    name: str, permitted: Iterable[Permitted], now: datetime, days: int = AUTHORITY_DAYS
) -> Authority:
    """A new authority that may vouch for private names and networks, and for `permitted`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _common_name(name)
    everything: list[Permitted] = [*PRIVATE_NAMES, *map(ip_network, PRIVATE_NETWORKS), *permitted]
    certificate = (
        _builder(subject, subject, key, now, now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_constraints(everything), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def issue(
    authority: Authority, names: Sequence[ServerName], now: datetime, days: int = SERVER_DAYS
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A server certificate for `names`, with a new key. Raises `ConfigError` for what it may not name."""
    _check_request(authority.certificate, names, now, days)
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    end = min(now + timedelta(days=days), issuer.not_valid_after_utc)
    alternatives = [x509.DNSName(name) if isinstance(name, str) else x509.IPAddress(name) for name in names]
    signer = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        _builder(_common_name(SUBJECT), issuer.subject, key, now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return certificate, key


def names_of(certificate: x509.Certificate) -> list[ServerName]:
    """What a server certificate vouches for."""
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [
        *found.get_values_for_type(x509.DNSName),
        *map(ip_address, map(str, found.get_values_for_type(x509.IPAddress))),
    ]


def permitted_of(certificate: x509.Certificate) -> list[Permitted]:
    """What an authority may vouch for."""
    found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    return [name.value for name in found.permitted_subtrees or ()]


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, as browsers show it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def spki_pin(certificate: x509.Certificate) -> str:
    """SHA-256 of the public key in Base64, as Chromium's certificate flags take it."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return base64.b64encode(digest.finalize()).decode()


def _check_request(issuer: x509.Certificate, names: Sequence[ServerName], now: datetime, days: int) -> None:
    if not 0 < len(names) <= MAX_NAMES:
        raise ConfigError(f"name the server: 1 to {MAX_NAMES} host names or IP addresses")
    if not 0 < days <= SERVER_DAYS:
        raise ConfigError(f"--days {days}: allowed: 1 to {SERVER_DAYS}; browsers refuse longer lives")
    if now >= issuer.not_valid_after_utc:
        raise ConfigError(
            "the authority has expired; make a new one in another folder: admin ca init --dir …"
        )
    for name in names:
        if not may_name(issuer, name):
            allowed = ", ".join(map(str, permitted_of(issuer)))
            raise ConfigError(
                f"this authority may not vouch for {name}; it may for {allowed}. "
                f"Make another one that may: admin ca init --dir … --permit {name}"
            )


def may_name(issuer: x509.Certificate, name: ServerName) -> bool:
    """True when the authority may vouch for that name."""
    return any(_covers(allowed, name) for allowed in permitted_of(issuer))


def _covers(allowed: Permitted, name: ServerName) -> bool:
    """As browsers compare (RFC 5280 §4.2.1.10)."""
    if isinstance(allowed, str):
        return isinstance(name, str) and (name == allowed or name.endswith("." + allowed))
    return not isinstance(name, str) and name in allowed


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _constraints(permitted: Iterable[Permitted]) -> x509.NameConstraints:
    """There is at least one name and one network: a kind that is not mentioned would be free (RFC 5280)."""
    return x509.NameConstraints(
        [x509.DNSName(item) if isinstance(item, str) else x509.IPAddress(item) for item in permitted], None
    )
