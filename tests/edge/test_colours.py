"""Colour bars keep their colours whatever matrix and range the device uses, and the stream says its own."""

from __future__ import annotations

import threading
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from edge_agents import h264
from edge_agents.encoder import VideoEncoder, say_colours
from edge_agents.layers import Encoding
from edge_agents.sources.base import CapturedFrame, Instant
from edge_agents.sources.picture import from_bgr, new_picture, planes_of
from edge_agents.sources.prepared import PreparedSource
from edge_agents.sources.testcard import BARS_BGR
from tests.edge.support import decode_data
from tests.edge.test_masks_proof import OnePicture

Image = NDArray[np.uint8]
TOLERANCE = 5
"""Of 255: 8-bit video levels, 4:2:0, and a quantiser that is fine."""


def bars(width: int, height: int) -> Image:
    """75 % bars, (height, width, 3) BGR."""
    drawing = np.zeros((height, width, 3), np.uint8)
    edges = [round(index * width / len(BARS_BGR)) for index in range(len(BARS_BGR) + 1)]
    for colour, left, right in zip(BARS_BGR, edges, edges[1:], strict=False):
        drawing[:, left:right] = colour
    return drawing


def device_picture(
    size: tuple[int, int], pixels: str, matrix: str, full: bool, tagged: bool
) -> av.VideoFrame:
    """The bars as a device delivers them."""
    frame = av.VideoFrame.from_ndarray(bars(*size), format="bgr24")
    if pixels.startswith(("bgr", "rgb")):
        return frame.reformat(format=pixels)
    space = {"bt709": Colorspace.ITU709, "bt601": Colorspace.ITU601}[matrix]
    made = frame.reformat(
        format=pixels, dst_colorspace=space, dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG
    )
    made.colorspace = space if tagged else 2
    made.color_range = (ColorRange.JPEG if full else ColorRange.MPEG) if tagged else ColorRange.UNSPECIFIED
    return made


def shown_colours(picture: av.VideoFrame) -> list[tuple[int, ...]]:
    """The middle of each bar, BGR, as a viewer computes it who believes what the stream says."""
    assert (picture.colorspace, picture.color_range) == (Colorspace.ITU709, ColorRange.MPEG)
    shown = picture.reformat(
        format="bgr24",
        src_colorspace=Colorspace(picture.colorspace),
        src_color_range=ColorRange(picture.color_range),
        dst_color_range=ColorRange.JPEG,
    ).to_ndarray()
    height, width = shown.shape[:2]
    return [tuple(int(v) for v in shown[height // 2, round((i + 0.5) * width / 7)]) for i in range(7)]


def off(colours: list[tuple[int, ...]]) -> int:
    pairs = zip(colours, BARS_BGR, strict=True)
    return max(abs(a - b) for shown, meant in pairs for a, b in zip(shown, meant, strict=True))


@pytest.mark.parametrize(
    ("size", "pixels", "matrix", "full", "tagged"),
    [
        ((1920, 1080), "yuv420p", "bt709", False, True),
        ((1920, 1080), "yuv420p", "bt709", False, False),
        ((1920, 1080), "yuyv422", "bt709", False, False),
        ((1280, 720), "nv12", "bt709", False, False),
        ((1280, 720), "nv12", "bt709", True, True),
        ((720, 576), "yuyv422", "bt601", False, False),
        ((1920, 1080), "yuvj422p", "bt601", True, True),
        ((1920, 1080), "yuvj422p", "bt601", True, False),
        ((1920, 1080), "yuv420p", "bt601", False, True),
        ((1920, 1080), "yuv420p", "bt709", True, True),
        ((1280, 1024), "bgr0", "", True, False),
        ((1920, 1080), "bgr24", "", True, False),
    ],
)
@pytest.mark.parametrize("layer", [(1920, 1080), (640, 360)])
def test_bars_keep_their_colours_from_any_device_to_both_encodings(
    size: tuple[int, int], pixels: str, matrix: str, full: bool, tagged: bool, layer: tuple[int, int]
) -> None:
    picture = device_picture(size, pixels, matrix, full, tagged)
    frame = next(PreparedSource(OnePicture(picture), None, 1920, 1080).frames(threading.Event()))
    encoder = VideoEncoder("libx264", Encoding(*layer, 30, 8_000_000, 8_000_000))
    units = [unit.data for _ in range(3) for unit in encoder.encode(frame, keyframe=False)]
    assert h264.colours(units[0]) == h264.BT709
    decoded = decode_data(units)[-1]
    if size[0] * 9 != size[1] * 16:  # black bars at the sides
        inner = round(layer[1] * size[0] / size[1])
        assert off(cropped(decoded, inner)) <= TOLERANCE
    else:
        assert off(shown_colours(decoded)) <= TOLERANCE


def cropped(picture: av.VideoFrame, width: int) -> list[tuple[int, ...]]:
    """As `shown_colours`, of the middle part that wide."""
    shown = picture.reformat(
        format="bgr24", src_colorspace=Colorspace.ITU709, src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    ).to_ndarray()  # fmt: skip
    left = (shown.shape[1] - width) // 2
    middle = shown.shape[0] // 2
    return [tuple(int(v) for v in shown[middle, left + round((i + 0.5) * width / 7)]) for i in range(7)]


def silent_stream() -> bytes:
    """A keyframe of an encoder that says nothing of colours, as some in hardware do."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 320, 180, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1"}
    picture = av.VideoFrame(320, 180, "yuv420p")
    for mine, theirs in zip(planes_of(picture), from_bgr(bars(320, 180)), strict=True):
        mine[:] = theirs
    return b"".join(bytes(packet) for packet in context.encode(picture))


def test_a_stream_that_does_not_say_its_colours_is_made_to_say_them() -> None:
    keyframe = silent_stream()
    assert h264.colours(keyframe) is None
    told = say_colours(keyframe)
    assert h264.colours(told) == h264.BT709
    assert off(shown_colours(decode_data([told])[0])) <= TOLERANCE + 5


def test_of_a_silent_encoder_too_every_keyframe_says_its_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_agents import encoder as module

    quiet = {**module._OPTIONS["libx264"], "x264-params": "repeat-headers=1:colorprim=smpte170m"}
    monkeypatch.setitem(module._OPTIONS, "libx264", quiet)
    made = VideoEncoder("libx264", Encoding(320, 180, 30, 500_000, 500_000))
    frame = CapturedFrame(new_picture(320, 180), Instant(0, 0))
    units = made.encode(frame, keyframe=True)
    assert h264.colours(units[0].data) == h264.BT709


@pytest.mark.parametrize("profile", ["baseline", "main", "high", "high422"])
def test_what_a_stream_says_is_read_from_every_profile(profile: str) -> None:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = 200, 100
    context.pix_fmt = "yuv422p" if profile == "high422" else "yuv420p"
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    params = "repeat-headers=1:colorprim=bt470bg:transfer=smpte170m:colormatrix=smpte240m:videoformat=pal"
    context.options = {"tune": "zerolatency", "profile": profile, "x264-params": params + ":overscan=show"}
    context.color_range = ColorRange.JPEG
    data = b"".join(bytes(packet) for packet in context.encode(av.VideoFrame(200, 100, context.pix_fmt)))
    assert h264.colours(data) == h264.Colours(True, 5, 6, 7)


def test_cut_and_damaged_parameter_sets_say_nothing_or_something_but_do_not_fail() -> None:
    keyframe = silent_stream()
    for cut in range(0, 60):
        h264.colours(keyframe[:cut])
    dice = np.random.default_rng(1)
    for _ in range(300):
        noise = bytearray(keyframe[:80])
        noise[int(dice.integers(5, 60))] = int(dice.integers(0, 256))
        h264.colours(bytes(noise))
