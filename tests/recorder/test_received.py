"""Packets of one stream, as a bad network delivers them: what was lost is asked for, then declared."""

from __future__ import annotations

from random import Random

import pytest

from recorder.jobs import GapJob, PieceJob, TrackJob
from recorder.received import KEYFRAME_INTERVAL_NS, REORDER_WAIT_NS, ReceivedTrack
from recorder.track import TrackCutter
from rtp.negotiation import ReceivedMedia
from rtp.packet import RtpPacket
from rtp.payload import h264
from rtp.rtx import wrap
from tests.recorder import support

SSRC, RTX_SSRC = 0x1111, 0x2222
MS = 1_000_000
START_NS = 10**12
MEDIA = ReceivedMedia(
    mid="0",
    kind="video",
    codec="H264",
    payload_type=96,
    clock_rate=90_000,
    rtx_payload_type=97,
    feedback=frozenset({"nack"}),
    ssrc=SSRC,
    rtx_ssrc=RTX_SSRC,
)


def received_track() -> ReceivedTrack:
    cutter = TrackCutter(support.source("H264"), support.EPOCH_US, "start")
    cutter.set_clock(support.FIRST_RTP, support.EPOCH_US + 1_000_000, 1_000)
    return ReceivedTrack(MEDIA, SSRC, cutter)


def packets() -> list[RtpPacket]:
    """60 frames; sequence numbers wrap on the way."""
    made = []
    for index, unit in enumerate(support.video("H264")):
        payloads = h264.packetize(unit.data, 60)
        arrival_ns = (support.EPOCH_US + 1_040_000 + index * 33_333) * 1_000
        for number, payload in enumerate(payloads):
            made.append(
                RtpPacket(
                    ssrc=SSRC,
                    payload_type=96,
                    sequence_number=(65_500 + len(made)) & 0xFFFF,
                    timestamp=unit.timestamp,
                    marker=number == len(payloads) - 1,
                    payload=payload,
                    arrival_ns=arrival_ns,
                )
            )
    return made


def now_of(packet: RtpPacket) -> int:
    """Monotonic time of a packet's arrival."""
    return START_NS + packet.arrival_ns - support.EPOCH_US * 1_000


def frames(jobs: list[TrackJob]) -> int:
    return sum(len(job.samples) for job in jobs if isinstance(job, PieceJob))


def test_what_comes_in_order_is_archived_whole() -> None:
    track, jobs = received_track(), []
    for packet in packets():
        jobs += track.receive(packet, now_of(packet))
    jobs += track.finish(START_NS)
    assert frames(jobs) == 60
    assert not [job for job in jobs if isinstance(job, GapJob)]


@pytest.mark.parametrize("seed", range(5))
def test_lost_packets_are_asked_for_and_repaired_without_a_trace(seed: int) -> None:
    track, random = received_track(), Random(seed)
    jobs: list[TrackJob] = []
    sent: dict[int, RtpPacket] = {}
    rtx_number = 0
    made = packets()
    safe = {packet.sequence_number for packet in [*made[:5], *made[-40:]]}
    for packet in made:
        now_ns = now_of(packet)
        sent[packet.sequence_number] = packet
        if random.random() >= 0.15 or packet.sequence_number in safe:
            jobs += track.receive(packet, now_ns)
        for number in track.stream.nacks_due(now_ns):
            if random.random() < 0.2:
                continue  # the answer is lost, too
            repair = wrap(sent[number], ssrc=RTX_SSRC, payload_type=97, sequence_number=rtx_number)
            repair.arrival_ns = packet.arrival_ns
            rtx_number += 1
            jobs += track.receive(repair, now_ns)
    jobs += track.finish(START_NS)
    assert rtx_number > 0
    assert frames(jobs) == 60
    assert not [job for job in jobs if isinstance(job, GapJob)]


def test_what_never_comes_is_waited_for_then_declared() -> None:
    track, jobs = received_track(), []
    made = packets()
    victim = support.video("H264")[12].timestamp
    for packet in made:
        now_ns = now_of(packet)
        if packet.timestamp != victim:
            jobs += track.receive(packet, now_ns)
        jobs += track.poll(now_ns)
    jobs += track.poll(now_of(made[-1]) + REORDER_WAIT_NS) + track.finish(START_NS)
    assert frames(jobs) == 59
    (gap,) = [job for job in jobs if isinstance(job, GapJob)]
    assert gap.reason == "packet_loss"
    assert 30_000 < gap.span.end_us - gap.span.begin_us < 70_000


def test_malformed_packets_harm_nothing() -> None:
    track, random = received_track(), Random(7)
    jobs: list[TrackJob] = []
    for packet in packets():
        jobs += track.receive(packet, now_of(packet))
        noise = RtpPacket(
            ssrc=random.choice((SSRC, RTX_SSRC)),
            payload_type=random.choice((97, 13)),
            sequence_number=random.randrange(65_536),
            timestamp=packet.timestamp,
            payload=random.randbytes(random.randrange(2)),
            arrival_ns=packet.arrival_ns,
        )
        jobs += track.receive(noise, now_of(packet))
    jobs += track.finish(START_NS)
    assert frames(jobs) == 60


def test_keyframes_are_asked_for_at_once_then_repeatedly_until_one_comes_then_rarely() -> None:
    track = received_track()
    asked = [at for at in range(0, 3_000, 20) if track.keyframe_due(START_NS + at * MS)]
    assert asked == [0, 1_000, 2_000]
    last_ns = START_NS
    for packet in packets():
        last_ns = START_NS + 3_000 * MS + now_of(packet) - START_NS
        track.receive(packet, last_ns)
    keyframe_ns = last_ns - 29 * 33_333_000
    asked = [at for at in range(0, 25_000, 20) if track.keyframe_due(keyframe_ns + at * MS)]
    assert asked[0] == pytest.approx(KEYFRAME_INTERVAL_NS / MS, abs=40)
    assert asked[1] - asked[0] == KEYFRAME_INTERVAL_NS // MS


def test_sound_never_asks_for_keyframes() -> None:
    cutter = TrackCutter(support.source("opus", "a"), support.EPOCH_US, "start")
    media = ReceivedMedia(mid="1", kind="audio", codec="opus", payload_type=111, clock_rate=48_000, ssrc=1)
    assert not ReceivedTrack(media, 1, cutter).keyframe_due(START_NS)
