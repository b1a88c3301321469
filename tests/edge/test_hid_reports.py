"""Reports as HID 1.11 and HUT 1.4 want them, and a point of the picture on the device's own screen."""

from __future__ import annotations

import re._constants as op  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import struct
from collections.abc import Iterator
from itertools import product
from typing import Any

import av
import numpy as np
import pytest

from core import control
from edge_agents.hid_reports import (
    AXIS_MAX,
    KEYBOARD_DESCRIPTOR,
    KEYBOARD_REPORT_BYTES,
    MODIFIERS,
    POINTER_DESCRIPTOR,
    POINTER_REPORT_BYTES,
    USAGES,
    Hands,
    HidDevice,
    HidReport,
    PointerState,
    Screen,
    keyboard_report,
    pointer_report,
)
from edge_agents.sources.fit import Fitter

POINTER_ONLY: frozenset[HidDevice] = frozenset({"pointer"})


def language(pattern: Any) -> Iterator[str]:
    """Every text that a parsed expression of this simple kind matches."""
    for parts in product(*(list(words(*token)) for token in pattern)):
        yield "".join(parts)


def words(kind: Any, value: Any) -> Iterator[str]:
    if kind is op.LITERAL:
        yield chr(value)
    elif kind is op.SUBPATTERN:
        yield from language(value[-1])
    elif kind is op.BRANCH:
        for branch in value[1]:
            yield from language(branch)
    elif kind is op.IN:
        for item, inside in value:
            if item is op.RANGE:
                yield from map(chr, range(inside[0], inside[1] + 1))
            elif item is op.CATEGORY:
                assert inside is op.CATEGORY_DIGIT
                yield from "0123456789"
            else:
                yield from words(item, inside)
    else:
        raise AssertionError(f"not foreseen: {kind}")


def test_every_key_that_may_travel_has_a_usage_and_no_other_has() -> None:
    every = set(language(parser.parse(control._CODES.pattern)))
    assert len(every) > 100
    assert all(control.is_key(code) for code in every)
    assert set(USAGES) | set(MODIFIERS) == every
    assert len(set(USAGES.values())) == len(USAGES), "no two keys are one"


def test_usages_are_those_of_the_tables() -> None:
    wanted = {
        "KeyA": 0x04, "KeyZ": 0x1D, "Digit1": 0x1E, "Digit0": 0x27, "Enter": 0x28, "Slash": 0x38, "F1": 0x3A,
        "F12": 0x45, "Delete": 0x4C, "ArrowUp": 0x52, "NumLock": 0x53, "Numpad1": 0x59, "Numpad9": 0x61,
        "Numpad0": 0x62, "F13": 0x68, "F24": 0x73, "NumpadComma": 0x85,
    }  # fmt: skip
    assert {code: USAGES[code] for code in wanted} == wanted


def test_a_boot_report_has_modifiers_as_bits_and_six_keys() -> None:
    assert keyboard_report(()) == bytes(8)
    assert keyboard_report(["ShiftLeft", "KeyA"]) == bytes([0x02, 0, 0x04, 0, 0, 0, 0, 0])
    assert keyboard_report(["ControlLeft", "AltRight", "Delete"]) == bytes([0x41, 0, 0x4C, 0, 0, 0, 0, 0])
    assert keyboard_report([f"Digit{number}" for number in range(1, 7)])[2:] == bytes(range(0x1E, 0x24))


def test_more_than_six_keys_are_a_roll_over_and_modifiers_are_told_all_the_same() -> None:
    seven = [f"Digit{number}" for number in range(1, 8)]
    assert keyboard_report([*seven, "MetaRight"]) == bytes([0x80, 0, *[0x01] * 6])


def test_a_key_that_is_unknown_is_not_pressed() -> None:
    assert keyboard_report(["Digit٣", "Fn", "KeyA", "KeyA"]) == keyboard_report(["KeyA"])


def fields(descriptor: bytes) -> Iterator[tuple[int, int]]:
    """Short items as (tag and type, unsigned value): HID 1.11, section 6.2.2.2."""
    at = 0
    while at < len(descriptor):
        size = (0, 1, 2, 4)[descriptor[at] & 3]
        yield descriptor[at] & 0xFC, int.from_bytes(descriptor[at + 1 : at + 1 + size], "little")
        at += 1 + size
    assert at == len(descriptor)


@pytest.mark.parametrize(
    ("descriptor", "report_bytes"),
    [(KEYBOARD_DESCRIPTOR, KEYBOARD_REPORT_BYTES), (POINTER_DESCRIPTOR, POINTER_REPORT_BYTES)],
)
def test_a_descriptor_describes_reports_of_the_length_that_is_written(
    descriptor: bytes, report_bytes: int
) -> None:
    size, count, bits, depth = 0, 0, 0, 0
    for tag, value in fields(descriptor):
        size = value if tag == 0x74 else size
        count = value if tag == 0x94 else count
        bits += size * count if tag == 0x80 else 0
        depth += {0xA0: 1, 0xC0: -1}.get(tag, 0)
    assert (bits, depth) == (report_bytes * 8, 0)


def test_the_pointer_says_where_it_is_its_buttons_and_the_wheel() -> None:
    assert pointer_report(PointerState(0, AXIS_MAX, 5), -3) == struct.pack("<BHHb", 5, 0, 32767, -3)
    assert len(pointer_report(PointerState(1, 2, 0))) == POINTER_REPORT_BYTES


def test_only_what_changes_is_reported() -> None:
    hands = Hands(("keyboard", "pointer"))
    at = PointerState(10, 20, 1)
    assert [one.device for one in hands.press(["KeyA"], at)] == ["keyboard", "pointer"]
    assert hands.press(["KeyA"], at) == []
    assert hands.press(["KeyA"], None) == [HidReport("pointer", pointer_report(at._replace(buttons=0)))]
    assert [one.device for one in hands.press(["KeyA"], None, wheel=1)] == ["pointer"]
    assert not hands.idle
    assert {one.data for one in hands.let_go()} == {bytes(8), pointer_report(PointerState(10, 20, 0))}
    assert hands.idle


def test_where_the_pointer_is_is_not_told_before_it_is_known() -> None:
    hands = Hands(("keyboard", "pointer"))
    keys_up = HidReport("keyboard", bytes(8))
    assert hands.let_go() == (keys_up,)
    assert hands.press([], None, wheel=1) == []
    at = PointerState(10, 20, 1)
    for known in (Hands(("keyboard", "pointer"), at), hands):
        known.press([], at)
        assert known.let_go() == (keys_up, HidReport("pointer", pointer_report(PointerState(10, 20, 0))))


def test_a_device_that_is_not_there_gets_no_reports() -> None:
    hands = Hands(POINTER_ONLY)
    assert [one.device for one in hands.press(["KeyA"], PointerState(1, 1, 1))] == ["pointer"]
    assert [one.device for one in hands.let_go()] == ["pointer"]


def bars_of(screen: Screen) -> tuple[int, int, int, int]:
    """Left, top, width and height of a white picture that the box fits into a feed."""
    white = np.full((screen.height, screen.width, 3), 255, np.uint8)
    frame = av.VideoFrame.from_ndarray(white, format="rgb24")
    luma = Fitter(screen.feed_width, screen.feed_height).fit(frame).to_ndarray()[: screen.feed_height]
    columns, rows = np.flatnonzero(luma.max(axis=0) > 128), np.flatnonzero(luma.max(axis=1) > 128)
    return int(columns[0]), int(rows[0]), len(columns), len(rows)


@pytest.mark.parametrize(
    "screen",
    [
        Screen(1920, 1080, 1280, 1024), Screen(1280, 720, 1024, 768), Screen(640, 360, 1920, 1200),
        Screen(640, 480, 1920, 1080), Screen(1920, 1080, 1920, 1080), Screen(1366, 768, 1280, 1024),
        Screen(1280, 720, 1920, 540),
    ],
)  # fmt: skip
def test_the_corners_of_the_devices_picture_are_the_corners_of_its_screen(screen: Screen) -> None:
    left, top, width, height = bars_of(screen)
    near, far = left / screen.feed_width, (left + width) / screen.feed_width
    high, low = top / screen.feed_height, (top + height) / screen.feed_height
    pixel = AXIS_MAX / min(width, height)
    assert screen.place(near, high) == pytest.approx((0, 0), abs=pixel)
    assert screen.place(far, low) == pytest.approx((AXIS_MAX, AXIS_MAX), abs=pixel)
    assert screen.place((near + far) / 2, (high + low) / 2) == pytest.approx((AXIS_MAX / 2,) * 2, abs=pixel)
    assert screen.place(0, 0) == (0, 0), "bars: the edge"
    assert screen.place(1, 1) == (AXIS_MAX, AXIS_MAX)


def test_a_device_whose_size_is_not_known_fills_the_picture() -> None:
    assert Screen(640, 360).place(0.25, 0.75) == (round(AXIS_MAX / 4), round(AXIS_MAX * 3 / 4))
