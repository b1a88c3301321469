"""SDP values about transports: ICE credentials and candidates (RFC 8839), fingerprints (RFC 8122)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from rtp.sdp_attributes import number, tokens

_MAX_PRIORITY: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class IceParameters:
    """One agent's ICE credentials (RFC 8839 §5.4). `lite`: it only answers checks."""

    ufrag: str
    pwd: str
    lite: bool = False


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hash of a DTLS certificate (RFC 8122 §5); `value`: upper-case hexadecimal with colons."""

    algorithm: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        algorithm, value = tokens(text, 2, "fingerprint")[:2]
        octets = value.split(":")
        if len(octets) < 16 or not all(len(octet) == 2 and _is_hex(octet) for octet in octets):
            raise ValueError("fingerprint must be hexadecimal octets with colons")
        return cls(algorithm.lower(), value.upper())

    def text(self) -> str:
        return f"{self.algorithm} {self.value}"


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ICE candidate (RFC 8839 §5.1; TCP: RFC 6544 §4.5). `address` may be an mDNS or other host name."""

    foundation: str
    component: int
    transport: str
    priority: int
    address: str
    port: int
    type: str
    related_address: str | None = None
    related_port: int | None = None
    tcp_type: str | None = None
    extensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Candidate:
        words = tokens(text, 8, "candidate")
        if words[6] != "typ":
            raise ValueError("candidate has no 'typ'")
        pairs = list(zip(words[8::2], words[9::2], strict=False))
        known = {name: value for name, value in pairs if name in ("raddr", "rport", "tcptype")}
        return cls(
            foundation=words[0],
            component=number(words[1], 256, "candidate component"),
            transport=words[2].lower(),
            priority=number(words[3], _MAX_PRIORITY, "candidate priority"),
            address=words[4],
            port=number(words[5], 65535, "candidate port"),
            type=words[7],
            related_address=known.get("raddr"),
            related_port=number(known["rport"], 65535, "rport") if "rport" in known else None,
            tcp_type=known.get("tcptype"),
            extensions=tuple(pair for pair in pairs if pair[0] not in known),
        )

    def text(self) -> str:
        parts = [self.foundation, str(self.component), self.transport, str(self.priority)]
        parts += [self.address, str(self.port), "typ", self.type]
        if self.related_address is not None:
            parts += ["raddr", self.related_address]
        if self.related_port is not None:
            parts += ["rport", str(self.related_port)]
        if self.tcp_type is not None:
            parts += ["tcptype", self.tcp_type]
        return " ".join(parts + [word for pair in self.extensions for word in pair])

    @property
    def is_ip(self) -> bool:
        """True when `address` is an IP address rather than a name to be looked up."""
        try:
            ip_address(self.address)
        except ValueError:
            return False
        return True
