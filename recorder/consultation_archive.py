"""One consultation's archive as the writing thread sees it: seals jobs, notes what could not be written.

Lives in the writing thread only, but for `prepare` and `stage`. When the disk refuses, media is dropped and
remembered as gaps, events wait (bounded); every later job tries again after a pause, and the gaps are
declared first when it works.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import structlog

from archive.fmp4 import MuxError, mux_init, mux_piece
from archive.sealing import Sealed, Staged
from archive.specs import GenerationSpec, PieceSpec, Span
from archive.writer import ArchiveWriter
from core.clock import NS_PER_S, Clock
from core.errors import ProtocolError
from recorder.failure import Failure, failure_of
from recorder.jobs import EventsJob, GapJob, Generation, PieceJob

RETRY_NS: Final = 2 * NS_PER_S
MAX_WAITING_EVENTS: Final = 10_000
"""Lines kept while the disk refuses; of more, the oldest go, and a line says how many."""
DISK_REASON: Final = "disk"
OVERLOAD_REASON: Final = "overload"

log = structlog.get_logger()

Delivered = TypeVar("Delivered")
Unentered = Staged | MuxError | OSError | None
"""A piece on the disk that no entry names yet, or why there is none; None: the disk refuses anyway."""

Report = Callable[[Failure | None], None]
"""Called with why writing fails, and with None when it works again."""


@dataclass
class _Waiting:
    """Events that could not be written yet."""

    lines: list[bytes]
    span: Span
    dropped: int = 0


class ConsultationArchive:
    """Give it jobs in order. Nothing it meets on the disk is raised; `report` tells."""

    def __init__(self, writer: ArchiveWriter, clock: Clock, report: Report) -> None:
        self.writer = writer
        self._clock = clock
        self._report = report
        self._failed_at_ns: int | None = None
        self._gaps: dict[tuple[str | None, str], Span] = {}
        self._waiting: _Waiting | None = None

    def prepare(self, job: PieceJob) -> Sealed | MuxError | None:
        """Mux and seal a piece, in the order in which pieces come; in any thread, ahead of `write_piece`.
        None: nothing can be written anyway.
        """
        job.generation.sequence += 1
        if not self._may_write():
            return None
        try:
            return self.writer.seal(mux_piece(job.generation.format, job.generation.sequence, job.samples))
        except MuxError as error:
            return error

    def stage(self, prepared: Sealed | MuxError | None) -> Unentered:
        """Put a sealed piece on the disk, where it is in nobody's way; in any thread."""
        if not isinstance(prepared, Sealed):
            return prepared
        try:
            return self.writer.stage(prepared)
        except OSError as error:
            return error

    def write_piece(self, job: PieceJob, staged: Unentered) -> None:
        """Enter a piece; its generation's init piece goes first when it is not there yet. What cannot be
        entered is not kept.
        """
        try:
            self._enter_piece(job, staged)
        finally:
            if isinstance(staged, Staged):
                self.writer.discard(staged)

    def _enter_piece(self, job: PieceJob, staged: Unentered) -> None:
        if staged is None or not self._may_write():
            self._note_gap(job.generation.track, job.span, DISK_REASON)
            return
        try:
            self._settle()
            self._write_piece(job, staged)
        except OSError as error:
            self._note_gap(job.generation.track, job.span, DISK_REASON)
            self._fail(error)
        except (MuxError, ProtocolError) as error:
            log.warning("recorder.piece_unusable", track=job.generation.track, error=str(error))
            self._note_gap(job.generation.track, job.span, "unreadable")
        else:
            self._recovered()

    def declare_gap(self, job: GapJob) -> None:
        """Enter a gap, now or when the disk allows."""
        self.note_gap(job)
        self._attempt(self._settle)

    def note_gap(self, job: GapJob) -> None:
        """Enter a gap before whatever is written next: for many at once, when there is no time for each."""
        self._note_gap(job.track, job.span, job.reason)

    def write_events(self, job: EventsJob) -> None:
        """Seal events; they wait when they cannot be written."""
        self._queue_events(job)
        self._attempt(self._settle)

    def write_file(self, file_id: str, data: bytes) -> bool:
        """Seal a file of the chat, once. False: the disk refused, try again later."""
        if not self._may_write():
            return False
        try:
            self._settle()
            if file_id not in self.writer.files:
                self.writer.write_file(file_id, data)
        except OSError as error:
            self._fail(error)
            return False
        self._recovered()
        return True

    def deliver(self, work: Callable[[ArchiveWriter], Delivered]) -> Delivered | None:
        """Let `work` enter what a box delivered later. None: the disk refused, try again later. Raises what
        `work` raises besides.
        """
        if not self._may_write():
            return None
        try:
            self._settle()
            done = work(self.writer)
        except OSError as error:
            self._fail(error)
            return None
        self._recovered()
        return done

    def stop(self, at_us: int) -> bool:
        """Somebody stopped recording: say so, and leave the archive to whoever goes on with it. False: the
        disk refused, try again later.
        """
        try:
            self._settle()
            self.writer.stop(at_us)
        except OSError as error:
            self._fail(error)
            return False
        return True

    def close(self, reason: str) -> bool:
        """Declare what is outstanding and close. False: the disk refused, try again later."""
        try:
            self._settle()
            self.writer.close(reason)
        except OSError as error:
            self._fail(error)
            return False
        return True

    def release(self) -> None:
        """The recorder stops, the consultation goes on: leave the archive open for the next recorder."""
        self._attempt(self._settle, even_while_failed=True)
        self.writer.release()

    def _write_piece(self, job: PieceJob, staged: Staged | MuxError | OSError) -> None:
        generation = job.generation
        if not isinstance(staged, Staged):
            raise staged
        if generation.number is None:
            generation.number = self._start(generation)
        spec = PieceSpec(job.span, len(job.samples), job.sync, job.clock, job.uncertainty_us)
        self.writer.write_piece(generation.track, generation.number, spec, staged)

    def _start(self, generation: Generation) -> int:
        track = generation.format
        spec = GenerationSpec(
            track.media,
            track.codec,
            track.container,
            track.timescale,
            feed=generation.feed,
            input=generation.input,
            track_id=generation.track_id,
            width=track.width,
            height=track.height,
        )
        init = mux_init(track, generation.first)
        return self.writer.start_generation(generation.track, spec, init, generation.reason)

    def _settle(self) -> None:
        """Enter what waits: gaps, then events. Raises `OSError`; what was entered does not wait any more."""
        for key, span in list(self._gaps.items()):
            self.writer.declare_gap(key[0], span, key[1])
            del self._gaps[key]
        if self._waiting is not None:
            lines = list(self._waiting.lines)
            if self._waiting.dropped:
                lines.insert(
                    0, json.dumps({"type": "events_dropped", "count": self._waiting.dropped}).encode()
                )
            self.writer.write_events(self._waiting.span, len(lines), b"\n".join(lines) + b"\n")
            self._waiting = None

    def _attempt(self, step: Callable[[], None], *, even_while_failed: bool = False) -> None:
        if not even_while_failed and not self._may_write():
            return
        try:
            step()
        except OSError as error:
            self._fail(error)
        else:
            self._recovered()

    def _note_gap(self, track: str | None, span: Span, reason: str) -> None:
        known = self._gaps.get((track, reason))
        if known is not None:
            span = Span(min(known.begin_us, span.begin_us), max(known.end_us, span.end_us))
        self._gaps[track, reason] = span

    def _queue_events(self, job: EventsJob) -> None:
        if self._waiting is None:
            self._waiting = _Waiting(list(job.lines), job.span)
            return
        waiting = self._waiting
        waiting.lines += job.lines
        waiting.span = replace(waiting.span, end_us=max(waiting.span.end_us, job.span.end_us))
        if (excess := len(waiting.lines) - MAX_WAITING_EVENTS) > 0:
            del waiting.lines[:excess]
            waiting.dropped += excess

    def _may_write(self) -> bool:
        if self._failed_at_ns is None:
            return True
        return self._clock.monotonic_ns() - self._failed_at_ns >= RETRY_NS

    def _fail(self, error: OSError) -> None:
        first = self._failed_at_ns is None
        self._failed_at_ns = self._clock.monotonic_ns()
        if first:
            log.error("recorder.storage_failed", consultation=self.writer.consultation, error=error.strerror)
            self._report(failure_of(error))

    def _recovered(self) -> None:
        if self._failed_at_ns is not None:
            self._failed_at_ns = None
            log.info("recorder.storage_works_again", consultation=self.writer.consultation)
            self._report(None)
