"""Frames → init pieces and media pieces, in memory, without touching the codec (ISO/IEC 14496-12 §8.8,
WebM).

Every piece is muxed by itself, so it can be cut at any frame and any moment: its decode times (`tfdt`, or
the cluster's timecode) are absolute on the consultation's timeline. Init piece + pieces, in any number from
a sync sample on, is a playable fragmented file.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

import av
import av.error

from archive.samples import AUDIO_TIMESCALE, Sample, TrackFormat
from core.errors import ProtocolError

_MOVFLAGS: Final = "empty_moov+default_base_moof+frag_discont"
_ONE_FRAGMENT_US: Final = 60_000_000
"""Longer than any piece: the muxer shall not cut, we do."""
_MUXER_CODECS: Final = {"H264": "h264", "VP9": "vp9", "AV1": "av1", "VP8": "vp8"}
_INIT_BOXES: Final = (b"ftyp", b"moov")
_PIECE_BOXES: Final = (b"moof", b"mdat")
_SEGMENT: Final = 0x18538067
_CLUSTER: Final = 0x1F43B675
_OPUS_CHANNELS: Final = 2
_OPUS_HEAD: Final = b"OpusHead" + struct.pack("<BBHIHB", 1, _OPUS_CHANNELS, 0, AUDIO_TIMESCALE, 0, 0)
"""RFC 7845 §5.1. RTP carries no pre-skip; every WebRTC stream may be stereo (RFC 7587 §7)."""


class MuxError(ProtocolError):
    """The muxer refused these frames: what came from the network is not what its codec allows."""

    code = "mux_error"


def mux_init(track: TrackFormat, first: Sample) -> bytes:
    """The init piece, from the first keyframe: it carries what decoding needs. Raises `MuxError`."""
    muxed = _mux(track, 1, [first])
    if track.container == "webm":
        return muxed[: _first_cluster(muxed)]
    return b"".join(box for kind, box in _boxes(muxed) if kind in _INIT_BOXES)


def mux_piece(track: TrackFormat, number: int, samples: Sequence[Sample]) -> bytes:
    """One piece: `moof` + `mdat`, or clusters. `number` counts pieces from 1. Raises `MuxError`."""
    muxed = _mux(track, number, samples)
    if track.container == "webm":
        return muxed[_first_cluster(muxed) :]
    piece = b"".join(box for kind, box in _boxes(muxed) if kind in _PIECE_BOXES)
    if not piece:
        raise MuxError(f"{track.codec}: the muxer made nothing of {len(samples)} frames")
    return piece


def _mux(track: TrackFormat, number: int, samples: Sequence[Sample]) -> bytes:
    buffer = io.BytesIO()
    try:
        with av.open(buffer, "w", format=track.container, options=_options(track, number)) as muxer:
            stream = _add_stream(muxer, track)
            time_base = Fraction(1, track.timescale)
            for sample in samples:
                packet = av.Packet(sample.data)
                packet.stream = stream
                packet.time_base = time_base
                packet.pts = packet.dts = sample.ticks
                packet.duration = sample.duration
                packet.is_keyframe = sample.sync
                muxer.mux(packet)
    except (av.error.FFmpegError, ValueError) as error:
        raise MuxError(f"{track.codec}: {type(error).__name__}") from None
    return buffer.getvalue()


def _options(track: TrackFormat, number: int) -> dict[str, str]:
    if track.container == "webm":
        return {"live": "1", "fflags": "+bitexact", "avoid_negative_ts": "disabled"}
    return {
        "movflags": _MOVFLAGS,
        "frag_duration": str(_ONE_FRAGMENT_US),
        "fragment_index": str(number),
        "avoid_negative_ts": "disabled",
    }


def _add_stream(muxer: Any, track: TrackFormat) -> Any:
    """PyAV makes `avcC` and `av1C` from the first packet's parameter sets; Opus needs its head given."""
    if track.codec == "opus":
        stream = muxer.add_stream_from_template(_opus_template())
        stream.codec_context.extradata = _OPUS_HEAD
        return stream
    return muxer.add_mux_stream(
        _MUXER_CODECS[track.codec],
        width=track.width,
        height=track.height,
        time_base=Fraction(1, track.timescale),
    )


@functools.cache
def _opus_template() -> Any:
    """A stream whose parameters say Opus, 48 kHz, stereo; its container is never written."""
    muxer = av.open(io.BytesIO(), "w", format="mp4")
    stream = muxer.add_stream("libopus", rate=AUDIO_TIMESCALE, layout="stereo")
    muxer.start_encoding()
    return stream


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Top-level boxes of an MP4 file: (type, whole box)."""
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if size < 8:
            raise MuxError("the muxer wrote a box of impossible size")
        yield kind, data[position : position + size]
        position += size


def _first_cluster(data: bytes) -> int:
    """Where the first cluster of a WebM file begins, its end if there is none (RFC 8794)."""
    position = 0
    while position < len(data):
        identifier, start = _element_id(data, position)
        if identifier == _CLUSTER:
            return position
        size, start = _element_size(data, start)
        position = start if identifier == _SEGMENT else start + size
    return len(data)


def _element_id(data: bytes, position: int) -> tuple[int, int]:
    length = 9 - data[position].bit_length()
    return int.from_bytes(data[position : position + length], "big"), position + length


def _element_size(data: bytes, position: int) -> tuple[int, int]:
    length = 9 - data[position].bit_length()
    marked = int.from_bytes(data[position : position + length], "big")
    return marked & ((1 << 7 * length) - 1), position + length
