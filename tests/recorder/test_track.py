"""How a stream becomes pieces: where they are cut, what their times are, when a generation begins."""

from __future__ import annotations

import itertools
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.jobs import GapJob, PieceJob, TrackJob
from recorder.track import HOLD_NS, NOTHING_CAME, PIECE_AGE_NS, PIECE_US, SETBACK_US, TrackCutter
from rtp.payload import AccessUnit
from tests.recorder import support

MS = 1_000_000
START_US = 5_000_000
"""Where on the timeline the first frame was captured."""


class Feeder:
    """Pushes frames as they would arrive, 40 ms after capture."""

    def __init__(self, cutter: TrackCutter, *, mapped: bool = True) -> None:
        self.cutter = cutter
        self.jobs: list[TrackJob] = []
        self.now_ns = 1_000 * MS
        if mapped:
            self.map(support.FIRST_RTP, support.EPOCH_US + START_US)

    def map(self, rtp: int, capture_us: int, uncertainty_us: int = 1_000) -> None:
        self.jobs += self.cutter.set_clock(rtp, capture_us, uncertainty_us)

    def push(self, unit: AccessUnit, at_us: int) -> None:
        """`at_us`: captured, on the timeline."""
        self.now_ns = (at_us + 40_000) * 1_000
        arrival_us = support.EPOCH_US + at_us + 40_000
        self.jobs += self.cutter.push(unit, arrival_us, self.now_ns)

    def stream(self, units: list[AccessUnit], first_us: int = START_US) -> None:
        base = units[0].timestamp
        for unit in units:
            delta = (unit.timestamp - base) & 0xFFFF_FFFF
            self.push(unit, first_us + delta * 1_000_000 // support.VIDEO_CLOCK)

    def poll(self, after_ns: int) -> None:
        self.now_ns += after_ns
        self.jobs += self.cutter.poll(self.now_ns)

    def finish(self) -> None:
        self.jobs += self.cutter.finish()

    @property
    def pieces(self) -> list[PieceJob]:
        return [job for job in self.jobs if isinstance(job, PieceJob)]

    @property
    def gaps(self) -> list[GapJob]:
        return [job for job in self.jobs if isinstance(job, GapJob)]


def video_feeder(*, mapped: bool = True, reason: str = "start") -> Feeder:
    return Feeder(TrackCutter(support.source("H264"), support.EPOCH_US, reason), mapped=mapped)


def shifted(units: list[AccessUnit], ticks: int) -> list[AccessUnit]:
    return [replace(unit, timestamp=(unit.timestamp + ticks) & 0xFFFF_FFFF) for unit in units]


def test_a_steady_stream_becomes_pieces_of_a_second_without_holes() -> None:
    feeder = video_feeder()
    feeder.stream(support.video("H264", 90))
    feeder.finish()
    spans = [(piece.span.begin_us, piece.span.end_us) for piece in feeder.pieces]
    assert spans == [(5_000_000, 6_000_000), (6_000_000, 7_000_000), (7_000_000, 8_000_000)]
    assert [len(piece.samples) for piece in feeder.pieces] == [30, 30, 30]
    assert [piece.sync for piece in feeder.pieces] == [True, True, True]
    assert feeder.gaps == []
    assert {sample.duration for piece in feeder.pieces for sample in piece.samples} == {3000}


def test_a_piece_need_not_start_with_a_keyframe_and_says_so() -> None:
    feeder = video_feeder()
    feeder.stream(support.video("H264", 90, gop=75))
    feeder.finish()
    assert [piece.sync for piece in feeder.pieces] == [True, False, False, True]


def test_a_piece_is_cut_before_a_keyframe_so_that_replay_can_begin_there() -> None:
    feeder = video_feeder()
    feeder.stream(support.video("H264", 200, gop=50))
    feeder.finish()
    begins = [job.samples[0].sync for job in feeder.pieces]
    keyframes = [sample for job in feeder.pieces for sample in job.samples if sample.sync]
    assert begins.count(True) == len(keyframes) == 4


def test_a_stream_of_keyframes_alone_still_makes_pieces_of_a_second() -> None:
    feeder = video_feeder()
    feeder.stream(support.video("H264", 90, gop=1))
    feeder.finish()
    assert len(feeder.pieces) == 3


def test_times_follow_capture_time_whatever_the_network_does() -> None:
    feeder = video_feeder()
    for index, unit in enumerate(support.video("H264", 40)):
        jitter_us = (index * 7919) % 30_000
        at_us = START_US + index * 1_000_000 // 30
        feeder.jobs += feeder.cutter.push(
            unit, support.EPOCH_US + at_us + jitter_us, (at_us + jitter_us) * 1_000
        )
    feeder.finish()
    ticks = [sample.ticks for piece in feeder.pieces for sample in piece.samples]
    assert ticks == [450_000 + 3_000 * index for index in range(40)]
    assert {piece.clock for piece in feeder.pieces} == {"capture"}


def test_frames_before_the_first_keyframe_are_not_recorded() -> None:
    feeder = video_feeder()
    assert feeder.cutter.wants_keyframe
    units = support.video("H264", 60)
    feeder.stream(units[10:])
    feeder.finish()
    assert sum(len(piece.samples) for piece in feeder.pieces) == 30
    assert not feeder.cutter.wants_keyframe


def test_a_new_size_begins_a_new_generation_with_its_own_init() -> None:
    feeder = video_feeder()
    small, large = support.video("H264", 45), support.video("H264", 30, width=320, height=240)
    feeder.stream(small)
    feeder.stream(shifted(large, 45 * 3000), START_US + 1_500_000)
    feeder.finish()
    generations = list({id(piece.generation): piece.generation for piece in feeder.pieces}.values())
    assert [(g.format.width, g.format.height, g.reason) for g in generations] == [
        (160, 120, "start"),
        (320, 240, "size_changed"),
    ]
    assert generations[1].first.data == large[0].data
    assert [piece.span.begin_us for piece in feeder.pieces] == [5_000_000, 6_000_000, 6_500_000]


def test_other_parameter_sets_begin_a_new_generation() -> None:
    feeder = video_feeder()
    units = support.video("H264", 60)
    changed = replace(units[30], parameter_sets=(*units[30].parameter_sets, b"\x68\xff"))
    feeder.stream([*units[:30], changed, *units[31:]])
    feeder.finish()
    assert [piece.generation.reason for piece in feeder.pieces] == ["start", "parameters_changed"]


def test_a_silent_stream_is_cut_by_the_clock() -> None:
    feeder = video_feeder()
    feeder.stream(support.video("H264", 10))
    feeder.poll(PIECE_AGE_NS - 400 * MS)
    assert feeder.pieces == []
    feeder.poll(400 * MS)
    (piece,) = feeder.pieces
    assert len(piece.samples) == 10
    assert piece.span.end_us == 6_000_000  # still shown, as far as a piece may reach
    feeder.poll(PIECE_AGE_NS)
    assert len(feeder.pieces) == 1


def test_a_lost_frame_is_declared_between_its_neighbours() -> None:
    feeder = video_feeder()
    units = support.video("H264", 60)
    feeder.stream([*units[:10], replace(units[13], after_loss=True), *units[14:20]])
    feeder.stream([replace(units[24], after_loss=True), *units[25:]], START_US + 800_000)
    feeder.finish()
    (gap,) = feeder.gaps
    assert (gap.track, gap.reason) == ("ultrasound-device-video", "packet_loss")
    assert gap.span.begin_us == pytest.approx(START_US + 333_333, abs=2)
    assert gap.span.end_us == START_US + 800_000


def test_a_loss_at_the_edge_of_a_piece_is_not_covered_by_a_longer_frame() -> None:
    feeder = video_feeder()
    units = support.video("H264", 90)
    feeder.stream(units[:25])
    feeder.stream([replace(units[45], after_loss=True), *units[46:60]], START_US + 1_500_000)
    feeder.finish()
    first = feeder.pieces[0]
    assert first.span.end_us == pytest.approx(START_US + 833_333, abs=2)
    (gap,) = feeder.gaps
    assert gap.span.begin_us == first.span.end_us
    assert gap.span.end_us == START_US + 1_500_000


def test_a_loss_that_is_noticed_after_the_piece_was_cut_by_the_clock_is_declared_from_the_last_frame_on() -> (
    None
):
    feeder = video_feeder()
    frames = support.video("H264", 40)
    feeder.stream(frames[:7])
    feeder.poll(PIECE_AGE_NS)  # nothing comes: for all it knows the picture stands still
    assert feeder.pieces[0].span.end_us > START_US + 7 * 33_400
    feeder.push(replace(frames[25], after_loss=True, keyframe=False), START_US + 25 * 33_333)
    feeder.finish()
    (gap,) = feeder.gaps
    assert gap.reason == "packet_loss"
    assert gap.span.begin_us == pytest.approx(START_US + 7 * 33_333, abs=100)
    assert gap.span.end_us == pytest.approx(START_US + 25 * 33_333, abs=100)


def test_until_the_mapping_is_known_frames_wait_a_little() -> None:
    feeder = video_feeder(mapped=False)
    units = support.video("H264", 60)
    feeder.stream(units[:5])
    assert feeder.cutter.wants_keyframe
    feeder.map(support.FIRST_RTP, support.EPOCH_US + START_US)
    feeder.stream(units[5:40], START_US + 166_666)
    assert feeder.pieces[0].span.begin_us == START_US
    assert feeder.pieces[0].clock == "capture"


def test_without_a_mapping_arrival_stands_in_and_is_marked() -> None:
    feeder = video_feeder(mapped=False)
    feeder.stream(support.video("H264", 60))
    feeder.poll(HOLD_NS)
    feeder.finish()
    assert {piece.clock for piece in feeder.pieces} == {"arrival"}
    assert feeder.pieces[0].span.begin_us == START_US + 40_000
    assert feeder.pieces[0].uncertainty_us >= 40_000


def test_a_better_mapping_counts_from_the_next_piece_on_and_time_never_goes_back() -> None:
    feeder = video_feeder()
    units = support.video("H264", 90)
    feeder.stream(units[:45])
    feeder.map(support.FIRST_RTP, support.EPOCH_US + START_US - 20_000, 500)
    feeder.stream(units[45:], START_US + 1_500_000)
    feeder.finish()
    ticks = [sample.ticks for piece in feeder.pieces for sample in piece.samples]
    assert all(later > earlier for earlier, later in itertools.pairwise(ticks))
    assert feeder.pieces[1].uncertainty_us == 1_000
    assert feeder.pieces[2].uncertainty_us == 500
    assert feeder.pieces[2].span.begin_us == pytest.approx(START_US + 1_980_000, abs=12)


def test_a_mapping_far_back_begins_a_new_generation_at_a_keyframe() -> None:
    feeder = video_feeder()
    units = support.video("H264", 90)
    feeder.stream(units[:40])
    feeder.map(support.FIRST_RTP, support.EPOCH_US + START_US - 3_000_000)
    feeder.stream(units[40:], START_US + 1_333_333)
    feeder.finish()
    reasons = [piece.generation.reason for piece in feeder.pieces]
    assert reasons[0] == "start"
    assert reasons[-1] == "clock_changed"
    assert feeder.pieces[-1].sync
    assert "clock_changed" in [gap.reason for gap in feeder.gaps]


def test_timestamps_that_jump_are_placed_by_arrival() -> None:
    feeder = video_feeder()
    units = support.video("H264", 60)
    feeder.stream(units[:30])
    jumped = [replace(unit, timestamp=(unit.timestamp + 0x4000_0000) & 0xFFFF_FFFF) for unit in units[30:]]
    feeder.stream(jumped, START_US + 1_000_000)
    feeder.finish()
    assert [piece.clock for piece in feeder.pieces] == ["capture", "arrival"]
    assert feeder.pieces[1].span.begin_us == START_US + 1_040_000


def test_nothing_is_placed_before_the_epoch() -> None:
    feeder = video_feeder(mapped=False)
    feeder.map(support.FIRST_RTP, support.EPOCH_US - 100_000)
    feeder.stream(support.video("H264", 30), 0)
    feeder.finish()
    assert feeder.pieces[0].span.begin_us == 0


def test_a_track_that_was_away_declares_how_long() -> None:
    cutter = TrackCutter(support.source("H264"), support.EPOCH_US, "restart", (2_000_000, "media_reset"))
    feeder = Feeder(cutter)
    feeder.stream(support.video("H264", 30))
    feeder.finish()
    (gap,) = feeder.gaps
    assert (gap.span.begin_us, gap.span.end_us, gap.reason) == (2_000_000, START_US, "media_reset")
    assert feeder.pieces[0].generation.reason == "restart"


def test_sound_is_cut_into_seconds_of_fifty_packets() -> None:
    feeder = Feeder(TrackCutter(support.source("opus", "a"), support.EPOCH_US, "start"), mapped=False)
    feeder.map(7, support.EPOCH_US + START_US)
    for index, unit in enumerate(support.audio()):
        feeder.push(unit, START_US + index * 20_000)
    feeder.finish()
    assert [len(piece.samples) for piece in feeder.pieces] == [50, 50]
    assert {sample.duration for piece in feeder.pieces for sample in piece.samples} == {960}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0, 5, 30]),
    remap_us=st.sampled_from([0, 5_000, 700_000]),
)
def test_whatever_comes_pieces_are_short_and_ordered_and_no_frame_is_forgotten(
    seed: int, loss: int, remap_us: int
) -> None:
    random = Random(seed)
    feeder = video_feeder()
    sent, last_us = 0, 0
    for index, unit in enumerate(support.video("H264")):
        if index % 30 and random.randrange(100) < loss:
            continue
        at_us = START_US + index * 1_000_000 // 30
        if index % 9 == 0:
            feeder.map(unit.timestamp, support.EPOCH_US + at_us + random.randint(-remap_us, remap_us))
        last_us = max(last_us, at_us + random.randint(0, 400_000))
        feeder.jobs += feeder.cutter.push(unit, support.EPOCH_US + last_us, last_us * 1_000)
        feeder.jobs += feeder.cutter.poll(last_us * 1_000)
        sent += 1
    feeder.finish()
    by_generation: dict[int, list[int]] = {}
    for piece in feeder.pieces:
        assert 0 < piece.span.end_us - piece.span.begin_us <= PIECE_US
        assert all(sample.duration > 0 for sample in piece.samples)
        by_generation.setdefault(id(piece.generation), []).extend(sample.ticks for sample in piece.samples)
    for ticks in by_generation.values():
        assert ticks == sorted(set(ticks))
    assert all(gap.span.begin_us <= gap.span.end_us for gap in feeder.gaps)
    if remap_us < SETBACK_US:
        assert sum(map(len, by_generation.values())) == sent


def test_a_source_that_sent_nothing_for_a_while_is_said_and_a_short_silence_is_not() -> None:
    feeder = video_feeder()
    feeder.stream(support.video("H264", 30))
    feeder.poll(PIECE_AGE_NS)
    second = [replace(unit, timestamp=unit.timestamp + 90_000 * 9) for unit in support.video("H264", 30)]
    feeder.stream(second, START_US + 9_000_000)
    third = [
        replace(unit, timestamp=unit.timestamp + 90_000 * 10 + 45_000) for unit in support.video("H264", 30)
    ]
    feeder.stream(third, START_US + 10_500_000)
    feeder.finish()
    (gap,) = feeder.gaps
    ends = [piece.span.end_us for piece in feeder.pieces if piece.span.begin_us < START_US + 9_000_000]
    assert (gap.reason, gap.span.begin_us, gap.span.end_us) == (NOTHING_CAME, max(ends), START_US + 9_000_000)


def test_a_track_that_was_still_before_a_pause_says_both() -> None:
    feeder = video_feeder()
    feeder.stream(support.video("H264", 30))
    feeder.jobs += feeder.cutter.interrupt("privacy_pause", START_US + 60_000_000)
    (gap,) = feeder.gaps
    assert (gap.reason, gap.span.end_us) == (NOTHING_CAME, START_US + 60_000_000)
