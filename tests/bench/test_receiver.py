"""How the load's subscribers read what they do not decrypt."""

from __future__ import annotations

import pytest

from bench.receiver import Count, find_extension

HEADER = bytes((0x90, 0x60, 0, 1)) + bytes(8)


def packet(block: bytes) -> bytes:
    assert len(block) % 4 == 0
    return HEADER + b"\xbe\xde" + (len(block) // 4).to_bytes(2, "big") + block + bytes(40)


@pytest.mark.parametrize(
    ("block", "position"),
    [
        (bytes((0x21, 1, 2, 0)), 17),
        (bytes((0x10, 0x61, 0x21, 1, 2, 0, 0, 0)), 19),
        (bytes((0, 0, 0x32, 7, 7, 7, 0, 0x21, 1, 2, 0, 0)), 24),
    ],
)
def test_an_extension_is_found_wherever_it_stands(block: bytes, position: int) -> None:
    datagram = packet(block)
    assert find_extension(datagram, 2) == position
    assert datagram[position : position + 2] == bytes((1, 2))


def test_an_extension_that_is_not_there_is_not_found() -> None:
    assert find_extension(packet(bytes((0x31, 1, 2, 0))), 2) is None
    assert find_extension(bytes((0x80, 0x60)) + bytes(60), 2) is None
    assert find_extension(packet(bytes((0x21, 1, 2, 0))).replace(b"\xbe\xde", b"\x10\x00"), 2) is None
    assert find_extension(packet(bytes(4)), -1) is None


def test_a_block_that_claims_more_than_there_is_is_read_to_the_end_only() -> None:
    assert find_extension(HEADER + b"\xbe\xde\xff\xff" + bytes((0x31, 1, 2, 0)), 2) is None


def test_numbers_that_never_came_are_expected_over_the_wrap_too() -> None:
    count = Count(1, 65_533)
    for number in (65_534, 0, 1, 65_535):
        count.add(number)
    assert count.mark() == (4, 4)
    count.add(4)
    assert count.mark() == (3, 1)
