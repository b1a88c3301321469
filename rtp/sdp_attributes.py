"""Values of SDP attributes: each parses and writes the text after the colon. `ValueError` means bad input."""

from __future__ import annotations

from dataclasses import dataclass
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
