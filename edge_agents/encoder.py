"""H.264 encoding without delay: one picture in, its access unit out, a keyframe when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
import structlog
from av.bitstream import BitStreamFilterContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

from core.clock import NS_PER_S
from core.errors import Unavailable
from edge_agents import h264
from edge_agents.layers import FULL, Encoding
from edge_agents.sources.base import CapturedFrame, Instant
from edge_agents.sources.picture import new_picture, planes_of

log = structlog.get_logger()

CANDIDATES: Final = ("h264_nvenc", "h264_qsv", "h264_v4l2m2m", "libx264")
"""In order of preference; only what encodes a picture when tried is used."""
KEYFRAME_INTERVAL_S: Final = 10
CLOCK_RATE: Final = 90_000
BUFFER_S: Final = 0.1
"""Rate buffer at the ceiling. It keeps its size in bits when the rate falls: at 0.25 the output needed a
second to follow from 4.5 to 1.2 Mbit/s, and a keyframe took 200 ms of the lowered rate.
"""
MAX_PENDING: Final = 64
"""Pictures an encoder may hold back before the oldest's capture time is forgotten."""

_OPTIONS: Final[dict[str, dict[str, str]]] = {
    "libx264": {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "profile": "baseline",
        "forced-idr": "1",
        "x264-params": "repeat-headers=1:sliced-threads=0:scenecut=0:videoformat=component"
        ":colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv",
    },
    "h264_nvenc": {
        "preset": "p3",
        "tune": "ull",
        "profile": "baseline",
        "rc": "cbr",
        "zerolatency": "1",
        "delay": "0",
        "forced-idr": "1",
    },
    "h264_qsv": {
        "preset": "veryfast",
        "profile": "baseline",
        "async_depth": "1",
        "look_ahead": "0",
        "forced_idr": "1",
    },
    "h264_v4l2m2m": {"num_capture_buffers": "4"},
}
_PIXELS: Final = {"h264_qsv": "nv12"}
_FIXED_RATE: Final = frozenset({"h264_v4l2m2m"})
"""FFmpeg tells these their bit rate only when they are opened."""
_SAY_COLOURS: Final = (
    "h264_metadata=video_full_range_flag=0:colour_primaries=1"
    ":transfer_characteristics=1:matrix_coefficients=1"
)
"""For encoders that write no colours into their parameter sets: viewers would guess, and by the size."""


class EncoderError(Unavailable):
    """No encoder works here, or the one in use failed."""

    code = "encoder_unavailable"


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """One access unit, Annex B; a keyframe carries its parameter sets."""

    data: bytes
    captured: Instant
    keyframe: bool
    rid: str = FULL
    """Which of the feed's encodings it belongs to."""


class VideoEncoder:
    """One H.264 encoder of one picture size. Not thread-safe: it belongs to the encoder thread.

    `settings.ceiling_bps` bounds every later `set_rate`: the rate buffer is fixed when it is opened.

    Raises `EncoderError` when `name` cannot be opened or fails.
    """

    def __init__(self, name: str, settings: Encoding) -> None:
        self.name, self.settings = name, settings
        self._pixels = _PIXELS.get(name, "yuv420p")
        self._scaler = VideoReformatter()
        self.follows_rate = name not in _FIXED_RATE
        """False: another bit rate needs another encoder."""
        self._pending: dict[int, Instant] = {}
        self._start_ns: int | None = None
        self._last_pts = -1
        try:
            self._context = _open(name, settings, self._pixels)
        except (av.FFmpegError, ValueError) as error:
            raise EncoderError(f"{name}: {type(error).__name__}") from None

    def encode(self, frame: CapturedFrame, *, keyframe: bool) -> list[EncodedFrame]:
        """Encode one picture, scaled when it has another size; `keyframe` forces an IDR.

        Usually returns exactly one access unit.
        """
        picture = self._fit(frame.picture)
        picture.pts = self._next_pts(frame.captured)
        picture.time_base = Fraction(1, CLOCK_RATE)
        picture.pict_type = PictureType.I if keyframe else PictureType.NONE
        try:
            return [self._finish(packet) for packet in self._context.encode(picture)]
        except av.FFmpegError as error:
            raise EncoderError(f"{self.name}: {type(error).__name__}") from None

    def set_rate(self, bitrate_bps: int, fps: int) -> None:
        """Aim at this many bits per second from now on, at most the ceiling, with `fps` pictures put in.

        Rate control counts on the frame rate it was opened for, so that fewer pictures get more bits each.
        """
        wanted_bps = bitrate_bps * self.settings.fps // fps
        self._context.bit_rate = min(wanted_bps, self.settings.ceiling_bps)

    def _fit(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture in our size and format."""
        return self._scaler.reformat(
            picture,
            width=self.settings.width,
            height=self.settings.height,
            format=self._pixels,
            interpolation=Interpolation.AREA,
        )

    def _next_pts(self, captured: Instant) -> int:
        if self._start_ns is None:
            self._start_ns = captured.monotonic_ns
        elapsed_ns = captured.monotonic_ns - self._start_ns
        self._last_pts = max(self._last_pts + 1, elapsed_ns * CLOCK_RATE // NS_PER_S)
        if len(self._pending) >= MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[self._last_pts] = captured
        return self._last_pts

    def _finish(self, packet: av.Packet[Any]) -> EncodedFrame:
        captured = self._pending.pop(packet.pts, None) if packet.pts is not None else None
        if captured is None:
            raise EncoderError(f"{self.name}: returned a picture that was not put in")
        data = bytes(packet)
        if packet.is_keyframe and not h264.has_parameter_sets(data):
            data = bytes(self._context.extradata or b"") + data
        if packet.is_keyframe and h264.colours(data) != h264.BT709:
            data = say_colours(data)
        return EncodedFrame(data, captured, packet.is_keyframe)


def say_colours(keyframe: bytes) -> bytes:
    """A keyframe's access unit whose parameter sets say BT.709, limited range."""
    packets = BitStreamFilterContext(_SAY_COLOURS, "h264").filter(av.Packet(keyframe))
    return b"".join(bytes(packet) for packet in packets)


def _open(name: str, settings: Encoding, pixels: str) -> VideoCodecContext:
    """Open at constant bit rate for the ceiling, then ask for less.

    x264 follows a changed rate only when opened so; with maximum and average apart it keeps the first one.
    """
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = settings.width, settings.height, pixels
    context.time_base = Fraction(1, CLOCK_RATE)
    context.framerate = Fraction(settings.fps)
    context.bit_rate = settings.bitrate_bps if name in _FIXED_RATE else settings.ceiling_bps
    context.gop_size = settings.fps * KEYFRAME_INTERVAL_S
    context.max_b_frames = 0
    context.thread_count = 1
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    level = h264.level_idc(settings.width, settings.height, settings.fps)
    context.options = {
        **_OPTIONS[name],
        "level": f"{level / 10:.1f}" if name == "libx264" else str(level),
        "maxrate": str(settings.ceiling_bps),
        "bufsize": str(int(settings.ceiling_bps * BUFFER_S)),
    }
    context.open()
    context.bit_rate = settings.bitrate_bps
    return context


def open_encoder(choice: str, settings: Encoding) -> VideoEncoder:
    """Open `choice`, or for 'auto' the first candidate that encodes a picture. Raises `EncoderError`."""
    names = CANDIDATES if choice == "auto" else (choice,)
    for name in names:
        if works(name, settings):
            log.info("encoder_chosen", encoder=name, width=settings.width, height=settings.height)
            return VideoEncoder(name, settings)
    raise EncoderError(f"no H.264 encoder works here; tried {', '.join(names)}")


class EncoderShelf:
    """Opens encoders of one feed, and remembers which kind works here, so that it is found out only once."""

    def __init__(self, choice: str) -> None:
        self._choice = choice
        self._name: str | None = None

    @property
    def name(self) -> str:
        """What works here; empty before it was found out."""
        return self._name or ""

    def open(self, settings: Encoding) -> VideoEncoder:
        """As `open_encoder`."""
        if self._name is not None:
            try:
                return VideoEncoder(self._name, settings)
            except EncoderError:
                self._name = None
        encoder = open_encoder(self._choice, settings)
        self._name = encoder.name
        return encoder


def works(name: str, settings: Encoding) -> bool:
    """Try it: listed is not the same as usable. One grey picture must come out at once, as a keyframe."""
    picture = new_picture(settings.width, settings.height)
    for plane in planes_of(picture):
        plane[:] = 128
    try:
        encoder = VideoEncoder(name, settings)
        frames = encoder.encode(CapturedFrame(picture, Instant(0, 0)), keyframe=True)
    except EncoderError:
        return False
    return any(frame.keyframe for frame in frames)


def available_encoders(settings: Encoding) -> Iterator[str]:
    """The candidates that work here, best first."""
    return (name for name in CANDIDATES if works(name, settings))
