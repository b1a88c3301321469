"""Pure: what the consumers of one subscriber's transport share: numbers, send log, round trip, outbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rtp.reports import RttEstimator
from rtp.rtcp import TransportFeedback
from rtp.srtp import SrtpSender
from rtp.twcc import SendLog
from transport.token_bucket import TokenBucket

RESENDS_PER_S: Final = 2_000.0
RESENDS_BURST: Final = 1_000.0
"""A subscriber that asks for everything again, again and again, gets no more than this."""


@dataclass(slots=True)
class DownlinkCounters:
    """Since the transport was made."""

    packets_out: int = 0
    bytes_out: int = 0
    acknowledged: int = 0
    reported_lost: int = 0
    nacked: int = 0
    resent: int = 0
    refused: int = 0
    """Resends that were too many, too soon, or of packets no longer kept."""


class Downlink:
    """One way to one subscriber. `outbox` collects sealed datagrams until the owner sends them."""

    __slots__ = ("counters", "log", "next_number", "outbox", "outbox_bytes", "resends", "rtt", "sealer")

    def __init__(self, now_ns: int) -> None:
        self.sealer: SrtpSender | None = None
        """None until the transport is connected, and after it closed."""
        self.next_number = 0
        self.log = SendLog()
        self.rtt = RttEstimator()
        self.resends = TokenBucket(RESENDS_PER_S, RESENDS_BURST, now_ns)
        self.outbox: list[bytes] = []
        self.outbox_bytes = 0
        self.counters = DownlinkCounters()

    def sealed(self, datagrams: list[bytes], sizes: list[int], numbered: bool, now_ns: int) -> None:
        """Put datagrams into the outbox. `numbered`: they carry the numbers from `next_number` on."""
        self.outbox += datagrams
        self.outbox_bytes += sum(sizes)
        if numbered:
            number = self.next_number
            self.log.sent_run(number, sizes, now_ns)
            self.next_number = (number + len(sizes)) & 0xFFFF

    def take(self) -> tuple[list[bytes], int]:
        """(the collected datagrams, their bytes); the outbox is empty afterwards."""
        outbox, size, counters = self.outbox, self.outbox_bytes, self.counters
        self.outbox, self.outbox_bytes = [], 0
        counters.packets_out += len(outbox)
        counters.bytes_out += size
        return outbox, size

    def on_feedback(self, feedback: TransportFeedback) -> None:
        """Transport-wide feedback: what arrived and what did not. An estimator will read the same."""
        arrivals = [result.arrival_ns for result in self.log.on_feedback(feedback)]
        lost = arrivals.count(None)
        self.counters.reported_lost += lost
        self.counters.acknowledged += len(arrivals) - lost
