"""The cached group of pictures: whole, bounded, and gone when it would be useless."""

from __future__ import annotations

from rtp.packet import RtpPacket
from sfu.gop import KEEP_LONGER_NS, GroupOfPictures


def packet(number: int, *, frame: int = 0, size: int = 100) -> RtpPacket:
    return RtpPacket(sequence_number=number, timestamp=frame * 3000, payload=bytes(size))


def test_it_begins_with_the_keyframe_and_keeps_everything_after_it() -> None:
    group = GroupOfPictures(serve_ns=1_000)
    group.add(packet(1), keyframe=False, now_ns=0)
    kept = [packet(2, frame=1), packet(3, frame=1), packet(4, frame=2)]
    for index, item in enumerate(kept):
        group.add(item, keyframe=index == 0, now_ns=1)
    assert group.packets == kept


def test_two_keyframe_starts_in_one_frame_are_one_keyframe() -> None:
    """Parameter sets and the first slice may both look like the beginning."""
    group = GroupOfPictures(serve_ns=1_000)
    group.add(packet(1, frame=1), keyframe=True, now_ns=0)
    group.add(packet(2, frame=1), keyframe=True, now_ns=0)
    assert [item.sequence_number for item in group.packets] == [1, 2]


def test_the_next_keyframe_begins_a_new_list_so_that_readers_notice() -> None:
    group = GroupOfPictures(serve_ns=1_000)
    group.add(packet(1, frame=1), keyframe=True, now_ns=0)
    before = group.packets
    group.add(packet(2, frame=2), keyframe=True, now_ns=1)
    assert group.packets is not before
    assert [item.sequence_number for item in group.packets] == [2]
    assert [item.sequence_number for item in before] == [1]


def test_a_group_that_grew_too_old_is_not_served_but_kept_for_those_who_have_begun() -> None:
    group = GroupOfPictures(serve_ns=1_000)
    group.add(packet(1, frame=1), keyframe=True, now_ns=0)
    group.add(packet(2, frame=2), keyframe=False, now_ns=1_000)
    assert group.serve(1_000) is group.packets
    assert group.serve(1_001) is None
    assert len(group.packets) == 2


def test_a_group_much_too_old_is_forgotten_until_the_next_keyframe() -> None:
    group = GroupOfPictures(serve_ns=1_000)
    group.add(packet(1, frame=1), keyframe=True, now_ns=0)
    group.add(packet(2, frame=2), keyframe=False, now_ns=1_001 + KEEP_LONGER_NS)
    assert group.packets == []
    group.add(packet(3, frame=3), keyframe=False, now_ns=1_002 + KEEP_LONGER_NS)
    assert group.packets == []


def test_a_group_that_grew_too_large_is_not_served() -> None:
    group = GroupOfPictures(serve_ns=1_000, max_bytes=250)
    for number in range(3):
        group.add(packet(number, frame=1), keyframe=number == 0, now_ns=0)
    assert group.packets == []
