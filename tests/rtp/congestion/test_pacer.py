"""What passes at once, what waits, and in which order it leaves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtp.congestion import Pacer, PacketClass

MS_NS = 1_000_000
S_NS = 1_000 * MS_NS
M = 1_000_000
AUDIO, REPAIR, VIDEO, PADDING = PacketClass


def pacer(estimate_bps: int = 4 * M, **bounds: int) -> Pacer[str]:
    return Pacer(estimate_bps=estimate_bps, **bounds)


def drain(it: Pacer[str]) -> list[tuple[int, str]]:
    """(When in ms, what), tick by tick until nothing is queued."""
    left: list[tuple[int, str]] = []
    while it.next_ns is not None:
        now_ns = it.next_ns
        left += [(now_ns // MS_NS, item) for item in it.due(now_ns)]
    return left


def test_frames_pass_whole_while_the_estimate_does_not_bind() -> None:
    it = pacer(4 * M)
    for frame in range(100):
        assert it.passes(4 * M // 8 // 30, VIDEO, frame * 33 * MS_NS)
    assert it.next_ns is None


def test_a_keyframe_waits_when_the_estimate_binds_and_passes_when_it_does_not() -> None:
    assert not pacer(4 * M).passes(100_000, VIDEO, 0)
    assert pacer(40 * M).passes(100_000, VIDEO, 0)


def test_what_went_out_at_a_high_pace_does_not_hold_up_for_seconds_what_goes_at_a_low_one() -> None:
    it = pacer(40 * M)
    assert it.passes(200_000, VIDEO, 0)
    it.set_estimate(200_000, gentle=True)
    it.push("v", 1_000, VIDEO, 0)
    assert drain(it)[0][0] < 50


def test_audio_never_waits() -> None:
    it = pacer(100_000)
    it.push("v", 60_000, VIDEO, 0)
    assert it.passes(200, AUDIO, MS_NS)


def test_nothing_overtakes_its_own_class() -> None:
    it = pacer()
    it.push("v", 1_000, VIDEO, 0)
    assert not it.passes(100, VIDEO, 0)
    assert it.passes(100, REPAIR, 0)
    assert not it.passes(100, PADDING, 0)


def test_what_waits_leaves_by_class_then_in_order() -> None:
    it = pacer(50 * M)
    for name, kind in (("p", PADDING), ("v1", VIDEO), ("v2", VIDEO), ("r", REPAIR), ("a", AUDIO)):
        it.push(name, 100, kind, 0)
    assert [item for _, item in drain(it)] == ["a", "r", "v1", "v2", "p"]


def test_a_keyframe_leaves_on_ticks_of_5_ms_at_two_and_a_half_times_the_estimate() -> None:
    it = pacer(4 * M)
    for number in range(100):
        it.push(str(number), 1_000, VIDEO, 3 * MS_NS)
    left = drain(it)
    assert len(left) == 100
    assert all(at_ms % 5 == 0 for at_ms, _ in left)
    assert left[0][0] == 5
    assert 75 <= left[-1][0] <= 85
    at_once = max(sum(at == at_ms for at, _ in left) for at_ms, _ in left)
    assert at_once <= 7


def test_all_pacers_share_their_ticks() -> None:
    ticks = set()
    for at_ns in (1_000_001, 3_999_999, 4_999_999):
        it = pacer()
        it.push("v", 1_000, VIDEO, at_ns)
        ticks.add(it.next_ns)
    assert ticks == {5 * MS_NS}


def test_full_queues_refuse_more() -> None:
    it = pacer(max_bytes=2_000)
    assert it.push("1", 1_500, VIDEO, 0)
    assert not it.push("2", 600, VIDEO, 0)
    assert it.queued_bytes == 1_500


def test_what_is_too_old_is_dropped_and_counted() -> None:
    it = pacer(max_age_ns=100 * MS_NS)
    it.push("old", 1_000, VIDEO, 0)
    it.push("new", 1_000, VIDEO, 90 * MS_NS)
    assert it.queued_ns(150 * MS_NS) == 150 * MS_NS
    assert it.due(150 * MS_NS) == ["new"]
    assert it.dropped == 1
    assert it.queued_bytes == 0


def test_a_caller_drops_whole_frames() -> None:
    it = pacer()
    for name in ("f1", "f1", "f2"):
        it.push(name, 1_000, VIDEO, 0)
    assert it.drop(VIDEO, lambda item: item == "f1") == ["f1", "f1"]
    assert [item for _, item in drain(it)] == ["f2"]


def test_a_higher_estimate_drains_faster() -> None:
    it = pacer(M)
    for number in range(100):
        it.push(str(number), 1_000, VIDEO, 0)
    it.set_estimate(40 * M)
    assert drain(it)[-1][0] <= 15


@given(
    st.integers(100_000, 50_000_000),
    st.lists(
        st.tuples(st.sampled_from(PacketClass), st.integers(1, 1_500), st.integers(0, 20)), max_size=200
    ),
)
def test_nothing_is_lost_or_sent_faster_than_the_pace(
    estimate_bps: int, pushes: list[tuple[PacketClass, int, int]]
) -> None:
    it: Pacer[tuple[int, int]] = Pacer(estimate_bps=estimate_bps, max_age_ns=1_000 * S_NS)
    now_ns = sent_bytes = 0
    left: list[int] = []
    for number, (kind, size_bytes, wait_ms) in enumerate(pushes):
        now_ns += wait_ms * MS_NS
        assert it.push((number, size_bytes), size_bytes, kind, now_ns)
        if it.next_ns is not None and it.next_ns <= now_ns:
            items = it.due(now_ns)
            left += [number for number, _ in items]
            sent_bytes += sum(size for _, size in items)
            assert sent_bytes <= estimate_bps * 2.5 * (now_ns + 5 * MS_NS) / (8 * S_NS) + 1_500
    while it.next_ns is not None:
        left += [number for number, _ in it.due(it.next_ns)]
    assert sorted(left) == list(range(len(pushes)))
    assert it.queued_bytes == 0


def test_a_caller_that_is_late_sends_as_much_as_one_in_time() -> None:
    it = pacer(4 * M)
    for number in range(100):
        assert it.push(str(number), 1_250, VIDEO, 0)
    first_ns, sent = it.next_ns or 0, 0
    for turn in range(5):
        sent += len(it.due(first_ns + turn * 25 * MS_NS))
    in_time = 4 * M * 2.5 / 8 * 0.105 / 1_250
    assert 0.9 * in_time <= sent <= in_time + 1


def test_a_caller_that_was_gone_for_long_sends_no_more_than_a_burst() -> None:
    it = pacer(4 * M)
    for number in range(1_000):
        assert it.push(str(number), 1_250, VIDEO, 0)
    assert len(it.due(900 * MS_NS)) <= 4 * M * 2.5 / 8 * 0.055 / 1_250 + 1
