"""What the box keeps of an open consultation, so that an outage leaves no hole: everything it encodes, in
pieces of at most a second, sealed to the consultation's key.

A thread of its own cuts, seals and writes; whoever encodes is never held up. It keeps only while it has a key
for the consultation, and nothing of a privacy pause.
"""

from __future__ import annotations

import contextlib
import queue
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from archive.entries import Codec
from archive.fmp4 import MuxError, mux_init, mux_piece
from archive.ring import BufferKey, RingPiece, Sign
from core.clock import NS_PER_MS, NS_PER_S, NS_PER_US, Clock
from core.errors import Conflict
from edge_agents.audio import EncodedAudio
from edge_agents.clock_offset import ClockOffset
from edge_agents.encoder import EncodedFrame
from edge_agents.layers import FULL
from edge_agents.machine import disk_free_bytes
from edge_agents.recollection import Present, forget, remember
from edge_agents.ring_cutter import ClockState, CutGeneration, CutPiece, RingCutter, Unit
from edge_agents.ring_plan import Bounds, to_drop
from edge_agents.ring_store import MANIFEST, RingStore
from rtp.payload.h264 import split_annex_b
from rtp.payload.h264_sps import picture_size

MAX_QUEUED_BYTES: Final = 32 << 20
POLL_S: Final = 0.25
PIECE_AGE_NS: Final = 1_200 * NS_PER_MS
TIDY_NS: Final = 5 * NS_PER_S
RETRY_NS: Final = 2 * NS_PER_S
RESERVE_BYTES: Final = 512 << 20
"""So much of the disk is left to everything else."""
DRIFT_US: Final = 5_000
"""A clock's offset is known no better than this, however short the round trip was."""
_SPS, _PPS = 7, 8
_US_PER_HOUR: Final = 3_600_000_000

log = structlog.get_logger()
Track = tuple[str, str]
"""Feed, and video or audio."""


@dataclass(frozen=True, slots=True)
class RingSettings:
    """Where, how much, how long."""

    folder: Path
    max_bytes: int
    max_hours: int


@dataclass(eq=False, slots=True)
class _TrackState:
    cutter: RingCutter
    first_ns: int = 0
    made: CutGeneration | None = None
    """The generation whose init piece is in the ring."""
    number: int = 0
    sequence: int = 0


class Ring:
    """`put_video` and `put_audio` in any thread. `keyframe_needed` is called, in any, with a feed of which
    nothing can be kept before its next keyframe.
    """

    def __init__(
        self,
        settings: RingSettings,
        sign: Sign,
        clock: Clock,
        offset: ClockOffset,
        keyframe_needed: Callable[[str], None] = lambda feed: None,
    ) -> None:
        self.settings, self.sign = settings, sign
        self.keyframe_needed = keyframe_needed
        self.dropped = 0
        """Units that were not kept because the disk was too slow."""
        self._clock, self._offset = clock, offset
        self._queue: queue.SimpleQueue[tuple[Track, Unit] | Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._queued_bytes = 0
        self._broken: set[Track] = set()
        """Of these something was left out: only a keyframe goes on."""
        self._tracks: dict[Track, _TrackState] = {}
        self._store: RingStore | None = None
        self._keeping = self._paused = False
        self._present: Present | None = None
        self._tidied_ns = 0
        self._failed_ns: int | None = None
        self._thread = threading.Thread(target=self._work, name="ring", daemon=True)
        self._thread.start()

    @property
    def keeping(self) -> bool:
        """True while what is encoded is kept."""
        return self._keeping and not self._paused

    @property
    def store(self) -> RingStore | None:
        """The present consultation's, to read from."""
        return self._store

    def held(self) -> tuple[int, int | None]:
        """Bytes of the present consultation, and how long ago the oldest of it was captured, in seconds."""
        store = self._store
        if store is None:
            return 0, None
        oldest = next((one.begin_us for one in store.held if isinstance(one, RingPiece)), None)
        now_us = self._clock.unix_ns() // NS_PER_US - store.key.epoch_us
        return store.size_bytes, None if oldest is None else max(0, (now_us - oldest) // 1_000_000)

    # what is to be kept

    def attend(self, present: Present) -> None:
        """The box is in that consultation: to be remembered, should it die, until `end`."""
        self._paused = present.paused
        self._queue.put(partial(self._remember, present))

    def begin(self, key: BufferKey) -> None:
        """Keep for this consultation from now on."""
        self._queue.put(partial(self._begin, key))

    def end(self) -> None:
        """The consultation is over, or the box is not in it any more."""
        self._keeping = False
        self._queue.put(self._over)

    def set_paused(self, paused: bool) -> None:
        """A privacy pause: nothing of it is kept."""
        if paused != self._paused:
            self._paused = paused
            self._queue.put(self._interrupt)
            self._queue.put(partial(self._remember_paused, paused))

    def forget(self, store: RingStore, entries: Sequence[int]) -> None:
        """Remove what must not be kept; from the present store in its own thread. Raises `OSError`."""
        if store is self._store:
            self._queue.put(partial(store.drop, entries))
        else:
            store.drop(entries)

    def put_video(self, feed: str, unit: EncodedFrame) -> None:
        """The full picture is kept, the small one is not."""
        if self.keeping and unit.rid == FULL:
            self._put((feed, "video"), _video_unit(unit))

    def put_audio(self, feed: str, unit: EncodedAudio) -> None:
        if self.keeping:
            self._put((feed, "audio"), Unit(unit.data, unit.captured.unix_us, keyframe=True))

    def stop(self) -> None:
        """Finish what waits. Blocks."""
        self._keeping = False
        self._queue.put(self._over)
        self._queue.put(None)
        self._thread.join()

    def _put(self, track: Track, unit: Unit) -> None:
        with self._lock:
            full = self._queued_bytes + len(unit.data) > MAX_QUEUED_BYTES
            if full or (track in self._broken and not unit.keyframe):
                self.dropped += 1
                first = track not in self._broken
                self._broken.add(track)
            else:
                self._broken.discard(track)
                self._queued_bytes += len(unit.data)
                self._queue.put((track, unit))
                return
        if first:
            log.warning("ring_too_slow", feed=track[0])
        if not full:
            self.keyframe_needed(track[0])

    # in the thread

    def _work(self) -> None:
        while True:
            try:
                item = self._queue.get(timeout=POLL_S)
            except queue.Empty:
                self._guarded(self._poll)
                continue
            if item is None:
                return
            if callable(item):
                self._guarded(item)
                continue
            with self._lock:
                self._queued_bytes -= len(item[1].data)
            self._guarded(partial(self._take, *item))
            self._guarded(self._poll)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Pictures go on whatever is wrong with the disk; what is not kept is not kept."""
        try:
            work()
        except (OSError, MuxError) as error:
            if self._failed_ns is None:
                log.error("ring_fails", reason=getattr(error, "strerror", None) or type(error).__name__)
            self._failed_ns = self._clock.monotonic_ns()
            self._restart_tracks()
        except Exception:
            log.exception("ring_fails")
            self._restart_tracks()

    def _restart_tracks(self) -> None:
        """Their generations begin anew: of the present ones something is missing."""
        feeds = {feed for feed, _ in self._tracks}
        self._tracks = {}
        for feed in feeds:
            self.keyframe_needed(feed)

    def _begin(self, key: BufferKey) -> None:
        self._end()
        self._tidy_others(key.consultation)
        try:
            self._store = RingStore.open(self.settings.folder / key.consultation, key, self.sign)
        except Conflict as error:
            log.error("ring_fails", reason=str(error))
            return
        self._keeping = True
        log.info("ring_begins", consultation=key.consultation, held=len(self._store.held))

    def _remember(self, present: Present) -> None:
        self._present = present
        remember(self.settings.folder, present)

    def _remember_paused(self, paused: bool) -> None:
        if self._present is not None:
            self._remember(self._present.model_copy(update={"paused": paused}))

    def _over(self) -> None:
        self._present = None
        forget(self.settings.folder)
        self._end()

    def _end(self) -> None:
        if self._store is None:
            return
        try:
            self._interrupt()
        finally:
            held, self._store, self._tracks = self._store, None, {}
            held.close()
            log.info("ring_ends", consultation=held.key.consultation)

    def _interrupt(self) -> None:
        for track, state in self._tracks.items():
            self._write_all(track, state, state.cutter.interrupt())

    def _take(self, track: Track, unit: Unit) -> None:
        if self._store is None or self._waits_for_disk():
            return
        state = self._tracks.get(track)
        if state is None:
            codec: Codec = "opus" if track[1] == "audio" else "H264"
            cutter = RingCutter(codec, self._store.key.epoch_us)
            state = self._tracks[track] = _TrackState(cutter)
            if not unit.keyframe:
                self.keyframe_needed(track[0])
        if not state.cutter.waits:
            state.first_ns = self._clock.monotonic_ns()
        pieces = state.cutter.push(unit, self._clock_state())
        if pieces:
            state.first_ns = self._clock.monotonic_ns()
        self._write_all(track, state, pieces)

    def _waits_for_disk(self) -> bool:
        return self._failed_ns is not None and self._clock.monotonic_ns() - self._failed_ns < RETRY_NS

    def _clock_state(self) -> ClockState:
        ahead_us, uncertainty_us = self._offset.ahead_us, self._offset.uncertainty_us
        return ClockState(ahead_us or 0, uncertainty_us + DRIFT_US)

    def _write_all(self, track: Track, state: _TrackState, pieces: Iterable[CutPiece]) -> None:
        for piece in pieces:
            self._write(track, state, piece)

    def _write(self, track: Track, state: _TrackState, piece: CutPiece) -> None:
        assert self._store is not None
        name = f"{track[0]}-device-{track[1]}"
        if state.made is not piece.generation:
            self._write_init(track, name, state, piece.generation)
        state.sequence += 1
        self._store.add(
            {
                "kind": "piece",
                "track": name,
                "generation": state.number,
                "begin_us": piece.begin_us,
                "end_us": piece.end_us,
                "frames": len(piece.samples),
                "sync": piece.sync,
                "uncertainty_us": piece.uncertainty_us,
            },
            mux_piece(piece.generation.format, state.sequence, piece.samples),
        )
        if self._failed_ns is not None:
            self._failed_ns = None
            log.info("ring_works_again")

    def _write_init(self, track: Track, name: str, state: _TrackState, generation: CutGeneration) -> None:
        assert self._store is not None
        form = generation.format
        state.number, state.sequence = self._store.next_generation(name), 0
        self._store.add(
            {
                "kind": "generation",
                "track": name,
                "generation": state.number,
                "media": form.media,
                "codec": form.codec,
                "container": "mp4",
                "timescale": form.timescale,
                "width": form.width,
                "height": form.height,
                "feed": track[0],
            },
            mux_init(form, generation.first),
        )
        state.made = generation

    # room

    def _poll(self) -> None:
        now_ns = self._clock.monotonic_ns()
        for track, state in self._tracks.items():
            if state.cutter.waits and now_ns - state.first_ns >= PIECE_AGE_NS:
                self._write_all(track, state, state.cutter.flush())
        if self._store is not None and now_ns - self._tidied_ns >= TIDY_NS:
            self._tidied_ns = now_ns
            self._store.drop(to_drop(self._store.held, self._bounds(self._store)))

    def _bounds(self, held: RingStore) -> Bounds:
        """What is configured, or less where the disk has no more."""
        now_us = self._clock.unix_ns() // NS_PER_US - held.key.epoch_us
        room = held.size_bytes + (disk_free_bytes(self.settings.folder) or 0) - RESERVE_BYTES
        return Bounds(min(self.settings.max_bytes, room), now_us - self.settings.max_hours * _US_PER_HOUR)

    def _tidy_others(self, present: str) -> None:
        """Rings of earlier consultations: what is too old goes, then what is too much, the oldest first."""
        oldest_s = self._clock.unix_ns() // NS_PER_S - self.settings.max_hours * 3600
        left = self.settings.max_bytes
        for folder, written_s in reversed(other_rings(self.settings.folder, present)):
            left -= sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            if written_s < oldest_s or left < 0:
                log.warning("ring_forgotten", consultation=folder.name)
                shutil.rmtree(folder, ignore_errors=True)


def other_rings(root: Path, present: str) -> Sequence[tuple[Path, float]]:
    """Folders of consultations but the present one, and when each was last written (Unix seconds), oldest
    first.
    """
    found: list[tuple[Path, float]] = []
    with contextlib.suppress(FileNotFoundError):
        for folder in root.iterdir():
            if folder.is_dir() and folder.name != present:
                manifest = folder / MANIFEST
                found.append((folder, (manifest if manifest.exists() else folder).stat().st_mtime))
    return sorted(found, key=lambda item: item[1])


def _video_unit(unit: EncodedFrame) -> Unit:
    if not unit.keyframe:
        return Unit(unit.data, unit.captured.unix_us, keyframe=False)
    sets = tuple(nal for nal in split_annex_b(unit.data) if nal and nal[0] & 0x1F in (_SPS, _PPS))
    sizes = [picture_size(nal) for nal in sets if nal[0] & 0x1F == _SPS]
    return Unit(unit.data, unit.captured.unix_us, True, sizes[0] if sizes else (0, 0), sets)
