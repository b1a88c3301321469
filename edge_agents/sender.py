"""What one feed sends over one connection: its streams, their reports, and answers to feedback. No I/O."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from core.clock import NS_PER_S, NS_PER_US, Clock
from core.errors import ProtocolError
from core.ids import new_id
from edge_agents import h264
from edge_agents.audio import EncodedAudio
from edge_agents.config import FeedConfig
from edge_agents.egress import START_BPS, Egress
from edge_agents.encoder import EncodedFrame
from edge_agents.layers import FULL, Plan, full_plan
from edge_agents.sources.base import Instant
from rtp.codecs import OPUS_CLOCK_RATE_HZ, OPUS_FMTP, VIDEO_CLOCK_RATE_HZ
from rtp.congestion import PacketClass
from rtp.extensions import TRANSPORT_CC
from rtp.negotiation import AcceptedMedia, AppliedAnswer, OutgoingTrack
from rtp.payload import h264 as h264_payload
from rtp.payload import opus as opus_payload
from rtp.rtcp import (
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build_compound,
)
from rtp.send_stream import RtxParameters, SendStream, Unsent
from rtp.srtp import SrtpSender

MAX_PAYLOAD_BYTES: Final = 1_150


@dataclass(slots=True)
class SentStats:
    """Totals of one connection. `acknowledged` and `lost`: packets, by transport-wide feedback. `begun_anew`:
    how often a keyframe took the place of what was lost or waited.
    """

    frames: int = 0
    skipped_frames: int = 0
    keyframe_requests: int = 0
    begun_anew: int = 0
    acknowledged: int = 0
    lost: int = 0


def outgoing_tracks(feed: FeedConfig, cname: str) -> list[OutgoingTrack]:
    """What the feed offers, with fresh SSRCs: its picture, and its sound when it has one."""
    stream_id = new_id("st")
    level = h264.profile_level_id(feed.width, feed.height, feed.fps)
    fmtp = f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={level}"
    rids = tuple(full_plan(feed))
    video = _track("video", "H264", VIDEO_CLOCK_RATE_HZ, None, fmtp, cname, stream_id)
    tracks = [replace(video, rids=rids if len(rids) > 1 else ())]
    if feed.audio != "none":
        tracks.append(_track("audio", "opus", OPUS_CLOCK_RATE_HZ, 2, OPUS_FMTP, cname, stream_id))
    return tracks


def _track(
    kind: str, codec: str, clock_rate: int, channels: int | None, fmtp: str, cname: str, stream_id: str
) -> OutgoingTrack:
    return OutgoingTrack(
        track_id=new_id("tr"),
        kind=kind,
        codec=codec,
        clock_rate=clock_rate,
        channels=channels,
        ssrc=_new_ssrc(),
        rtx_ssrc=_new_ssrc(),
        cname=cname,
        stream_id=stream_id,
        fmtp=fmtp,
    )


def _new_ssrc() -> int:
    return secrets.randbits(32) or 1


class FeedSender:
    """The streams that the server took of our offer. Methods return sealed datagrams or compounds to send.

    Each encoding of the picture is a stream of its own (RFC 8853): SSRC, RTX, history. `keyframe_requested`
    is called with the encoding's rid for each PLI and each new FIR, and, `at_once`, when what was lost is
    more than the path can repair. Raises `ProtocolError` when the server did not take the picture.
    """

    def __init__(
        self,
        applied: AppliedAnswer,
        cname: str,
        clock: Clock,
        keyframe_requested: Callable[[str, bool], None],
        *,
        wanted_bps: int = 0,
        start_bps: int = START_BPS,
    ) -> None:
        self.stats = SentStats()
        self._cname, self._clock, self._keyframe_requested = cname, clock, keyframe_requested
        by_kind = {media.kind: media for media in applied.media}
        if "video" not in by_kind:
            raise ProtocolError("the server does not take this feed's picture")
        video = by_kind["video"]
        self.egress = Egress(
            wanted_bps=wanted_bps,
            has_audio="audio" in by_kind,
            has_feedback=_tells_of_packets(video),
            start_bps=start_bps,
            now_ns=clock.monotonic_ns(),
        )
        self._video = self._video_streams(video)
        self._audio = self._stream(by_kind["audio"]) if "audio" in by_kind else None
        streams = [*self._video.values(), *([self._audio] if self._audio else [])]
        self._by_ssrc = {stream.ssrc: stream for stream in streams}
        self._rids = {stream.ssrc: rid for rid, stream in self._video.items()}
        self._waits_for_keyframe = set(self._video)
        self._last_fir: dict[int, int] = {}

    def _video_streams(self, media: AcceptedMedia) -> dict[str, SendStream]:
        if not media.rids:
            return {FULL: self._stream(media)}
        fresh = {
            rid: replace(media, ssrc=_new_ssrc(), rtx_ssrc=media.rtx_payload_type and _new_ssrc())
            for rid in media.rids
        }
        return {rid: self._stream(of_rid, rid) for rid, of_rid in fresh.items()}

    def _stream(self, media: AcceptedMedia, rid: str | None = None) -> SendStream:
        rtx = None
        if media.rtx_payload_type is not None:
            rtx = RtxParameters(media.rtx_ssrc or _new_ssrc(), media.rtx_payload_type, secrets.randbits(15))
        return SendStream(
            media.ssrc or _new_ssrc(),
            media.payload_type,
            media.clock_rate,
            first_sequence=secrets.randbits(15),
            first_timestamp=secrets.randbits(32),
            rtx=rtx,
            extensions=media.extensions,
            mid=media.mid,
            rid=rid,
            transport_sequence=self.egress.sequence,
            send_log=self.egress.log,
        )

    @property
    def rids(self) -> frozenset[str]:
        """The encodings the server takes; without simulcast `f` alone."""
        return frozenset(self._video)

    def want(self, plan: Plan) -> None:
        """What the encoders would make if the network allowed it, for probing."""
        encoded = [rid for rid in self._video if rid in plan]
        probe_from = self._video[encoded[0]] if encoded else None
        self.egress.want(sum(plan[rid].bitrate_bps for rid in encoded), probe_from)

    @property
    def video_rtt_ns(self) -> int | None:
        """Round trip by the server's reports on the picture."""
        known = (stream.rtt.rtt_ns for stream in self._video.values())
        return next((rtt_ns for rtt_ns in known if rtt_ns is not None), None)

    def video(self, unit: EncodedFrame, sealer: SrtpSender) -> list[bytes]:
        """One access unit. The first one sent of an encoding is a keyframe; what comes before is skipped."""
        stream = self._video.get(unit.rid)
        if stream is None:
            return []
        if unit.rid in self._waits_for_keyframe and not unit.keyframe:
            self.stats.skipped_frames += 1
            return []
        self._waits_for_keyframe.discard(unit.rid)
        payloads = h264_payload.packetize(unit.data, MAX_PAYLOAD_BYTES, stream.first_extra_bytes)
        packets = _prepare(stream, payloads, unit.captured, marker=True)
        datagrams = self.egress.submit(packets, PacketClass.VIDEO, self._clock.monotonic_ns(), sealer)
        if datagrams is None:
            self._begin_anew(unit.rid, stream)
            return []
        self.stats.frames += 1
        return datagrams

    def _begin_anew(self, rid: str, stream: SendStream) -> None:
        """Too much was lost or waits: nothing of it is sent any more, and a keyframe comes instead."""
        stream.forget()
        self.egress.drop(stream)
        self._waits_for_keyframe.add(rid)
        self.stats.begun_anew += 1
        self._keyframe_requested(rid, True)

    def skip_to_keyframe(self) -> None:
        """A frame was left out: what follows cannot be decoded without a keyframe."""
        self._waits_for_keyframe = set(self._video)

    def audio(self, unit: EncodedAudio, sealer: SrtpSender) -> list[bytes]:
        """One Opus packet; nothing when the server took no sound."""
        if self._audio is None:
            return []
        payloads = opus_payload.packetize(unit.data, MAX_PAYLOAD_BYTES)
        packets = _prepare(self._audio, payloads, unit.captured, marker=False)
        return self.egress.submit(packets, PacketClass.AUDIO, self._clock.monotonic_ns(), sealer) or []

    def tick(self, rtt_ns: int | None, sealer: SrtpSender) -> list[bytes]:
        """What waited until now; to be called at `egress.next_ns`."""
        return self.egress.tick(self._clock.monotonic_ns(), self.video_rtt_ns or rtt_ns, sealer)

    def reports(self) -> list[bytes]:
        """A sender report with the CNAME for each stream that has sent something, as plaintext compounds."""
        now_ns = self._clock.unix_ns()
        compounds = []
        for stream in self._by_ssrc.values():
            report = stream.sender_report(now_ns)
            if report is not None:
                compounds.append(build_compound([report, SourceDescription(((stream.ssrc, self._cname),))]))
        return compounds

    def handle(self, packet: RtcpPacket, sealer: SrtpSender) -> list[bytes]:
        """Act on one RTCP packet; what has to be sent again comes back sealed."""
        match packet:
            case Nack():
                return self._repair(packet, sealer)
            case Pli(media_ssrc=ssrc) if ssrc in self._rids:
                self._request_keyframe(self._rids[ssrc])
            case Fir():
                self._full_intra(packet)
            case ReceiverReport(reports=blocks) | SenderReport(reports=blocks):
                self._reported(blocks)
            case TransportFeedback():
                self._feedback(packet)
            case Remb():
                self.egress.on_remb(packet.bitrate_bps, self._clock.monotonic_ns())
        return []

    def _repair(self, nack: Nack, sealer: SrtpSender) -> list[bytes]:
        stream = self._by_ssrc.get(nack.media_ssrc)
        if stream is None:
            return []
        now_ns = self._clock.monotonic_ns()
        packets = stream.prepare_repairs(nack.lost, now_ns)
        rid = self._rids.get(stream.ssrc)
        if rid is not None and not self.egress.repairs_fit(packets, now_ns):
            self._begin_anew(rid, stream)
            return []
        return self.egress.submit(packets, PacketClass.REPAIR, now_ns, sealer) or []

    def _full_intra(self, fir: Fir) -> None:
        """A repeated request carries the same number and is the same request (RFC 5104 §4.3.1.1)."""
        for request in fir.requests:
            rid = self._rids.get(request.ssrc)
            if rid is not None and request.sequence_number != self._last_fir.get(request.ssrc):
                self._last_fir[request.ssrc] = request.sequence_number
                self._request_keyframe(rid)

    def _request_keyframe(self, rid: str) -> None:
        self.stats.keyframe_requests += 1
        self._keyframe_requested(rid, False)

    def _reported(self, blocks: tuple[ReportBlock, ...]) -> None:
        now_ns = self._clock.unix_ns()
        for block in blocks:
            stream = self._by_ssrc.get(block.ssrc)
            if stream is None:
                continue
            stream.on_report_block(block, now_ns)
            if block.ssrc in self._rids:
                self.egress.on_loss_report(block.fraction_lost / 256, self._clock.monotonic_ns())

    def _feedback(self, feedback: TransportFeedback) -> None:
        self.egress.on_feedback(feedback, self._clock.monotonic_ns())
        self.stats.acknowledged, self.stats.lost = self.egress.acknowledged, self.egress.lost


def _prepare(stream: SendStream, payloads: list[bytes], captured: Instant, *, marker: bool) -> list[Unsent]:
    return stream.prepare(
        payloads,
        captured.monotonic_ns * stream.clock_rate // NS_PER_S,
        capture_ns=captured.unix_us * NS_PER_US,
        marker=marker,
    )


def _tells_of_packets(media: AcceptedMedia) -> bool:
    return "transport-cc" in media.feedback and media.extensions.id_of(TRANSPORT_CC) is not None
