"""The film of a consultation: pictures at their capture times, slates for what is missing, sound added up."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from archive.entries import GapEntry, GenerationEntry, PieceEntry
from archive.export_mix import BLOCK_SAMPLES, SAMPLE_RATE, Mixer, Sound
from archive.export_order import Part, in_order, parts_of
from archive.export_slate import BAR, HEIGHT, WIDTH, Canvas, Picture

US = 1_000_000
OFFSET_US = 3_600 * US
"""Times in an archive's pieces count from the consultation's epoch."""


def gap(begin_us: int, end_us: int, reason: str) -> GapEntry:
    return GapEntry.model_construct(begin_us=begin_us, end_us=end_us, reason=reason, track=None)


def film(path: Path, levels: list[int], first_us: int, step_us: int = 100_000) -> Path:
    """One grey frame per level; times as in an archive (this container keeps them as they are)."""
    with av.open(str(path), "w", format="matroska") as writing:
        stream = writing.add_stream("libx264", rate=10, options={"crf": "1", "bf": "0", "g": "1"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.time_base = Fraction(1, 1_000)
        stream.codec_context.time_base = stream.time_base
        for number, level in enumerate(levels):
            frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), level, np.uint8), format="bgr24")
            frame.time_base = stream.time_base
            frame.pts = (first_us + number * step_us) * 1_000 // US
            writing.mux(stream.encode(frame))
        writing.mux(stream.encode(None))
    return path


def middle(tile: np.ndarray) -> int:
    return int(tile[tile.shape[0] // 2, tile.shape[1] // 2, 0])


def test_each_moment_shows_the_newest_frame_captured_until_then(tmp_path: Path) -> None:
    picture = Picture("a", [Part(film(tmp_path / "a.mp4", [50, 100, 150], OFFSET_US), OFFSET_US)], [])
    seen = [middle(picture.tile(OFFSET_US + at_us, 320, 240)) for at_us in (0, 99_000, 100_000, 250_000)]
    assert np.allclose(seen, [50, 50, 100, 150], atol=8)


def test_two_tracks_are_aligned_by_capture_time_not_by_their_beginnings(tmp_path: Path) -> None:
    early = Picture("a", [Part(film(tmp_path / "a.mp4", [50] * 10, OFFSET_US), OFFSET_US)], [])
    begin_us = OFFSET_US + 500_000
    late = Picture("b", [Part(film(tmp_path / "b.mp4", [200] * 5, begin_us), begin_us)], [])
    canvas = Canvas([early, late], 0)
    before, after = canvas.at(OFFSET_US + 400_000).copy(), canvas.at(OFFSET_US + 500_000)
    row, column = BAR + (HEIGHT - BAR) // 2, WIDTH * 3 // 4
    assert before[row, column, 0] < 100
    assert after[row, column, 0] > 180
    assert abs(int(after[row, WIDTH // 4, 0]) - 50) < 8


def test_a_declared_gap_and_a_picture_that_stopped_show_a_slate_with_the_reason(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", [200, 200], OFFSET_US)
    held = gap(OFFSET_US + 150_000, OFFSET_US + 900_000, "privacy_pause")
    picture = Picture("a", [Part(path, OFFSET_US)], [held])
    shown = picture.tile(OFFSET_US + 120_000, 640, 480)
    paused = picture.tile(OFFSET_US + 160_000, 640, 480)
    assert middle(shown) > 180
    assert paused[0, 0].tolist() == [64, 64, 64]
    assert picture._missing(OFFSET_US + 160_000) == "no picture: privacy_pause"
    assert picture._missing(OFFSET_US + 950_000) is None
    assert picture._missing(OFFSET_US + 1_200_000) == "no picture"


def test_what_cannot_be_decoded_is_a_slate_and_does_not_stop_the_film(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a film")
    good = film(tmp_path / "good.mp4", [200], OFFSET_US)
    picture = Picture("a", [Part(broken, OFFSET_US), Part(good, OFFSET_US)], [])
    assert picture._missing(OFFSET_US - 1) == "no picture yet"
    assert middle(picture.tile(OFFSET_US, 320, 240)) > 180
    assert next(iter(Mixer([Sound([Part(broken, 0)], 0)]).blocks(10))).max() == 0


def tone(path: Path, first_us: int, seconds: float, level: float) -> Path:
    """A constant level, which survives any phase."""
    count = int(seconds * SAMPLE_RATE)
    with av.open(str(path), "w", format="matroska") as writing:
        stream = writing.add_stream("flac", rate=SAMPLE_RATE, layout="stereo")
        for begin in range(0, count, 4_800):
            data = np.full((1, 9_600), int(level * 32_767), np.int16)
            frame = av.AudioFrame.from_ndarray(data, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = SAMPLE_RATE, first_us * SAMPLE_RATE // US + begin
            frame.time_base = Fraction(1, SAMPLE_RATE)
            writing.mux(stream.encode(frame))
        writing.mux(stream.encode(None))
    return path


def test_sound_is_added_at_its_capture_time_and_too_loud_is_cut_off(tmp_path: Path) -> None:
    first = Part(tone(tmp_path / "a.mp4", OFFSET_US, 1.0, 0.6), OFFSET_US)
    second = Part(tone(tmp_path / "b.mp4", OFFSET_US + 500_000, 1.0, 0.7), OFFSET_US + 500_000)
    mixer = Mixer([Sound([first], OFFSET_US), Sound([second], OFFSET_US)])
    heard = np.concatenate(list(mixer.blocks(2 * SAMPLE_RATE)))
    at = [round(float(heard[int(second_s * SAMPLE_RATE), 0]), 1) for second_s in (0.25, 0.75, 1.25, 1.75)]
    assert at == [0.6, 1.0, 0.7, 0.0]
    assert len(heard) % BLOCK_SAMPLES == 0


def generation(number: int) -> GenerationEntry:
    return GenerationEntry.model_construct(track="a", generation=number)


def piece(source: str, begin_us: int, end_us: int) -> PieceEntry:
    begin_us, end_us = OFFSET_US + begin_us, OFFSET_US + end_us
    return PieceEntry.model_construct(track="a", source=source, begin_us=begin_us, end_us=end_us)


def delivered_late(tmp_path: Path, make: str) -> list[Part]:
    """Live from 0 to 1 s and from 2 s to 3 s; a box delivered 0.5–2.5 s, afterwards."""
    spans = [("live", 0, US), ("backfill", US // 2, 5 * US // 2), ("live", 2 * US, 3 * US)]
    joined, pieces = {}, {}
    for number, (source, begin_us, end_us) in enumerate(spans):
        path, at_us, seconds = tmp_path / f"{number}.mp4", OFFSET_US + begin_us, (end_us - begin_us) / US
        if make == "film":
            film(path, [50 if source == "live" else 200] * round(10 * seconds), at_us)
        else:
            tone(path, at_us, seconds, 0.3 if source == "live" else 0.5)
        joined[path] = generation(number)
        pieces["a", number] = [piece(source, begin_us, end_us)]
    return parts_of(joined, pieces)["a"]


def test_what_a_box_delivered_later_is_shown_where_nothing_live_is(tmp_path: Path) -> None:
    picture = Picture("a", delivered_late(tmp_path, "film"), [])
    seen = [middle(picture.tile(OFFSET_US + tenth * US // 10, 320, 240)) for tenth in range(30)]
    assert [level > 125 for level in seen] == [10 <= tenth < 20 for tenth in range(30)]


def test_sound_that_was_delivered_later_is_heard_where_nothing_live_is_and_never_twice(
    tmp_path: Path,
) -> None:
    mixer = Mixer([Sound(delivered_late(tmp_path, "tone"), OFFSET_US)])
    heard = np.concatenate(list(mixer.blocks(3 * SAMPLE_RATE)))
    at = [round(float(heard[int(at_s * SAMPLE_RATE), 0]), 1) for at_s in (0.2, 0.7, 1.3, 1.8, 2.2, 2.8)]
    assert at == [0.3, 0.3, 0.5, 0.5, 0.3, 0.3]


def test_a_file_is_opened_when_it_is_due(tmp_path: Path) -> None:
    opened: list[str] = []

    def decode(path: Path) -> Iterator[tuple[int, str]]:
        opened.append(path.name)
        yield from ((int(path.name) + step, path.name) for step in (0, 5))

    items = in_order([Part(Path(name), int(name)) for name in ("20", "0", "3")], decode)
    assert next(items) == (0, "0")
    assert opened == ["0"]
    assert list(items) == [(3, "3"), (5, "0"), (8, "3"), (20, "20"), (25, "20")]
