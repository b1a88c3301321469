"""A session description as values: `Session` holds `Media` (m-lines); both write themselves (RFC 8866)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rtp.sdp_attributes import (
    Direction,
    ExtMap,
    Group,
    Msid,
    Origin,
    Rid,
    Setup,
    Simulcast,
    SsrcAttribute,
    SsrcGroup,
)
from rtp.sdp_codecs import CodecParameters
from rtp.sdp_transport import Candidate, Fingerprint, IceParameters

Attribute = tuple[str, str | None]
BUNDLE: Final = "BUNDLE"


@dataclass(slots=True, kw_only=True)
class Section:
    """What may stand before the first m-line as well as under one."""

    ice_ufrag: str | None = None
    ice_pwd: str | None = None
    ice_options: tuple[str, ...] = ()
    fingerprints: list[Fingerprint] = field(default_factory=list)
    setup: Setup | None = None
    direction: Direction | None = None
    extmap_allow_mixed: bool = False
    information: str | None = None
    connection: str | None = None
    bandwidths: list[str] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    """Attributes without a field of their own, in order."""

    def _head(self) -> list[str]:
        lines = [] if self.information is None else [f"i={self.information}"]
        lines += [] if self.connection is None else [f"c={self.connection}"]
        return lines + [f"b={bandwidth}" for bandwidth in self.bandwidths]

    def _transport_lines(self) -> list[str]:
        lines = [] if self.ice_ufrag is None else [f"a=ice-ufrag:{self.ice_ufrag}"]
        lines += [] if self.ice_pwd is None else [f"a=ice-pwd:{self.ice_pwd}"]
        lines += [f"a=ice-options:{' '.join(self.ice_options)}"] if self.ice_options else []
        lines += [f"a=fingerprint:{fingerprint.text()}" for fingerprint in self.fingerprints]
        lines += [] if self.setup is None else [f"a=setup:{self.setup}"]
        return lines

    def _tail(self) -> list[str]:
        return [f"a={name}" if value is None else f"a={name}:{value}" for name, value in self.attributes]


@dataclass(slots=True, kw_only=True)
class Media(Section):
    """One m-line and its attributes. `port` 0 means rejected, unless `bundle_only`."""

    kind: str
    port: int
    protocol: str
    formats: list[str]
    mid: str | None = None
    codecs: list[CodecParameters] = field(default_factory=list)
    extensions: list[ExtMap] = field(default_factory=list)
    msids: list[Msid] = field(default_factory=list)
    ssrcs: list[SsrcAttribute] = field(default_factory=list)
    ssrc_groups: list[SsrcGroup] = field(default_factory=list)
    rids: list[Rid] = field(default_factory=list)
    simulcast: Simulcast | None = None
    candidates: list[Candidate] = field(default_factory=list)
    end_of_candidates: bool = False
    rtcp_mux: bool = False
    rtcp_rsize: bool = False
    bundle_only: bool = False

    @property
    def rejected(self) -> bool:
        """True when this m-line carries nothing (RFC 3264 §6; `bundle-only` has port 0 too, RFC 9143 §6)."""
        return self.port == 0 and not self.bundle_only

    def codec(self, payload_type: int) -> CodecParameters | None:
        """The codec of a payload type."""
        return next((codec for codec in self.codecs if codec.payload_type == payload_type), None)

    def lines(self) -> list[str]:
        """This m-section as SDP lines without line ends."""
        lines = [f"m={self.kind} {self.port} {self.protocol} {' '.join(self.formats)}".rstrip(" ")]
        lines += self._head()
        lines += [] if self.mid is None else [f"a=mid:{self.mid}"]
        lines += self._transport_lines() + self._flags()
        lines += [f"a=extmap:{extension.text()}" for extension in self.extensions]
        lines += [] if self.direction is None else [f"a={self.direction}"]
        lines += [f"a=msid:{msid.text()}" for msid in self.msids]
        lines += self._codec_lines() + self._source_lines()
        lines += [f"a=candidate:{candidate.text()}" for candidate in self.candidates]
        lines += ["a=end-of-candidates"] if self.end_of_candidates else []
        return lines + self._tail()

    def _flags(self) -> list[str]:
        flags = {
            "rtcp-mux": self.rtcp_mux,
            "rtcp-rsize": self.rtcp_rsize,
            "bundle-only": self.bundle_only,
            "extmap-allow-mixed": self.extmap_allow_mixed,
        }
        return [f"a={name}" for name, present in flags.items() if present]

    def _codec_lines(self) -> list[str]:
        lines = []
        for codec in self.codecs:
            lines.append(f"a=rtpmap:{codec.rtpmap()}")
            lines += [f"a=rtcp-fb:{codec.payload_type} {feedback}" for feedback in codec.feedback]
            lines += [f"a=fmtp:{codec.payload_type} {codec.fmtp}"] if codec.fmtp else []
        return lines

    def _source_lines(self) -> list[str]:
        lines = [f"a=rid:{rid.text()}" for rid in self.rids]
        lines += [] if self.simulcast is None else [f"a=simulcast:{self.simulcast.text()}"]
        lines += [f"a=ssrc-group:{group.text()}" for group in self.ssrc_groups]
        return lines + [f"a=ssrc:{ssrc.text()}" for ssrc in self.ssrcs]


@dataclass(slots=True, kw_only=True)
class Session(Section):
    """A whole description. Fields of `Section` here are defaults for every m-line."""

    origin: Origin
    name: str = "-"
    timing: str = "0 0"
    groups: list[Group] = field(default_factory=list)
    ice_lite: bool = False
    media: list[Media] = field(default_factory=list)
    other_lines: list[str] = field(default_factory=list)
    """Lines of types that WebRTC does not use (`u=`, `e=`, `p=`, `r=`, `z=`, `k=`), in order."""

    def serialize(self) -> str:
        """The SDP text, lines ended by CRLF."""
        lines = ["v=0", f"o={self.origin.text()}", f"s={self.name}", f"t={self.timing}"]
        lines += self.other_lines + self._head()
        lines += [f"a=group:{group.text()}" for group in self.groups]
        lines += ["a=ice-lite"] if self.ice_lite else []
        lines += ["a=extmap-allow-mixed"] if self.extmap_allow_mixed else []
        lines += self._transport_lines()
        lines += [] if self.direction is None else [f"a={self.direction}"]
        lines += self._tail()
        for media in self.media:
            lines += media.lines()
        return "".join(line + "\r\n" for line in lines)

    @property
    def bundle(self) -> tuple[str, ...]:
        """Mids of the first BUNDLE group, empty without one."""
        return next((group.mids for group in self.groups if group.semantics == BUNDLE), ())

    def by_mid(self, mid: str) -> Media | None:
        """The m-line with that mid."""
        return next((media for media in self.media if media.mid == mid), None)

    def ice_of(self, media: Media) -> IceParameters | None:
        """Credentials that apply to an m-line: its own, else the session's."""
        ufrag, pwd = media.ice_ufrag or self.ice_ufrag, media.ice_pwd or self.ice_pwd
        return IceParameters(ufrag, pwd, self.ice_lite) if ufrag and pwd else None

    def fingerprints_of(self, media: Media) -> list[Fingerprint]:
        """Fingerprints that apply to an m-line."""
        return media.fingerprints or self.fingerprints

    def setup_of(self, media: Media) -> Setup | None:
        """DTLS role that applies to an m-line."""
        return media.setup or self.setup

    def direction_of(self, media: Media) -> Direction:
        """Direction that applies to an m-line; sendrecv by default (RFC 8866 §6.7)."""
        return media.direction or self.direction or "sendrecv"
