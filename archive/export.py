"""Exports a consultation to ordinary files: one MP4 per track and generation (WebM for VP8), one JSON of
events.

Pieces are joined as they are and remuxed without decoding, so pictures and sound stay bit for bit what was
archived.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import av.error

from archive.entries import EventsEntry, FileEntry, GapEntry, GenerationEntry, PieceEntry, SealedEntry
from archive.faults import ArchiveFault
from archive.opening import Contents, open_object, open_objects, read_contents, unwrap
from archive.store_base import Folder
from core.errors import ConfigError

EVENTS_FILE: Final = "events.jsonl"
FILES_FOLDER: Final = "files"
TIMELINE_FILE: Final = "timeline.json"
PARTIAL_SUFFIX: Final = ".partial"

Progress = Callable[[int], None]
"""Called with the number of sealed bytes done since the last call."""


@dataclass(frozen=True, slots=True)
class ExportedTrack:
    """One file. `begin_us`: where its first frame stands on the consultation's timeline."""

    track: str
    generation: int
    file: Path
    codec: str
    begin_us: int
    end_us: int
    pieces: int


@dataclass(frozen=True, slots=True)
class Export:
    """What was written, and what could not be."""

    consultation: str
    epoch_us: int
    directory: Path
    tracks: tuple[ExportedTrack, ...]
    events: int
    faults: tuple[ArchiveFault, ...]
    stills: tuple[Any, ...] = ()
    """Frozen frames, as `archive.export_stills.WrittenStill`."""


def sealed_bytes(contents: Contents) -> int:
    """How much there is to decrypt: the total for a progress bar."""
    pieces = (piece for row in contents.pieces.values() for piece in row)
    everything: list[SealedEntry] = [*contents.generations, *pieces, *contents.events, *contents.files]
    return sum(entry.size for entry in everything)


def export_consultation(
    folder: Path | Folder, identity_file: Path, out: Path, *, progress: Progress = lambda count: None
) -> Export:
    """Decrypt and write everything to `out`. Damaged objects are left out and reported in `faults`.

    Raises `ConfigError` (wrong key, `out` not empty or not writable) and `ArchiveFault` (no readable entry
    0 or key).
    """
    contents = read_contents(folder)
    identities = unwrap(folder, contents.opened, identity_file)
    prepare(out)
    faults = [contents.fault] if contents.fault else []
    job = Job(folder, out, identities, faults, progress)
    tracks = [track for entry in contents.generations if (track := job.export_track(contents, entry))]
    count = job.export_events(contents.events)
    job.export_files(contents.files)
    export = Export(
        contents.opened.consultation, contents.opened.epoch_us, out, tuple(tracks), count, tuple(faults)
    )
    (out / TIMELINE_FILE).write_text(json.dumps(_timeline(contents, export), indent=1), encoding="utf-8")
    return export


def prepare(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be created: {error.strerror}; give another --out") from None
    if any(out.iterdir()):
        raise ConfigError(f"{out} is not empty: give an empty or new directory with --out")


@dataclass
class Job:
    """One export: what is read, where to, and what could not be."""

    folder: Path | Folder
    out: Path
    identities: Any
    faults: list[ArchiveFault]
    progress: Progress

    def export_track(self, contents: Contents, entry: GenerationEntry) -> ExportedTrack | None:
        """Join and remux one generation; None when nothing of it can be shown."""
        name = f"{entry.track}.{entry.generation:03d}.{entry.container}"
        joined = self.out / (name + PARTIAL_SUFFIX)
        try:
            if not (written := self.join(contents, entry, joined)):
                return None
            try:
                remux(joined, self.out / name, entry.container)
            except av.error.FFmpegError:
                joined.replace(self.out / name)  # still all that was archived, in fragments
        finally:
            joined.unlink(missing_ok=True)
        pieces = contents.pieces[entry.track, entry.generation]
        begin, end = min(piece.begin_us for piece in pieces), max(piece.end_us for piece in pieces)
        return ExportedTrack(entry.track, entry.generation, self.out / name, entry.codec, begin, end, written)

    def join(self, contents: Contents, entry: GenerationEntry, path: Path) -> int:
        """Decrypt a generation's init piece and pieces into one new file; how many pieces.

        In the order of time: what several outages kept may have been delivered in another one.
        """
        pieces = sorted(contents.pieces[entry.track, entry.generation], key=lambda piece: piece.begin_us)
        if not pieces:
            return 0
        try:
            init = open_object(self.folder, entry, self.identities)
        except ArchiveFault as fault:
            self.faults.append(fault)
            return 0
        return self._join(path, init, pieces)

    def export_events(self, entries: list[EventsEntry]) -> int:
        """All events in order; returns how many lines."""
        lines = 0
        with private(self.out / EVENTS_FILE) as file:
            for data in self._open_all(entries):
                file.write(data)
                lines += data.count(b"\n")
        return lines

    def export_files(self, entries: list[FileEntry]) -> None:
        """Files of the chat, named by their ids; their own names, chosen by others, are in the events."""
        if entries:
            (self.out / FILES_FOLDER).mkdir()
        for entry in entries:
            for data in self._open_all([entry]):
                with private(self.out / FILES_FOLDER / entry.file_id) as file:
                    file.write(data)

    def _join(self, path: Path, init: bytes, pieces: list[PieceEntry]) -> int:
        written = 0
        with private(path) as file:
            file.write(init)
            for data in self._open_all(pieces):
                file.write(data)
                written += 1
        return written

    def _open_all(self, entries: Sequence[SealedEntry]) -> Iterator[bytes]:
        for entry in entries:
            yield from open_objects(self.folder, [entry], self.identities, self.faults)
            self.progress(entry.size)


def private(path: Path) -> Any:
    """Decrypted pictures are for the one who exports them."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def remux(source: Path, target: Path, container: str) -> None:
    """Fragmented → plain file with an index, times from zero, nothing decoded."""
    options = {"movflags": "faststart"} if container == "mp4" else {}
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        av.open(str(source)) as reading,
        av.open(str(target), "w", format=container, options=options) as writing,
    ):
        stream = reading.streams[0]
        copy = writing.add_stream_from_template(stream, opaque=True)
        offset: int | None = None
        for packet in reading.demux(stream):
            if packet.dts is None:
                continue
            offset = packet.dts if offset is None else offset
            packet.dts -= offset
            packet.pts = packet.dts if packet.pts is None else packet.pts - offset
            packet.stream = copy
            writing.mux(packet)


def _timeline(contents: Contents, export: Export) -> dict[str, Any]:
    """Where each file belongs: they all start at zero by themselves."""
    return {
        "consultation": export.consultation,
        "epoch_us": export.epoch_us,
        "tracks": [track_fields(track) for track in export.tracks],
        "gaps": [gap_fields(gap) for gap in contents.gaps],
    }


def gap_fields(gap: GapEntry) -> dict[str, Any]:
    """JSON of one declared gap."""
    return {"track": gap.track, "begin_us": gap.begin_us, "end_us": gap.end_us, "reason": gap.reason}


def track_fields(track: ExportedTrack) -> dict[str, Any]:
    """JSON of one exported file."""
    return {
        "track": track.track,
        "generation": track.generation,
        "file": track.file.name,
        "codec": track.codec,
        "begin_us": track.begin_us,
        "end_us": track.end_us,
        "pieces": track.pieces,
    }
