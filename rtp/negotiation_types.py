"""What negotiation takes and gives: transports, received m-lines, tracks to send."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rtp.extensions import ExtensionMap
from rtp.sdp import Candidate, CodecParameters, Fingerprint, IceParameters, Session, Setup

DtlsRole: TypeAlias = Literal["client", "server"]


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Our end. `fingerprint`: (algorithm, value). `session_id` stays for a connection's life."""

    ice: IceParameters
    fingerprint: tuple[str, str]
    candidates: tuple[Candidate, ...] = ()
    session_id: int = 1
    trickle: bool = False
    """True: more candidates follow in fragments, so no `end-of-candidates` is written."""


@dataclass(frozen=True, slots=True)
class RemoteTransport:
    """The other end, as its description tells. `dtls_role` is the role that **we** play."""

    ice: IceParameters
    fingerprints: tuple[Fingerprint, ...]
    setup: Setup
    candidates: tuple[Candidate, ...]
    end_of_candidates: bool
    dtls_role: DtlsRole


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiatedMedia:
    """One m-line both ends agreed on: what packets of it look like."""

    mid: str
    kind: str
    codec: str
    payload_type: int
    clock_rate: int
    channels: int | None = None
    fmtp: str = ""
    rtx_payload_type: int | None = None
    extensions: ExtensionMap = field(default_factory=ExtensionMap)
    feedback: frozenset[str] = frozenset()
    ssrc: int | None = None
    rtx_ssrc: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMedia(NegotiatedMedia):
    """What the other end sends us. `rids`: its simulcast streams in the offer's order, or none."""

    rids: tuple[str, ...] = ()
    stream_id: str | None = None
    track_id: str | None = None
    cname: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedMedia(NegotiatedMedia):
    """A track the other end takes, on these terms. `rids`: of its simulcast streams those that are taken; the
    description names no SSRCs then.
    """

    track_id: str
    rids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingTrack:
    """A track we send. `a=msid` carries `stream_id` and `track_id`; those of one stream play in step.

    `rids`: its simulcast streams, best first; then `ssrc` and `rtx_ssrc` stay out of the offer, because
    packets say by MID and RID what they are (RFC 8853 §5.5), and `rtx_ssrc` only says that there is RTX.
    """

    track_id: str
    kind: str
    codec: str
    clock_rate: int
    ssrc: int
    cname: str
    stream_id: str
    channels: int | None = None
    fmtp: str = ""
    rtx_ssrc: int | None = None
    rids: tuple[str, ...] = ()

    @property
    def parameters(self) -> CodecParameters:
        """Its codec, without a payload type."""
        return CodecParameters(0, self.codec, self.clock_rate, self.channels, self.fmtp)


@dataclass(frozen=True, slots=True)
class ViewAnswer:
    """`accepted`: which track goes on which m-line. `unsupported`: no m-line's codecs can carry it."""

    answer: Session
    accepted: list[AcceptedMedia]
    unsupported: list[OutgoingTrack]


@dataclass(frozen=True, slots=True)
class AppliedAnswer:
    """What the other end took of our offer, and how to reach it."""

    media: list[AcceptedMedia]
    transport: RemoteTransport
