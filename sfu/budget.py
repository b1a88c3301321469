"""Pure: what the way to one subscriber carries, as its feedback tells; probes and pacing that go with it.

Nothing is limited before there is evidence: transport-wide feedback, a REMB, or loss in receiver reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from core.clock import NS_PER_MS, NS_PER_S
from rtp.congestion import BandwidthEstimator, Pacer, PacketClass, ProbeCluster, Prober
from rtp.rtcp import ReportBlock
from rtp.twcc import PacketResult, RunResult
from sfu.allocation import UNLIMITED_BPS, UP_MARGIN
from sfu.paced import Held

START_BPS: Final = 10_000_000
"""Or what is being sent already: an estimate begins where nothing has to be lowered without evidence."""
MIN_BPS: Final = 100_000
MAX_BPS: Final = 200_000_000
LOSS_SHOWS: Final = 0.02
"""From this part on, lost packets limit a subscriber that tells us nothing but losses."""
SILENCE_NS: Final = 300 * NS_PER_MS
"""Without feedback although something was sent. Browsers tell at least every 250 ms."""
MAX_QUEUE_NS: Final = 1 * NS_PER_S
REPAIR_QUEUE_NS: Final = 100 * NS_PER_MS
RATE_NS: Final = 500 * NS_PER_MS


class LinkBudget:
    """`bps` is what may be sent per second. `pacer` is None while nothing limits."""

    __slots__ = (
        "_estimator",
        "_feedback_ns",
        "_mark_bytes",
        "_mark_ns",
        "_prober",
        "_reported",
        "cluster",
        "committed_bps",
        "pacer",
        "sent_bps",
    )

    def __init__(self) -> None:
        self._estimator: BandwidthEstimator | None = None
        self._prober = Prober()
        self.cluster: ProbeCluster | None = None
        """The probe that goes on."""
        self._feedback_ns: int | None = None
        """Last transport-wide feedback."""
        self._reported: dict[int, int] = {}
        """Highest number by SSRC at the last receiver report."""
        self._mark_ns = 0
        self._mark_bytes = 0
        self.pacer: Pacer[Held] | None = None
        self.sent_bps = 0
        self.committed_bps = 0
        """What the subscriber has been given."""

    @property
    def bps(self) -> int:
        """What the subscriber may get, all in all: never less than it has, while nothing speaks against it.

        An estimate that is low only because little was sent, or pictures grew, is no reason to lower them.
        """
        estimator = self._estimator
        if estimator is None:
            return UNLIMITED_BPS
        given_bps = int(self.committed_bps * UP_MARGIN) if estimator.untroubled else 0
        return max(estimator.lasting_bps, given_bps)

    @property
    def queue_ms(self) -> float:
        return 0.0 if self._estimator is None else self._estimator.queue_ms

    # evidence

    def on_results(self, results: Sequence[PacketResult], rtt_ns: int | None, now_ns: int) -> None:
        """What transport-wide feedback told (`SendLog.on_feedback`)."""
        if not results:
            return
        self._feedback_ns = now_ns
        estimator = self._limited(self._start_bps)
        if rtt_ns is not None:
            estimator.set_rtt(rtt_ns)
        estimator.on_results(results, now_ns)
        self._follow(estimator)

    def on_runs(self, runs: Sequence[RunResult], rtt_ns: int | None, now_ns: int) -> None:
        """As `on_results`, for `SendLog.match_runs`."""
        if not runs:
            return
        self._feedback_ns = now_ns
        estimator = self._limited(self._start_bps)
        if rtt_ns is not None:
            estimator.set_rtt(rtt_ns)
        estimator.on_runs(runs, now_ns)
        self._follow(estimator)

    def on_remb(self, bitrate_bps: int, now_ns: int) -> None:
        """The subscriber's own estimate."""
        estimator = self._limited(self._start_bps)
        estimator.on_remb(bitrate_bps, now_ns)
        self._follow(estimator)

    def on_reports(self, blocks: Iterable[ReportBlock], now_ns: int) -> None:
        """Receiver reports, all of one compound; they count while there is nothing better."""
        expected = lost = 0
        for block in blocks:
            count = block.highest_sequence - self._reported.get(block.ssrc, block.highest_sequence)
            self._reported[block.ssrc] = block.highest_sequence
            if count > 0:
                expected += count
                lost += block.fraction_lost * count // 256
        fraction = lost / expected if expected else 0.0
        if not expected or (self._estimator is None and fraction < LOSS_SHOWS):
            return
        estimator = self._limited(max(MIN_BPS, self.sent_bps))
        estimator.on_loss_report(fraction, now_ns, sent_bps=self.sent_bps)
        self._follow(estimator)

    @property
    def _start_bps(self) -> int:
        return max(START_BPS, self.sent_bps, int(self.committed_bps * UP_MARGIN))

    def _limited(self, start_bps: int) -> BandwidthEstimator:
        if self._estimator is None:
            start_bps = min(start_bps, MAX_BPS)
            self._estimator = BandwidthEstimator(start_bps=start_bps, min_bps=MIN_BPS, max_bps=MAX_BPS)
            self.pacer = Pacer(estimate_bps=start_bps, max_age_ns=MAX_QUEUE_NS)
        return self._estimator

    def _follow(self, estimator: BandwidthEstimator) -> None:
        if self.pacer is not None:
            pace_bps = estimator.estimate_bps
            if not estimator.draining:
                # What is sent whatever the estimate says must not wait for ever: nobody could decode it.
                pace_bps = max(pace_bps, self.committed_bps)
            self.pacer.set_estimate(pace_bps, gentle=estimator.gentle, full=estimator.full)

    # time

    def tick(self, bytes_out: int, in_flight: bool, now_ns: int) -> None:
        """At each slow tick. `bytes_out`: sent so far. `in_flight`: no feedback has told of all of it."""
        estimator, feedback_ns = self._estimator, self._feedback_ns
        moved = bytes_out - self._mark_bytes
        silent = feedback_ns is not None and now_ns - feedback_ns >= SILENCE_NS
        if estimator is not None and silent and in_flight and moved:
            estimator.on_silence(now_ns)
            self._follow(estimator)
        if now_ns - self._mark_ns >= RATE_NS:
            if self._mark_ns:
                self.sent_bps = moved * 8 * NS_PER_S // (now_ns - self._mark_ns)
            self._mark_ns, self._mark_bytes = now_ns, bytes_out

    def probe(self, wanted_bps: int, now_ns: int) -> bool:
        """Begin a probe when it is time for one; True while one goes on. `wanted_bps` 0: nothing more."""
        estimator = self._estimator
        if self.cluster is not None or estimator is None or self._feedback_ns is None:
            return self.cluster is not None
        self.cluster = self._prober.wanted(
            now_ns,
            estimate_bps=estimator.estimate_bps,
            sent_bps=self.sent_bps,
            wanted_bps=wanted_bps,
            settled=estimator.settled,
        )
        if self.cluster is not None:
            estimator.on_probe(self.cluster)
        return self.cluster is not None

    def padding_due(self, now_ns: int) -> int:
        """Bytes of padding to send now for the probe that goes on; 0 without one."""
        return 0 if self.cluster is None else self.cluster.due_bytes(now_ns)

    def sent(self, size_bytes: int, now_ns: int) -> None:
        """So much has gone out."""
        cluster = self.cluster
        if cluster is not None:
            cluster.sent(now_ns, size_bytes)
            if cluster.done:
                self.cluster = None

    def give_up_probe(self) -> None:
        """There is nothing to pad with."""
        self.cluster = None

    @property
    def busy(self) -> bool:
        """True while something waits for its turn, or a probe goes on."""
        return self.cluster is not None or (self.pacer is not None and self.pacer.next_ns is not None)

    @property
    def repairs_fit(self) -> bool:
        """False while so much waits that resending would only add to what is lost."""
        pacer = self.pacer
        return pacer is None or pacer.queued_bytes * 8 * NS_PER_S <= self.bps * REPAIR_QUEUE_NS

    def passes(self, size_bytes: int, kind: PacketClass, now_ns: int) -> bool:
        """Whether so much may go out at once; else it has to be pushed to `pacer`."""
        return self.pacer is None or self.pacer.passes(size_bytes, kind, now_ns)
