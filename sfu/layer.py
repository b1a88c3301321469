"""Pure: one encoding of a published track: what arrives, what is remembered, who gets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from core.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from rtp.extensions import (
    ABS_CAPTURE_TIME,
    DEPENDENCY_DESCRIPTOR,
    AbsoluteCaptureTime,
    build_extensions,
    decode_abs_capture_time,
    encode_abs_capture_time,
    parse_extensions,
)
from rtp.history import PacketHistory
from rtp.keyframe import is_keyframe
from rtp.negotiation import ReceivedMedia
from rtp.packet import RtpPacket
from rtp.receive_stream import ReceiveStream
from rtp.sequence import seq_newer
from sfu.gop import ASKABLE_SERVE_NS, UNASKABLE_SERVE_NS, GroupOfPictures
from sfu.keyframes import KeyframeRequests
from sfu.picture import pixels_of

if TYPE_CHECKING:
    from sfu.consumer import Consumer

HISTORY_NS: Final = 2_500 * NS_PER_MS
HISTORY_MAX_PACKETS: Final = 8192
"""2.5 s at 30 Mbit/s."""
SILENT_NS: Final = 2 * NS_PER_S
"""A layer that has sent nothing for so long is not there."""
RATE_INTERVAL_NS: Final = 1 * NS_PER_S
FENCE_NS: Final = 5 * NS_PER_S
"""Longer than what was sent during a pause may be under way; shorter than numbers take to come round."""
MAX_CLOCK_OFFSET_NS: Final = 366 * 86_400 * NS_PER_S
"""A capture time further off than this is nonsense; it passes as it came."""
GUESSED_BITS_PER_PIXEL: Final = 2
GUESSED_BPS: Final = 500_000
GUESSED_AUDIO_BPS: Final = 40_000
"""A layer not measured yet: by its size, or without one."""
_ABS_CAPTURE_TIME_BYTES: Final = 8
_MAX_ASKED: Final = 512
_RTT_SMOOTHING: Final = 8
_RATE_SMOOTHING_UP: Final = 2
_RATE_SMOOTHING_DOWN: Final = 8
"""What a layer will cost is sooner believed to be more than less."""


class Batch(NamedTuple):
    """Packets to forward. `key`: index of the first one to begin with. `in_order`: without gaps, too."""

    packets: Sequence[RtpPacket]
    key: int | None
    in_order: bool


def in_order(packets: Sequence[RtpPacket]) -> bool:
    """True when each packet's number follows the one before."""
    if not packets:
        return True
    first = packets[0].sequence_number
    return all(packet.sequence_number == (first + index) & 0xFFFF for index, packet in enumerate(packets))


class Layer:
    """`source` (the SSRC) changes when the publisher restarts its encoder; consumers then begin anew."""

    def __init__(self, media: ReceivedMedia, rid: str | None = None) -> None:
        self.media = media
        self.rid = rid
        self.stream: ReceiveStream | None = None
        self.history: PacketHistory[RtpPacket] = PacketHistory(HISTORY_NS, HISTORY_MAX_PACKETS)
        self.askable = bool({"nack pli", "ccm fir"} & media.feedback)
        self.group = GroupOfPictures(ASKABLE_SERVE_NS if self.askable else UNASKABLE_SERVE_NS)
        self.keyframes = KeyframeRequests()
        self.consumers: list[Consumer] = []
        """Those that send this layer, or want to."""
        self.pending: list[RtpPacket] = []
        """Received since the last flush."""
        self.pending_key: int | None = None
        """Index in `pending` where a consumer may begin."""
        self.last_packet_ns: int | None = None
        self.paused = False
        """Nothing is remembered or forwarded; only the publisher is kept company."""
        self._fence: tuple[int, int] | None = None
        """Newest number of a pause, and until when it counts: what is late from then stays private."""
        self.bitrate_bps = 0
        self.pixels = 0
        """Of its frames, as the last keyframe said; 0 while unknown."""
        self.most_pixels = 0
        """Of the largest frames it ever had."""
        self.publisher_ahead_us = 0
        """The newest frame's abs-capture-time less its capture time in our clock; 0 while unknown."""
        self._smoothed_bps = 0
        self._is_video = media.kind == "video"
        self._resent_as_itself = media.rtx_payload_type is None
        self._capture_id = media.extensions.id_of(ABS_CAPTURE_TIME)
        self._descriptor_id = media.extensions.id_of(DEPENDENCY_DESCRIPTOR)
        self._rate_ns = 0
        self._rate_bytes = 0
        self._asked: dict[int, int] = {}
        self._rtt_ns: int | None = None

    @property
    def source(self) -> int | None:
        """SSRC of the present stream; None before the first packet."""
        return None if self.stream is None else self.stream.ssrc

    def is_live(self, now_ns: int) -> bool:
        """True while packets come."""
        return self.last_packet_ns is not None and now_ns - self.last_packet_ns < SILENT_NS

    def bind(self, ssrc: int, rtx_ssrc: int | None) -> None:
        """From now on the layer is this SSRC; everything of the one before is forgotten."""
        media = self.media
        rtx = media.rtx_payload_type
        self.stream = ReceiveStream(
            ssrc,
            media.clock_rate,
            payload_types=(media.payload_type,),
            rtx_ssrc=rtx_ssrc,
            rtx_payload_types={} if rtx is None else {rtx: media.payload_type},
            nack="nack" in media.feedback,
            abs_capture_time_id=self._capture_id,
        )
        if self._rtt_ns is not None:
            self.stream.set_rtt(self._rtt_ns)
        self._forget()
        self._fence = None
        self._asked.clear()
        self._rate_bytes = 0
        if self._is_video and self.consumers:
            self.keyframes.request()

    def receive(self, packet: RtpPacket, now_ns: int, extensions: Mapping[int, bytes] | None = None) -> bool:
        """Take a packet of this layer's SSRC or its RTX. True when it is to be forwarded. `extensions`: the
        packet's, where they have been parsed.

        Raises `ProtocolError` for a malformed one.
        """
        stream = self.stream
        assert stream is not None
        if self._asked and self._resent_as_itself:  # first: the stream tells overtaken from resent by it
            self._measure_rtt(packet.sequence_number, now_ns)
        media = stream.receive(packet, now_ns, extensions)
        self.last_packet_ns = now_ns
        if media is None:
            return False
        if media is not packet:
            self._measure_rtt(media.sequence_number, now_ns)
        if not media.payload:
            self._skip(stream.ssrc, media.sequence_number)
            return False
        known = extensions if media is packet else None
        if self._capture_id is not None and (known is None or self._capture_id in known):
            self._add_clock_offset(media, known)
        if self._is_private(media.sequence_number, now_ns):
            return False
        self._remember(media, now_ns)
        return True

    def reads(self, extensions: Mapping[int, bytes]) -> bool:
        """True when there is something in them that `receive` looks at."""
        return self._capture_id in extensions or self._descriptor_id in extensions

    def receive_run(self, packets: Sequence[RtpPacket], now_ns: int) -> bool:
        """As `receive` for packets that came with the one before and belong to its frame, none of them with a
        capture time or a descriptor. False where each has to be looked at; then nothing has happened.
        """
        stream, fence = self.stream, self._fence
        if stream is None or self.paused or (self._asked and self._resent_as_itself):
            return False
        if fence is not None and now_ns < fence[1]:
            return False
        if not all(packet.payload for packet in packets) or not stream.receive_run(packets, now_ns):
            return False
        self.last_packet_ns = now_ns
        codec = self.media.codec
        if self._is_video and not any(is_keyframe(codec, packet.payload) for packet in packets):
            self.history.put_run(packets[0].sequence_number, packets, now_ns)
            self.group.extend(packets, sum([len(packet.payload) for packet in packets]), now_ns)
            self.pending += packets
        else:
            for packet in packets:
                self._remember(packet, now_ns)
        return True

    def set_paused(self, paused: bool) -> None:
        """From now on nothing is forwarded, or again; what was remembered is forgotten."""
        self.paused = paused
        self._forget()

    def _forget(self) -> None:
        self.history.clear()
        self.group.clear()
        self.pending, self.pending_key = [], None

    def _is_private(self, sequence_number: int, now_ns: int) -> bool:
        """True for what is sent during a pause, even if it comes, or is repaired, after it."""
        fence = self._fence
        late = fence is not None and now_ns < fence[1] and not seq_newer(sequence_number, fence[0])
        if self.paused and not late:
            self._fence = (sequence_number, now_ns + FENCE_NS)
        return self.paused or late

    def _remember(self, packet: RtpPacket, now_ns: int) -> None:
        self.history.put(packet.sequence_number, packet, now_ns)
        keyframe = not self._is_video
        if self._is_video:
            keyframe = is_keyframe(self.media.codec, packet.payload, self._descriptor(packet))
            self.group.add(packet, keyframe, now_ns)
            if keyframe:
                self.keyframes.received()
                self._measure_picture(packet.payload)
        if keyframe and self.pending_key is None:
            self.pending_key = len(self.pending)
        self.pending.append(packet)

    def _measure_picture(self, payload: bytes) -> None:
        pixels = pixels_of(self.media.codec, payload)
        if pixels:
            self.pixels = pixels
            self.most_pixels = max(self.most_pixels, pixels)

    def _skip(self, source: int, sequence_number: int) -> None:
        """A probe used up a number, which viewers must not take for a loss."""
        for consumer in self.consumers:
            consumer.rewriter.skip(source, sequence_number)

    def _descriptor(self, packet: RtpPacket) -> bytes | None:
        if self._descriptor_id is None or packet.extension_profile is None:
            return None
        return parse_extensions(packet.extension_profile, packet.extension).get(self._descriptor_id)

    def _add_clock_offset(self, packet: RtpPacket, known: Mapping[int, bytes] | None) -> None:
        """Fill in our estimate of the capturer's clock, which only the first hop can make. `known`: what
        `parse_extensions` gave of them.
        """
        if known is None:
            known = parse_extensions(packet.extension_profile, packet.extension)
        items = dict(known)
        value = items.get(self._capture_id or 0)
        assert self.stream is not None
        if value is None or len(value) != _ABS_CAPTURE_TIME_BYTES:
            return
        ours_us = self.stream.capture_clock.capture_time_us(packet.timestamp)
        if ours_us is None:
            return
        capture_ns = decode_abs_capture_time(value).capture_ns
        offset_ns = capture_ns - ours_us * NS_PER_US
        if abs(offset_ns) > MAX_CLOCK_OFFSET_NS:
            return
        self.publisher_ahead_us = offset_ns // NS_PER_US
        items[self._capture_id or 0] = encode_abs_capture_time(AbsoluteCaptureTime(capture_ns, offset_ns))
        packet.extension_profile, packet.extension = build_extensions(items.items())

    def take_pending(self) -> Batch:
        """The packets since the last call."""
        batch = Batch(self.pending, self.pending_key, in_order(self.pending))
        self.pending, self.pending_key = [], None
        return batch

    # repair

    def nacks_due(self, now_ns: int) -> list[int]:
        """Numbers to ask the publisher for now."""
        if self.stream is None:
            return []
        lost = self.stream.nacks_due(now_ns)
        for number in lost:
            if number in self._asked:
                self._asked[number] = 0  # asked twice: an answer tells nothing of the round trip
            elif len(self._asked) < _MAX_ASKED:
                self._asked[number] = now_ns
        if self._is_video and self.stream.take_keyframe_need():
            self.keyframes.request()
        return lost

    def _measure_rtt(self, sequence_number: int, now_ns: int) -> None:
        """A receiver learns the round trip from how long an answer to a NACK takes."""
        asked_ns = self._asked.pop(sequence_number, 0)
        if not asked_ns or self.stream is None:
            return
        sample_ns = now_ns - asked_ns
        before_ns = self._rtt_ns
        self._rtt_ns = (
            sample_ns if before_ns is None else before_ns + (sample_ns - before_ns) // _RTT_SMOOTHING
        )
        self.stream.set_rtt(self._rtt_ns)
        if len(self._asked) >= _MAX_ASKED:
            self._asked.clear()

    @property
    def rtt_ns(self) -> int | None:
        """Round trip to the publisher as repairs show it."""
        return self._rtt_ns

    def update_rate(self, now_ns: int) -> None:
        """Measure the bit rate over the last second or so."""
        if self.stream is None or now_ns - self._rate_ns < RATE_INTERVAL_NS:
            return
        received = self.stream.bytes_received
        if self._rate_ns:
            self.bitrate_bps = (received - self._rate_bytes) * 8 * NS_PER_S // (now_ns - self._rate_ns)
            self._smooth()
        self._rate_ns, self._rate_bytes = now_ns, received

    def _smooth(self) -> None:
        """A silent layer is expected to be as it was: it may have been rested."""
        if self.bitrate_bps and self._smoothed_bps:
            change_bps = self.bitrate_bps - self._smoothed_bps
            self._smoothed_bps += change_bps // (
                _RATE_SMOOTHING_UP if change_bps > 0 else _RATE_SMOOTHING_DOWN
            )
        elif self.bitrate_bps:
            self._smoothed_bps = self.bitrate_bps

    @property
    def expected_bps(self) -> int:
        """What sending it will cost."""
        unknown_bps = GUESSED_BPS if self._is_video else GUESSED_AUDIO_BPS
        return self._smoothed_bps or self.pixels * GUESSED_BITS_PER_PIXEL or unknown_bps
