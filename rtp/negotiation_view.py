"""The server's answer to a viewer (WHEP): the viewer offers what it can decode, we attach tracks."""

from __future__ import annotations

from collections.abc import Sequence

from rtp.codecs import (
    choose_received,
    codec_names,
    configuration_fmtp,
    find_decoder,
    find_rtx,
    ordered_codecs,
)
from rtp.negotiation_common import (
    accept_extensions,
    add_source,
    answer_codecs,
    answer_setup,
    extension_map,
    finish_session,
    live_media,
    media_mid,
    new_session,
    receives,
    rejected_media,
    relayed_name,
    remote_transport,
    set_codecs,
    usable_media,
)
from rtp.negotiation_types import AcceptedMedia, LocalTransport, OutgoingTrack, ViewAnswer
from rtp.sdp import CodecParameters, Media, Session, Setup


def answer_view(
    offer: Session, local: LocalTransport, tracks: Sequence[OutgoingTrack], *, version: int = 1
) -> ViewAnswer:
    """The server's answer to a viewer: each m-line gets the next track of its kind that it can carry.

    m-lines without a track are answered inactive. Raises `ProtocolError` for an offer without BUNDLE,
    rtcp-mux, ICE or DTLS.
    """
    usable = usable_media(offer)
    setup = answer_setup(remote_transport(offer).setup, prefer="server")
    result = ViewAnswer(new_session(local, version, allow_mixed=offer.extmap_allow_mixed), [], list(tracks))
    for index, offered in enumerate(offer.media):
        codecs = ordered_codecs(offered)
        track = None
        if usable[index] and receives(offer.direction_of(offered)):
            track = _take_track(result.unsupported, offered.kind, codecs)
        idle = choose_received(codecs, codec_names(offered.kind)) if usable[index] else None
        codec = find_decoder(codecs, track.parameters) if track else idle
        if codec is None:
            result.answer.media.append(rejected_media(offered))
            continue
        media = _view_media(offered, codec, local, setup)
        result.answer.media.append(media)
        if track is not None:
            add_source(media, track)
            result.accepted.append(_view_accepted(media_mid(offer, index), media, track))
    finish_session(result.answer, local, bundled=bool(offer.bundle))
    return result


def _take_track(
    waiting: list[OutgoingTrack], kind: str, codecs: Sequence[CodecParameters]
) -> OutgoingTrack | None:
    """Remove and return the first waiting track of that kind that one of the codecs can carry."""
    for index, track in enumerate(waiting):
        if track.kind == kind and find_decoder(codecs, track.parameters) is not None:
            return waiting.pop(index)
    return None


def _view_media(offered: Media, codec: CodecParameters, local: LocalTransport, setup: Setup) -> Media:
    media = live_media(offered.kind, offered.protocol, offered.mid, local, setup)
    set_codecs(media, answer_codecs(offered.kind, codec, offered.codecs, configuration_fmtp(codec)))
    media.extensions = accept_extensions(offered.extensions, theirs="recvonly")
    media.rtcp_rsize = offered.rtcp_rsize
    media.extmap_allow_mixed = offered.extmap_allow_mixed
    media.direction = "inactive"
    return media


def _view_accepted(mid: str, media: Media, track: OutgoingTrack) -> AcceptedMedia:
    codec = media.codecs[0]
    rtx = find_rtx(media.codecs, codec.payload_type)
    return AcceptedMedia(
        mid=mid,
        kind=media.kind,
        codec=relayed_name(codec),
        payload_type=codec.payload_type,
        clock_rate=codec.clock_rate,
        channels=codec.channels,
        fmtp=codec.fmtp,
        rtx_payload_type=rtx.payload_type if rtx and media.ssrc_groups else None,
        extensions=extension_map(media.extensions),
        feedback=frozenset(codec.feedback),
        ssrc=track.ssrc,
        rtx_ssrc=track.rtx_ssrc if media.ssrc_groups else None,
        track_id=track.track_id,
    )
