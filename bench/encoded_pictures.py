"""Real 1080p pictures at a fixed bit rate, for what looks into them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from edge_agents.sources.picture import new_picture, planes_of
from rtp.payload import h264

FPS: Final = 30
WIDTH: Final = 1920
HEIGHT: Final = 1080
LOOP_FRAMES: Final = 60
MAX_PAYLOAD_BYTES: Final = 1_150


def encode(bitrate_bps: int) -> list[bytes]:
    """Two seconds of access units, Annex B, the first a keyframe; noise, so that the bit rate is used up."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, FPS), Fraction(FPS)
    encoder.bit_rate, encoder.gop_size, encoder.max_b_frames = bitrate_bps, LOOP_FRAMES, 0
    encoder.options = {
        "preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "maxrate": str(bitrate_bps),
        "bufsize": str(bitrate_bps // 4), "x264-params": "repeat-headers=1:scenecut=0:nal-hrd=cbr",
    }  # fmt: skip
    units = []
    for number in range(LOOP_FRAMES):
        picture = new_picture(WIDTH, HEIGHT)
        for plane in planes_of(picture):
            plane[:] = list(secrets.token_bytes(plane.shape[1]))
        picture.pts = number
        picture.pict_type = PictureType.I if number == 0 else PictureType.NONE
        units += [bytes(packet) for packet in encoder.encode(picture)]
    return units


class EncodedPictures:
    """These units again and again, and from the beginning when a keyframe is asked for."""

    def __init__(self, units: Sequence[bytes]) -> None:
        self.fps, self.rids, self.profile_level_id = FPS, tuple[str, ...](), "42e028"
        self._units = units
        self._position = 0

    def next(
        self, *, keyframe_wanted: bool, unix_ns: int, first_less: int = 0
    ) -> Mapping[str, Sequence[bytes]]:
        position = 0 if keyframe_wanted else self._position
        self._position = (position + 1) % len(self._units)
        return {"": h264.packetize(self._units[position], MAX_PAYLOAD_BYTES, first_less)}
