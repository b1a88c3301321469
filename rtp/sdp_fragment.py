"""`application/trickle-ice-sdpfrag` (RFC 8840 §9): the body of WHIP's and WHEP's PATCH (RFC 9725 §4.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.errors import ProtocolError
from rtp.sdp_attributes import Origin, tokens
from rtp.sdp_model import Media, Session
from rtp.sdp_parser import media_attribute, session_attribute, split_lines, with_line
from rtp.sdp_transport import Candidate, IceParameters


@dataclass(slots=True, kw_only=True)
class IceFragment:
    """Candidates, perhaps with new credentials (an ICE restart), of one bundle. `mid`: the first named."""

    ice: IceParameters | None = None
    candidates: list[Candidate] = field(default_factory=list)
    end_of_candidates: bool = False
    mid: str | None = None

    def serialize(self) -> str:
        """The body, lines ended by CRLF."""
        lines = ["a=ice-lite"] if self.ice is not None and self.ice.lite else []
        if self.ice is not None:
            lines += [f"a=ice-ufrag:{self.ice.ufrag}", f"a=ice-pwd:{self.ice.pwd}"]
        if self.mid is not None or self.candidates or self.end_of_candidates:
            lines += ["m=audio 9 RTP/AVP 0"]  # RFC 8840 §9: a pseudo m-line, its content means nothing
            lines += [] if self.mid is None else [f"a=mid:{self.mid}"]
        lines += [f"a=candidate:{candidate.text()}" for candidate in self.candidates]
        lines += ["a=end-of-candidates"] if self.end_of_candidates else []
        return "".join(line + "\r\n" for line in lines)


class _Reader:
    def __init__(self) -> None:
        self.session = Session(origin=Origin(0, 0))

    def line(self, kind: str, value: str) -> None:
        if kind == "m":
            words = tokens(value, 3, "m-line")
            self.session.media.append(Media(kind=words[0], port=9, protocol=words[2], formats=words[3:]))
        elif kind != "a":
            raise ValueError("a fragment has only a= and m= lines")
        else:
            name, _, rest = value.partition(":")
            self._attribute(name, rest)

    def _attribute(self, name: str, value: str) -> None:
        if self.session.media:
            media_attribute(self.session.media[-1], name, value)
        elif name in ("candidate", "end-of-candidates", "mid"):
            raise ValueError(f"{name} needs an m-line before it")
        else:
            session_attribute(self.session, name, value)


def parse_fragment(text: str) -> IceFragment:
    """Parse a fragment; attributes that say nothing about ICE are ignored. Raises `ProtocolError`."""
    reader = _Reader()
    for line_number, kind, value in split_lines(text):
        with_line(line_number, reader.line, kind, value)
    session = reader.session
    sections = session.media or [Media(kind="", port=0, protocol="", formats=[])]
    credentials = {session.ice_of(media) for media in sections}
    credentials.discard(None)
    if len(credentials) > 1:
        raise ProtocolError("the fragment has different ICE credentials for m-lines of one bundle")
    return IceFragment(
        ice=next(iter(credentials), None),
        candidates=[candidate for media in session.media for candidate in media.candidates],
        end_of_candidates=any(media.end_of_candidates for media in session.media),
        mid=next((media.mid for media in session.media if media.mid is not None), None),
    )


def serialize_fragment(fragment: IceFragment) -> str:
    """The body of a fragment."""
    return fragment.serialize()
