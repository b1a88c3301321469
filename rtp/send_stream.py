"""One outgoing media SSRC as any original sender needs it: edge agents and the load generator."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from core.clock import NS_PER_S, unix_ns_to_ntp
from rtp.extensions import (
    ABS_CAPTURE_TIME,
    MID,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
    AbsoluteCaptureTime,
    ExtensionMap,
    ExtensionTemplate,
    Item,
    encode_abs_capture_time,
    encode_token,
)
from rtp.history import DEFAULT_DURATION_NS, DEFAULT_MAX_PACKETS, PacketHistory
from rtp.reports import RttEstimator
from rtp.rtcp import ReportBlock, SenderReport
from rtp.srtp import SrtpSender
from rtp.twcc import SendLog, TransportSequence

MIN_RESEND_INTERVAL_NS: Final = 20_000_000
MAX_RESENDS: Final = 10
"""How often one packet is sent again; a peer that asks for more is not served."""
MAX_PADDING_PACKETS: Final = 64
OVERHEAD_BYTES: Final = 44
"""Header, extensions and tag of most packets."""
_HEADER: Final = struct.Struct("!BBHII")
_EXTENSION_BIT: Final = 0x10
_VERSION: Final = 0x80
_MARKER: Final = 0x80


@dataclass(frozen=True, slots=True)
class RtxParameters:
    """The retransmission stream (RFC 4588); `first_sequence` should be random."""

    ssrc: int
    payload_type: int
    first_sequence: int


class Unsent:
    """A packet that has yet to get its number, its seal and its place in the log: all that happens in `seal`,
    which belongs right before sending, so that a pacer's delay is not taken for the network's.

    `size_bytes`: about what it will measure as a datagram.
    """

    __slots__ = ("_seal", "size_bytes", "stream")

    def __init__(self, stream: SendStream, size_bytes: int, seal: Callable[[int, SrtpSender], bytes]) -> None:
        self.stream = stream
        self.size_bytes = size_bytes
        self._seal = seal

    def seal(self, now_ns: int, sealer: SrtpSender) -> bytes:
        """The datagram, sent at `now_ns` (monotonic). To be called once, in order within a stream."""
        return self._seal(now_ns, sealer)


class _Sent:
    __slots__ = ("marker", "payload", "resends", "resent_ns", "sealed", "timestamp")

    def __init__(
        self, payload: bytes, timestamp: int, marker: bool, sealed: bytes | None, now_ns: int
    ) -> None:
        self.payload = payload
        self.timestamp = timestamp
        self.marker = marker
        self.sealed = sealed
        """The datagram itself, kept only where no RTX stream was negotiated."""
        self.resent_ns = now_ns
        self.resends = 0


class SendStream:
    """Numbers, seals and remembers the packets of one SSRC, and answers NACKs.

    With RTX a retransmission is a new packet of the RTX stream; without, it is the stored ciphertext, because
    a second sealing of the same number would break the nonce rule. `first_sequence` and `first_timestamp`
    should be random (the sequence number below 2¹⁵, so that the peer sees the first wrap: RFC 3711 §3.3.1).
    `mid` and `rid` are sent until the first report on this stream proves that the peer knows it.
    `transport_sequence` and `send_log` belong to the transport and are shared by its streams.
    """

    def __init__(
        self,
        ssrc: int,
        payload_type: int,
        clock_rate: int,
        *,
        first_sequence: int,
        first_timestamp: int,
        rtx: RtxParameters | None = None,
        extensions: ExtensionMap | None = None,
        mid: str | None = None,
        rid: str | None = None,
        transport_sequence: TransportSequence | None = None,
        send_log: SendLog | None = None,
        history_ns: int = DEFAULT_DURATION_NS,
        history_packets: int = DEFAULT_MAX_PACKETS,
    ) -> None:
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.clock_rate = clock_rate
        self.rtx = rtx
        self.rtt = RttEstimator()
        self._sequence = first_sequence & 0xFFFF
        self._rtx_sequence = rtx.first_sequence & 0xFFFF if rtx else 0
        self._timestamp_offset = first_timestamp
        ids = extensions or ExtensionMap()
        self._transport_cc_id = ids.id_of(TRANSPORT_CC) if transport_sequence else None
        self._transport_sequence = transport_sequence if self._transport_cc_id else None
        self._send_log = send_log
        self._capture_time_id = ids.id_of(ABS_CAPTURE_TIME)
        self._names = _items(ids, ((MID, mid), (RID, rid)))
        self._rtx_names = _items(ids, ((MID, mid), (REPAIRED_RID, rid)))
        self._plain = self._template(self._names)
        self._rtx_plain = self._template(self._rtx_names)
        self._history: PacketHistory[_Sent] = PacketHistory(history_ns, history_packets)
        self._reference: tuple[int, int] | None = None
        """(timestamp on the wire, capture time in Unix ns) of the newest frame."""
        self._newest: int | None = None
        """The number of the packet sent last."""
        self.packet_count = 0
        self.octet_count = 0
        self.resent_packets = 0
        self.resent_octets = 0

    def send(
        self,
        payloads: Sequence[bytes],
        timestamp: int,
        *,
        capture_ns: int,
        now_ns: int,
        sealer: SrtpSender,
        marker: bool = True,
    ) -> list[bytes]:
        """The packets of one frame → sealed datagrams in order, to be sent now (`now_ns`: monotonic).

        The rest as `prepare`.
        """
        unsent = self.prepare(payloads, timestamp, capture_ns=capture_ns, marker=marker)
        return [packet.seal(now_ns, sealer) for packet in unsent]

    def prepare(
        self, payloads: Sequence[bytes], timestamp: int, *, capture_ns: int, marker: bool = True
    ) -> list[Unsent]:
        """The packets of one frame, to be sealed and sent when there is room for them.

        `timestamp`: media time in ticks from 0, any size; `capture_ns`: the frame's capture in Unix ns, for
        abs-capture-time and sender reports; `marker`: set on the last packet.
        """
        wire_timestamp = (timestamp + self._timestamp_offset) & 0xFFFFFFFF
        self._reference = (wire_timestamp, capture_ns)
        first = self._first_extension(capture_ns)
        last = len(payloads) - 1
        return [
            self._unsent(payload, wire_timestamp, marker and i == last, self._plain if i else first)
            for i, payload in enumerate(payloads)
        ]

    @property
    def first_extra_bytes(self) -> int:
        """By so much the header of a frame's first packet is longer than the others': its capture time."""
        return sum(map(len, self._first_extension(0))) - sum(map(len, self._plain))

    def _unsent(self, payload: bytes, timestamp: int, marker: bool, extension: tuple[bytes, bytes]) -> Unsent:
        return Unsent(
            self,
            len(payload) + OVERHEAD_BYTES,
            lambda now_ns, sealer: self._send_one(payload, timestamp, marker, extension, now_ns, sealer),
        )

    def _first_extension(self, capture_ns: int) -> tuple[bytes, bytes]:
        """The extension of a frame's first packet: with its capture time."""
        if self._capture_time_id is None:
            return self._plain
        value = encode_abs_capture_time(AbsoluteCaptureTime(capture_ns))
        return self._template([*self._names, (self._capture_time_id, value)])

    def _template(self, items: Iterable[Item]) -> tuple[bytes, bytes]:
        """Extension with these items, cut around the transport-wide number (see `ExtensionTemplate`)."""
        return ExtensionTemplate({}, transport_cc_id=self._transport_cc_id, constant=items).render(None, b"")

    def _send_one(
        self,
        payload: bytes,
        timestamp: int,
        marker: bool,
        extension: tuple[bytes, bytes],
        now_ns: int,
        sealer: SrtpSender,
    ) -> bytes:
        sequence = self._sequence
        self._sequence = (sequence + 1) & 0xFFFF
        second = self.payload_type | _MARKER if marker else self.payload_type
        sealed = self._seal(second, sequence, timestamp, self.ssrc, extension, payload, now_ns, sealer)
        kept = None if self.rtx else sealed
        self._history.put(sequence, _Sent(payload, timestamp, marker, kept, now_ns), now_ns)
        self._newest = sequence
        self.packet_count += 1
        self.octet_count += len(payload)
        return sealed

    def _seal(
        self,
        second: int,
        sequence: int,
        timestamp: int,
        ssrc: int,
        extension: tuple[bytes, bytes],
        payload: bytes,
        now_ns: int,
        sealer: SrtpSender,
    ) -> bytes:
        before, after = extension
        first = _VERSION | _EXTENSION_BIT if before else _VERSION
        header = _HEADER.pack(first, second, sequence, timestamp, ssrc) + before
        if self._transport_sequence is None:
            return sealer.seal(header, payload)
        number = self._transport_sequence.next()
        sealed = sealer.seal(header + number.to_bytes(2, "big") + after, payload)
        if self._send_log is not None:
            self._send_log.sent(number, len(sealed), now_ns)
        return sealed

    def on_nack(self, lost: Iterable[int], now_ns: int, sealer: SrtpSender) -> list[bytes]:
        """Datagrams that answer a NACK; numbers no longer here, or just sent again, are passed over."""
        return [packet.seal(now_ns, sealer) for packet in self.prepare_repairs(lost, now_ns)]

    def prepare_repairs(self, lost: Iterable[int], now_ns: int) -> list[Unsent]:
        """As `on_nack`, to be sealed and sent when there is room."""
        rtt_ns = self.rtt.rtt_ns or 0
        interval_ns = max(MIN_RESEND_INTERVAL_NS, rtt_ns)
        answers: list[Unsent] = []
        for sequence in lost:
            sent = self._history.get(sequence)
            if sent is None or not self._may_resend(sent, now_ns, interval_ns):
                continue
            sent.resends += 1
            sent.resent_ns = now_ns
            self.resent_packets += 1
            self.resent_octets += len(sent.payload)
            answers.append(self._repair(sequence, sent))
        return answers

    def prepare_padding(self, size_bytes: int) -> list[Unsent]:
        """About `size_bytes` (at least one packet) of what was sent last, again on the RTX stream: padding
        that may be of use.

        Empty without RTX, which alone may send the same again, and before anything was sent.
        """
        if self.rtx is None or self._newest is None:
            return []
        latest = list(self._latest(self._newest))
        padding: list[Unsent] = []
        while latest and size_bytes > 0:
            packet = self._repair(*latest[len(padding) % len(latest)])
            padding.append(packet)
            size_bytes -= packet.size_bytes
        return padding

    def _latest(self, sequence: int) -> Iterator[tuple[int, _Sent]]:
        """The packets sent last, backwards, as far as they are here."""
        for back in range(MAX_PADDING_PACKETS):
            number = (sequence - back) & 0xFFFF
            sent = self._history.get(number)
            if sent is None:
                return
            yield number, sent

    def _repair(self, sequence: int, sent: _Sent) -> Unsent:
        sealed = sent.sealed
        if sealed is not None:
            return Unsent(self, len(sealed), lambda now_ns, sealer: sealed)
        return Unsent(
            self,
            len(sent.payload) + OVERHEAD_BYTES,
            lambda now_ns, sealer: self._retransmit(sequence, sent, now_ns, sealer),
        )

    def forget(self) -> None:
        """Nothing sent so far will be sent again: a keyframe makes it needless."""
        self._history.clear()
        self._newest = None

    @staticmethod
    def _may_resend(sent: _Sent, now_ns: int, interval_ns: int) -> bool:
        """The first request is always answered; a later one unless the last answer is still under way."""
        if sent.resends == 0:
            return True
        return sent.resends < MAX_RESENDS and now_ns - sent.resent_ns >= interval_ns

    def _retransmit(self, sequence: int, sent: _Sent, now_ns: int, sealer: SrtpSender) -> bytes:
        assert self.rtx is not None
        number = self._rtx_sequence
        self._rtx_sequence = (number + 1) & 0xFFFF
        second = self.rtx.payload_type | _MARKER if sent.marker else self.rtx.payload_type
        payload = sequence.to_bytes(2, "big") + sent.payload
        return self._seal(
            second, number, sent.timestamp, self.rtx.ssrc, self._rtx_plain, payload, now_ns, sealer
        )

    def on_report_block(self, block: ReportBlock, now_unix_ns: int) -> None:
        """A report on our SSRC: measures the round trip and ends the sending of mid and rid."""
        self.rtt.on_report_block(block, now_unix_ns)
        if self._names:
            self._names = []
            self._plain = self._template(())

    def sender_report(self, now_unix_ns: int) -> SenderReport | None:
        """An SR for now, the RTP timestamp carried on from the newest frame; None before the first frame."""
        if self._reference is None:
            return None
        timestamp, capture_ns = self._reference
        timestamp += (now_unix_ns - capture_ns) * self.clock_rate // NS_PER_S
        return SenderReport(
            ssrc=self.ssrc,
            ntp_time=unix_ns_to_ntp(now_unix_ns),
            rtp_timestamp=timestamp & 0xFFFFFFFF,
            packet_count=self.packet_count & 0xFFFFFFFF,
            octet_count=self.octet_count & 0xFFFFFFFF,
        )


def _items(ids: ExtensionMap, values: Iterable[tuple[str, str | None]]) -> list[Item]:
    items: list[Item] = []
    for uri, value in values:
        number = ids.id_of(uri)
        if number is not None and value is not None:
            items.append((number, encode_token(value)))
    return items
