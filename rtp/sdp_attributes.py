"""Values of SDP attributes: each parses and writes the text after the colon. `ValueError` means bad input."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal, TypeAlias

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Setup: TypeAlias = Literal["actpass", "active", "passive", "holdconn"]

DIRECTIONS: Final[dict[str, Direction]] = {
    "sendrecv": "sendrecv",
    "sendonly": "sendonly",
    "recvonly": "recvonly",
    "inactive": "inactive",
}
SETUPS: Final[dict[str, Setup]] = {
    "actpass": "actpass",
    "active": "active",
    "passive": "passive",
    "holdconn": "holdconn",
}
_UINT32: Final = 0xFFFFFFFF
_MAX_RIDS: Final = 16


def number(text: str, maximum: int, what: str) -> int:
    """Decimal ASCII digits → int of at most `maximum`; `int()` would take signs, spaces, underscores."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) > maximum:
        raise ValueError(f"{what} must be a number from 0 to {maximum}")
    return int(text)


def tokens(text: str, at_least: int, what: str) -> list[str]:
    """Space-separated words; fewer than `at_least` is an error."""
    words = [word for word in text.split(" ") if word]
    if len(words) < at_least:
        raise ValueError(f"{what} is incomplete")
    return words


def parse_fmtp(fmtp: str) -> dict[str, str]:
    """Format parameters `a=1;b=2` → dict with lower-case keys; a part without `=` gets an empty value."""
    parts = (part.strip().partition("=") for part in fmtp.split(";"))
    return {key.strip().lower(): value.strip() for key, _, value in parts if key.strip()}


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
            priority=number(words[3], _UINT32, "candidate priority"),
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


@dataclass(frozen=True, slots=True)
class CodecParameters:
    """One payload type: rtpmap, fmtp and rtcp-fb together. `channels` is None where the text gives none."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int | None = None
    fmtp: str = ""
    feedback: tuple[str, ...] = ()

    @classmethod
    def parse_rtpmap(cls, text: str) -> CodecParameters:
        payload_type, encoding = tokens(text, 2, "rtpmap")[:2]
        name, _, rest = encoding.partition("/")
        rate, _, channels = rest.partition("/")
        if not name:
            raise ValueError("rtpmap has no encoding name")
        return cls(
            payload_type=number(payload_type, 127, "payload type"),
            name=name,
            clock_rate=number(rate, 10_000_000, "clock rate"),
            channels=number(channels, 255, "channels") if channels else None,
        )

    def rtpmap(self) -> str:
        channels = "" if self.channels is None else f"/{self.channels}"
        return f"{self.payload_type} {self.name}/{self.clock_rate}{channels}"

    @property
    def parameters(self) -> dict[str, str]:
        """The fmtp as a dict, keys in lower case."""
        return parse_fmtp(self.fmtp)


@dataclass(frozen=True, slots=True)
class ExtMap:
    """Header extension id of a URI (RFC 8285 §5); `direction` is the optional suffix of the id."""

    id: int
    uri: str
    direction: Direction | None = None
    attributes: str = ""

    @classmethod
    def parse(cls, text: str) -> ExtMap:
        words = tokens(text, 2, "extmap")
        identifier, _, suffix = words[0].partition("/")
        if suffix and suffix not in DIRECTIONS:
            raise ValueError("extmap direction is unknown")
        value = number(identifier, 4351, "extmap id")  # RFC 8285 §5: 4096–4351 are provisional
        if value == 0:
            raise ValueError("extmap id 0 is padding")
        return cls(value, words[1], DIRECTIONS.get(suffix), " ".join(words[2:]))

    def text(self) -> str:
        suffix = f"/{self.direction}" if self.direction else ""
        return f"{self.id}{suffix} {self.uri}" + (f" {self.attributes}" if self.attributes else "")


@dataclass(frozen=True, slots=True)
class SsrcAttribute:
    """One `a=ssrc` line (RFC 5576 §4.1)."""

    ssrc: int
    name: str
    value: str | None = None

    @classmethod
    def parse(cls, text: str) -> SsrcAttribute:
        ssrc, _, rest = text.partition(" ")
        name, colon, value = rest.strip(" ").partition(":")
        if not name:
            raise ValueError("ssrc has no attribute")
        return cls(number(ssrc, _UINT32, "ssrc"), name, value if colon else None)

    def text(self) -> str:
        return f"{self.ssrc} {self.name}" + ("" if self.value is None else f":{self.value}")


@dataclass(frozen=True, slots=True)
class SsrcGroup:
    """`a=ssrc-group` (RFC 5576 §4.2); FID pairs a stream with its retransmission."""

    semantics: str
    ssrcs: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> SsrcGroup:
        words = tokens(text, 1, "ssrc-group")
        return cls(words[0], tuple(number(word, _UINT32, "ssrc") for word in words[1:]))

    def text(self) -> str:
        return " ".join([self.semantics, *map(str, self.ssrcs)])


@dataclass(frozen=True, slots=True)
class Rid:
    """`a=rid` (RFC 8851): a restricted encoding inside the m-line."""

    id: str
    direction: str
    restrictions: str = ""

    @classmethod
    def parse(cls, text: str) -> Rid:
        words = tokens(text, 2, "rid")
        if words[1] not in ("send", "recv"):
            raise ValueError("rid direction must be send or recv")
        return cls(words[0], words[1], " ".join(words[2:]))

    def text(self) -> str:
        return f"{self.id} {self.direction}" + (f" {self.restrictions}" if self.restrictions else "")


@dataclass(frozen=True, slots=True)
class Simulcast:
    """`a=simulcast` (RFC 8853): streams, each a tuple of alternatives; `~` before a rid: paused."""

    send: tuple[tuple[str, ...], ...] = ()
    recv: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Simulcast:
        words = tokens(text, 2, "simulcast")
        lists: dict[str, tuple[tuple[str, ...], ...]] = {}
        for direction, streams in zip(words[::2], words[1::2], strict=False):
            if direction not in ("send", "recv") or direction in lists:
                raise ValueError("simulcast needs send and/or recv, once each")
            lists[direction] = tuple(tuple(stream.split(",")) for stream in streams.split(";"))
            if len(lists[direction]) > _MAX_RIDS or not all(all(stream) for stream in lists[direction]):
                raise ValueError("simulcast list is malformed")
        return cls(lists.get("send", ()), lists.get("recv", ()))

    def text(self) -> str:
        lists = (("send", self.send), ("recv", self.recv))
        return " ".join(f"{name} {';'.join(map(','.join, streams))}" for name, streams in lists if streams)


@dataclass(frozen=True, slots=True)
class Msid:
    """`a=msid` (RFC 8830): the MediaStream and, optionally, the track of an m-line."""

    stream: str
    track: str | None = None

    @classmethod
    def parse(cls, text: str) -> Msid:
        words = tokens(text, 1, "msid")
        return cls(words[0], words[1] if len(words) > 1 else None)

    def text(self) -> str:
        return self.stream if self.track is None else f"{self.stream} {self.track}"


@dataclass(frozen=True, slots=True)
class Group:
    """`a=group` (RFC 5888); BUNDLE lists the mids that share a transport."""

    semantics: str
    mids: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Group:
        words = tokens(text, 1, "group")
        return cls(words[0], tuple(words[1:]))

    def text(self) -> str:
        return " ".join([self.semantics, *self.mids])


@dataclass(frozen=True, slots=True)
class Origin:
    """The `o=` line (RFC 8866 §5.2). `version` rises with every new description of one session."""

    session_id: int
    version: int
    username: str = "-"
    network_type: str = "IN"
    address_type: str = "IP4"
    address: str = "127.0.0.1"

    @classmethod
    def parse(cls, text: str) -> Origin:
        words = tokens(text, 6, "origin")
        session_id = number(words[1], (1 << 64) - 1, "session id")
        return cls(session_id, number(words[2], (1 << 64) - 1, "session version"), words[0], *words[3:6])

    def text(self) -> str:
        numbers = f"{self.session_id} {self.version}"
        return f"{self.username} {numbers} {self.network_type} {self.address_type} {self.address}"
