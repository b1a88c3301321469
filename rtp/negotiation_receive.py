"""Answers and offers of the end that receives: server to publisher, recorder to server, viewer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from core.errors import ProtocolError
from rtp.codecs import (
    CODECS,
    H264_BASELINE_FMTP,
    OPUS_CLOCK_RATE_HZ,
    OPUS_FMTP,
    RTX,
    VIDEO_CLOCK_RATE_HZ,
    choose_received,
    codec_names,
    configuration_fmtp,
    feedback_messages,
    find_rtx,
    ordered_codecs,
)
from rtp.extensions import ABS_SEND_TIME, RID, TRANSPORT_CC
from rtp.negotiation_common import (
    accept_extensions,
    answer_codecs,
    answer_setup,
    extension_map,
    finish_session,
    live_media,
    matched_media,
    media_mid,
    new_session,
    rejected_media,
    relayed_name,
    remote_transport,
    sends,
    set_codecs,
    usable_media,
)
from rtp.negotiation_send import OFFERED_EXTENSIONS, extension_lines
from rtp.negotiation_types import DtlsRole, LocalTransport, ReceivedMedia, RemoteTransport
from rtp.sdp import CodecParameters, Media, Rid, Session, Setup, Simulcast

MAX_SIMULCAST_STREAMS: Final = 4
PER_TRANSMISSION: Final = frozenset({TRANSPORT_CC, ABS_SEND_TIME})
"""Extensions whose value is another one each time a packet is sent."""


def answer_publish(
    offer: Session, local: LocalTransport, *, version: int = 1
) -> tuple[Session, list[ReceivedMedia]]:
    """The server's answer to a publisher: one codec per m-line, with its RTX, received only.

    Raises `ProtocolError` when nothing of the offer can be received, or BUNDLE, rtcp-mux, ICE or DTLS lack.
    """
    return _answer_receiving(offer, local, CODECS, "server", version)


def answer_subscribe(
    offer: Session, local: LocalTransport, codecs: Collection[str] = CODECS, *, version: int = 1
) -> tuple[Session, list[ReceivedMedia]]:
    """A Python client's answer to the server's offer. `codecs`: what it can use; other m-lines are rejected.

    Raises `ProtocolError` as `answer_publish`, but for an offer of which nothing is wanted.
    """
    if not offer.media:  # an empty room
        return new_session(local, version, allow_mixed=offer.extmap_allow_mixed), []
    return _answer_receiving(offer, local, codecs, "client", version)


def _answer_receiving(
    offer: Session, local: LocalTransport, codecs: Collection[str], prefer: DtlsRole, version: int
) -> tuple[Session, list[ReceivedMedia]]:
    usable = usable_media(offer)
    setup = answer_setup(remote_transport(offer).setup, prefer=prefer)
    answer = new_session(local, version, allow_mixed=offer.extmap_allow_mixed)
    received = []
    for index, offered in enumerate(offer.media):
        names = [name for name in codec_names(offered.kind) if name in codecs]
        codec = choose_received(ordered_codecs(offered), names) if usable[index] else None
        if codec is None:
            answer.media.append(rejected_media(offered))
            continue
        media = _receiving_media(offer, offered, codec, local, setup)
        answer.media.append(media)
        if media.direction == "recvonly":
            received.append(_describe(media_mid(offer, index), offered, media))
    if prefer == "server" and all(media.rejected for media in answer.media):
        raise ProtocolError("no m-line offers a codec this server relays (H264, VP8, VP9, AV1, opus)")
    return finish_session(answer, local, bundled=bool(offer.bundle)), received


def _receiving_media(
    offer: Session, offered: Media, codec: CodecParameters, local: LocalTransport, setup: Setup
) -> Media:
    media = live_media(offered.kind, offered.protocol, offered.mid, local, setup)
    set_codecs(media, answer_codecs(offered.kind, codec, offered.codecs, configuration_fmtp(codec)))
    media.extensions = accept_extensions(offered.extensions, theirs="sendonly")
    if _resends_as_it_was(media):
        media.extensions = [line for line in media.extensions if line.uri not in PER_TRANSMISSION]
    media.rtcp_rsize = offered.rtcp_rsize
    media.extmap_allow_mixed = offered.extmap_allow_mixed
    media.direction = "recvonly" if sends(offer.direction_of(offered)) else "inactive"
    rids = _accepted_rids(offered, codec.payload_type) if media.direction == "recvonly" else []
    if rids:
        media.rids = [Rid(rid, "recv") for rid in rids]
        media.simulcast = Simulcast(recv=tuple((rid,) for rid in rids))
    return media


def _resends_as_it_was(media: Media) -> bool:
    """True when a NACK is answered under the packet's own number, having no RTX stream to go on.

    Senders that refresh `PER_TRANSMISSION` extensions then seal other bytes under the nonce they used before
    (RFC 7714 §9.1), so such m-lines go without.
    """
    return "nack" in media.codecs[0].feedback and find_rtx(media.codecs, media.codecs[0].payload_type) is None


def _accepted_rids(offered: Media, payload_type: int) -> list[str]:
    """Of each simulcast stream the first alternative that can use our codec (RFC 8853 §5.3.2)."""
    if offered.simulcast is None or not any(extension.uri == RID for extension in offered.extensions):
        return []
    usable = {rid.id for rid in offered.rids if rid.direction == "send" and _rid_allows(rid, payload_type)}
    first = []
    for alternatives in offered.simulcast.send[:MAX_SIMULCAST_STREAMS]:
        names = (name.removeprefix("~") for name in alternatives)
        first += [name for name in names if name in usable][:1]
    return list(dict.fromkeys(first))


def _rid_allows(rid: Rid, payload_type: int) -> bool:
    """A `pt=` restriction limits the rid to those payload types (RFC 8851 §4)."""
    for restriction in rid.restrictions.split(";"):
        key, _, value = restriction.strip().partition("=")
        if key == "pt":
            return str(payload_type) in value.split(",")
    return True


def _describe(mid: str, sender: Media, agreed: Media) -> ReceivedMedia:
    """What arrives on an m-line: `sender` is the sending end's section, `agreed` the codecs in force."""
    codec = agreed.codecs[0]
    rtx = find_rtx(agreed.codecs, codec.payload_type)
    ssrc, rtx_ssrc = _signalled_ssrcs(sender)
    msid = sender.msids[0] if sender.msids else None
    return ReceivedMedia(
        mid=mid,
        kind=sender.kind,
        codec=relayed_name(codec),
        payload_type=codec.payload_type,
        clock_rate=codec.clock_rate,
        channels=codec.channels,
        fmtp=codec.fmtp,
        rtx_payload_type=rtx.payload_type if rtx else None,
        extensions=extension_map(agreed.extensions),
        feedback=frozenset(codec.feedback),
        ssrc=None if agreed.rids else ssrc,
        rtx_ssrc=None if agreed.rids else rtx_ssrc,
        rids=tuple(rid.id for rid in agreed.rids),
        stream_id=msid.stream if msid else None,
        track_id=msid.track if msid else None,
        cname=next((line.value for line in sender.ssrcs if line.name == "cname"), None),
    )


def _signalled_ssrcs(media: Media) -> tuple[int | None, int | None]:
    """(media SSRC, its RTX SSRC) where the description names them."""
    for group in media.ssrc_groups:
        if group.semantics == "FID" and len(group.ssrcs) >= 2:
            return group.ssrcs[0], group.ssrcs[1]
    return next((line.ssrc for line in media.ssrcs), None), None


def offer_view(
    local: LocalTransport,
    kinds: Sequence[str] = ("video", "audio"),
    codecs: Collection[str] = CODECS,
    *,
    version: int = 1,
) -> Session:
    """A Python WHEP client's offer: one recvonly m-line per kind, with all `codecs` and their RTX."""
    offer = new_session(local, version, allow_mixed=True)
    payload_type = 96
    for index, kind in enumerate(kinds):
        media = live_media(kind, "UDP/TLS/RTP/SAVPF", str(index), local, "actpass")
        offered = _offered_codecs(kind, codecs, payload_type)
        payload_type += len(offered)
        set_codecs(media, offered)
        media.direction = "recvonly"
        media.rtcp_rsize = True
        media.extensions = extension_lines(OFFERED_EXTENSIONS[kind])
        offer.media.append(media)
    return finish_session(offer, local)


def _offered_codecs(kind: str, codecs: Collection[str], payload_type: int) -> list[CodecParameters]:
    clock_rate = OPUS_CLOCK_RATE_HZ if kind == "audio" else VIDEO_CLOCK_RATE_HZ
    fmtps = {"H264": H264_BASELINE_FMTP, "VP9": "profile-id=0", "opus": OPUS_FMTP}
    offered = []
    for name in (name for name in codec_names(kind) if name in codecs):
        channels = 2 if kind == "audio" else None
        feedback = feedback_messages(kind)
        offered.append(
            CodecParameters(payload_type, name, clock_rate, channels, fmtps.get(name, ""), feedback)
        )
        payload_type += 1
        if kind == "video":
            apt = f"apt={offered[-1].payload_type}"
            offered.append(CodecParameters(payload_type, RTX, clock_rate, fmtp=apt))
            payload_type += 1
    return offered


def read_view_answer(offer: Session, answer: Session) -> tuple[list[ReceivedMedia], RemoteTransport]:
    """What a WHEP server will send, and how to reach it. `ProtocolError` for an answer to another offer."""
    received = []
    for ours, theirs in matched_media(offer, answer):
        if theirs.rejected or not sends(answer.direction_of(theirs)):
            continue
        codec = choose_received(ordered_codecs(theirs), codec_names(theirs.kind))
        if codec is None or ours.codec(codec.payload_type) is None:
            raise ProtocolError(f"the answer's m-line {ours.mid} has no codec of the offer")
        agreed = Media(kind=theirs.kind, port=theirs.port, protocol=theirs.protocol, formats=[])
        set_codecs(agreed, answer_codecs(theirs.kind, codec, theirs.codecs, codec.fmtp))
        agreed.extensions = [extension for extension in theirs.extensions if _offered(ours, extension.id)]
        received.append(_describe(ours.mid or "", theirs, agreed))
    return received, remote_transport(answer)


def _offered(media: Media, extension_id: int) -> bool:
    return any(extension.id == extension_id for extension in media.extensions)
