"""A receiver that reads its socket late looks like a narrow path, and is none; a narrow one stays one."""

from __future__ import annotations

import pytest

from tests.rtp.congestion.call import Call, CallProfile
from tests.rtp.congestion.link import LinkProfile, stalls

M = 1_000_000
LAYERS = (M // 2, 2 * M, 6 * M)
SEEDS = (1, 2)
LATE = {
    "now and then": ((0.3, 2.0), (20.0, 300.0)),
    "half of the time": ((0.05, 0.3), (20.0, 300.0)),
    "nearly always": ((0.0, 0.05), (20.0, 300.0)),
    "every tenth of a second or later": ((0.005, 0.015), (100.0, 300.0)),
    "a little, always": ((0.002, 0.015), (30.0, 60.0)),
    "for longer than it takes to call it silence": ((2.0, 4.0), (600.0, 900.0)),
}


def relay(seed: int, sound: bool = True) -> CallProfile:
    return CallProfile(
        layers_bps=LAYERS, wanted_bps=6 * M, start_bps=7 * M, feedback_delay_ms=1, sound=sound, seed=seed
    )


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("sound", [True, False])
def test_a_late_reader_on_a_wide_path_is_never_taken_for_a_narrow_path(late: str, sound: bool) -> None:
    for seed in SEEDS:
        link = LinkProfile([(0, 50 * M)], delay_ms=1, jitter_ms=stalls(*LATE[late], seed=seed), seed=seed)
        call = Call(link, relay(seed, sound)).run(20)
        assert min(sample.lasting_bps for sample in call.between(3, 20)) >= 6 * M
        assert call.delivered_bps(5, 19) >= 0.95 * 6 * M


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("late", "back_s", "layer_bps"),
    [("now and then", 5, 6 * M), ("half of the time", 5, 6 * M), ("nearly always", 15, 2 * M)],
)
def test_a_narrow_path_is_told_from_a_late_reader_though_it_is_read_late(
    late: str, back_s: int, layer_bps: int, seed: int
) -> None:
    """A probe that the reader holds up tells nothing: the way back takes longer where it always is late."""
    capacity = [(0, 20 * M), (10, 3 * M // 2), (20, 20 * M)]
    link = LinkProfile(capacity, delay_ms=20, jitter_ms=stalls(*LATE[late], seed=seed), seed=seed)
    call = Call(link, relay(seed)).run(24 + back_s)
    assert call.delivered_bps(5, 10) >= 0.9 * 6 * M
    assert max(sample.lasting_bps for sample in call.between(12, 20)) < 3 * M
    assert call.queue_settles_s(50, 10, 20) <= 2
    assert call.lost_share(12, 20) <= 0.03
    assert call.delivered_bps(20 + back_s, 24 + back_s) >= 0.9 * layer_bps
