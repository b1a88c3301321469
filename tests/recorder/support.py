"""Real encodes of small pictures and short sounds, as a depacketizer would deliver them."""

from __future__ import annotations

import functools
import json
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from archive.entries import Codec
from recorder.track import TrackSource
from rtp.payload import AccessUnit
from rtp.payload import av1 as av1_payload
from rtp.payload.h264 import START_CODE, split_annex_b
from rtp.payload.vp8 import frame_size as vp8_size
from rtp.payload.vp9 import frame_size as vp9_size

EPOCH_US = 1_760_000_000_000_000
NS_PER_US = 1_000
FRAME_RATE = 30
VIDEO_CLOCK = 90_000
AUDIO_CLOCK = 48_000
FIRST_RTP = 0xFFFF_F000
"""Timestamps wrap soon after the beginning."""

_ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "H264": ("libx264", {"tune": "zerolatency", "preset": "ultrafast", "x264-params": "repeat-headers=1"}),
    "VP8": ("libvpx", {"deadline": "realtime", "cpu-used": "8"}),
    "VP9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}),
    "AV1": ("libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1:lookahead=0"}),
}


@functools.cache
def video(
    codec: Codec, frames: int = 60, width: int = 160, height: int = 120, gop: int = 30
) -> list[AccessUnit]:
    """`frames` frames at 30 per second, a keyframe every `gop`."""
    name, options = _ENCODERS[codec]
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FRAME_RATE), Fraction(FRAME_RATE)
    encoder.gop_size, encoder.max_b_frames, encoder.options = gop, 0, options
    packets = []
    for index in range(frames):
        plane = np.full((height * 3 // 2, width), 90, np.uint8)
        plane[: height // 2, (index * 4) % width :] = 200
        frame = av.VideoFrame.from_ndarray(plane, format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, FRAME_RATE)
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    ordered = sorted(packets, key=lambda packet: packet.pts)
    return [
        access_unit(codec, bytes(packet), index, packet.is_keyframe) for index, packet in enumerate(ordered)
    ]


def access_unit(codec: Codec, data: bytes, index: int, keyframe: bool) -> AccessUnit:
    timestamp = (FIRST_RTP + index * VIDEO_CLOCK // FRAME_RATE) & 0xFFFF_FFFF
    sets: tuple[bytes, ...] = ()
    size: tuple[int, int] | None = None
    if codec == "H264":
        units = [unit for unit in split_annex_b(data) if unit[0] & 0x1F != 6]
        sets = tuple(unit for unit in units if unit[0] & 0x1F in (7, 8))
        data = START_CODE + START_CODE.join(units)
        from rtp.payload.h264_sps import picture_size

        size = picture_size(sets[0]) if sets else None
    elif codec == "AV1":
        return _through_av1(data, timestamp)
    else:
        size = vp8_size(data) if codec == "VP8" else vp9_size(data)
    return AccessUnit(data, timestamp, keyframe, size=size, parameter_sets=sets)


def _through_av1(data: bytes, timestamp: int) -> AccessUnit:
    depacketizer = av1_payload.Av1Depacketizer()
    payloads = av1_payload.packetize(data, 1_100)
    unit = None
    for index, payload in enumerate(payloads):
        unit = depacketizer.push(payload, index == len(payloads) - 1, timestamp)
    assert unit is not None
    return unit


@functools.cache
def audio(packets: int = 100) -> list[AccessUnit]:
    """Opus packets of 20 ms with a tone."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = AUDIO_CLOCK, "stereo", "s16"
    encoder.time_base = Fraction(1, AUDIO_CLOCK)
    out: list[bytes] = []
    for index in range(packets):
        at = np.arange(index * 960, (index + 1) * 960) / AUDIO_CLOCK
        tone = (np.sin(at * 2 * np.pi * 440) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None, :], format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_CLOCK, index * 960, Fraction(1, AUDIO_CLOCK)
        out += [bytes(packet) for packet in encoder.encode(frame)]
    return [AccessUnit(data, (7 + index * 960) & 0xFFFF_FFFF, True) for index, data in enumerate(out)]


def source(codec: Codec, name: str = "ultrasound-device-video") -> TrackSource:
    clock_rate = AUDIO_CLOCK if codec == "opus" else VIDEO_CLOCK
    return TrackSource(name, "ultrasound", "device", "trk_1", codec, clock_rate)


@dataclass(frozen=True)
class Probe:
    """What ffprobe says."""

    stream: dict[str, Any]
    packets: list[dict[str, Any]]
    complaints: str

    @property
    def times(self) -> list[float]:
        return [float(packet["pts_time"]) for packet in self.packets]


def ffprobe(path: Path) -> Probe:
    command = ["ffprobe", "-v", "warning", "-show_packets", "-show_streams", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return Probe(found["streams"][0], found["packets"], done.stderr)


def decode_with_ffmpeg(path: Path) -> tuple[int, str]:
    """(frames decoded, everything ffmpeg complained about)."""
    command = ["ffmpeg", "-v", "warning", "-i", str(path), "-f", "framemd5", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    frames = [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
    return len(frames), done.stderr
