"""What a subscriber gets when not everything fits: the order of worth, and calm."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.allocation import (
    LEAST_BPS,
    UNLIMITED_BPS,
    UP_AFTER_NS,
    UP_AGAIN_NS,
    UP_MARGIN,
    Allocation,
    Choice,
    Demand,
    LayerOption,
    Rank,
    allocate,
    goals,
    least_bps,
    useful_layers,
)

K, M = 1_000, 1_000_000
MS = 1_000_000
FULL = LayerOption("f", 3 * M, 1920 * 1080)
HALF = LayerOption("h", 1 * M, 960 * 540)
QUARTER = LayerOption("q", 250 * K, 480 * 270)
SIMULCAST = (FULL, HALF, QUARTER)
LARGE, SMALL = 1920 * 1080, 480 * 270


def sound(track_id: str = "voice", bitrate_bps: int = 40 * K) -> Demand:
    return Demand(track_id, Rank.AUDIO, (LayerOption(None, bitrate_bps),))


def feed(track_id: str = "feed", *, focus: bool = False, shown: int = LARGE) -> Demand:
    return Demand(track_id, Rank.DEVICE, SIMULCAST, shown, focus)


def given_layers(allocation: Allocation) -> dict[str, str | None]:
    """Track id → rid, of pictures that are sent."""
    chosen = {track_id: choice.option for track_id, choice in allocation.choices.items()}
    return {track_id: option.rid for track_id, option in chosen.items() if option is not None}


# examples


def test_the_feed_in_focus_gets_the_best_that_leaves_the_other_its_smallest() -> None:
    demands = [feed("a"), feed("b", focus=True), sound()]
    assert given_layers(allocate(8 * M, demands)) == {"a": "f", "b": "f"}
    assert given_layers(allocate(1_500 * K, demands)) == {"a": "q", "b": "h"}
    assert given_layers(allocate(600 * K, demands)) == {"a": "q", "b": "q"}
    assert given_layers(allocate(400 * K, demands)) == {"b": "q"}


def test_devices_precede_screens_rooms_and_faces() -> None:
    small = (QUARTER,)
    ranks = [Rank.FACE, Rank.ROOM, Rank.SCREEN, Rank.DEVICE]
    demands = [Demand(rank.name, rank, small, LARGE) for rank in ranks]
    for count in range(5):
        got = given_layers(allocate(count * 250 * K, demands))
        assert set(got) == {rank.name for rank in ranks[::-1][:count]}


def test_a_large_single_layer_beside_the_focus_does_not_lower_it() -> None:
    single = Demand("other", Rank.DEVICE, (LayerOption(None, 4 * M, LARGE),), LARGE)
    got = given_layers(allocate(5 * M, [single, feed(focus=True)]))
    assert got == {"feed": "f"}


def test_a_picture_gets_the_smallest_layer_that_covers_what_is_shown() -> None:
    assert [layer.rid for layer in useful_layers(feed(shown=SMALL))] == ["q"]
    assert [layer.rid for layer in useful_layers(feed(shown=SMALL + 1_000))] == ["q"]
    assert [layer.rid for layer in useful_layers(feed(shown=960 * 540))] == ["q", "h"]
    assert [layer.rid for layer in useful_layers(feed(shown=4 * LARGE))] == ["q", "h", "f"]


def test_while_sizes_are_unknown_no_layer_counts_as_large_enough() -> None:
    layers = (LayerOption("a", 1 * M), LayerOption("b", 2 * M))
    assert useful_layers(Demand("t", Rank.FACE, layers, SMALL)) == list(layers)


def test_a_layer_that_costs_more_and_shows_less_is_never_sent() -> None:
    layers = (LayerOption("f", 900 * K, LARGE), LayerOption("h", 1 * M, SMALL))
    assert [layer.rid for layer in useful_layers(Demand("t", Rank.FACE, layers, LARGE))] == ["f"]


def test_what_is_not_shown_gets_its_smallest_layer_after_everything_else() -> None:
    demands = [feed("hidden", shown=0), Demand("face", Rank.FACE, SIMULCAST, LARGE)]
    assert given_layers(allocate(UNLIMITED_BPS, demands)) == {"hidden": "q", "face": "f"}
    assert given_layers(allocate(3 * M, demands)) == {"face": "f"}


def test_a_focus_that_is_not_shown_counts_for_nothing() -> None:
    demands = [feed("hidden", shown=0, focus=True), Demand("face", Rank.FACE, (QUARTER,), SMALL)]
    assert given_layers(allocate(300 * K, demands)) == {"face": "q"}


def test_what_is_lowered_or_left_out_is_named() -> None:
    demands = [feed("a", focus=True), feed("b", shown=SMALL), Demand("c", Rank.FACE, (HALF,), SMALL)]
    allocation = allocate(1_300 * K, demands)
    assert allocation.choices["a"] == Choice(HALF, FULL, -UP_AFTER_NS)
    assert not allocation.choices["b"].lowered
    assert allocation.choices["c"].option is None
    assert allocation.choices["c"].lowered
    assert not allocation.satisfied
    assert allocate(8 * M, demands).satisfied


def test_a_picture_without_layers_is_neither_sent_nor_lowered() -> None:
    allocation = allocate(0, [Demand("t", Rank.DEVICE, (), LARGE)])
    assert allocation.choices["t"] == Choice(None, None, -UP_AFTER_NS)
    assert allocation.satisfied


# hysteresis


def test_going_up_needs_some_to_spare_and_going_down_does_not_wait() -> None:
    demands = [feed()]
    low = allocate(2 * M, demands, None, 0)
    assert given_layers(low) == {"feed": "h"}
    later = 10_000 * MS
    tight = int(FULL.bitrate_bps * UP_MARGIN)
    assert given_layers(allocate(tight - 1 * K, demands, low, later)) == {"feed": "h"}
    high = allocate(tight + 1 * K, demands, low, later)
    assert given_layers(high) == {"feed": "f"}
    assert given_layers(allocate(3 * M, demands, high, later)) == {"feed": "f"}, "what is held needs no more"
    assert given_layers(allocate(3 * M - 1, demands, high, later + 1)) == {"feed": "h"}


def test_after_a_rise_the_next_one_may_come_sooner() -> None:
    demands = [feed()]
    low = allocate(400 * K, demands, None, 0)
    half = allocate(2 * M, demands, low, 5_000 * MS)
    assert given_layers(half) == {"feed": "h"}
    soon_ns = 5_000 * MS + UP_AGAIN_NS
    assert given_layers(allocate(8 * M, demands, half, soon_ns - 1)) == {"feed": "h"}
    assert given_layers(allocate(8 * M, demands, half, soon_ns)) == {"feed": "f"}


def test_the_least_is_sound_and_the_smallest_layer_of_the_worthiest_picture() -> None:
    face = Demand("face", Rank.FACE, SIMULCAST, LARGE)
    assert least_bps([face, feed(), sound()]) == QUARTER.bitrate_bps + 40 * K
    assert least_bps([sound()]) == 0
    heavy = LayerOption("f", LEAST_BPS + 1, 1920 * 1080)
    assert least_bps([Demand("feed", Rank.DEVICE, (heavy,), LARGE), face]) == 0


def test_after_a_fall_two_seconds_pass_before_the_next_way_up() -> None:
    demands = [feed()]
    first = allocate(8 * M, demands, None, 0)
    down = allocate(1 * M, demands, first, 1_000 * MS)
    assert given_layers(down) == {"feed": "h"}
    assert given_layers(allocate(8 * M, demands, down, 2_999 * MS)) == {"feed": "h"}
    assert given_layers(allocate(8 * M, demands, down, 3_000 * MS)) == {"feed": "f"}


def test_a_viewer_who_enlarges_a_picture_does_not_wait() -> None:
    small = [feed(shown=SMALL)]
    first = allocate(8 * M, small, None, 0)
    down = allocate(100 * K, small, first, 1_000 * MS)
    back = allocate(8 * M, small, down, 3_000 * MS)
    assert given_layers(back) == {"feed": "q"}
    assert given_layers(allocate(8 * M, [feed(focus=True)], back, 3_001 * MS)) == {"feed": "f"}


def test_a_layer_that_vanished_at_the_source_is_replaced_by_what_there_is() -> None:
    high = allocate(8 * M, [feed()], None, 0)
    without = Demand("feed", Rank.DEVICE, (HALF, QUARTER), LARGE)
    after = allocate(8 * M, [without], high, 100 * MS)
    assert given_layers(after) == {"feed": "h"}
    assert given_layers(allocate(8 * M, [feed()], after, 200 * MS)) == {"feed": "f"}


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 2**32), st.integers(100 * K, 12 * M))
def test_a_noisy_estimate_does_not_make_pictures_flap(
    data: st.DataObject, seed: int, middle_bps: int
) -> None:
    """±6 % at a look each 150 ms: everything settles, and then nothing changes for a minute."""
    demands = data.draw(DEMANDS)
    chance = random.Random(seed)
    allocation: Allocation | None = None
    seen = []
    for tick in range(800):
        budget_bps = int(middle_bps * chance.uniform(0.94, 1.06))
        allocation = allocate(budget_bps, demands, allocation, tick * 150 * MS)
        seen.append(given_layers(allocation))
    assert all(a == b for a, b in pairwise(seen[400:]))


# properties


LAYERS = st.lists(
    st.tuples(st.integers(20 * K, 5 * M), st.sampled_from([0, SMALL, 960 * 540, LARGE])),
    max_size=4,
).map(
    lambda pairs: tuple(
        LayerOption(rid, bitrate, pixels) for rid, (bitrate, pixels) in zip("qhfx", pairs, strict=False)
    )
)
PICTURE = st.tuples(
    st.sampled_from([Rank.DEVICE, Rank.DEVICE, Rank.SCREEN, Rank.ROOM, Rank.FACE]),
    LAYERS,
    st.sampled_from([0, SMALL, 640 * 360, LARGE]),
    st.booleans(),
)
SOUND = st.tuples(
    st.just(Rank.AUDIO),
    st.integers(6 * K, 128 * K).map(lambda bitrate: (LayerOption(None, bitrate),)),
    st.just(0),
    st.just(False),
)
DEMANDS = st.lists(st.one_of(PICTURE, PICTURE, SOUND), max_size=7).map(
    lambda many: [Demand(f"t{index}", *one) for index, one in enumerate(many)]
)
BUDGET = st.integers(0, 20 * M)


def audio_bps(demands: Sequence[Demand]) -> int:
    return sum(demand.layers[0].bitrate_bps for demand in demands if demand.rank is Rank.AUDIO)


def spent_bps(demands: Sequence[Demand], allocation: Allocation) -> int:
    options = [choice.option for choice in allocation.choices.values()]
    return audio_bps(demands) + sum(option.bitrate_bps for option in options if option is not None)


def utility(demands: Sequence[Demand], allocation: Allocation) -> list[bool]:
    """Which goals are reached, the worthiest first: compared like words in a dictionary."""
    reached = []
    for goal in goals(demands):
        option = allocation.choices[goal.track_id].option
        reached.append(option is not None and option.bitrate_bps >= goal.option.bitrate_bps)
    return reached


def by_worth(demands: Sequence[Demand]) -> list[str]:
    """Tracks in the order of the first goal of each when everything costs the same."""
    hidden = [demand for demand in demands if not demand.shown_pixels]
    shown = [demand for demand in demands if demand.shown_pixels and demand.rank is not Rank.AUDIO]
    focus = [demand for demand in shown if demand.focus]
    rest = [demand for demand in shown if not demand.focus]
    ordered = [
        demand
        for part in (focus, rest, [demand for demand in hidden if demand.rank is not Rank.AUDIO])
        for demand in sorted(part, key=lambda one: (one.rank, -one.shown_pixels, one.track_id))
    ]
    return [demand.track_id for demand in ordered]


def height(allocation: Allocation, track_id: str) -> int:
    option = allocation.choices[track_id].option
    return -1 if option is None else option.bitrate_bps


@given(BUDGET, DEMANDS)
def test_never_more_than_the_budget_but_for_sound(budget_bps: int, demands: list[Demand]) -> None:
    allocation = allocate(budget_bps, demands)
    assert allocation.total_bps == spent_bps(demands, allocation)
    assert allocation.total_bps <= max(budget_bps, audio_bps(demands))


@given(BUDGET, BUDGET, DEMANDS, st.integers(0, 5_000))
def test_nor_when_it_goes_on_from_what_was_sent(
    before_bps: int, budget_bps: int, demands: list[Demand], waited_ms: int
) -> None:
    before = allocate(before_bps, demands)
    allocation = allocate(budget_bps, demands, before, waited_ms * MS)
    assert spent_bps(demands, allocation) <= max(budget_bps, audio_bps(demands))


@given(BUDGET, DEMANDS)
def test_pictures_never_take_what_sound_needs(budget_bps: int, demands: list[Demand]) -> None:
    allocation = allocate(budget_bps, demands)
    pictures_bps = spent_bps(demands, allocation) - audio_bps(demands)
    assert pictures_bps <= max(0, budget_bps - audio_bps(demands))
    assert all(demand.track_id not in allocation.choices for demand in demands if demand.rank is Rank.AUDIO)


@settings(max_examples=500)
@given(BUDGET, st.integers(0, 6 * M), DEMANDS)
def test_with_more_to_spend_the_first_difference_is_for_the_better(
    budget_bps: int, more_bps: int, demands: list[Demand]
) -> None:
    less, more = allocate(budget_bps, demands), allocate(budget_bps + more_bps, demands)
    assert utility(demands, less) <= utility(demands, more)
    for track_id in by_worth(demands):
        if height(less, track_id) != height(more, track_id):
            assert height(less, track_id) < height(more, track_id), "no picture pays for one of less worth"
            break


@given(BUDGET, DEMANDS)
def test_no_face_is_sent_while_a_device_in_sight_goes_without(budget_bps: int, demands: list[Demand]) -> None:
    allocation = allocate(budget_bps, demands)
    left_bps = budget_bps - spent_bps(demands, allocation)
    for device in demands:
        if device.rank is not Rank.DEVICE or not device.shown_pixels or not device.layers:
            continue
        if allocation.choices[device.track_id].option is None:
            lesser = [
                height(allocation, other.track_id)
                for other in demands
                if other.rank > Rank.DEVICE and not (other.focus and other.shown_pixels)
            ]
            smallest = useful_layers(device)[0].bitrate_bps
            assert left_bps + sum(max(0, bitrate) for bitrate in lesser) < smallest


@given(BUDGET, DEMANDS, st.randoms(use_true_random=False))
def test_the_order_in_which_tracks_are_named_does_not_matter(
    budget_bps: int, demands: list[Demand], chance: random.Random
) -> None:
    shuffled = list(demands)
    chance.shuffle(shuffled)
    assert allocate(budget_bps, shuffled) == allocate(budget_bps, demands)


@given(BUDGET, DEMANDS)
def test_nothing_changes_while_nothing_changes(budget_bps: int, demands: list[Demand]) -> None:
    first = allocate(budget_bps, demands)
    again = allocate(budget_bps, demands, first, 10_000 * MS)
    assert given_layers(again) == given_layers(first)


@given(DEMANDS)
def test_with_room_for_everything_everything_is_satisfied(demands: list[Demand]) -> None:
    assert allocate(UNLIMITED_BPS, demands).satisfied
