"""One incoming media SSRC as any receiver needs it: SFU producers, the recorder, the edge."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from core.clock import NS_PER_S
from core.errors import ProtocolError
from rtp.capture_clock import IMPLAUSIBLE_NS, CaptureClock
from rtp.extensions import decode_abs_capture_time, parse_extensions
from rtp.nack import NackGenerator
from rtp.packet import RtpPacket
from rtp.reports import ReceptionStats
from rtp.rtcp import ReportBlock, SenderReport
from rtp.rtx import unwrap
from rtp.sequence import timestamp_delta
from rtp.window import IndexWindow


class ReceiveStream:
    """RTX unwrapping, duplicates, NACKs due, reception reports and the capture clock of one SSRC.

    `payload_types`: the media payload types of this stream, empty for any. `rtx_payload_types`: RTX payload
    type → the media payload type it repairs (apt). `rtx_ssrc` may be unknown: an RTX payload type is enough
    to tell. `abs_capture_time_id`: the extension's id on this m-line.
    """

    __slots__ = (
        "_abs_capture_time_id",
        "_arrival_ns",
        "_payload_types",
        "_rtx_payload_types",
        "_timestamp",
        "_window",
        "bytes_received",
        "capture_clock",
        "clock_rate",
        "duplicates",
        "nack",
        "repaired",
        "rtt_ns",
        "rtx_ssrc",
        "ssrc",
        "stats",
    )

    def __init__(
        self,
        ssrc: int,
        clock_rate: int,
        *,
        payload_types: Collection[int] = (),
        rtx_ssrc: int | None = None,
        rtx_payload_types: Mapping[int, int] | None = None,
        nack: bool = True,
        max_age_ns: int = 1_000_000_000,
        abs_capture_time_id: int | None = None,
    ) -> None:
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.rtx_ssrc = rtx_ssrc
        self._payload_types = frozenset(payload_types) or frozenset(range(128)).difference(
            rtx_payload_types or ()
        )
        self._rtx_payload_types = dict(rtx_payload_types or {})
        self._abs_capture_time_id = abs_capture_time_id
        self.nack = NackGenerator(max_age_ns) if nack else None
        self.stats = ReceptionStats(ssrc, clock_rate)
        self.capture_clock = CaptureClock(clock_rate)
        self.rtt_ns: int | None = None
        self._window: IndexWindow | None = None
        self._timestamp: int | None = None
        self._arrival_ns = 0
        """Of the newest frame begun, and when it came; 0 when nobody told."""
        self.bytes_received = 0
        """Payload bytes of packets that `receive` returned."""
        self.duplicates = 0
        self.repaired = 0
        """Packets that arrived only as retransmissions."""

    def receive(
        self, packet: RtpPacket, now_ns: int, extensions: Mapping[int, bytes] | None = None
    ) -> RtpPacket | None:
        """A packet of this SSRC or of its RTX SSRC → the media packet if it is new.

        None for a duplicate, for one too old to tell, for an RTX probe, and for a payload type that is not
        ours. A media packet of padding only is returned, with an empty payload: its number is used up, and a
        forwarder must skip it. `now_ns` is monotonic; the packet's `arrival_ns` serves jitter and capture
        time, if it is set. `extensions`: the packet's, where they have been parsed.

        Raises `ProtocolError` for an RTX packet without an original number.
        """
        if packet.payload_type not in self._payload_types:
            return self._receive_rtx(packet, now_ns)
        sequence_number = packet.sequence_number
        window = self._window
        if window is not None and (window.top + 1) & 0xFFFF == sequence_number:
            window.top += 1
        elif not self._is_new(sequence_number):
            return None
        self.stats.received(sequence_number, packet.timestamp, packet.arrival_ns or now_ns)
        if self.nack is not None:
            self.nack.received(sequence_number, now_ns)
        if packet.timestamp != self._timestamp:
            self._begin_frame(packet, extensions)
        self.bytes_received += len(packet.payload)
        return packet

    def receive_run(self, packets: Sequence[RtpPacket], now_ns: int) -> bool:
        """As `receive` for packets that came with the one before and belong to its frame: successive numbers,
        one payload type, timestamp and arrival. False where these are not simply the next ones; then nothing
        has happened.
        """
        first, count = packets[0], len(packets)
        window, nack = self._window, self.nack
        if (
            window is None
            or (window.top + 1) & 0xFFFF != first.sequence_number
            or first.timestamp != self._timestamp
            or first.payload_type not in self._payload_types
            or not (nack is None or nack.follows(first.sequence_number))
        ):
            return False
        window.top += count
        self.stats.received(first.sequence_number, first.timestamp, first.arrival_ns or now_ns)
        self.stats.received_more(count - 1)
        if nack is not None:
            nack.received_run(packets[-1].sequence_number)
        self.bytes_received += sum([len(packet.payload) for packet in packets])
        return True

    def _receive_rtx(self, packet: RtpPacket, now_ns: int) -> RtpPacket | None:
        payload_type = self._rtx_payload_types.get(packet.payload_type)
        if payload_type is None:
            return None
        original = unwrap(packet, ssrc=self.ssrc, payload_type=payload_type)
        # Before any original there is nothing to repair, and a probe must not tell where numbers begin.
        if original is None or self._window is None or not self._is_new(original.sequence_number):
            return None
        self.repaired += 1
        if self.nack is not None:
            self.nack.received(original.sequence_number, now_ns, repaired=True)
        self.bytes_received += len(original.payload)
        return original

    def _is_new(self, sequence_number: int) -> bool:
        window = self._window
        if window is None:
            self._window = IndexWindow(sequence_number)
            return True
        index = window.nearest(sequence_number)
        if not window.is_free(index):
            self.duplicates += 1
            return False
        window.take(index)
        return True

    def _begin_frame(self, packet: RtpPacket, extensions: Mapping[int, bytes] | None) -> None:
        self._timestamp = packet.timestamp
        arrival_ns = packet.arrival_ns
        if not arrival_ns:
            return
        self._arrival_ns = arrival_ns
        self.capture_clock.capture_time_us(packet.timestamp, arrival_ns)  # begins anew after a jump
        number = self._abs_capture_time_id
        if number is None or packet.extension_profile is None:
            return
        try:
            if extensions is None:
                extensions = parse_extensions(packet.extension_profile, packet.extension)
            value = extensions.get(number)
            if value is not None:
                capture_time = decode_abs_capture_time(value)
                self.capture_clock.on_capture_time(packet.timestamp, capture_time, arrival_ns, self.rtt_ns)
        except ProtocolError:
            return  # a frame is worth more than its label

    def on_sender_report(self, report: SenderReport, arrival_ns: int, now_ns: int) -> None:
        """An SR of this SSRC. `arrival_ns` is Unix time, `now_ns` monotonic."""
        self.stats.on_sender_report(report.ntp_time, now_ns)
        if not self._is_about_now(report.rtp_timestamp, arrival_ns):
            return
        self.capture_clock.on_sender_report(report.ntp_time, report.rtp_timestamp, arrival_ns, self.rtt_ns)

    def _is_about_now(self, rtp_timestamp: int, arrival_ns: int) -> bool:
        """False for an SR whose timestamp does not fit the frames that come: it would date them wrong."""
        if self._timestamp is None or not self._arrival_ns:
            return True
        ahead_ns = timestamp_delta(rtp_timestamp, self._timestamp) * NS_PER_S // self.clock_rate
        return abs(ahead_ns - (arrival_ns - self._arrival_ns)) <= IMPLAUSIBLE_NS

    def set_rtt(self, rtt_ns: int) -> None:
        """The transport's present round trip: it paces retries and bounds the capture clock's error."""
        self.rtt_ns = rtt_ns
        if self.nack is not None:
            self.nack.rtt_ns = rtt_ns

    @property
    def repairs(self) -> int:
        """Packets that came because they were asked for, by RTX or as themselves."""
        return self.repaired + (0 if self.nack is None else self.nack.answered)

    def nacks_due(self, now_ns: int) -> list[int]:
        """Sequence numbers to ask for now; they count as asked for."""
        return [] if self.nack is None else self.nack.due(now_ns)

    def take_keyframe_need(self) -> bool:
        """True once after packets were given up: what follows cannot be decoded without a keyframe."""
        if self.nack is None or not self.nack.needs_keyframe:
            return False
        self.nack.needs_keyframe = False
        return True

    def report_block(self, now_ns: int) -> ReportBlock | None:
        """This SSRC's block of the next receiver report; None before the first packet."""
        return self.stats.report_block(now_ns)
