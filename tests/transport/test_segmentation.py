"""How batches are cut into UDP_SEGMENT calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transport.segmentation import MAX_RUN_BYTES, MAX_SEGMENTS, runs

BATCHES = st.lists(
    st.one_of(st.sampled_from([0, 100, 1150, 1150, 1150, 1200]), st.integers(0, 3000)).map(bytes),
    max_size=200,
)


@given(BATCHES, st.sampled_from([1100, 1150, MAX_RUN_BYTES]))
def test_runs_cover_the_batch_in_order_and_obey_the_kernels_rules(batch: list[bytes], limit: int) -> None:
    cut = list(runs(batch, limit))
    assert [item for start, end in cut for item in batch[start:end]] == batch
    for start, end in cut:
        sizes = [len(item) for item in batch[start:end]]
        assert 1 <= len(sizes) <= MAX_SEGMENTS
        if len(sizes) > 1:
            assert set(sizes[:-1]) == {sizes[0]}
            assert 0 < sizes[-1] <= sizes[0] <= limit
            assert sum(sizes) <= MAX_RUN_BYTES


def test_a_frame_of_equal_packets_and_a_rest_is_one_run() -> None:
    assert list(runs([bytes(1150)] * 15 + [bytes(300)])) == [(0, 16)]


def test_a_longer_packet_begins_a_new_run() -> None:
    assert list(runs([bytes(100), bytes(200), bytes(200)])) == [(0, 1), (1, 3)]


def test_a_run_stays_below_what_one_call_may_carry() -> None:
    assert next(iter(runs([bytes(1150)] * 60))) == (0, MAX_RUN_BYTES // 1150)
    assert list(runs([bytes(100)] * 100)) == [(0, 60), (60, 100)]
