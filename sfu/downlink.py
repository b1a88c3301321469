"""Pure: what the consumers of one subscriber's transport share: numbers, send log, round trip, outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rtp.reports import RttEstimator
from rtp.rtcp import TransportFeedback
from rtp.srtp import SrtpSender
from rtp.twcc import SendLog
from sfu.allocation import UNLIMITED_BPS
from sfu.budget import LinkBudget
from sfu.headers import PreparedBatch, numbered_headers, plain_headers
from sfu.paced import Held
from transport.lane import Lane
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
    dropped: int = 0
    """Packets for which there was no room in the queue before a narrow way."""
    padding: int = 0


class Downlink:
    """One way to one subscriber. `outbox` collects sealed datagrams until the owner sends them."""

    __slots__ = (
        "budget",
        "counters",
        "expressed",
        "lane",
        "log",
        "next_number",
        "outbox",
        "outbox_bytes",
        "resends",
        "rtt",
        "sealer",
    )

    def __init__(self, now_ns: int, budget: LinkBudget | None = None) -> None:
        self.budget = budget
        """None for a subscriber that is sent everything whatever becomes of it."""
        self.sealer: SrtpSender | None = None
        """None until the transport is connected, and after it closed."""
        self.lane: Lane | None = None
        """The engine's way to the peer; None without an engine."""
        self.next_number = 0
        self.log = SendLog()
        self.rtt = RttEstimator()
        self.resends = TokenBucket(RESENDS_PER_S, RESENDS_BURST, now_ns)
        self.outbox: list[bytes] = []
        self.outbox_bytes = 0
        self.expressed = 0
        """Packets that left by the lane; `outbox_bytes` counts theirs, too."""
        self.counters = DownlinkCounters()

    @property
    def budget_bps(self) -> int:
        """What may be sent per second, media and repair together."""
        return UNLIMITED_BPS if self.budget is None else self.budget.bps

    def waited_ns(self, now_ns: int) -> int:
        """For how long the oldest of what waits for its turn has."""
        pacer = None if self.budget is None else self.budget.pacer
        return 0 if pacer is None else pacer.queued_ns(now_ns)

    def sealed(
        self,
        datagrams: Sequence[bytes],
        sizes: Sequence[int],
        size_bytes: int,
        numbered: bool,
        now_ns: int,
    ) -> None:
        """Put datagrams of these `sizes`, together `size_bytes`, into the outbox. `numbered`: they carry the
        numbers from `next_number` on.
        """
        self.outbox += datagrams
        self.outbox_bytes += size_bytes
        self.logged(sizes, size_bytes, numbered, now_ns)

    def logged(self, sizes: Sequence[int], size_bytes: int, numbered: bool, now_ns: int) -> None:
        """Datagrams of these `sizes` are leaving."""
        if numbered:
            number = self.next_number
            self.log.sent_run(number, sizes, now_ns, size_bytes)
            self.next_number = (number + len(sizes)) & 0xFFFF
        budget = self.budget
        if budget is not None and budget.cluster is not None:
            budget.sent(size_bytes, now_ns)

    def release(self, now_ns: int) -> None:
        """Seal what has waited for its turn; without a sealer it is dropped."""
        pacer = None if self.budget is None else self.budget.pacer
        if pacer is None:
            return
        for held in pacer.due(now_ns):
            if held.epoch == held.sender.epoch:
                self._seal(held, now_ns)

    def _seal(self, held: Held, now_ns: int) -> None:
        sealer, batch = self.sealer, held.batch
        if sealer is None:
            return
        sender, part = held.sender, slice(held.first, held.first + held.packets)
        datagrams: list[bytes] = []
        terms = held.payload_type, held.ssrc, *held.move
        if sender.keeps_ciphertext or not self.express(batch, held.first, held.packets, *terms, now_ns):
            if batch.numbered:
                headers = numbered_headers(held.items, *terms, self.next_number)
            else:
                headers = plain_headers(held.items, *terms)
            datagrams = sealer.seal_each(headers, batch.payloads[part])
            sizes = batch.sizes(sealer.tag_bytes)[0][part]
            self.sealed(datagrams, sizes, sum(sizes), batch.numbered, now_ns)
        if held.is_media:
            sender.was_sent(datagrams, held.packets, sum(map(len, batch.payloads[part])), now_ns)

    def express(
        self,
        batch: PreparedBatch,
        first: int,
        count: int,
        payload_type: int,
        ssrc: int,
        sequence_move: int,
        timestamp_move: int,
        now_ns: int,
    ) -> bool:
        """Leave numbers, sealing and sending of successive packets to the engine, together with what others
        are sent just now. False where it cannot be; then nothing has happened.
        """
        lane, sealer = self.lane, self.sealer
        if lane is None or sealer is None or not lane.is_open or not lane.fan_out.collecting or self.outbox:
            return False  # nor shall it overtake what is in the outbox
        sequence_number = (batch.items[first].sequence_number + sequence_move) & 0xFFFF
        index = sealer.claim_run(ssrc, sequence_number, count)
        if index is None:
            return False
        lane.fan_out.add(
            batch.native(), lane, index, ssrc, timestamp_move, first, count, self.next_number, payload_type
        )
        sizes, size_bytes = batch.sizes(sealer.tag_bytes)
        if count < len(sizes):
            sizes = sizes[first : first + count]
            size_bytes = sum(sizes)
        self.expressed += count
        self.outbox_bytes += size_bytes
        self.logged(sizes, size_bytes, batch.numbered, now_ns)
        return True

    def take(self) -> tuple[list[bytes], int, int]:
        """(the collected datagrams; how many packets left, those of the lane included; their bytes) since the
        last call.
        """
        outbox, size_bytes, counters = self.outbox, self.outbox_bytes, self.counters
        packets = len(outbox) + self.expressed
        self.outbox, self.outbox_bytes, self.expressed = [], 0, 0
        counters.packets_out += packets
        counters.bytes_out += size_bytes
        return outbox, packets, size_bytes

    def on_feedback(self, feedback: TransportFeedback, now_ns: int) -> None:
        """Transport-wide feedback: what arrived and what did not."""
        if self.budget is None:
            received, lost = self.log.count_feedback(feedback)
        elif (runs := self.log.match_runs(feedback)) is not None:
            self.budget.on_runs(runs, self.rtt.rtt_ns, now_ns)
            received, lost = sum([len(run.arrivals) for run in runs]), 0
        else:
            results = self.log.on_feedback(feedback)
            self.budget.on_results(results, self.rtt.rtt_ns, now_ns)
            lost = sum(result.arrival_ns is None for result in results)
            received = len(results) - lost
        self.counters.reported_lost += lost
        self.counters.acknowledged += received
