"""What the ring keeps, drops and delivers, without a disk."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from archive.ring import RingGeneration, RingObject, RingPiece
from archive.ring_messages import WantedSpan
from edge_agents.ring_cutter import ClockState, CutPiece, RingCutter, Unit
from edge_agents.ring_plan import Bounds, to_deliver, to_drop

S = 1_000_000
SIGNED = {
    "consultation": "c",
    "device": "d",
    "previous": "0" * 64,
    "signature": "0" * 128,
    "sha256": "0" * 64,
}
RIGHT = ClockState(0, 1000)
TRACK = "ultrasound-device-video"


def init(entry: int, generation: int = 0, track: str = TRACK) -> RingGeneration:
    return RingGeneration(
        kind="generation",
        entry=entry,
        track=track,
        generation=generation,
        size=100,
        media="video",
        codec="H264",
        container="mp4",
        timescale=90_000,
        width=320,
        height=180,
        feed="ultrasound",
        **SIGNED,
    )


def piece(
    entry: int, begin_us: int, *, sync: bool = True, generation: int = 0, track: str = TRACK, size: int = 1000
) -> RingPiece:
    return RingPiece(
        kind="piece",
        entry=entry,
        track=track,
        generation=generation,
        size=size,
        begin_us=begin_us,
        end_us=begin_us + S,
        frames=30,
        sync=sync,
        uncertainty_us=0,
        **SIGNED,
    )


@st.composite
def rings(draw: st.DrawFn) -> list[RingObject]:
    """Two tracks, a few generations, pieces of a second with holes between, some decodable by themselves."""
    held: list[RingObject] = []
    at_us = dict.fromkeys(("a", "b"), 0)
    generations = dict.fromkeys(("a", "b"), -1)
    for step in draw(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=60)):
        track, kind = step
        if generations[track] < 0 or kind == 0:
            generations[track] += 1
            held.append(init(len(held), generations[track], track))
        at_us[track] += S * (kind == 9)
        begins = isinstance(held[-1], RingGeneration) and held[-1].track == track
        held.append(
            piece(
                len(held),
                at_us[track],
                sync=begins or kind % 3 == 1,
                generation=generations[track],
                track=track,
                size=1 + kind * 100,
            )
        )
        at_us[track] += S
    return held


SPANS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 40 * S), st.integers(1, 10 * S)).map(
        lambda one: WantedSpan(track=one[0], begin_us=one[1], end_us=one[1] + one[2])
    ),
    max_size=4,
)


@given(rings(), st.integers(0, 20_000), st.integers(0, 40 * S))
@settings(max_examples=150)
def test_what_is_kept_is_the_newest_fits_and_can_be_decoded(
    held: list[RingObject], max_bytes: int, oldest_us: int
) -> None:
    dropped = set(to_drop(held, Bounds(max_bytes, oldest_us)))
    left = [one for one in held if one.entry not in dropped]
    pieces = [one for one in left if isinstance(one, RingPiece)]
    there = {(one.track, one.generation) for one in left if isinstance(one, RingGeneration)}
    assert all(one.end_us >= oldest_us for one in pieces)
    assert not pieces or sum(one.size for one in left) <= max_bytes
    assert {(one.track, one.generation) for one in pieces} <= there
    fresh = [one for one in held if isinstance(one, RingPiece) and one.end_us >= oldest_us]
    assert pieces == fresh[len(fresh) - len(pieces) :]


@given(rings(), SPANS, st.sets(st.integers(0, 80)))
@settings(max_examples=200)
def test_what_is_delivered_fills_the_holes_can_be_decoded_and_is_not_there_yet(
    held: list[RingObject], wanted: list[WantedSpan], there: set[int]
) -> None:
    chosen = to_deliver(held, wanted, there)
    entries = [one.entry for one in chosen]
    assert entries == sorted(set(entries))
    assert not set(entries) & there
    known = set(there)
    for one in chosen:
        if isinstance(one, RingPiece):
            begun = next(
                g.entry
                for g in held
                if isinstance(g, RingGeneration) and (g.track, g.generation) == (one.track, one.generation)
            )
            assert begun in known
        known.add(one.entry)
    pieces = [one for one in held if isinstance(one, RingPiece)]
    for span in wanted:
        mine = [one for one in pieces if one.track == span.track]
        reaching = [one for one in mine if one.end_us > span.begin_us and one.begin_us < span.end_us]
        assert {one.entry for one in reaching} <= set(entries) | there
        if reaching and not reaching[0].sync:
            before = mine[: mine.index(reaching[0])]
            starts = [one for one in before if one.sync and one.generation == reaching[0].generation]
            assert not starts or starts[-1].entry in set(entries) | there


@given(rings(), SPANS)
@settings(max_examples=100)
def test_a_delivery_that_breaks_off_goes_on_where_it_was(
    held: list[RingObject], wanted: list[WantedSpan]
) -> None:
    whole = [one.entry for one in to_deliver(held, wanted, set())]
    half = set(whole[: len(whole) // 2])
    rest = [one.entry for one in to_deliver(held, wanted, half)]
    assert set(rest) == set(whole) - half


def unit(
    at_us: int, *, keyframe: bool = False, sets: bytes = b"s", size: tuple[int, int] = (320, 180)
) -> Unit:
    return Unit(b"x", at_us, keyframe, size if keyframe else (0, 0), (sets,) if keyframe else ())


@given(
    st.lists(
        st.tuples(st.integers(2_000, 400_000), st.sampled_from("pppppppkgd"), st.integers(-300_000, 300_000)),
        max_size=200,
    )
)
@settings(max_examples=200)
def test_pieces_are_short_in_order_and_begin_where_they_say(steps: list[tuple[int, str, int]]) -> None:
    """p: a picture, k: a keyframe, g: one with other parameter sets, d: the clock is found to be off."""
    cutter, at_us, ahead_us, sets, pushed = RingCutter("H264", 0), S, 0, 0, 0
    cut: list[CutPiece] = []
    for delta_us, kind, off_us in [(1, "k", 0), *steps]:
        at_us += delta_us
        ahead_us = off_us if kind == "d" else ahead_us
        sets += kind == "g"
        pushed += 1
        state = ClockState(ahead_us, 1000)
        cut += cutter.push(unit(at_us, keyframe=kind in "kg", sets=b"%d" % sets), state)
    cut += cutter.interrupt()
    assert cut[0].sync
    for one in cut:
        assert 0 < one.end_us - one.begin_us <= S
        assert abs(one.samples[0].ticks * S // 90_000 - one.begin_us) <= 12
        assert all(sample.duration > 0 for sample in one.samples)
    for before, after in itertools.pairwise(cut):
        if before.generation is after.generation:
            assert after.begin_us >= before.end_us - 12
            assert after.samples[0].ticks > before.samples[-1].ticks
        else:
            assert after.sync
    if ahead_us == 0:
        assert sum(len(one.samples) for one in cut) == pushed or any(kind == "d" for _, kind, _ in steps)


def test_a_steady_picture_is_cut_into_whole_seconds_without_a_hole() -> None:
    cutter = RingCutter("H264", 0)
    cut = [
        one
        for index in range(150)
        for one in cutter.push(unit(S + index * 33_333, keyframe=index % 60 == 0), RIGHT)
    ]
    assert all(after.begin_us - before.end_us <= 12 for before, after in itertools.pairwise(cut))
    assert [one.sync for one in cut] == [True, False, True, False]


def test_what_was_captured_before_the_consultation_is_not_kept() -> None:
    cutter = RingCutter("H264", 10 * S)
    assert cutter.push(unit(S, keyframe=True), RIGHT) == []
    assert not cutter.waits


def test_after_an_interruption_only_a_keyframe_goes_on() -> None:
    cutter = RingCutter("H264", 0)
    cutter.push(unit(S, keyframe=True), RIGHT)
    assert len(cutter.interrupt()) == 1
    cutter.push(unit(S + 40_000), RIGHT)
    assert not cutter.waits
    cutter.push(unit(S + 80_000, keyframe=True), RIGHT)
    assert cutter.waits


def test_times_that_go_back_begin_another_generation() -> None:
    cutter = RingCutter("H264", 0)
    first = cutter.push(unit(5 * S, keyframe=True), RIGHT) + cutter.push(unit(3 * S, keyframe=True), RIGHT)
    second = cutter.interrupt()
    assert first[0].generation is not second[0].generation
    assert second[0].begin_us == 3 * S
