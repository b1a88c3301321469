"""A simulated sender over a simulated link: encoder, pacer, prober, estimator, and the feedback that comes
back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from rtp.congestion import BandwidthEstimator, Pacer, PacketClass, ProbeCluster, Prober
from rtp.rtcp import TransportFeedback
from rtp.twcc import FeedbackBuilder, SendLog, TransportSequence
from tests.rtp.congestion.link import MS_NS, S_NS, Link, LinkProfile

STEP_NS: Final = MS_NS
PACKET_BYTES: Final = 1_150
FRAMES_PER_S: Final = 30
AUDIO_BYTES: Final = 160
AUDIO_NS: Final = 20 * MS_NS
ENCODER_USE: Final = 0.95
"""The encoder is asked for this part of the estimate; sound and reports need some."""
ENCODER_LAG: Final = 0.4
"""How much of a change the next frame shows."""
REPORT_NS: Final = 1 * S_NS


@dataclass(frozen=True)
class CallProfile:
    """`ceiling_bps`: what the application can use, by time. `feedback`: whether feedback passes, by time in
    s.
    """

    start_bps: int = 1_000_000
    min_bps: int = 100_000
    max_bps: int = 30_000_000
    ceiling_bps: Callable[[float], int] = field(default=lambda _: 20_000_000)
    wanted_bps: int = 20_000_000
    feedback_every_ms: int = 80
    feedback_delay_ms: float = 20.0
    feedback: Callable[[float], bool] = field(default=lambda _: True)
    transport_wide: bool = True
    probing: bool = True
    sound: bool = True
    keyframe_every_s: float = 10.0
    layers_bps: tuple[int, ...] = ()
    """What a relay can choose from, instead of an encoder that follows; it changes with a keyframe."""
    seed: int = 7


@dataclass(frozen=True)
class Sample:
    """The state every 10 ms."""

    at_s: float
    delivered_bytes: int
    """So far, of everything sent."""
    queue_ms: float
    estimate_bps: int
    lasting_bps: int
    pacer_bytes: int
    sent_bytes: int


class Call:
    """Runs in steps of 1 ms."""

    def __init__(self, link: LinkProfile, profile: CallProfile | None = None) -> None:
        self.profile = profile or CallProfile()
        self.link = Link(link)
        self.estimator = BandwidthEstimator(
            start_bps=self.profile.start_bps, min_bps=self.profile.min_bps, max_bps=self.profile.max_bps
        )
        self.estimator.set_rtt(int((link.delay_ms + self.profile.feedback_delay_ms) * MS_NS))
        self.pacer: Pacer[int] = Pacer(estimate_bps=self.profile.start_bps)
        self.samples: list[Sample] = []
        self.probes: list[ProbeCluster] = []
        self.pacer_delay_ms = 0.0
        self._prober = Prober()
        self._probe: ProbeCluster | None = None
        self._random = Random(self.profile.seed)
        self._log, self._numbers, self._builder = SendLog(), TransportSequence(), FeedbackBuilder(1)
        self._arriving: deque[tuple[int, int, int]] = deque()
        self._returning: deque[tuple[int, TransportFeedback | float]] = deque()
        self._encoder_bps = float(self.profile.start_bps)
        self._frames = 0
        self._changed_ns = -2 * S_NS
        self._delivered_bytes = self._sent_bytes = 0
        self._sent: deque[tuple[int, int]] = deque()
        self._reported = [0, 0]
        self.now_ns = 0

    def run(self, seconds: float) -> Call:
        """Go on for so long."""
        end_ns = self.now_ns + int(seconds * S_NS)
        while self.now_ns < end_ns:
            self._step(self.now_ns)
            self.now_ns += STEP_NS
        return self

    def _step(self, now_ns: int) -> None:
        self._arrive(now_ns)
        self._return(now_ns)
        if now_ns * FRAMES_PER_S // S_NS >= self._frames:
            self._frame(now_ns)
        if self.profile.sound and now_ns % AUDIO_NS == 0:
            self.pacer.passes(AUDIO_BYTES, PacketClass.AUDIO, now_ns)
            self._send(now_ns, AUDIO_BYTES)
        if self.pacer.next_ns is not None and now_ns >= self.pacer.next_ns:
            for size_bytes in self.pacer.due(now_ns):
                self._send(now_ns, size_bytes)
        if now_ns % (5 * MS_NS) == 0:
            self._tick(now_ns)
        if now_ns % (10 * MS_NS) == 0:
            self._sample(now_ns)

    def _tick(self, now_ns: int) -> None:
        if self.profile.transport_wide and self._log.in_flight_bytes:
            self.estimator.on_silence(now_ns)
        estimator = self.estimator
        self.pacer.set_estimate(estimator.estimate_bps, gentle=estimator.gentle, full=estimator.full)
        if self.profile.probing and self.profile.transport_wide:
            self._probing(now_ns)

    def _probing(self, now_ns: int) -> None:
        if self._probe is None or self._probe.done:
            self._probe = self._prober.wanted(
                now_ns,
                estimate_bps=self.estimator.estimate_bps,
                sent_bps=self._sent_bps(now_ns),
                wanted_bps=self.profile.wanted_bps,
                settled=self.estimator.settled,
            )
            if self._probe is None:
                return
            self.probes.append(self._probe)
            self.estimator.on_probe(self._probe)
        due_bytes = self._probe.due_bytes(now_ns)
        while due_bytes > 0:
            self._send(now_ns, PACKET_BYTES)
            due_bytes -= PACKET_BYTES

    def _sent_bps(self, now_ns: int) -> int:
        while self._sent and self._sent[0][0] < now_ns - S_NS // 2:
            self._sent.popleft()
        return sum(size_bytes for _, size_bytes in self._sent) * 16

    def _frame(self, now_ns: int) -> None:
        profile = self.profile
        keyframe = self._frames % int(profile.keyframe_every_s * FRAMES_PER_S) == 0
        if profile.layers_bps:
            keyframe = self._choose_layer(now_ns) or keyframe
        else:
            target_bps = min(self.estimator.estimate_bps * ENCODER_USE, profile.ceiling_bps(now_ns / S_NS))
            self._encoder_bps += (target_bps - self._encoder_bps) * ENCODER_LAG
        size_bytes = int(self._encoder_bps / 8 / FRAMES_PER_S * self._random.lognormvariate(0, 0.15))
        if keyframe:
            size_bytes *= 4
        self._frames += 1
        count = max(1, -(-size_bytes // PACKET_BYTES))
        sizes = [max(100, size_bytes // count)] * count
        if self.pacer.passes(sum(sizes), PacketClass.VIDEO, now_ns):
            for size in sizes:
                self._send(now_ns, size)
            return
        for size in sizes:
            self.pacer.push(size, size, PacketClass.VIDEO, now_ns)

    def _choose_layer(self, now_ns: int) -> bool:
        """Take the largest layer that fits, the smallest if none does; up only 2 s after the last change.
        Frames of the old layer are no longer of use.
        """
        layers_bps = self.profile.layers_bps
        fitting = [bps for bps in layers_bps if bps <= self.estimator.lasting_bps] or [min(layers_bps)]
        chosen_bps = max(fitting)
        rises = chosen_bps > self._encoder_bps
        if chosen_bps == self._encoder_bps or (rises and now_ns - self._changed_ns < 2 * S_NS):
            return False
        self._encoder_bps, self._changed_ns = chosen_bps, now_ns
        self.pacer.drop(PacketClass.VIDEO, lambda _: True)
        return True

    def _send(self, now_ns: int, size_bytes: int) -> None:
        number = self._numbers.next()
        self._log.sent(number, size_bytes, now_ns)
        self._sent_bytes += size_bytes
        self._sent.append((now_ns, size_bytes))
        if self._probe is not None and not self._probe.done:
            self._probe.sent(now_ns, size_bytes)
        arrival_ns = self.link.send(now_ns, size_bytes)
        self._reported[0] += 1
        if arrival_ns is None:
            self._reported[1] += 1
        else:
            self._arriving.append((arrival_ns, number, size_bytes))

    def _arrive(self, now_ns: int) -> None:
        while self._arriving and self._arriving[0][0] <= now_ns:
            arrival_ns, number, size_bytes = self._arriving.popleft()
            self._builder.received(number, arrival_ns + 12_345_678_901)
            self._delivered_bytes += size_bytes
        back_ns = now_ns + int(self.profile.feedback_delay_ms * MS_NS)
        if self.profile.transport_wide:
            if now_ns % (self.profile.feedback_every_ms * MS_NS) == 0:
                self._returning += [
                    (back_ns, it) for it in self._builder.build() if self.profile.feedback(now_ns / S_NS)
                ]
        elif now_ns % REPORT_NS == 0 and self._reported[0]:
            self._returning.append((back_ns, self._reported[1] / self._reported[0]))
            self._reported = [0, 0]

    def _return(self, now_ns: int) -> None:
        while self._returning and self._returning[0][0] <= now_ns:
            told = self._returning.popleft()[1]
            if isinstance(told, float):
                self.estimator.on_loss_report(told, now_ns, sent_bps=self._sent_bps(now_ns))
            else:
                self.estimator.on_results(self._log.on_feedback(told), now_ns)

    def _sample(self, now_ns: int) -> None:
        self.pacer_delay_ms = max(self.pacer_delay_ms, self.pacer.queued_ns(now_ns) / MS_NS)
        self.samples.append(
            Sample(
                now_ns / S_NS,
                self._delivered_bytes,
                self.link.queue_ms(now_ns),
                self.estimator.estimate_bps,
                self.estimator.lasting_bps,
                self.pacer.queued_bytes,
                self._sent_bytes,
            )
        )

    def between(self, start_s: float, end_s: float) -> list[Sample]:
        """The samples of that time."""
        return [sample for sample in self.samples if start_s <= sample.at_s < end_s]

    def delivered_bps(self, start_s: float, end_s: float) -> float:
        """What arrived in that time."""
        samples = self.between(start_s, end_s)
        size_bytes = samples[-1].delivered_bytes - samples[0].delivered_bytes
        return size_bytes * 8 / (samples[-1].at_s - samples[0].at_s)

    def reaches_s(self, bps: float, start_s: float, window_s: float = 0.5) -> float:
        """How long after `start_s` that much arrives, over a window of `window_s`."""
        width = round(window_s * 100)
        samples = self.between(start_s, float("inf"))
        for first, last in zip(samples, samples[width:], strict=False):
            if (last.delivered_bytes - first.delivered_bytes) * 8 / window_s >= bps:
                return last.at_s - start_s
        return float("inf")

    def queue_settles_s(self, below_ms: float, start_s: float, end_s: float) -> float:
        """How long after `start_s` the queue is under `below_ms` for good (for 300 ms, that is)."""
        quiet_since_s = start_s
        for sample in self.between(start_s, end_s):
            if sample.queue_ms >= below_ms:
                quiet_since_s = sample.at_s
            elif sample.at_s - quiet_since_s >= 0.3:
                return quiet_since_s - start_s
        return float("inf")

    def lost_share(self, start_s: float, end_s: float) -> float:
        """Of the bytes sent in that time, those that did not arrive."""
        samples = self.between(start_s, end_s)
        sent_bytes = samples[-1].sent_bytes - samples[0].sent_bytes
        return 1 - (samples[-1].delivered_bytes - samples[0].delivered_bytes) / sent_bytes
