"""Pure: which of a capture device's modes a feed is captured in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from edge_agents.sources.facts import Mode

FFMPEG_PIXELS: Final = {
    "NV12": "nv12",
    "YUYV": "yuyv422",
    "UYVY": "uyvy422",
    "YU12": "yuv420p",
    "422P": "yuv422p",
    "BGR3": "bgr24",
    "RGB3": "rgb24",
    "MJPG": "mjpeg",
    "H264": "h264",
}
"""By FourCC, best first: what needs no decoding, then JPEG; H.264 from a device comes late."""
_RANK: Final = {pixels: rank for rank, pixels in enumerate(FFMPEG_PIXELS)}
RATE_SLACK: Final = 0.98
"""59.94 is as good as 60."""


def choose(modes: Iterable[Mode], width: int, height: int, fps: int) -> Mode | None:
    """The mode for a feed of that size and rate, None when the device names none that can be used.

    First the size: the feed's, else the next larger, else the largest. Then the rate: enough pictures, no
    more than needed. Then the cheapest format that has it.
    """
    usable = [mode for mode in modes if mode.pixels in _RANK]
    if not usable:
        return None

    def worse(mode: Mode) -> tuple[int, int, bool, float, int]:
        pixels, wanted = mode.width * mode.height, width * height
        smaller = mode.width < width or mode.height < height
        enough = mode.rate_hz >= fps * RATE_SLACK or mode.rate_hz == 0
        rate = mode.rate_hz if enough else -mode.rate_hz
        return (
            2 if smaller else int(pixels > wanted),
            -pixels if smaller else pixels,
            not enough,
            rate,
            _RANK[mode.pixels],
        )

    return min(usable, key=worse)
