"""Pieces of real streams, muxed one by one, are one playable file again."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from archive.entries import Codec
from archive.fmp4 import MuxError, mux_init, mux_piece
from archive.samples import Sample, TrackFormat
from tests.recorder import support

VIDEO_CODECS: list[Codec] = ["H264", "VP8", "VP9", "AV1"]
START_S = 4_000
"""Where on the timeline: more than an hour in, so that 32-bit times would overflow at 90 kHz soon."""


def samples_of(codec: Codec, track: TrackFormat) -> list[Sample]:
    units = support.audio() if codec == "opus" else support.video(codec)
    step = 0.02 if codec == "opus" else 1 / support.FRAME_RATE
    ticks = [round((START_S + index * step) * track.timescale) for index in range(len(units) + 1)]
    return [
        Sample(unit.data, ticks[index], ticks[index + 1] - ticks[index], unit.keyframe)
        for index, unit in enumerate(units)
    ]


def written(tmp_path: Path, codec: Codec, cuts: list[int]) -> tuple[Path, list[Sample]]:
    """The stream cut at these frames, joined again."""
    track = TrackFormat(codec, 0, 0) if codec == "opus" else TrackFormat(codec, 160, 120)
    samples = samples_of(codec, track)
    data = mux_init(track, samples[0])
    edges = [0, *cuts, len(samples)]
    for number, (begin, end) in enumerate(itertools.pairwise(edges), 1):
        data += mux_piece(track, number, samples[begin:end])
    path = tmp_path / f"joined.{track.container}"
    path.write_bytes(data)
    return path, samples


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_pieces_cut_at_any_frame_join_to_a_file_that_plays_without_complaint(
    tmp_path: Path, codec: Codec
) -> None:
    path, samples = written(tmp_path, codec, [1, 7, 19, 20, 44])
    frames, complaints = support.decode_with_ffmpeg(path)
    assert (frames, complaints) == (60, "")
    probe = support.ffprobe(path)
    assert probe.complaints == ""
    assert (probe.stream["width"], probe.stream["height"]) == (160, 120)
    expected = [sample.ticks / TrackFormat(codec).timescale for sample in samples]
    assert probe.times == pytest.approx(expected, abs=1e-5)


def test_opus_pieces_join_to_a_file_that_plays_without_complaint(tmp_path: Path) -> None:
    path, samples = written(tmp_path, "opus", [1, 50])
    frames, complaints = support.decode_with_ffmpeg(path)
    assert (frames, complaints) == (len(samples), "")
    probe = support.ffprobe(path)
    assert (probe.stream["codec_name"], probe.stream["channels"]) == ("opus", 2)
    assert probe.times == pytest.approx([START_S + index * 0.02 for index in range(len(samples))], abs=1e-5)


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_the_bitstream_is_not_touched(tmp_path: Path, codec: Codec) -> None:
    """What comes out of the container decodes to what went in."""
    path, samples = written(tmp_path, codec, [30])
    import av

    decoder = av.CodecContext.create({"H264": "h264", "AV1": "libdav1d"}.get(codec, codec.lower()), "r")
    direct = [frame for sample in samples for frame in decoder.decode(av.Packet(sample.data))]
    direct += decoder.decode(None)
    with av.open(str(path)) as container:
        stored = list(container.decode(video=0))
    assert len(stored) == len(direct) == 60
    for ours, theirs in zip(stored, direct, strict=True):
        assert (ours.to_ndarray() == theirs.to_ndarray()).all()


@pytest.mark.parametrize("codec", VIDEO_CODECS)
def test_the_init_piece_is_the_same_whenever_it_is_made(codec: Codec) -> None:
    track = TrackFormat(codec, 160, 120)
    samples = samples_of(codec, track)
    assert mux_init(track, samples[0]) == mux_init(track, samples[0])
    keyframes = [sample for sample in samples if sample.sync]
    if codec != "VP8":
        assert mux_init(track, samples[0]) == mux_init(track, keyframes[-1])


def test_a_piece_carries_its_number_and_absolute_time() -> None:
    track = TrackFormat("H264", 160, 120)
    sample = samples_of("H264", track)[5]
    piece = mux_piece(track, 77, [sample])
    sequence = piece[piece.index(b"mfhd") + 8 :][:4]
    decode_time = piece[piece.index(b"tfdt") + 8 :][:8]
    assert int.from_bytes(sequence, "big") == 77
    assert int.from_bytes(decode_time, "big") == sample.ticks


@pytest.mark.parametrize("codec", ["H264", "AV1", "VP9", "VP8", "opus"])
def test_arbitrary_bytes_make_a_mux_error_or_a_piece_but_never_anything_else(codec: Codec) -> None:
    track = TrackFormat(codec, 160, 120)
    for data in (b"", b"\0", b"\0\0\1", b"\xff" * 40, b"\0\0\0\1\x67\x42", bytes(range(256))):
        sample = Sample(data, 0, 1, True)
        for make in (lambda s=sample: mux_init(track, s), lambda s=sample: mux_piece(track, 1, [s])):
            try:
                make()
            except MuxError:
                continue
