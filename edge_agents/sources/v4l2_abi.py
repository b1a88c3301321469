"""Pure: the little of Video4Linux's binary interface that says what a device can do and what it receives.

Source: the kernel's `linux/videodev2.h` and `v4l2-dv-timings.h`; sizes are those of 64-bit machines.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from typing import Final, NamedTuple


class Request(IntEnum):
    """ioctl numbers."""

    QUERYCAP = 0x80685600
    ENUM_FMT = 0xC0405602
    ENUM_FRAMESIZES = 0xC02C564A
    ENUM_FRAMEINTERVALS = 0xC034564B
    G_INPUT = 0x80045626
    ENUMINPUT = 0xC050561A
    QUERY_DV_TIMINGS = 0x80845663
    S_DV_TIMINGS = 0xC0845657
    G_EDID = 0xC0285628


class InputStatus(IntFlag):
    """What an input says of its signal (V4L2_IN_ST_…); of the flags that exist, those that matter here."""

    NO_POWER = 0x1
    NO_SIGNAL = 0x2
    NO_H_LOCK = 0x100
    NO_V_LOCK = 0x400
    NO_STD_LOCK = 0x800
    NO_SYNC = 0x10000
    MACROVISION = 0x1000000
    NO_ACCESS = 0x2000000


CAP_CAPTURE: Final = 0x1 | 0x1000
"""V4L2_CAP_VIDEO_CAPTURE and …_MPLANE."""
CAP_DEVICE_CAPS: Final = 0x80000000
TYPE_CAPTURE: Final = 1
FMT_COMPRESSED: Final = 0x1
EDID_BLOCK_BYTES: Final = 128
MAX_ENTRIES: Final = 64
"""Of any list: a driver that never ends is not believed."""

_CAPABILITY: Final = struct.Struct("=16s32s32sIII12x")
_FORMAT: Final = struct.Struct("=III32sI16x")
_SIZE: Final = struct.Struct("=III6I8x")
_INTERVAL: Final = struct.Struct("=IIIII6I8x")
_INPUT: Final = struct.Struct("=I32sIIIQII12x4x")
_TIMINGS: Final = struct.Struct("=IIIIIQ9I")
_EDID: Final = struct.Struct("=III20xQ")
TIMINGS_BYTES: Final = 132


class Capability(NamedTuple):
    driver: str
    card: str
    bus: str
    captures: bool


class PixelFormat(NamedTuple):
    fourcc: str
    description: str
    compressed: bool


class Input(NamedTuple):
    number: int
    name: str
    status: InputStatus


class Timings(NamedTuple):
    """What the signal is. `rate_hz`: pictures a second, fields when `interlaced`."""

    width: int
    height: int
    interlaced: bool
    rate_hz: float


def text(raw: bytes) -> str:
    """A fixed-size C string; whatever is not printable is left out."""
    return "".join(c for c in raw.split(b"\0")[0].decode("utf-8", "replace") if c.isprintable())


def fourcc(code: int) -> str:
    return struct.pack("<I", code & 0x7FFFFFFF).decode("latin-1")


def fourcc_code(name: str) -> int:
    return int(struct.unpack("<I", name.encode("latin-1").ljust(4)[:4])[0])


def capability(data: bytes) -> Capability:
    """Parse `struct v4l2_capability`."""
    driver, card, bus, _, everything, device = _CAPABILITY.unpack(data)
    caps = device if everything & CAP_DEVICE_CAPS else everything
    return Capability(text(driver), text(card), text(bus), bool(caps & CAP_CAPTURE))


def capability_request() -> bytearray:
    return bytearray(_CAPABILITY.size)


def format_request(index: int) -> bytearray:
    return bytearray(_FORMAT.pack(index, TYPE_CAPTURE, 0, b"", 0))


def pixel_format(data: bytes) -> PixelFormat:
    """Parse `struct v4l2_fmtdesc`."""
    _, _, flags, description, code = _FORMAT.unpack(data)
    return PixelFormat(fourcc(code), text(description), bool(flags & FMT_COMPRESSED))


def size_request(index: int, name: str) -> bytearray:
    return bytearray(_SIZE.pack(index, fourcc_code(name), 0, 0, 0, 0, 0, 0, 0))


def frame_sizes(data: bytes) -> tuple[list[tuple[int, int]], bool]:
    """Parse `struct v4l2_frmsizeenum` → (sizes, whether there may be more). A range gives its usual sizes."""
    _, _, kind, *numbers = _SIZE.unpack(data)
    if kind == 1:
        return [(numbers[0], numbers[1])], True
    least_w, most_w, step_w, least_h, most_h, step_h = numbers
    usual = [
        (width, height)
        for width, height in USUAL_SIZES
        if _in_range(width, least_w, most_w, step_w) and _in_range(height, least_h, most_h, step_h)
    ]
    return usual or [(most_w, most_h)], False


USUAL_SIZES: Final = (
    (3840, 2160), (1920, 1200), (1920, 1080), (1600, 1200), (1280, 1024), (1280, 720), (1024, 768),
    (800, 600), (720, 576), (720, 480), (640, 480),
)  # fmt: skip


def _in_range(value: int, least: int, most: int, step: int) -> bool:
    return least <= value <= most and (value - least) % max(1, step) == 0


def interval_request(index: int, name: str, width: int, height: int) -> bytearray:
    return bytearray(_INTERVAL.pack(index, fourcc_code(name), width, height, 0, 0, 0, 0, 0, 0, 0))


def frame_rates(data: bytes) -> tuple[list[float], bool]:
    """Parse `struct v4l2_frmivalenum` → (pictures a second, whether there may be more). A range: its ends."""
    _, _, _, _, kind, *numbers = _INTERVAL.unpack(data)
    if kind == 1:
        return _rates(numbers[:2]), True
    return sorted(set(_rates(numbers[:2]) + _rates(numbers[2:4])), reverse=True), False


def _rates(interval: list[int]) -> list[float]:
    return [round(interval[1] / interval[0], 3)] if interval[0] else []


def input_request(index: int) -> bytearray:
    return bytearray(_INPUT.pack(index, b"", 0, 0, 0, 0, 0, 0))


def input_of(data: bytes) -> Input:
    """Parse `struct v4l2_input`."""
    index, name, _, _, _, _, status, _ = _INPUT.unpack(data)
    return Input(index, text(name), InputStatus(status))


def timings(data: bytes) -> Timings:
    """Parse `struct v4l2_dv_timings` (BT.656/1120)."""
    _, width, height, interlaced, _, clock_hz, *blank = _TIMINGS.unpack(data[: _TIMINGS.size])
    total_width = width + sum(blank[:3])
    total_height = height + sum(blank[3:6]) + (sum(blank[6:9]) if interlaced else 0)
    pixels = total_width * total_height
    rate_hz = clock_hz * (2 if interlaced else 1) / pixels if pixels else 0.0
    return Timings(width, height, bool(interlaced), round(rate_hz, 2))


def edid_request(address: int, blocks: int) -> bytearray:
    """Ask for `blocks` of what the input tells its source, written to memory at `address`."""
    return bytearray(_EDID.pack(0, 0, blocks, address))


def edid_blocks(data: bytes) -> int:
    """How many blocks came."""
    return int(_EDID.unpack(data)[2])
