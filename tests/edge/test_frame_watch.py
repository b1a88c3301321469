"""The bench's eye: what could be shown, and the longest time without."""

from __future__ import annotations

import pytest

from bench.frame_watch import FrameWatch
from tests.sfu.rig import frames

S = 1_000_000_000


def watch(lost: set[int], *, second_group: bool = True) -> FrameWatch:
    """Two groups of ten frames of three packets, thirty frames a second, without those packets."""
    eye = FrameWatch()
    packets = frames(65_530, 10)
    packets += frames(65_530 + 30, 10, first_frame=10) if second_group else []
    for index, packet in enumerate(packets):
        packet.marker = index % 3 == 2
        if index not in lost:
            eye.received(packet, index // 3 * S // 30)
    return eye


def test_every_whole_frame_is_shown_in_turn() -> None:
    eye = watch(set())
    assert len(eye.shown_ns) == 20
    assert eye.longest_gap_s(0, 19 * S // 30) == pytest.approx(1 / 30, abs=1e-6)


def test_a_gap_stops_the_picture_until_the_next_keyframe() -> None:
    eye = watch({4})
    assert len(eye.shown_ns) == 1 + 10
    assert eye.longest_gap_s(0, 19 * S // 30) == pytest.approx(10 / 30, abs=1e-6)


def test_without_another_keyframe_nothing_is_shown_after_a_gap() -> None:
    assert len(watch({4}, second_group=False).shown_ns) == 1


def test_a_packet_that_comes_late_shows_all_that_waited() -> None:
    eye = FrameWatch()
    packets = frames(10, 5)
    for index, packet in enumerate(packets):
        packet.marker = index % 3 == 2
    for packet in [*packets[:4], *packets[5:], packets[4]]:
        eye.received(packet, S)
    assert len(eye.shown_ns) == 5
