"""How much one path carries, told by its sender (draft-ietf-rmcat-gcc-02)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from typing import Final

from rtp.congestion.acknowledged import AcknowledgedRate
from rtp.congestion.delay import GROUP_NS, NO_QUEUE_MS, STANDING_QUEUE_MS, DelayTrend, Usage
from rtp.congestion.loss import LossControl
from rtp.congestion.probing import ProbeCluster, ProbeResult
from rtp.congestion.rate_control import SMALL_QUEUE_MS, RateControl
from rtp.congestion.units import MS_NS, S_NS, bits_per_second
from rtp.twcc import PacketResult, RunResult
from rtp.twcc_codec import DELTA_NS

Received = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""Sizes, times sent and arrivals of the packets that came, in order of sending."""

BUSY_PACKETS: Final = 5
BUSY_NS: Final = 20 * MS_NS
"""Fewer packets in less time say nothing about the capacity."""
SETTLED_NS: Final = 500 * MS_NS
UNTROUBLED_NS: Final = 2 * S_NS
GENTLE_NS: Final = 10 * S_NS
FULL_AFTER_DRAIN_NS: Final = 2 * S_NS
"""What the pacer held back meanwhile must not fill the queue again."""
SILENCE_NS: Final = 500 * MS_NS
SILENCE_FALL: Final = 0.7
SILENCE_FLOOR: Final = 0.25
"""Of the estimate before the silence: a path that comes back is mostly as good as it was."""
SILENCE_REGAIN: Final = 0.8
"""After a silence in which packets were lost. Where all of them came, only somebody was late."""
SILENCE_STEP_NS: Final = 150 * MS_NS
"""A longer time between two calls is our own lateness: what was answered meanwhile has not been read yet."""
SILENCE_LASTING_NS: Final = 2 * S_NS
"""So long a silence says nothing about what will be carried after it."""
FEEDBACK_GONE_NS: Final = 3 * S_NS
"""After this without transport-wide feedback, other reports decide."""
REMB_STALE_NS: Final = 10 * S_NS
"""A cap that is not renewed for so long no longer binds where there is transport-wide feedback."""
REPORT_LOW_LOSS: Final = 0.02
REPORT_HIGH_LOSS: Final = 0.1
REPORT_RISE: Final = 0.08
"""Per second."""
REPORT_SENT_FACTOR: Final = 1.5
MAX_RTT_NS: Final = 2 * S_NS
MAX_PROBES: Final = 4
PROBE_TIMEOUT_NS: Final = 1 * S_NS


class BandwidthEstimator:
    """One per transport. Feedback is hostile: whatever it says, the estimate stays within its bounds."""

    def __init__(self, *, start_bps: int, min_bps: int, max_bps: int) -> None:
        """Raises `ValueError` unless 0 < min ≤ start ≤ max."""
        if not 0 < min_bps <= start_bps <= max_bps:
            raise ValueError(f"0 < min ≤ start ≤ max expected, not {min_bps}, {start_bps}, {max_bps}")
        self._rate = RateControl(start_bps, min_bps, max_bps)
        self._delay = DelayTrend()
        self._acknowledged = AcknowledgedRate()
        self._loss = LossControl()
        self._probes: list[tuple[ProbeResult, int]] = []
        self._remb_bps: int | None = None
        self._remb_ns = 0
        self._now_ns = 0
        self._results_ns: int | None = None
        self._overuse_ns: int | None = None
        self._gentle_until_ns = 0
        self._full_until_ns = 0
        self._silent_ns: int | None = None
        """For how long nothing has been heard."""
        self._silence_seen_ns = 0
        self._silence_cut_ns = 0
        """Length of the silence at the last fall."""
        self._before_silence_bps: float | None = None
        self._silence_lost = False
        self._report_loss = 0.0
        self._report_ns: int | None = None

    @property
    def estimate_bps(self) -> int:
        """What the path is believed to carry, within the bounds and under the receiver's own limit."""
        rate_bps = int(self._rate.rate_bps)
        if self._remb_bps is None:
            return rate_bps
        return max(int(self._rate.min_bps), min(rate_bps, self._remb_bps))

    @property
    def lasting_bps(self) -> int:
        """What to choose by for longer than it takes to empty a queue, or than somebody is late: meanwhile
        the estimate is below what the path carries.
        """
        if self._remb_bps is not None:
            return self.estimate_bps
        if self._before_silence_bps is not None and (self._silent_ns or 0) < SILENCE_LASTING_NS:
            return int(max(self._rate.rate_bps, self._before_silence_bps))
        if not self._rate.draining:
            return self.estimate_bps
        return int(min(self._rate.regained_bps, self._rate.max_bps))

    @property
    def usage(self) -> Usage:
        """What the delay says at present."""
        return self._delay.usage

    @property
    def loss(self) -> float:
        """Share of packets lost lately, 0…1."""
        return self._loss.loss if self._has_results else self._report_loss

    @property
    def queue_ms(self) -> float:
        """How long packets wait in queues on the path, as far as it can be told."""
        return self._delay.queue_ms

    @property
    def acknowledged_bps(self) -> int:
        """What reached the receiver over the last half second, 0 while unknown."""
        return int(self._acknowledged.bps or 0)

    @property
    def gentle(self) -> bool:
        """Whether to send evenly (`Pacer.set_estimate`): packets were lost and no queue was seen, as happens
        where it is too short for a frame.
        """
        return self._now_ns < self._gentle_until_ns

    @property
    def full(self) -> bool:
        """Whether a queue is being emptied, or was until a moment ago (`Pacer.set_estimate`)."""
        return self._now_ns < self._full_until_ns

    @property
    def remembered(self) -> int:
        """Entries held, for whoever watches memory."""
        return self._delay.remembered + self._acknowledged.remembered + len(self._probes)

    @property
    def draining(self) -> bool:
        """Whether a queue of ours is being emptied: more than the estimate would keep it."""
        return self._rate.draining

    @property
    def settled(self) -> bool:
        """Whether there is nothing wrong just now, so that a probe may be sent."""
        if self._rate.draining or self._before_silence_bps is not None:
            return False
        return self._overuse_ns is None or self._now_ns - self._overuse_ns > SETTLED_NS

    @property
    def untroubled(self) -> bool:
        """Whether nothing has spoken against what is sent, for a while: no queue, no loss, no silence."""
        if not self.settled or not self._has_results or self._remb_bps is not None:
            return False
        return self._overuse_ns is None or self._now_ns - self._overuse_ns > UNTROUBLED_NS

    @property
    def _has_results(self) -> bool:
        return self._results_ns is not None and self._now_ns - self._results_ns < FEEDBACK_GONE_NS

    def set_rtt(self, rtt_ns: int) -> None:
        """The round trip as reports tell it."""
        self._rate.rtt_ns = min(max(rtt_ns, MS_NS), MAX_RTT_NS)

    def on_probe(self, cluster: ProbeCluster) -> None:
        """A probe begins; its packets' results will tell. Of more than `MAX_PROBES` at once, the oldest is
        given up.
        """
        self._probes = [*self._probes[1 - MAX_PROBES :], (ProbeResult(cluster), self._now_ns)]

    def on_results(self, results: Sequence[PacketResult], now_ns: int) -> None:
        """What one feedback told, in order of sending (`SendLog.on_feedback`)."""
        if not results:
            return
        now_ns = self._advance(now_ns)
        self._results_ns = now_ns
        _, sizes_bytes, sent_ns, arrivals_ns = zip(*results, strict=True)
        size_bytes = sum(sizes_bytes)
        try:
            last_arrival_ns = max(arrivals_ns)
        except TypeError:  # None among them: some were lost. Asking each one costs more.
            last_arrival_ns = None
        if last_arrival_ns is None:
            self._on_some_lost(results, sent_ns[-1], size_bytes, now_ns)
            return
        self._count_loss(now_ns, sent_ns[-1], len(sent_ns), 0, size_bytes)
        self._on_received(now_ns, (sizes_bytes, sent_ns, arrivals_ns), size_bytes, last_arrival_ns)

    def on_runs(self, runs: Sequence[RunResult], now_ns: int) -> None:
        """As `on_results`, for what `SendLog.match_runs` told."""
        if not runs:
            return
        now_ns = self._advance(now_ns)
        self._results_ns = now_ns
        size_bytes = sum([run.size_bytes for run in runs])
        packets = sum([len(run.arrivals) for run in runs])
        last_arrival_ns = max([max(run.arrivals) for run in runs]) * DELTA_NS
        self._count_loss(now_ns, runs[-1].sent_ns, packets, 0, size_bytes)
        if self._probes:
            self._on_received(now_ns, _columns(runs), size_bytes, last_arrival_ns)
            return
        self._silent_ns = None
        self._acknowledged.add(last_arrival_ns, size_bytes)
        self._delay.add_runs([(run.sent_ns, min(run.arrivals) * DELTA_NS) for run in runs])
        self._steer(now_ns, partial(_columns, runs))

    def _on_some_lost(
        self, results: Sequence[PacketResult], last_sent_ns: int, size_bytes: int, now_ns: int
    ) -> None:
        received = [result for result in results if result[3] is not None]
        lost = len(results) - len(received)
        self._silence_lost = self._silence_lost or self._before_silence_bps is not None
        self._count_loss(now_ns, last_sent_ns, len(results), lost, size_bytes)
        if received:
            _, sizes_bytes, sent_ns, arrivals_ns = zip(*received, strict=True)
            self._on_received(now_ns, (sizes_bytes, sent_ns, arrivals_ns), sum(sizes_bytes), max(arrivals_ns))

    def _on_received(self, now_ns: int, packets: Received, size_bytes: int, last_arrival_ns: int) -> None:
        self._silent_ns = None
        self._acknowledged.add(last_arrival_ns, size_bytes)
        self._delay.add(packets[1], packets[2], self._probing if self._probes else None)
        self._steer(now_ns, lambda: packets)
        if self._probes:
            self._measure(now_ns, packets)

    def _probing(self, sent_ns: int) -> bool:
        """A probe is meant to queue; that says nothing about the rate we send at."""
        return any(probe.covers(sent_ns) for probe, _ in self._probes)

    def _count_loss(self, now_ns: int, last_sent_ns: int, packets: int, lost: int, size_bytes: int) -> None:
        if not self._loss.add(last_sent_ns, packets, lost, size_bytes):
            return
        standing = self._delay.queue_ms > STANDING_QUEUE_MS  # What is shorter may be a longer route.
        queued = standing or self._delay.growing or self._rate.draining
        settle_ns, rate_bps = self._rate.rtt_ns + GROUP_NS, self._rate.rate_bps
        excess = self._loss.excess(now_ns=now_ns, settle_ns=settle_ns, queued=queued, rate_bps=rate_bps)
        if excess > 0.0 and not self._rate.draining:
            self._overuse_ns = now_ns
            if not queued:
                self._gentle_until_ns = now_ns + GENTLE_NS
            self._rate.on_loss(now_ns, excess)

    def _steer(self, now_ns: int, packets: Callable[[], Received]) -> None:
        rate, delay = self._rate, self._delay
        if self._remb_bps is not None and now_ns - self._remb_ns > REMB_STALE_NS:
            self._remb_bps = None
        usage = delay.evaluate(now_ns)
        acknowledged_bps = self._acknowledged.bps
        if usage == "overuse":
            self._overuse(now_ns, packets(), acknowledged_bps)
        if rate.draining:
            self._full_until_ns = now_ns + FULL_AFTER_DRAIN_NS
            self._drain(now_ns, usage)
        elif usage == "normal":
            self._regain()
            rate.on_normal(now_ns, acknowledged_bps)

    def _overuse(self, now_ns: int, packets: Received, acknowledged_bps: float | None) -> None:
        self._overuse_ns = now_ns
        queue_ms = self._delay.queue_ms
        arrives_bps = self._busy_bps(packets) or self._acknowledged.latest_bps
        if arrives_bps is None or acknowledged_bps is None:
            return
        if self._rate.draining and not (self._delay.growing or self._loss.excessive):
            return  # It drains, or it is not our queue: less would not help.
        if queue_ms < SMALL_QUEUE_MS:  # Perhaps jitter; frames come in lumps.
            arrives_bps = max(arrives_bps, acknowledged_bps)
        arrives_bps /= 1.0 - self._loss.inherent
        if self._rate.on_overuse(now_ns, arrives_bps, queue_ms):
            self._delay.forget_trend()

    def _busy_bps(self, packets: Received) -> float | None:
        """What came out of the queue while it was never empty, as far as these packets tell: the capacity."""
        sizes_bytes, sent_ns, arrivals_ns = packets
        start = self._delay.queued_from(sent_ns, arrivals_ns)
        if len(sent_ns) - start < BUSY_PACKETS:
            return None
        span_ns = arrivals_ns[-1] - arrivals_ns[start]
        return bits_per_second(sum(sizes_bytes[start + 1 :]), span_ns) if span_ns >= BUSY_NS else None

    def _drain(self, now_ns: int, usage: Usage) -> None:
        if self._delay.queue_ms < NO_QUEUE_MS * 1.5 + self._rate.packet_ms and usage != "overuse":
            self._rate.on_drained(now_ns)
            return
        queue_ms, lost = self._delay.queue_ms, self._loss.excessive
        if self._rate.drain_failed(now_ns, self._acknowledged.bps, queue_ms, lost=lost):
            self._delay.rebase()
            self._rate.on_drained(now_ns)

    def _measure(self, now_ns: int, packets: Received) -> None:
        waiting: list[tuple[ProbeResult, int]] = []
        for probe, begun_ns in self._probes:
            for size_bytes, at_ns, arrival_ns in zip(*packets, strict=True):
                if probe.covers(at_ns):
                    probe.add(size_bytes, arrival_ns)
            if probe.complete(packets[1][-1]):
                self._conclude(now_ns, probe)
            elif now_ns - begun_ns < PROBE_TIMEOUT_NS:
                waiting.append((probe, begun_ns))
        self._probes = waiting

    def _conclude(self, now_ns: int, probe: ProbeResult) -> None:
        measured = probe.bps()
        if measured is None or self._rate.draining:
            return
        rate_bps, saturated = measured
        if rate_bps > self._rate.rate_bps:
            self._rate.set(rate_bps)
            self._rate.capacity_bps = rate_bps if saturated else None

    def on_silence(self, now_ns: int) -> None:
        """Packets are in flight and nothing is heard of them. Call it on every tick while that is so.

        From `SILENCE_NS` after the first call on, the estimate falls; with the first feedback it comes back.
        """
        now_ns = self._advance(now_ns)
        if self._silent_ns is None:
            self._silent_ns, self._silence_cut_ns, self._silence_seen_ns = 0, 0, now_ns
            return
        self._silent_ns += min(now_ns - self._silence_seen_ns, SILENCE_STEP_NS)
        self._silence_seen_ns = now_ns
        if self._silent_ns - self._silence_cut_ns < SILENCE_NS + self._rate.rtt_ns:
            return
        self._silence_cut_ns = self._silent_ns
        if self._before_silence_bps is None:
            self._before_silence_bps, self._silence_lost = self._rate.rate_bps, False
        floor_bps = self._before_silence_bps * SILENCE_FLOOR
        self._rate.set(min(self._rate.rate_bps, max(floor_bps, self._rate.rate_bps * SILENCE_FALL)))

    def _regain(self) -> None:
        if self._before_silence_bps is not None:
            share = SILENCE_REGAIN if self._silence_lost else 1.0
            self._rate.set(max(self._rate.rate_bps, self._before_silence_bps * share))
            self._before_silence_bps = None

    def on_loss_report(self, fraction: float, now_ns: int, *, sent_bps: int | None = None) -> None:
        """A receiver report's fraction lost (0…1) moves the estimate where there is no transport-wide
        feedback (§6). It rises no further than 1.5 × `sent_bps`, where that is known.
        """
        now_ns = self._advance(now_ns)
        self._report_loss = min(max(fraction, 0.0), 1.0) if isfinite(fraction) else 0.0
        elapsed_s = 0.0 if self._report_ns is None else min((now_ns - self._report_ns) / S_NS, 5.0)
        self._report_ns = now_ns
        if self._has_results:
            return
        rate_bps = self._rate.rate_bps
        if self._report_loss > REPORT_HIGH_LOSS:
            self._rate.set(rate_bps * (1.0 - 0.5 * self._report_loss))
        elif self._report_loss < REPORT_LOW_LOSS and self._may_rise(rate_bps, sent_bps):
            self._rate.set(rate_bps * (1.0 + REPORT_RISE * elapsed_s) + 1_000.0 * elapsed_s)

    def _may_rise(self, rate_bps: float, sent_bps: int | None) -> bool:
        return sent_bps is None or rate_bps < REPORT_SENT_FACTOR * sent_bps

    def on_remb(self, bitrate_bps: int, now_ns: int) -> None:
        """The receiver's own estimate: a cap; without transport-wide feedback, the estimate itself."""
        self._remb_ns = self._advance(now_ns)
        self._remb_bps = max(bitrate_bps, 0)
        if not self._has_results and self._report_loss <= REPORT_HIGH_LOSS:
            self._rate.set(float(min(self._remb_bps, int(self._rate.max_bps))))

    def _advance(self, now_ns: int) -> int:
        self._now_ns = max(self._now_ns, now_ns)
        return self._now_ns


def _columns(runs: Sequence[RunResult]) -> Received:
    """Packet by packet."""
    sizes_bytes: list[int] = []
    sent_ns: list[int] = []
    arrivals_ns: list[int] = []
    for run in runs:
        sizes_bytes += run.sizes_bytes
        sent_ns += [run.sent_ns] * len(run.arrivals)
        arrivals_ns += [arrival * DELTA_NS for arrival in run.arrivals]
    return sizes_bytes, sent_ns, arrivals_ns
