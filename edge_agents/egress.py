"""Pure: what one connection sends and when. It estimates the path, paces, probes, and tells the budget."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from core.clock import NS_PER_MS, NS_PER_S
from rtp.congestion import BandwidthEstimator, Pacer, PacketClass, ProbeCluster, Prober
from rtp.rtcp import TransportFeedback
from rtp.send_stream import SendStream, Unsent
from rtp.srtp import SrtpSender
from rtp.twcc import PacketResult, SendLog, TransportSequence

START_BPS: Final = 3_000_000
MIN_BPS: Final = 100_000
HEADROOM: Final = 1.3
"""The estimate may exceed what is wanted by so much, so that it does not bind when all fits."""
AUDIO_BPS: Final = 56_000
"""Opus with its headers."""
PAYLOAD_SHARE: Final = 0.95
"""Of a video packet, what the encoder made."""
REPAIR_WINDOW_NS: Final = 500 * NS_PER_MS
MAX_REPAIR_SHARE: Final = 0.25
MAX_WAITING_NS: Final = 150 * NS_PER_MS
"""More than this waiting to be sent, and the next pictures are dropped before they are encoded."""
QUEUED_MS: Final = 60.0
QUEUED_PACE: Final = 0.4
"""The pacer multiplies what it is told by 2.5."""
HOUSEKEEPING_NS: Final = 25 * NS_PER_MS
PROBE_TICK_NS: Final = 5 * NS_PER_MS
UNHEARD_NS: Final = 250 * NS_PER_MS
"""Feedback comes several times within this; without it the path may be gone."""


class Egress:
    """One per connection. Methods that return datagrams return them sealed, to be sent at once.

    `has_feedback`: the other end tells of each packet; without it nothing is paced or probed, and the
    estimate follows loss reports and REMB.
    """

    def __init__(
        self, *, wanted_bps: int, has_audio: bool, has_feedback: bool, start_bps: int, now_ns: int
    ) -> None:
        self.sequence, self.log = TransportSequence(), SendLog()
        self.acknowledged = self.lost = 0
        self._audio_bps = AUDIO_BPS if has_audio else 0
        self._has_feedback = has_feedback
        self._max_bps = max(MIN_BPS, int((wanted_bps / PAYLOAD_SHARE + self._audio_bps) * HEADROOM))
        start_bps = max(MIN_BPS, min(start_bps if has_feedback else self._max_bps, self._max_bps))
        self._estimator = BandwidthEstimator(start_bps=start_bps, min_bps=MIN_BPS, max_bps=self._max_bps)
        self._pacer: Pacer[Unsent] = Pacer(estimate_bps=start_bps)
        self._prober = Prober()
        self._probe: ProbeCluster | None = None
        self._probe_from: SendStream | None = None
        self._wanted_bps = wanted_bps
        self._repairs: deque[tuple[int, int]] = deque()
        """(when, bytes) of repairs asked for in the last `REPAIR_WINDOW_NS`."""
        self._sent: deque[tuple[int, int]] = deque()
        self._heard_ns = now_ns
        self._housekeeping_ns = now_ns

    # budget

    @property
    def estimate_bps(self) -> int:
        """What the path carries, as far as known."""
        return self._estimator.estimate_bps

    @property
    def queue_ms(self) -> float:
        """What waits in the network's queues."""
        return self._estimator.queue_ms

    def video_budget_bps(self, now_ns: int) -> int:
        """What encoders may make: the estimate without sound, repairs and headers."""
        estimate_bps = self.estimate_bps
        repair_bps = _rate_bps(self._repairs, now_ns)
        repair_bps = min(repair_bps, int(estimate_bps * MAX_REPAIR_SHARE))
        return max(0, int((estimate_bps - self._audio_bps - repair_bps) * PAYLOAD_SHARE))

    def want(self, wanted_bps: int, probe_from: SendStream | None) -> None:
        """What the encoders could use now, and the stream whose packets serve as padding."""
        self._wanted_bps, self._probe_from = wanted_bps, probe_from

    @property
    def waiting_ns(self) -> int:
        """How long what is queued needs at the estimated rate."""
        return self._pacer.queued_bytes * 8 * NS_PER_S // self.estimate_bps

    @property
    def is_congested(self) -> bool:
        """True when one more picture would only wait."""
        return self.waiting_ns > MAX_WAITING_NS

    def is_unheard(self, now_ns: int) -> bool:
        """True when packets are under way and nobody has told of any for too long: the path may be gone."""
        silent = now_ns - self._heard_ns > UNHEARD_NS
        return self._has_feedback and silent and self.log.in_flight_bytes > 0

    def repairs_fit(self, packets: Sequence[Unsent], now_ns: int) -> bool:
        """False for more repairs than the path carries in `MAX_WAITING_NS`: a keyframe is there sooner."""
        size_bytes = sum(packet.size_bytes for packet in packets)
        recent_bytes = sum(size for at_ns, size in self._repairs if now_ns - at_ns < MAX_WAITING_NS)
        return (recent_bytes + size_bytes) * 8 * NS_PER_S <= self.estimate_bps * MAX_WAITING_NS

    # sending

    def submit(
        self, packets: Sequence[Unsent], kind: PacketClass, now_ns: int, sealer: SrtpSender
    ) -> list[bytes] | None:
        """Send or queue packets that belong together; None when there is no room for them at all."""
        if not packets:
            return []
        size_bytes = sum(packet.size_bytes for packet in packets)
        if kind is PacketClass.REPAIR:
            self._repairs.append((now_ns, size_bytes))
        if not self._has_feedback or self._pacer.passes(size_bytes, kind, now_ns):
            return self._seal(packets, now_ns, sealer)
        room = all(self._pacer.push(packet, packet.size_bytes, kind, now_ns) for packet in packets)
        return [] if room else None

    def drop(self, stream: SendStream) -> None:
        """Forget what waits of this stream at the head of the queue."""
        self._pacer.drop(PacketClass.VIDEO, lambda packet: packet.stream is stream)

    def _seal(self, packets: Sequence[Unsent], now_ns: int, sealer: SrtpSender) -> list[bytes]:
        datagrams = [packet.seal(now_ns, sealer) for packet in packets]
        size_bytes = sum(map(len, datagrams))
        self._sent.append((now_ns, size_bytes))
        if self._probe is not None and size_bytes:
            self._probe.sent(now_ns, size_bytes)
        return datagrams

    # time

    @property
    def next_ns(self) -> int:
        """When to call `tick` at the latest."""
        times_ns = [self._housekeeping_ns]
        if self._pacer.next_ns is not None:
            times_ns.append(self._pacer.next_ns)
        if self._probe is not None:
            times_ns.append((self._probe.last_ns or 0) + PROBE_TICK_NS)
        return min(times_ns)

    def tick(self, now_ns: int, rtt_ns: int | None, sealer: SrtpSender) -> list[bytes]:
        """What is due now."""
        if now_ns >= self._housekeeping_ns:
            self._housekeeping_ns = now_ns + HOUSEKEEPING_NS
            self._keep_house(now_ns, rtt_ns)
        datagrams = self._seal(self._pacer.due(now_ns), now_ns, sealer)
        return datagrams + self._pad(now_ns, sealer)

    def _keep_house(self, now_ns: int, rtt_ns: int | None) -> None:
        if rtt_ns is not None:
            self._estimator.set_rtt(rtt_ns)
        if not self._has_feedback:
            return
        if self.is_unheard(now_ns):
            self._estimator.on_silence(now_ns)
            self._set_pace()
        if self._probe is None and self._probe_from is not None:
            self._consider_probing(now_ns)

    def _consider_probing(self, now_ns: int) -> None:
        wanted_bps = int(self._wanted_bps / PAYLOAD_SHARE + self._audio_bps)
        self._probe = self._prober.wanted(
            now_ns,
            estimate_bps=self.estimate_bps,
            sent_bps=_rate_bps(self._sent, now_ns),
            wanted_bps=min(wanted_bps, self._max_bps),
            settled=self._estimator.settled,
        )
        if self._probe is not None:
            self._estimator.on_probe(self._probe)

    def _pad(self, now_ns: int, sealer: SrtpSender) -> list[bytes]:
        """A probe's share of this tick that media has not filled."""
        probe = self._probe
        if probe is None or self._probe_from is None:
            return []
        size_bytes = probe.due_bytes(now_ns)
        padding = self._probe_from.prepare_padding(size_bytes) if size_bytes else []
        datagrams = self._seal(padding, now_ns, sealer)
        if probe.done or (size_bytes and not padding):
            self._probe = None
        return datagrams

    # feedback

    def on_feedback(self, feedback: TransportFeedback, now_ns: int) -> None:
        """Transport-wide feedback: the estimate follows."""
        results: list[PacketResult] = self.log.on_feedback(feedback)
        lost = sum(result.arrival_ns is None for result in results)
        self.lost += lost
        self.acknowledged += len(results) - lost
        if results and self._has_feedback:
            self._heard_ns = now_ns
            self._estimator.on_results(results, now_ns)
            self._set_pace()

    def _set_pace(self) -> None:
        """While packets queue on the path, what waits here goes out hardly faster than it gets through."""
        queued = self._estimator.queue_ms > QUEUED_MS
        self._pacer.set_estimate(int(self.estimate_bps * (QUEUED_PACE if queued else 1.0)))

    def on_loss_report(self, fraction: float, now_ns: int) -> None:
        """A receiver report; counts where there is no transport-wide feedback."""
        self._estimator.on_loss_report(fraction, now_ns, sent_bps=_rate_bps(self._sent, now_ns))

    def on_remb(self, bitrate_bps: int, now_ns: int) -> None:
        """The receiver's own estimate."""
        self._estimator.on_remb(bitrate_bps, now_ns)


def _rate_bps(events: deque[tuple[int, int]], now_ns: int) -> int:
    """Bits per second over the last `REPAIR_WINDOW_NS`; older events are forgotten."""
    while events and now_ns - events[0][0] > REPAIR_WINDOW_NS:
        events.popleft()
    return sum(size_bytes for _, size_bytes in events) * 8 * NS_PER_S // REPAIR_WINDOW_NS
