"""What one connection sends and when: budget, pacing, probing, holding back. Time is set by hand."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from core.clock import NS_PER_MS, NS_PER_S
from edge_agents.egress import AUDIO_BPS, MAX_WAITING_NS, PAYLOAD_SHARE, Egress
from rtp.congestion import PacketClass
from rtp.extensions import TRANSPORT_CC, ExtensionMap
from rtp.send_stream import RtxParameters, SendStream
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpSender
from rtp.twcc import FeedbackBuilder
from tests.support.link import Impairment, Link

PROFILE = SrtpProfile.AEAD_AES_128_GCM
FRAME_NS = NS_PER_S // 30
FEEDBACK_NS = 60 * NS_PER_MS
PAYLOAD_BYTES = 1_100
WANTED_BPS = 8_000_000


class Rig:
    """An egress, a stream, a simulated link with feedback; an encoder that makes what it is told."""

    def __init__(
        self, *, start_bps: int = 3_000_000, has_feedback: bool = True, rate_bps: int = 8_000_000
    ) -> None:
        self.now_ns = NS_PER_S
        self.sealer = SrtpSender(SrtpKeys(PROFILE, bytes(PROFILE.key_bytes), bytes(PROFILE.salt_bytes)))
        self.egress = Egress(
            wanted_bps=WANTED_BPS,
            has_audio=True,
            has_feedback=has_feedback,
            start_bps=start_bps,
            now_ns=self.now_ns,
        )
        self.stream = SendStream(
            1,
            96,
            90_000,
            first_sequence=1,
            first_timestamp=0,
            rtx=RtxParameters(2, 97, 1),
            extensions=ExtensionMap({2: TRANSPORT_CC}),
            transport_sequence=self.egress.sequence,
            send_log=self.egress.log,
        )
        self.egress.want(WANTED_BPS, self.stream)
        self.link = Link(Impairment(delay_ms=20, jitter_ms=3, rate_bps=rate_bps), random.Random(1))
        self.builder = FeedbackBuilder(7)
        self.left: list[tuple[int, int]] = []
        self._number = 0
        self._arrivals: list[tuple[int, int]] = []
        self._feedback_ns = self.now_ns
        self.answering = True
        self.held = 0

    def take(self, datagrams: list[bytes] | None) -> None:
        for datagram in datagrams or []:
            self.left.append((self.now_ns, len(datagram)))
            arrival_ns = self.link.arrival_ns(len(datagram), self.now_ns)
            if arrival_ns is not None:
                self._arrivals.append((arrival_ns, self._number))
            self._number = (self._number + 1) & 0xFFFF

    def frame(self, size_bytes: int) -> list[bytes] | None:
        payloads = [bytes(PAYLOAD_BYTES)] * max(1, size_bytes // PAYLOAD_BYTES)
        packets = self.stream.prepare(payloads, self.now_ns * 9 // 100_000, capture_ns=0)
        return self.egress.submit(packets, PacketClass.VIDEO, self.now_ns, self.sealer)

    def ticks(self, duration_ns: int) -> Iterator[int]:
        """Millisecond steps; the egress is served and the link delivers meanwhile."""
        end_ns = self.now_ns + duration_ns
        while self.now_ns < end_ns:
            self.now_ns += NS_PER_MS
            if self.now_ns >= self.egress.next_ns:
                self.take(self.egress.tick(self.now_ns, 40 * NS_PER_MS, self.sealer))
            self._feed_back()
            yield self.now_ns

    def _feed_back(self) -> None:
        for arrival_ns, number in [item for item in self._arrivals if item[0] <= self.now_ns]:
            self.builder.received(number, arrival_ns)
        self._arrivals = [item for item in self._arrivals if item[0] > self.now_ns]
        if self.answering and self.now_ns - self._feedback_ns >= FEEDBACK_NS:
            self._feedback_ns = self.now_ns
            for feedback in self.builder.build():
                self.egress.on_feedback(feedback, self.now_ns)

    def run(self, seconds: float) -> None:
        """An encoder at thirty frames a second that follows the budget."""
        frame_ns = self.now_ns
        for now_ns in self.ticks(int(seconds * NS_PER_S)):
            if now_ns < frame_ns:
                continue
            frame_ns += FRAME_NS
            if self.egress.is_congested:
                self.held += 1
                continue
            budget_bps = min(WANTED_BPS, self.egress.video_budget_bps(now_ns))
            self.take(self.frame(budget_bps // 30 // 8))

    def sent_bps(self, seconds: float) -> float:
        """Over the last seconds."""
        from_ns = self.now_ns - int(seconds * NS_PER_S)
        return sum(size for at_ns, size in self.left if at_ns > from_ns) * 8 / seconds


def test_probes_of_rtx_padding_find_what_the_link_carries_within_two_seconds() -> None:
    rig = Rig(start_bps=500_000)
    rig.run(2)
    assert rig.egress.estimate_bps > 0.8 * 8_000_000


@pytest.mark.parametrize("rate_bps", [1_500_000, 4_000_000])
def test_most_of_a_narrow_link_is_used_and_its_queue_stays_short(rate_bps: int) -> None:
    rig = Rig(rate_bps=rate_bps)
    rig.run(12)
    assert rig.sent_bps(8) >= 0.8 * rate_bps
    lost = rig.egress.lost
    rig.run(8)
    assert rig.egress.lost - lost < 0.02 * len(rig.left)


def test_when_feedback_stops_the_estimate_falls() -> None:
    rig = Rig()
    rig.run(3)
    before_bps = rig.egress.estimate_bps
    rig.answering = False
    rig.run(2.5)
    assert rig.egress.estimate_bps < before_bps * 0.75


def test_a_large_frame_leaves_in_parts_and_sound_overtakes_it() -> None:
    rig = Rig(start_bps=1_000_000)
    rig.take(rig.frame(100_000))
    assert rig.left == []
    sound = rig.stream.prepare([bytes(80)], 0, capture_ns=0)
    assert len(rig.egress.submit(sound, PacketClass.AUDIO, rig.now_ns, rig.sealer) or []) == 1
    for _ in rig.ticks(100 * NS_PER_MS):
        pass
    moments = {at_ns for at_ns, _ in rig.left}
    assert len(moments) > 5
    assert rig.egress.waiting_ns > 0


def test_more_waiting_than_150_ms_holds_pictures_back_until_it_has_gone() -> None:
    rig = Rig(start_bps=1_000_000)
    rig.egress.want(0, None)
    assert not rig.egress.is_congested
    rig.take(rig.frame(40_000))
    assert rig.egress.waiting_ns > MAX_WAITING_NS
    assert rig.egress.is_congested
    for _ in rig.ticks(400 * NS_PER_MS):
        pass
    assert not rig.egress.is_congested
    assert sum(size for _, size in rig.left) >= 40_000 - PAYLOAD_BYTES, "what was made is sent"


def test_sound_and_repairs_come_off_the_budget() -> None:
    rig = Rig(start_bps=2_000_000)
    budget_bps = rig.egress.video_budget_bps(rig.now_ns)
    assert budget_bps == int((2_000_000 - AUDIO_BPS) * PAYLOAD_SHARE)
    rig.stream.send([bytes(PAYLOAD_BYTES)] * 5, 0, capture_ns=0, now_ns=rig.now_ns, sealer=rig.sealer)
    repairs = rig.stream.prepare_repairs(range(1, 6), rig.now_ns)
    assert len(repairs) == 5
    rig.egress.submit(repairs, PacketClass.REPAIR, rig.now_ns, rig.sealer)
    assert rig.egress.video_budget_bps(rig.now_ns) < budget_bps - 50_000
    assert rig.egress.video_budget_bps(rig.now_ns + NS_PER_S) == budget_bps


def test_repairs_beyond_150_ms_of_the_path_do_not_fit() -> None:
    rig = Rig(start_bps=1_000_000)
    rig.stream.send([bytes(PAYLOAD_BYTES)] * 40, 0, capture_ns=0, now_ns=rig.now_ns, sealer=rig.sealer)
    assert rig.egress.repairs_fit(rig.stream.prepare_repairs(range(1, 11), rig.now_ns), rig.now_ns)
    assert not rig.egress.repairs_fit(rig.stream.prepare_repairs(range(11, 41), rig.now_ns), rig.now_ns)


def test_without_feedback_about_packets_everything_goes_at_once_and_reports_decide() -> None:
    rig = Rig(has_feedback=False)
    before_bps = rig.egress.estimate_bps
    assert before_bps >= WANTED_BPS
    datagrams = rig.frame(200_000)
    assert datagrams is not None
    assert sum(map(len, datagrams)) > 190_000
    for _ in range(5):
        rig.now_ns += NS_PER_S
        rig.egress.on_loss_report(0.3, rig.now_ns)
    assert rig.egress.estimate_bps < before_bps * 0.6
    rig.egress.on_remb(700_000, rig.now_ns)
    assert rig.egress.estimate_bps == 700_000


def test_nothing_is_probed_while_nothing_more_is_wanted() -> None:
    rig = Rig(start_bps=2_000_000)
    rig.egress.want(300_000, rig.stream)
    rig.take(rig.frame(2_000))
    sent = len(rig.left)
    for _ in rig.ticks(3 * NS_PER_S):
        pass
    assert len(rig.left) == sent
