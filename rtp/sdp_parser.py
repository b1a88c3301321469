"""SDP text → `Session`. A fault is a `ProtocolError` naming the line; sizes are bounded before any work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from core.errors import ProtocolError
from rtp.sdp_attributes import (
    DIRECTIONS,
    SETUPS,
    ExtMap,
    Group,
    Msid,
    Origin,
    Rid,
    Setup,
    Simulcast,
    SsrcAttribute,
    SsrcGroup,
    number,
    tokens,
)
from rtp.sdp_codecs import CodecLines
from rtp.sdp_model import Media, Section, Session
from rtp.sdp_transport import Candidate, Fingerprint

MAX_SDP_CHARS: Final = 200_000
MAX_LINES: Final = 6_000
MAX_LINE_CHARS: Final = 8_192
MAX_MEDIA: Final = 128
_MAX_CREDENTIAL_CHARS: Final = 256  # RFC 8839 §5.4


def parse_sdp(text: str) -> Session:
    """Parse a session description (RFC 8866, as WebRTC uses it: RFC 8829 §5.8).

    Unknown attributes are kept. Raises `ProtocolError` naming the line number.
    """
    parser = _Parser()
    for line_number, kind, value in split_lines(text):
        with_line(line_number, parser.line, kind, value)
    return parser.finish()


def split_lines(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (line number, type letter, value) of each line that is not blank."""
    if len(text) > MAX_SDP_CHARS:
        raise ProtocolError(f"SDP is longer than {MAX_SDP_CHARS} characters")
    if text.count("\n") > MAX_LINES:
        raise ProtocolError(f"SDP has more than {MAX_LINES} lines")
    for line_number, raw in enumerate(text.split("\n"), start=1):
        line = raw.removesuffix("\r")
        if not line.strip(" "):
            continue
        if len(line) > MAX_LINE_CHARS:
            raise ProtocolError(f"SDP line {line_number}: longer than {MAX_LINE_CHARS} characters")
        if line[1:2] != "=" or not line[0].isalpha() or "\0" in line or "\r" in line:
            raise ProtocolError(f"SDP line {line_number}: not of the form <letter>=<value>")
        yield line_number, line[0], line[2:].strip(" ")


def with_line(line_number: int, handler: Callable[[str, str], None], kind: str, value: str) -> None:
    """Call a handler; what it finds wrong becomes a `ProtocolError` with the line number."""
    try:
        handler(kind, value)
    except ValueError as error:
        raise ProtocolError(f"SDP line {line_number}: {error}") from None


class _Parser:
    def __init__(self) -> None:
        self._session = Session(origin=Origin(0, 0))
        self._media: Media | None = None
        self._codecs = CodecLines()
        self._seen: set[str] = set()

    def line(self, kind: str, value: str) -> None:
        if not self._seen and (kind, value) != ("v", "0"):
            raise ValueError("a description starts with v=0")
        if kind == "m":
            self._start_media(value)
        elif kind == "a":
            self._attribute(value)
        elif kind in "icb":
            _head_line(self._media or self._session, kind, value)
        elif self._media is not None:
            raise ValueError(f"{kind}= may not follow an m-line")
        else:
            self._session_line(kind, value)
        self._seen.add(kind)

    def finish(self) -> Session:
        self._end_media()
        if "o" not in self._seen:
            raise ProtocolError("SDP has no o= line")
        mids = [media.mid for media in self._session.media if media.mid is not None]
        if len(mids) != len(set(mids)):
            raise ProtocolError("SDP uses a mid twice")
        return self._session

    def _session_line(self, kind: str, value: str) -> None:
        if kind in "vost" and kind in self._seen and kind != "t":
            raise ValueError(f"{kind}= may stand only once")
        if kind == "o":
            self._session.origin = Origin.parse(value)
        elif kind == "s":
            self._session.name = value
        elif kind == "t" and "t" not in self._seen:
            self._session.timing = value
        elif kind != "v":
            self._session.other_lines.append(f"{kind}={value}")

    def _start_media(self, value: str) -> None:
        self._end_media()
        words = tokens(value, 3, "m-line")
        if len(self._session.media) >= MAX_MEDIA:
            raise ValueError(f"more than {MAX_MEDIA} m-lines")
        port = number(words[1], 65535, "port")
        self._media = Media(kind=words[0], port=port, protocol=words[2], formats=words[3:])
        self._session.media.append(self._media)

    def _end_media(self) -> None:
        if self._media is not None:
            self._media.codecs, left = self._codecs.finish()
            self._media.attributes += left
            self._codecs = CodecLines()

    def _attribute(self, text: str) -> None:
        name, colon, value = text.partition(":")
        if not name:
            raise ValueError("attribute without a name")
        if self._media is None:
            known = session_attribute(self._session, name, value)
        else:
            known = self._codec_attribute(name, value) or media_attribute(self._media, name, value)
        if not known:
            (self._media or self._session).attributes.append((name, value if colon else None))

    def _codec_attribute(self, name: str, value: str) -> bool:
        if name == "rtpmap":
            self._codecs.rtpmap(value)
        elif name == "fmtp":
            self._codecs.fmtp(value)
        elif name == "rtcp-fb":
            self._codecs.rtcp_fb(value)
        else:
            return False
        return True


def _head_line(section: Section, kind: str, value: str) -> None:
    if kind == "b":
        section.bandwidths.append(value)
    elif kind == "i":
        section.information = value
    else:
        section.connection = value


def session_attribute(session: Session, name: str, value: str) -> bool:
    """Take an attribute that stands before the first m-line; False when it has no field."""
    if name == "group":
        session.groups.append(Group.parse(value))
    elif name == "ice-lite":
        session.ice_lite = True
    else:
        return _common_attribute(session, name, value)
    return True


def media_attribute(media: Media, name: str, value: str) -> bool:
    """Take an attribute of an m-line; False when it has no field."""
    handler = _MEDIA_ATTRIBUTES.get(name)
    if handler is None:
        return _common_attribute(media, name, value)
    handler(media, value)
    return True


def _common_attribute(section: Section, name: str, value: str) -> bool:
    if name in DIRECTIONS:
        section.direction = DIRECTIONS[name]
    elif name == "ice-ufrag":
        section.ice_ufrag = _credential(value, 4)
    elif name == "ice-pwd":
        section.ice_pwd = _credential(value, 22)
    elif name == "ice-options":
        section.ice_options = tuple(tokens(value, 1, "ice-options"))
    elif name == "fingerprint":
        section.fingerprints.append(Fingerprint.parse(value))
    elif name == "setup":
        section.setup = _setup(value)
    elif name == "extmap-allow-mixed":
        section.extmap_allow_mixed = True
    else:
        return False
    return True


def _credential(value: str, minimum: int) -> str:
    if not minimum <= len(value) <= _MAX_CREDENTIAL_CHARS or not value.isascii() or " " in value:
        raise ValueError(f"ICE credential must have {minimum} to {_MAX_CREDENTIAL_CHARS} characters")
    return value


def _setup(value: str) -> Setup:
    if value not in SETUPS:
        raise ValueError("setup must be actpass, active or passive")
    return SETUPS[value]


def _mid(media: Media, value: str) -> None:
    if not value or " " in value or len(value) > 64:
        raise ValueError("mid must be a word of at most 64 characters")
    media.mid = value


def _set_simulcast(media: Media, value: str) -> None:
    media.simulcast = Simulcast.parse(value)


def _flag(name: str) -> Callable[[Media, str], None]:
    return lambda media, _value: setattr(media, name, True)


_MEDIA_ATTRIBUTES: Final[dict[str, Callable[[Media, str], None]]] = {
    "mid": _mid,
    "extmap": lambda media, value: media.extensions.append(ExtMap.parse(value)),
    "msid": lambda media, value: media.msids.append(Msid.parse(value)),
    "ssrc": lambda media, value: media.ssrcs.append(SsrcAttribute.parse(value)),
    "ssrc-group": lambda media, value: media.ssrc_groups.append(SsrcGroup.parse(value)),
    "rid": lambda media, value: media.rids.append(Rid.parse(value)),
    "simulcast": _set_simulcast,
    "candidate": lambda media, value: media.candidates.append(Candidate.parse(value)),
    "end-of-candidates": _flag("end_of_candidates"),
    "rtcp-mux": _flag("rtcp_mux"),
    "rtcp-rsize": _flag("rtcp_rsize"),
    "bundle-only": _flag("bundle_only"),
}
