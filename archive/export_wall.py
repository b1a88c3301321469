"""Exports a consultation as one film: all pictures side by side at their capture times, the sound mixed.

Decodes, composes and encodes anew: for looking at, not for proving; the archive itself is the proof. Where a
picture is missing a slate says so, and why.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from archive.entries import GenerationEntry
from archive.export import EVENTS_FILE, PARTIAL_SUFFIX, Export, ExportedTrack, Job, Progress, prepare
from archive.export_mix import BLOCK_SAMPLES, SAMPLE_RATE, Mixer, Sound
from archive.export_order import parts_of
from archive.export_slate import HEIGHT, WIDTH, Canvas, Paint, Picture
from archive.opening import Contents, read_contents, unwrap
from archive.overlay import MakeOverlay, Overlay
from archive.store_base import Folder
from core.errors import ConfigError

FRAME_RATE: Final = 30
US_PER_S: Final = 1_000_000
WALL_FILE: Final = "wall.mp4"
CRF: Final = "20"
AUDIO_BPS: Final = 128_000


def export_wall(
    folder: Path | Folder,
    identity_file: Path,
    out: Path,
    *,
    progress: Progress = lambda count: None,
    overlay: MakeOverlay | None = None,
) -> Export:
    """Decrypt and compose everything to `out/wall.mp4`. Damaged objects are left out, see `faults`.

    `overlay`: what paints drawings into the pictures, by the events.

    Raises `ConfigError` (wrong key, `out` not empty, no picture and no sound) and `ArchiveFault`.
    """
    contents = read_contents(folder)
    identities = unwrap(folder, contents.opened, identity_file)
    prepare(out)
    faults = [contents.fault] if contents.fault else []
    job = Job(folder, out, identities, faults, progress)
    with contextlib.ExitStack() as stack:
        parts = [_join(job, contents, entry, stack) for entry in contents.generations]
        joined = {path: entry for path, entry in parts if path is not None}
        if not joined:
            raise ConfigError("there is nothing to show: no picture and no sound of it could be decrypted")
        events = job.export_events(contents.events)
        film = _film(contents, joined, None if overlay is None else _overlay(contents, overlay, out))
        _encode(out / WALL_FILE, film)
    opened = contents.opened
    track = ExportedTrack("wall", 0, out / WALL_FILE, "H264", film.begin_us, film.end_us, len(joined))
    return Export(opened.consultation, opened.epoch_us, out, (track,), events, tuple(faults))


def _join(
    job: Job, contents: Contents, entry: GenerationEntry, stack: contextlib.ExitStack
) -> tuple[Path | None, GenerationEntry]:
    """A decrypted generation, gone when the film is made."""
    path = job.out / f"{entry.track}.{entry.generation:03d}.{entry.container}{PARTIAL_SUFFIX}"
    stack.callback(path.unlink, missing_ok=True)
    return (path if job.join(contents, entry, path) else None), entry


@dataclass(frozen=True)
class _Film:
    """What is shown and heard between two moments of the timeline."""

    canvas: Canvas
    mixer: Mixer
    begin_us: int
    end_us: int


def _overlay(contents: Contents, make: MakeOverlay, out: Path) -> Overlay:
    lines = (out / EVENTS_FILE).read_bytes().splitlines()
    return make(
        contents.opened.epoch_us, [event for line in lines if isinstance(event := json.loads(line), dict)]
    )


def _painter(overlay: Overlay | None, feed: str) -> Paint | None:
    return None if overlay is None else lambda at_us, image, shown_us: overlay(feed, at_us, image, shown_us)


def _film(contents: Contents, joined: dict[Path, GenerationEntry], overlay: Overlay | None) -> _Film:
    spans = [piece for entry in joined.values() for piece in contents.pieces[entry.track, entry.generation]]
    begin, end = min(piece.begin_us for piece in spans), max(piece.end_us for piece in spans)
    parts = parts_of(joined, contents.pieces)
    feeds = {entry.track: drawn_on(entry) for entry in joined.values()}
    seen = {entry.track for entry in joined.values() if entry.media == "video"}
    pictures = [
        Picture(
            track,
            parts[track],
            [gap for gap in contents.gaps if gap.track in (None, track)],
            _painter(overlay, feeds[track]),
        )
        for track in parts
        if track in seen
    ]
    sounds = [Sound(parts[track], begin) for track in parts if track not in seen]
    return _Film(Canvas(pictures, contents.opened.epoch_us), Mixer(sounds), begin, end)


def drawn_on(entry: GenerationEntry) -> str:
    """The picture's name among drawings: a shared screen is another one than its owner's camera."""
    return f"{entry.feed}-screen" if entry.input == "screen" else entry.feed


def _encode(path: Path, film: _Film) -> None:
    path.touch(mode=0o600)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as writing:
        picture = writing.add_stream("libx264", rate=FRAME_RATE, options={"crf": CRF, "preset": "veryfast"})
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = writing.add_stream("aac", rate=SAMPLE_RATE, layout="stereo", bit_rate=AUDIO_BPS)
        frames = -(-(film.end_us - film.begin_us) * FRAME_RATE // US_PER_S)
        blocks = film.mixer.blocks(-(-(film.end_us - film.begin_us) * SAMPLE_RATE // US_PER_S))
        heard = 0
        for number in range(frames):
            image = film.canvas.at(film.begin_us + number * US_PER_S // FRAME_RATE)
            _put_picture(writing.mux, picture, image, number)
            while (
                heard * FRAME_RATE < (number + 1) * SAMPLE_RATE and (block := next(blocks, None)) is not None
            ):
                _put_sound(writing.mux, sound, block, heard)
                heard += BLOCK_SAMPLES
        for block in blocks:
            _put_sound(writing.mux, sound, block, heard)
            heard += BLOCK_SAMPLES
        writing.mux(picture.encode(None))
        writing.mux(sound.encode(None))


def _put_picture(mux: Callable[..., None], stream: VideoStream, image: np.ndarray, number: int) -> None:
    frame = av.VideoFrame.from_ndarray(image, format="bgr24")
    frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
    mux(stream.encode(frame))


def _put_sound(mux: Callable[..., None], stream: AudioStream, block: np.ndarray, position: int) -> None:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, position, Fraction(1, SAMPLE_RATE)
    mux(stream.encode(frame))
