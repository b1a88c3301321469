"""Offers of the end that sends (server to subscribers, edge agent to server) and the answers to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from core.errors import ProtocolError
from rtp.codecs import (
    H264_BASELINE_FMTP,
    RTX,
    canonical_name,
    choose_received,
    codec_names,
    configuration_fmtp,
    feedback_messages,
    find_rtx,
    ordered_codecs,
    same_configuration,
)
from rtp.extensions import (
    ABS_CAPTURE_TIME,
    ABS_SEND_TIME,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
)
from rtp.negotiation_common import (
    add_source,
    extension_map,
    finish_session,
    live_media,
    matched_media,
    new_session,
    receives,
    relayed_name,
    remote_transport,
    set_codecs,
)
from rtp.negotiation_types import AcceptedMedia, AppliedAnswer, LocalTransport, OutgoingTrack
from rtp.sdp import CodecParameters, ExtMap, Media, Rid, Session, Simulcast

_EXTENSION_IDS: Final = {
    MID: 1,
    TRANSPORT_CC: 2,
    ABS_SEND_TIME: 3,
    ABS_CAPTURE_TIME: 4,
    PLAYOUT_DELAY: 5,
    RID: 6,
    REPAIRED_RID: 7,
}
"""One table for all m-lines: ids may not differ inside a bundle (RFC 9143 §11)."""
OFFERED_EXTENSIONS: Final = {
    "audio": (MID, TRANSPORT_CC, ABS_SEND_TIME, ABS_CAPTURE_TIME),
    "video": (MID, TRANSPORT_CC, ABS_SEND_TIME, ABS_CAPTURE_TIME, PLAYOUT_DELAY),
}
SIMULCAST_EXTENSIONS: Final = (RID, REPAIRED_RID)
_PAYLOAD_TYPES: Final = (*range(96, 128), *range(35, 64))
"""Dynamic ones, then those that stay clear of RTCP types under rtcp-mux (RFC 5761 §4)."""


def extension_lines(uris: Iterable[str]) -> list[ExtMap]:
    """Our own numbering of header extensions."""
    return [ExtMap(_EXTENSION_IDS[uri], uri) for uri in uris]


def offer_subscribe(
    previous: Session | None, local: LocalTransport, tracks: Sequence[OutgoingTrack], *, version: int
) -> Session:
    """The server's offer of `tracks`, sendonly. m-lines of `previous` keep place, mid, payload types.

    A track keeps its m-line while its SSRC is wanted; an m-line left over turns inactive and is given to a
    later track of the same kind and codec (with another SSRC). H.264 of other profiles than constrained
    baseline is offered as that too: some browsers list fewer profiles than they decode. `track_mids` tells
    what went where.
    """
    return _offer_sending(previous, local, tracks, version, h264_fallback=True)


def offer_publish(
    local: LocalTransport,
    sources: Sequence[OutgoingTrack],
    *,
    previous: Session | None = None,
    version: int = 1,
) -> Session:
    """A Python publisher's offer (WHIP), sendonly, each source with its one codec and RTX, and with its
    simulcast streams when it has `rids` (RFC 8853).
    """
    return _offer_sending(previous, local, sources, version, h264_fallback=False)


def track_mids(offer: Session) -> dict[str, str]:
    """mid → track id of every m-line of our offer that sends."""
    sending = (media for media in offer.media if media.direction == "sendonly" and media.msids)
    return {media.mid or "": media.msids[0].track or "" for media in sending}


def _offer_sending(
    previous: Session | None,
    local: LocalTransport,
    tracks: Sequence[OutgoingTrack],
    version: int,
    *,
    h264_fallback: bool,
) -> Session:
    payload_types = _PayloadTypes(previous)
    slots = _place(previous.media if previous else [], tracks)
    offer = new_session(local, version, allow_mixed=True)
    for index, (old, track) in enumerate(slots):
        kind = track.kind if track else old.kind if old else "video"
        media = live_media(kind, "UDP/TLS/RTP/SAVPF", str(index), local, "actpass")
        media.rtcp_rsize = True
        media.extensions = extension_lines(OFFERED_EXTENSIONS[kind])
        if track is not None:
            set_codecs(media, payload_types.codecs(track, h264_fallback=h264_fallback))
            _add_track(media, track)
        elif old is not None:
            set_codecs(media, old.codecs)
            media.direction = "inactive"
        offer.media.append(media)
    return finish_session(offer, local)


def _add_track(media: Media, track: OutgoingTrack) -> None:
    add_source(media, track)
    if track.rids:
        media.ssrcs, media.ssrc_groups = [], []
        media.extensions += extension_lines(SIMULCAST_EXTENSIONS)
        media.rids = [Rid(rid, "send") for rid in track.rids]
        media.simulcast = Simulcast(send=tuple((rid,) for rid in track.rids))


def _place(
    old: Sequence[Media], tracks: Sequence[OutgoingTrack]
) -> list[tuple[Media | None, OutgoingTrack | None]]:
    """Which track goes on which m-line: (old m-line or None, its track or None), in m-line order."""
    wanted = {_name(track): track for track in tracks}
    slots: list[tuple[Media | None, OutgoingTrack | None]] = [
        (media, wanted.pop(_name_of(media), None)) for media in old
    ]
    for track in wanted.values():
        free = (i for i, (media, taken) in enumerate(slots) if not taken and _recyclable(media, track))
        index = next(free, None)
        if index is None:
            slots.append((None, track))
        else:
            slots[index] = (slots[index][0], track)
    return slots


def _name(track: OutgoingTrack) -> int | str:
    """What an m-line keeps for as long as it sends this track."""
    return track.track_id if track.rids else track.ssrc


def _name_of(media: Media) -> int | str:
    if media.rids:
        return (media.msids[0].track if media.msids else None) or ""
    return media.ssrcs[0].ssrc if media.ssrcs else ""


def _recyclable(media: Media | None, track: OutgoingTrack) -> bool:
    return (
        media is not None
        and media.kind == track.kind
        and bool(media.codecs)
        and canonical_name(media.codecs[0].name) == canonical_name(track.codec)
    )


class _PayloadTypes:
    """One payload type per codec configuration for a connection's life, read back from the last offer."""

    def __init__(self, previous: Session | None) -> None:
        self._known: dict[int, CodecParameters] = {}
        for media in previous.media if previous else []:
            self._known.update({codec.payload_type: codec for codec in media.codecs})

    def codecs(self, track: OutgoingTrack, *, h264_fallback: bool) -> list[CodecParameters]:
        """The codecs of a track's m-line, each followed by its RTX."""
        configurations = [replace(track.parameters, fmtp=_declared_fmtp(track))]
        fallback = replace(track.parameters, fmtp=H264_BASELINE_FMTP)
        if h264_fallback and track.codec == "H264" and not same_configuration(configurations[0], fallback):
            configurations.append(fallback)
        codecs = []
        for configuration in configurations:
            codec = self._assign(replace(configuration, feedback=feedback_messages(track.kind)))
            codecs.append(codec)
            if track.rtx_ssrc is not None:
                apt = f"apt={codec.payload_type}"
                codecs.append(self._assign(CodecParameters(0, RTX, track.clock_rate, fmtp=apt)))
        return codecs

    def _assign(self, codec: CodecParameters) -> CodecParameters:
        for payload_type, known in self._known.items():
            same_rtx = codec.name == known.name == RTX and codec.fmtp == known.fmtp
            if same_rtx or same_configuration(known, codec):
                return replace(codec, payload_type=payload_type)
        free = next((number for number in _PAYLOAD_TYPES if number not in self._known), None)
        if free is None:
            raise ProtocolError(
                "no RTP payload type is left: too many codec configurations on one connection"
            )
        self._known[free] = replace(codec, payload_type=free)
        return self._known[free]


def _declared_fmtp(track: OutgoingTrack) -> str:
    """The track's format parameters as an offer states them; H.264 always in packetization-mode 1."""
    fmtp = configuration_fmtp(track.parameters)
    if track.codec != "H264" or "packetization-mode=1" in fmtp:
        return fmtp
    parts = [part for part in fmtp.split(";") if part and not part.startswith("packetization-mode")]
    return ";".join([*parts, "packetization-mode=1"])


def apply_answer(offer: Session, answer: Session) -> AppliedAnswer:
    """What the other end took of an `offer_subscribe` or `offer_publish`, and how to reach it.

    Raises `ProtocolError` for an answer that does not fit the offer.
    """
    accepted = []
    for ours, theirs in matched_media(offer, answer):
        sending = ours.direction == "sendonly" and not theirs.rejected
        if sending and receives(answer.direction_of(theirs)):
            accepted.append(_accepted(ours, theirs))
    return AppliedAnswer(accepted, remote_transport(answer))


def _accepted(ours: Media, theirs: Media) -> AcceptedMedia:
    if not theirs.rtcp_mux:
        raise ProtocolError(f"the answer's m-line {ours.mid} lacks a=rtcp-mux")
    codec = choose_received(ordered_codecs(theirs), codec_names(ours.kind))
    offered = ours.codec(codec.payload_type) if codec else None
    if codec is None or offered is None or canonical_name(offered.name) != canonical_name(codec.name):
        raise ProtocolError(f"the answer's m-line {ours.mid} has no codec of the offer")
    rtx = find_rtx(theirs.codecs, codec.payload_type)
    return AcceptedMedia(
        mid=ours.mid or "",
        kind=ours.kind,
        codec=relayed_name(offered),
        payload_type=codec.payload_type,
        clock_rate=offered.clock_rate,
        channels=offered.channels,
        fmtp=offered.fmtp,
        rtx_payload_type=rtx.payload_type if rtx and ours.codec(rtx.payload_type) else None,
        extensions=extension_map(ours.extensions, theirs.extensions),
        feedback=frozenset(codec.feedback) & frozenset(offered.feedback),
        ssrc=ours.ssrcs[0].ssrc if ours.ssrcs else None,
        rtx_ssrc=ours.ssrc_groups[0].ssrcs[1] if ours.ssrc_groups else None,
        track_id=ours.msids[0].track or "",
        rids=_taken_rids(ours, theirs),
    )


def _taken_rids(ours: Media, theirs: Media) -> tuple[str, ...]:
    """The streams the answer takes, in our order; none when it takes no simulcast (RFC 8853 §5.3.2)."""
    if theirs.simulcast is None:
        return ()
    taken = {name.removeprefix("~") for stream in theirs.simulcast.recv for name in stream}
    taken &= {rid.id for rid in theirs.rids if rid.direction == "recv"}
    return tuple(rid.id for rid in ours.rids if rid.id in taken)
