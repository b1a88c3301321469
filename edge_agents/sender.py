"""What one feed sends over one connection: its streams, their reports, and answers to feedback. No I/O."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.clock import NS_PER_S, NS_PER_US, Clock
from core.errors import ProtocolError
from core.ids import new_id
from edge_agents import h264
from edge_agents.audio import EncodedAudio
from edge_agents.config import FeedConfig
from edge_agents.encoder import EncodedFrame
from edge_agents.sources.base import Instant
from rtp.codecs import OPUS_CLOCK_RATE_HZ, OPUS_FMTP, VIDEO_CLOCK_RATE_HZ
from rtp.negotiation import AcceptedMedia, AppliedAnswer, OutgoingTrack
from rtp.payload import h264 as h264_payload
from rtp.payload import opus as opus_payload
from rtp.rtcp import (
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build_compound,
)
from rtp.send_stream import RtxParameters, SendStream
from rtp.srtp import SrtpSender
from rtp.twcc import SendLog, TransportSequence

MAX_PAYLOAD_BYTES: Final = 1_150


@dataclass(slots=True)
class SentStats:
    """Totals of one connection. `acknowledged` and `lost`: packets, by transport-wide feedback."""

    frames: int = 0
    skipped_frames: int = 0
    keyframe_requests: int = 0
    acknowledged: int = 0
    lost: int = 0


def outgoing_tracks(feed: FeedConfig, cname: str) -> list[OutgoingTrack]:
    """What the feed offers, with fresh SSRCs: its picture, and its sound when it has one."""
    stream_id = new_id("st")
    level = h264.profile_level_id(feed.width, feed.height, feed.fps)
    fmtp = f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={level}"
    tracks = [_track("video", "H264", VIDEO_CLOCK_RATE_HZ, None, fmtp, cname, stream_id)]
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
        ssrc=secrets.randbits(32) or 1,
        rtx_ssrc=secrets.randbits(32) or 1,
        cname=cname,
        stream_id=stream_id,
        fmtp=fmtp,
    )


class FeedSender:
    """The streams that the server took of our offer. Methods return sealed datagrams or compounds to send.

    `keyframe_requested` is called for each PLI and each new FIR. Raises `ProtocolError` when the server did
    not take the picture.
    """

    def __init__(
        self, applied: AppliedAnswer, cname: str, clock: Clock, keyframe_requested: Callable[[], None]
    ) -> None:
        self.stats = SentStats()
        self._cname, self._clock, self._keyframe_requested = cname, clock, keyframe_requested
        self._sequence, self._send_log = TransportSequence(), SendLog()
        self._by_kind = {media.kind: self._stream(media) for media in applied.media}
        self._by_ssrc = {stream.ssrc: stream for stream in self._by_kind.values()}
        self._waits_for_keyframe = True
        self._last_fir: int | None = None
        if "video" not in self._by_kind:
            raise ProtocolError("the server does not take this feed's picture")

    def _stream(self, media: AcceptedMedia) -> SendStream:
        assert media.ssrc is not None
        rtx = None
        if media.rtx_payload_type is not None and media.rtx_ssrc is not None:
            rtx = RtxParameters(media.rtx_ssrc, media.rtx_payload_type, secrets.randbits(15))
        return SendStream(
            media.ssrc,
            media.payload_type,
            media.clock_rate,
            first_sequence=secrets.randbits(15),
            first_timestamp=secrets.randbits(32),
            rtx=rtx,
            extensions=media.extensions,
            mid=media.mid,
            transport_sequence=self._sequence,
            send_log=self._send_log,
        )

    @property
    def video_rtt_ns(self) -> int | None:
        """Round trip by the server's reports on the picture."""
        return self._by_kind["video"].rtt.rtt_ns

    def video(self, unit: EncodedFrame, sealer: SrtpSender) -> list[bytes]:
        """One access unit. The first one sent is a keyframe; what comes before it is skipped."""
        if self._waits_for_keyframe and not unit.keyframe:
            self.stats.skipped_frames += 1
            return []
        self._waits_for_keyframe = False
        self.stats.frames += 1
        payloads = h264_payload.packetize(unit.data, MAX_PAYLOAD_BYTES)
        return self._send(self._by_kind["video"], payloads, unit.captured, sealer, marker=True)

    def skip_to_keyframe(self) -> None:
        """A frame was left out: what follows cannot be decoded without a keyframe."""
        self._waits_for_keyframe = True

    def audio(self, unit: EncodedAudio, sealer: SrtpSender) -> list[bytes]:
        """One Opus packet; nothing when the server took no sound."""
        stream = self._by_kind.get("audio")
        if stream is None:
            return []
        payloads = opus_payload.packetize(unit.data, MAX_PAYLOAD_BYTES)
        return self._send(stream, payloads, unit.captured, sealer, marker=False)

    def _send(
        self,
        stream: SendStream,
        payloads: list[bytes],
        captured: Instant,
        sealer: SrtpSender,
        *,
        marker: bool,
    ) -> list[bytes]:
        return stream.send(
            payloads,
            captured.monotonic_ns * stream.clock_rate // NS_PER_S,
            capture_ns=captured.unix_us * NS_PER_US,
            now_ns=self._clock.monotonic_ns(),
            sealer=sealer,
            marker=marker,
        )

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
                stream = self._by_ssrc.get(packet.media_ssrc)
                return stream.on_nack(packet.lost, self._clock.monotonic_ns(), sealer) if stream else []
            case Pli():
                self._request_keyframe()
            case Fir():
                self._full_intra(packet)
            case ReceiverReport(reports=blocks) | SenderReport(reports=blocks):
                self._reported(blocks)
            case TransportFeedback():
                self._feedback(packet)
        return []

    def _full_intra(self, fir: Fir) -> None:
        """A repeated request carries the same number and is the same request (RFC 5104 §4.3.1.1)."""
        for request in fir.requests:
            if request.ssrc in self._by_ssrc and request.sequence_number != self._last_fir:
                self._last_fir = request.sequence_number
                self._request_keyframe()

    def _request_keyframe(self) -> None:
        self.stats.keyframe_requests += 1
        self._keyframe_requested()

    def _reported(self, blocks: tuple[ReportBlock, ...]) -> None:
        now_ns = self._clock.unix_ns()
        for block in blocks:
            stream = self._by_ssrc.get(block.ssrc)
            if stream is not None:
                stream.on_report_block(block, now_ns)

    def _feedback(self, feedback: TransportFeedback) -> None:
        for result in self._send_log.on_feedback(feedback):
            if result.arrival_ns is None:
                self.stats.lost += 1
            else:
                self.stats.acknowledged += 1
