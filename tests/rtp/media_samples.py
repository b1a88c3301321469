"""Real encoded streams for payload tests: a moving picture with detail, encoded by the libraries in PyAV."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
import numpy as np

WIDTH, HEIGHT = 322, 182
"""Not multiples of 16, so that cropping counts."""

_X264 = "repeat-headers=1:slices=2"
_ENCODERS = {
    "H264": (
        "libx264",
        {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1:slices=2"},
    ),
    "VP8": ("libvpx", {"deadline": "realtime", "lag-in-frames": "0", "cpu-used": "8"}),
    "VP9": ("libvpx-vp9", {"deadline": "realtime", "lag-in-frames": "0", "cpu-used": "8"}),
    "AV1": ("libsvtav1", {"preset": "13", "svtav1-params": "pred-struct=1:lp=1:rc=0:crf=40"}),
}
_DECODERS = {"H264": "h264", "VP8": "vp8", "VP9": "vp9", "AV1": "libdav1d", "opus": "libopus"}
_FRAMES = 12
_KEYFRAME_EVERY = 5


@dataclass(frozen=True)
class Sample:
    """One encoded frame as the encoder gave it; `ticks`: RTP timestamp."""

    data: bytes
    keyframe: bool
    ticks: int


def _picture(index: int, width: int, height: int) -> av.VideoFrame:
    noise = np.random.default_rng(7).integers(0, 255, (height, width * 2, 3), dtype=np.uint8)
    return av.VideoFrame.from_ndarray(
        np.ascontiguousarray(noise[:, index * 4 : index * 4 + width]), format="rgb24"
    )


@cache
def video(codec: str, width: int = WIDTH, height: int = HEIGHT) -> tuple[Sample, ...]:
    """Twelve frames, every fifth a keyframe."""
    name, options = _ENCODERS[codec]
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    context.gop_size, context.options = _KEYFRAME_EVERY, options
    if codec != "AV1":  # SVT-AV1 takes no bit rate in its low-delay structure
        context.bit_rate = 4_000_000
    context.thread_count = 1
    packets = []
    for index in range(_FRAMES):
        frame = _picture(index, width, height).reformat(format="yuv420p")
        frame.pts, frame.time_base = index, context.time_base
        packets += context.encode(frame)
    packets += context.encode(None)
    return tuple(Sample(bytes(packet), packet.is_keyframe, (packet.pts or 0) * 3000) for packet in packets)


@cache
def opus() -> tuple[Sample, ...]:
    """Half a second of a sweeping tone in stereo, 20 ms packets."""
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = 48_000, "stereo", "s16"
    packets = []
    for index in range(25):
        at = np.arange(index * 960, (index + 1) * 960) / 48_000
        tone = (np.sin(2 * np.pi * (300 + 400 * at) * at) * 12_000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[np.newaxis, :], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, index * 960, Fraction(1, 48_000)
        packets += context.encode(frame)
    packets += context.encode(None)
    return tuple(Sample(bytes(packet), True, packet.pts or 0) for packet in packets)


def decode(codec: str, frames: list[bytes]) -> list[bytes]:
    """Decoded planes of every frame, as bytes."""
    context = av.CodecContext.create(_DECODERS[codec], "r")
    context.thread_count = 1
    decoded = []
    for data in [*frames, b""]:
        packet = av.Packet(data) if data else None
        decoded += [np.ascontiguousarray(out.to_ndarray()).tobytes() for out in context.decode(packet)]
    return decoded
