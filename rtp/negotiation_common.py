"""Parts that all offers and answers share: bundling, transport lines, extensions, DTLS roles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.errors import ProtocolError
from rtp.codecs import RTX, canonical_name, find_rtx, known_feedback
from rtp.extensions import (
    ABS_CAPTURE_TIME,
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    DEPENDENCY_DESCRIPTOR,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
    ExtensionMap,
)
from rtp.negotiation_types import DtlsRole, LocalTransport, OutgoingTrack, RemoteTransport
from rtp.sdp import (
    BUNDLE,
    CodecParameters,
    Direction,
    ExtMap,
    Fingerprint,
    Group,
    Media,
    Msid,
    Origin,
    Session,
    Setup,
    SsrcAttribute,
    SsrcGroup,
)

KNOWN_EXTENSIONS: Final = frozenset(
    {
        MID,
        RID,
        REPAIRED_RID,
        TRANSPORT_CC,
        ABS_SEND_TIME,
        ABS_CAPTURE_TIME,
        PLAYOUT_DELAY,
        AUDIO_LEVEL,
        DEPENDENCY_DESCRIPTOR,
    }
)
"""Extensions an answer of ours accepts."""

DISCARD_PORT: Final = 9  # RFC 8829 §5.2.1: the port of an m-line before candidates are chosen
UNSPECIFIED_CONNECTION: Final = "IN IP4 0.0.0.0"
_MIRRORED: Final[dict[Direction | None, Direction | None]] = {
    None: None,
    "sendrecv": "sendrecv",
    "inactive": "inactive",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
}


def sends(direction: Direction) -> bool:
    return direction in ("sendonly", "sendrecv")


def receives(direction: Direction) -> bool:
    return direction in ("recvonly", "sendrecv")


def media_mid(session: Session, index: int) -> str:
    """The mid of an m-line; its position where the text gives none (one-m-line offers may)."""
    return session.media[index].mid or str(index)


def usable_media(offer: Session) -> list[bool]:
    """For each m-line of an offer: can it share the one transport we have?

    Raises `ProtocolError` for several m-lines without BUNDLE (RFC 9725 §4.2), or without rtcp-mux.
    """
    live = [media for media in offer.media if _is_rtp(media)]
    bundle = offer.bundle
    if not bundle and len(live) > 1:
        raise ProtocolError("the offer has several m-lines and no a=group:BUNDLE; bundling is required")
    usable = [_is_rtp(media) and (not bundle or media.mid in bundle) for media in offer.media]
    for index, media in enumerate(offer.media):
        if usable[index] and not media.rtcp_mux:
            raise ProtocolError(f"m-line {media_mid(offer, index)} lacks a=rtcp-mux, which is required")
    return usable


def _is_rtp(media: Media) -> bool:
    return not media.rejected and media.kind in ("audio", "video") and "RTP/SAVP" in media.protocol


def remote_transport(session: Session, *, prefer: DtlsRole = "server") -> RemoteTransport:
    """Read the other end's transport from its offer or answer (of a bundle: the first live m-line).

    `prefer`: our DTLS role when the offer leaves it open; "client" where `answer_subscribe` answers it.
    Raises `ProtocolError` when it lacks ICE credentials or a fingerprint.
    """
    live = [media for media in session.media if _is_rtp(media)]
    if not live:
        raise ProtocolError("the description has no live audio or video m-line")
    first = live[0]
    ice, fingerprints = session.ice_of(first), session.fingerprints_of(first)
    if ice is None:
        raise ProtocolError("the description has no a=ice-ufrag and a=ice-pwd")
    if not fingerprints:
        raise ProtocolError("the description has no a=fingerprint; only DTLS-SRTP is spoken here")
    setup = session.setup_of(first) or "actpass"
    candidates = dict.fromkeys(candidate for media in live for candidate in media.candidates)
    return RemoteTransport(
        ice=ice,
        fingerprints=tuple(fingerprints),
        setup=setup,
        candidates=tuple(candidates),
        end_of_candidates=any(media.end_of_candidates for media in live),
        dtls_role=_dtls_role(setup, prefer),
    )


def _dtls_role(theirs: Setup, prefer: DtlsRole) -> DtlsRole:
    if theirs == "passive":
        return "client"
    return "server" if theirs == "active" else prefer


def answer_setup(offered: Setup, *, prefer: DtlsRole) -> Setup:
    """Our `a=setup` in an answer (RFC 8842 §5.3): what is free is chosen by `prefer`.

    The DTLS server picks the SRTP profile, so our server prefers that role and our clients leave it to it.
    """
    return "active" if _dtls_role(offered, prefer) == "client" else "passive"


def new_session(local: LocalTransport, version: int, *, allow_mixed: bool) -> Session:
    """A description of ours without m-lines."""
    return Session(
        origin=Origin(local.session_id, version),
        ice_lite=local.ice.lite,
        extmap_allow_mixed=allow_mixed,
        attributes=[("msid-semantic", " WMS *")],
    )


def finish_session(session: Session, local: LocalTransport, *, bundled: bool = True) -> Session:
    """Add the BUNDLE group over live m-lines and the candidates on the first of them (RFC 9143 §7.1.3)."""
    live = [media for media in session.media if not media.rejected]
    if bundled:
        session.groups = [Group(BUNDLE, tuple(media.mid for media in live if media.mid is not None))]
    if live:
        live[0].candidates = list(local.candidates)
        live[0].end_of_candidates = not local.trickle
    return session


def live_media(kind: str, protocol: str, mid: str | None, local: LocalTransport, setup: Setup) -> Media:
    """An m-line of ours with its transport lines and nothing else."""
    return Media(
        kind=kind,
        port=DISCARD_PORT,
        protocol=protocol,
        formats=[],
        mid=mid,
        connection=UNSPECIFIED_CONNECTION,
        ice_ufrag=local.ice.ufrag,
        ice_pwd=local.ice.pwd,
        ice_options=("trickle",) if local.trickle else (),
        fingerprints=[Fingerprint(local.fingerprint[0].lower(), local.fingerprint[1].upper())],
        setup=setup,
        rtcp_mux=True,
    )


def rejected_media(offered: Media) -> Media:
    """The answer to an m-line we do not take: port 0 (RFC 3264 §6)."""
    return Media(
        kind=offered.kind,
        port=0,
        protocol=offered.protocol,
        formats=list(offered.formats),
        connection=UNSPECIFIED_CONNECTION,
        mid=offered.mid,
        direction="inactive",
    )


def accept_extensions(offered: Iterable[ExtMap], *, theirs: Direction) -> list[ExtMap]:
    """Answer to `a=extmap` lines: those we know, same ids, directions mirrored (RFC 8285 §6).

    `theirs` is what the other end does on this m-line; what is offered only for the other way is left out.
    """
    accepted: dict[str, ExtMap] = {}
    used: set[int] = set()
    for extension in offered:
        known = extension.uri in KNOWN_EXTENSIONS and extension.direction in (None, "sendrecv", theirs)
        if known and extension.uri not in accepted and 1 <= extension.id <= 255:
            if extension.id in used:
                raise ProtocolError(f"extmap id {extension.id} is used twice in one m-line")
            used.add(extension.id)
            accepted[extension.uri] = ExtMap(extension.id, extension.uri, _MIRRORED[extension.direction])
    return list(accepted.values())


def extension_map(ours: Iterable[ExtMap], theirs: Iterable[ExtMap] | None = None) -> ExtensionMap:
    """Ids in force: ours, and of those only the ones the other description repeats when it is given."""
    both = {(extension.id, extension.uri) for extension in ours}
    if theirs is not None:
        both &= {(extension.id, extension.uri) for extension in theirs}
    return ExtensionMap({identifier: uri for identifier, uri in sorted(both) if 1 <= identifier <= 255})


def answer_codecs(
    kind: str, codec: CodecParameters, offered: list[CodecParameters], fmtp: str
) -> list[CodecParameters]:
    """One codec and its RTX, with the offer's payload types and the feedback we understand."""
    feedback = known_feedback(kind, codec.feedback)
    chosen = [
        CodecParameters(codec.payload_type, codec.name, codec.clock_rate, codec.channels, fmtp, feedback)
    ]
    rtx = find_rtx(offered, codec.payload_type)
    if rtx is not None:
        apt = f"apt={codec.payload_type}"
        chosen.append(CodecParameters(rtx.payload_type, RTX, rtx.clock_rate, fmtp=apt))
    return chosen


def set_codecs(media: Media, codecs: list[CodecParameters]) -> None:
    """Give an m-line its codecs; the formats of the m-line follow."""
    media.codecs = codecs
    media.formats = [str(codec.payload_type) for codec in codecs]


def relayed_name(codec: CodecParameters) -> str:
    """The codec's name as we spell it; only for codecs already chosen."""
    return canonical_name(codec.name) or codec.name


def matched_media(offer: Session, answer: Session) -> list[tuple[Media, Media]]:
    """Pairs of m-lines (ours, theirs). `ProtocolError` unless the answer fits the offer (RFC 3264 §6)."""
    if len(offer.media) != len(answer.media):
        raise ProtocolError(f"the answer has {len(answer.media)} m-lines, the offer {len(offer.media)}")
    pairs = list(zip(offer.media, answer.media, strict=True))
    for index, (ours, theirs) in enumerate(pairs):
        if ours.kind != theirs.kind or theirs.mid not in (ours.mid, None):
            raise ProtocolError(f"m-line {index} of the answer does not match the offer's")
    return pairs


def add_source(media: Media, track: OutgoingTrack) -> None:
    """Make an m-line send a track: direction, msid, SSRCs (RFC 8829 §5.2.1, RFC 5576)."""
    msid = Msid(track.stream_id, track.track_id)
    media.direction = "sendonly"
    media.msids = [msid]
    ssrcs = [track.ssrc]
    if track.rtx_ssrc is not None and any(codec.name == RTX for codec in media.codecs):
        ssrcs.append(track.rtx_ssrc)
        media.ssrc_groups = [SsrcGroup("FID", tuple(ssrcs))]
    for ssrc in ssrcs:
        media.ssrcs.append(SsrcAttribute(ssrc, "cname", track.cname))
        media.ssrcs.append(SsrcAttribute(ssrc, "msid", msid.text()))
