"""Load: subscribers that count everything, and report and give feedback as browsers do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.pictures import STAMP_BYTES
from bench.publisher import CLOCK, local_end
from bench.signalling import Signalling
from core.clock import NS_PER_MS, NS_PER_S
from rtp.extensions import TRANSPORT_CC
from rtp.negotiation import ReceivedMedia, answer_subscribe, remote_transport
from rtp.packet import RtpPacket
from rtp.reports import ReceptionStats
from rtp.rtcp import ReceiverReport, SenderReport, build_compound, parse_compound
from rtp.srtp import SrtpProfile
from rtp.twcc import FeedbackBuilder
from sfu.metrics import Histogram
from transport.api import TransportState
from transport.client import ClientTransport
from transport.media import MediaSession
from transport.udp import SOL_UDP, UDP_GRO

VERIFY_EVERY: Final = 50
"""One packet in so many is decrypted and authenticated; all are counted."""
REPORT_INTERVAL_NS: Final = 1 * NS_PER_S
BROWSER_CHECK_NS: Final = 2_650 * NS_PER_MS
"""Our own client checks every 250 ms; Chromium, which most subscribers are, every 2.65 s."""
SENDER_SSRC: Final = 1
NOT_NEGOTIATED: Final = -1
_ONE_BYTE_FORM: Final = b"\xbe\xde"


class Count:
    """Of one SSRC: which numbers came, without remembering each; and what reports say of it."""

    __slots__ = ("highest", "received", "since_highest", "since_received", "stats")

    def __init__(self, ssrc: int, number: int) -> None:
        self.highest = self.since_highest = number
        self.received = self.since_received = 1
        self.stats = ReceptionStats(ssrc, 90_000)

    def add(self, number: int) -> None:
        """A packet with this number came."""
        ahead = (number - self.highest) & 0xFFFF
        if 0 < ahead < 0x8000:
            self.highest += ahead
        self.received += 1

    def mark(self) -> tuple[int, int]:
        """(expected, received) since the last mark."""
        expected, received = self.highest - self.since_highest, self.received - self.since_received
        self.since_highest, self.since_received = self.highest, self.received
        return expected, received


class CountingSession(MediaSession):
    """Shows each datagram to `look` first, and opens only those it is told to."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(receiver, lambda ssrc: None)
        self._look = receiver.look

    def receive(self, datagram: bytes, arrival_ns: int) -> bool:
        return not self._look(datagram, arrival_ns) or super().receive(datagram, arrival_ns)


class Receiver:
    """A subscriber that is cheap to run: counts by the clear header, decrypts one packet in `VERIFY_EVERY`.

    It reports and gives transport-wide feedback like a browser, so the server's side of that is measured too.
    `plain`: its sockets take one datagram per call, as browsers' do; else the kernel may hand over several
    at once (UDP_GRO), which on loopback spares the **server** the kernel's cutting of what it sent at once.
    """

    def __init__(self, profiles: Sequence[SrtpProfile], *, plain: bool = False) -> None:
        self.counts: dict[bytes, Count] = {}
        self.transit = Histogram()
        """Publisher's frame sent → packet in the subscriber's kernel, of the packets that are opened."""
        self.feedback_sent = 0
        """Transport-wide feedback messages."""
        self._profiles = profiles
        self._plain = plain
        self._transport: ClientTransport | None = None
        self._total = 0
        self._feedback = FeedbackBuilder(SENDER_SSRC)
        self._media: list[ReceivedMedia] = []
        self._transport_cc = NOT_NEGOTIATED
        self._report_ns = 0

    @property
    def transport(self) -> ClientTransport:
        """Its connection, after `start`."""
        assert self._transport is not None
        return self._transport

    @property
    def verified(self) -> int:
        """Packets opened so far."""
        return self.transit.total

    async def start(self, api: Signalling, name: str, track_ids: Sequence[str]) -> None:
        """Subscribe and connect. The end that offers controls ICE, but a lite one (RFC 8445 §6.1.1)."""
        offer = await api.subscribe(name, track_ids)
        self._transport = transport = ClientTransport(
            self,
            controlling=offer.ice_lite,
            clock=CLOCK,
            profiles=self._profiles,
            check_interval_ns=BROWSER_CHECK_NS,
        )
        transport.media = CountingSession(self)
        await transport.gather()
        answer, self._media = answer_subscribe(offer, local_end(transport))
        media = self._media[0]
        self._transport_cc = media.extensions.id_of(TRANSPORT_CC) or NOT_NEGOTIATED
        self._feedback = FeedbackBuilder(SENDER_SSRC, media.ssrc or 0)
        await api.answer(name, answer)
        remote = remote_transport(offer)
        await transport.connect(remote.ice, remote.fingerprints, remote.candidates, "client")
        if self._plain:
            _take_single_datagrams(transport)

    def look(self, datagram: bytes, arrival_ns: int) -> bool:
        """Count a datagram; True when it is to be opened: all RTCP, and a sample of the media."""
        if 192 <= datagram[1] <= 223:
            return True
        number = datagram[2] << 8 | datagram[3]
        ssrc = datagram[8:12]
        count = self.counts.get(ssrc)
        if count is None:
            count = self.counts[ssrc] = Count(int.from_bytes(ssrc, "big"), number)
        else:
            count.add(number)
        count.stats.received(number, int.from_bytes(datagram[4:8], "big"), arrival_ns)
        # The usual place: first in the one-byte extension block.
        if datagram[16] >> 4 == self._transport_cc and datagram[12:14] == _ONE_BYTE_FORM:
            self._feedback.received(datagram[17] << 8 | datagram[18], arrival_ns)
        elif (position := find_extension(datagram, self._transport_cc)) is not None:
            self._feedback.received(datagram[position] << 8 | datagram[position + 1], arrival_ns)
        self._total += 1
        return self._total % VERIFY_EVERY == 0

    def give_feedback(self) -> None:
        """Transport-wide feedback, and a report once per second."""
        for feedback in self._feedback.build():
            self.transport.send_rtcp(build_compound([feedback]))
            self.feedback_sent += 1
        now_ns = CLOCK.monotonic_ns()
        if now_ns - self._report_ns >= REPORT_INTERVAL_NS:
            self._report_ns = now_ns
            blocks = [count.stats.report_block(now_ns) for count in self._media_counts()]
            found = tuple(block for block in blocks if block is not None)
            self.transport.send_rtcp(build_compound([ReceiverReport(SENDER_SSRC, found)]))

    def mark(self) -> tuple[int, int]:
        """(expected, received) media packets since the last mark."""
        pairs = [count.mark() for count in self._media_counts()]
        return sum(expected for expected, _ in pairs), sum(received for _, received in pairs)

    def overflowed(self) -> int:
        """Datagrams its own sockets lost, because this process did not read in time."""
        return sum(port.counters.overflowed for port in self.transport.ports)

    def _media_counts(self) -> list[Count]:
        names = [(media.ssrc or 0).to_bytes(4, "big") for media in self._media]
        return [self.counts[name] for name in names if name in self.counts]

    def rtp_received(self, packet: RtpPacket) -> None:
        sent_ns = int.from_bytes(packet.payload[-STAMP_BYTES:], "big")
        self.transit.add((packet.arrival_ns - sent_ns) // 1_000)

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        for item in parse_compound(compound):
            if isinstance(item, SenderReport):
                count = self.counts.get(item.ssrc.to_bytes(4, "big"))
                if count is not None:
                    count.stats.on_sender_report(item.ntp_time, CLOCK.monotonic_ns())

    def state_changed(self, state: TransportState) -> None:
        """The parent sees what is missing."""


def find_extension(datagram: bytes, number: int) -> int | None:
    """Where the data of extension `number` starts, in the one-byte form (RFC 8285 §4.2); None without it."""
    start = 12 + 4 * (datagram[0] & 0x0F)
    if not datagram[0] & 0x10 or datagram[start : start + 2] != _ONE_BYTE_FORM:
        return None
    position = start + 4
    end = min(position + 4 * int.from_bytes(datagram[start + 2 : start + 4], "big"), len(datagram) - 2)
    while position < end:
        head = datagram[position]
        if head >> 4 == number:
            return position + 1
        position += 1 if head == 0 else 2 + (head & 0x0F)
    return None


def _take_single_datagrams(transport: ClientTransport) -> None:
    for port in transport.ports:
        # Nobody but a benchmark wants less than the port can do, so the port has no option for it.
        port._socket.setsockopt(SOL_UDP, UDP_GRO, 0)
