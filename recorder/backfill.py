"""What boxes deliver later to one archive: asked for, checked, entered.

A box commits itself to its ring before it learns what is missing. A piece is entered as it is, sealed by the
box: only if a line under a committed head names it, its bytes are those, the box may send that feed, the
archive has a hole there, and nobody had paused or stopped anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog

from archive import layout, ring
from archive.chain import SigningKey, read_line
from archive.entries import Entry
from archive.intervals import left
from archive.ring import BufferKey, RingGeneration, RingObject, RingPiece, sign_buffer_key
from archive.ring_messages import MAX_SPANS, MAX_THERE, BackfillAnswer, BackfillQuestion, Refusal, WantedSpan
from archive.sealing import Sealed
from archive.specs import GenerationSpec, PieceSpec, Span
from archive.writer import ArchiveWriter
from core.clock import NS_PER_S, NS_PER_US, Clock
from core.device_access import KEY_BYTES, from_base64
from core.errors import ProtocolError
from recorder.backfill_index import LEAD_US, ArchiveIndex
from recorder.consultation_archive import ConsultationArchive
from recorder.rings import MAX_RINGS, ReceivedRing, RingInvalid
from recorder.subscriber import track_name
from recorder.writing import WritingThread

REASON: Final = "backfill"
ROUNDING_US: Final = 1_000
OVERLAP_US: Final = 100_000
"""Pieces of one generation may overlap by less; what lies further back begins another one."""
MAX_INITS: Final = 64
PAUSE_NOTICE_US: Final = 500_000
"""A pause may have begun so long before we heard of it."""
TAIL_US: Final = 1_500_000
"""A track that ends less than this before its consultation ended with it, unless its box is late anyway."""
LATE_TAIL_US: Final = 100_000
HEARD_NS: Final = 150 * NS_PER_S
"""A late box that says nothing for so long, and of which nothing big is missing, is not waited for. One piece
may be under way for 120 s."""

log = structlog.get_logger()
Fetch = Callable[[], Awaitable[bytes]]


class Refused(Exception):
    """Not taken; `reason` is told to the box."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason: Refusal = reason


@dataclass(slots=True)
class PauseLog:
    """When the site had picture and sound paused, as far as heard: on the timeline, the last perhaps without
    end.
    """

    spans: list[tuple[int, int | None]] = field(default_factory=list)

    def told(self, paused: bool, now_us: int) -> None:
        """How it is now."""
        going_on = bool(self.spans) and self.spans[-1][1] is None
        if paused and not going_on:
            self.spans.append((max(0, now_us - PAUSE_NOTICE_US), None))
        elif not paused and going_on:
            self.spans[-1] = (self.spans[-1][0], now_us)

    def meets(self, begin_us: int, end_us: int) -> bool:
        """True when there was one in that span."""
        return any(begin < end_us and (end is None or end > begin_us) for begin, end in self.spans)

    def without(self, span: WantedSpan) -> list[WantedSpan]:
        """What of it lies outside pauses."""
        taken = [(begin, span.end_us if end is None else end) for begin, end in self.spans]
        parts = left(span.begin_us, span.end_us, taken)
        return [span.model_copy(update={"begin_us": begin, "end_us": end}) for begin, end in parts]


@dataclass(slots=True)
class _Box:
    """A box that has a key for this consultation."""

    feeds: frozenset[str]
    rings: dict[str, ReceivedRing] = field(default_factory=dict)
    late: bool = False
    """Something was missing when the consultation ended: its last frame is waited for."""
    done: bool = False
    heard_ns: int = 0

    @property
    def tracks(self) -> list[str]:
        return [
            track_name(feed, "device", kind) for feed in sorted(self.feeds) for kind in ("video", "audio")
        ]

    @property
    def tail_us(self) -> int:
        return LATE_TAIL_US if self.late else TAIL_US


class BackfillDesk:
    """Of one archive that is open. Everything that reads or writes it happens in the writing thread."""

    def __init__(
        self,
        archive: ConsultationArchive,
        writing: WritingThread,
        signer: SigningKey,
        clock: Clock,
        note: Callable[[dict[str, Any]], None],
    ) -> None:
        """`note`: write into the archive's events."""
        self.pauses = PauseLog()
        self._archive, self._writing, self._signer, self._clock = archive, writing, signer, clock
        self._note = note
        self._boxes: dict[str, _Box] = {}
        self._index = ArchiveIndex()
        self._read_bytes = 0
        self._inits: dict[str, bytes] = {}
        """Init pieces that no piece has followed yet, by their hash."""
        self._ended_us: int | None = None

    async def answer(self, question: BackfillQuestion, fetch: Fetch) -> BackfillAnswer:
        """Whatever is asked. `fetch` gets the piece that came with it. Raises what `fetch` raises."""
        try:
            return await self._answer(question, fetch)
        except Refused as refused:
            reason = refused.reason
        except RingInvalid as error:
            log.warning("recorder.ring_invalid", device=question.device, reason=str(error))
            reason = "ring_invalid"
        return BackfillAnswer(refused=reason)

    def ended(self) -> None:
        """The consultation is over: what is missing up to now may still come."""
        self._ended_us = self._archive.writer.now_us()

    async def outstanding(self) -> bool:
        """True while something is missing that a box may still have, or a late one is at it."""
        waiting = [box for box in self._boxes.values() if not box.done]
        missing = False
        for box in waiting:
            if await self._writing.run(partial(self._wanted, box.tracks, TAIL_US)):
                box.late = missing = True
        heard_ns = max((box.heard_ns for box in waiting if box.late), default=None)
        return missing or (heard_ns is not None and self._clock.monotonic_ns() - heard_ns < HEARD_NS)

    async def _answer(self, question: BackfillQuestion, fetch: Fetch) -> BackfillAnswer:
        if question.step == "key":
            return BackfillAnswer(key=self._key(question))
        box = self._boxes.get(question.device)
        if box is None:
            raise Refused("ring_unknown")
        box.heard_ns = self._clock.monotonic_ns()
        if question.step == "commit":
            return BackfillAnswer(known=self._commit(box, question))
        held = box.rings.get(question.ring)
        if held is None:
            raise Refused("ring_unknown")
        if question.step == "lines":
            held.take_lines(question.first, question.lines.encode().splitlines(keepends=True))
            return BackfillAnswer(known=held.known)
        if question.step == "wanted":
            return await self._writing.run(partial(self._tell_wanted, box, held))
        if question.step == "done":
            box.done = self._ended_us is not None
            return BackfillAnswer(known=held.known)
        found = held.committed(question.entry)
        if found is None:
            raise Refused("not_committed")
        return await self._take(box, held, found, await fetch())

    def _key(self, question: BackfillQuestion) -> BufferKey:
        """From now on its ring counts, and it may have what is missing."""
        writer = self._archive.writer
        if writer.closed or self._public(question) is None:
            raise Refused("not_recorded")
        box = self._boxes.setdefault(question.device, _Box(frozenset()))
        box.feeds = frozenset(question.feeds)
        at_us = self._clock.unix_ns() // NS_PER_US
        return sign_buffer_key(
            writer.consultation, question.device, writer.epoch_us, writer.public_key, at_us, self._signer
        )

    def _public(self, question: BackfillQuestion) -> bytes | None:
        return from_base64(question.public_key, KEY_BYTES)

    def _commit(self, box: _Box, question: BackfillQuestion) -> int:
        public = self._public(question)
        if question.head is None or public is None or question.head.ring != question.ring:
            raise Refused("ring_invalid")
        held = box.rings.get(question.ring)
        if held is None:
            if len(box.rings) >= MAX_RINGS:
                raise Refused("ring_invalid")
            held = ReceivedRing(question.ring, self._key(question), public)
        if held.commit(question.head):
            self._note({"type": "ring_head", **question.head.model_dump(mode="json")})
        box.rings[question.ring] = held
        return held.known

    # in the writing thread

    def _refresh(self) -> None:
        """Read on in the manifest."""
        with (self._archive.writer.folder / layout.MANIFEST).open("rb") as manifest:
            manifest.seek(self._read_bytes)
            for line in manifest:
                if line.endswith(b"\n"):
                    self._index.feed(_entry(line))
                    self._read_bytes += len(line)

    def _wanted(self, tracks: Sequence[str], tail_us: int) -> list[WantedSpan]:
        self._refresh()
        spans = self._index.wanted(tracks, self._ended_us, tail_us)
        return [part for span in spans for part in self.pauses.without(span)]

    def _tell_wanted(self, box: _Box, held: ReceivedRing) -> BackfillAnswer:
        spans = self._wanted(box.tracks, box.tail_us)
        there = [
            entry
            for entry, one in held.objects.items()
            if one.sha256 in self._index.objects or one.sha256 in self._inits
        ]
        never = [
            entry
            for entry, one in held.objects.items()
            if isinstance(one, RingPiece) and self._is_private(one)
        ]
        return BackfillAnswer(
            known=held.known, spans=spans[:MAX_SPANS], there=there[-MAX_THERE:], never=never[-MAX_THERE:]
        )

    def _is_private(self, piece: RingPiece) -> bool:
        span = Span(piece.begin_us, piece.end_us)
        known = self._index.is_private(piece.track, span, piece.uncertainty_us + ROUNDING_US)
        return known or self.pauses.meets(piece.begin_us, piece.end_us)

    async def _take(self, box: _Box, held: ReceivedRing, found: RingObject, data: bytes) -> BackfillAnswer:
        if len(data) != found.size or ring.digest(data) != found.sha256:
            raise RingInvalid("these are not the bytes that the line names")
        await self._writing.run(partial(self._enter, box, held, found, data))
        return BackfillAnswer(known=held.known)

    def _enter(self, box: _Box, held: ReceivedRing, found: RingObject, data: bytes) -> None:
        self._refresh()
        if found.sha256 in self._index.objects:
            return
        init = found if isinstance(found, RingGeneration) else held.init_of(found)
        if init is None:
            raise RingInvalid("a piece of a generation that was never begun")
        if init.feed not in box.feeds or found.track != track_name(init.feed, "device", init.media):
            raise Refused("not_granted")
        if isinstance(found, RingGeneration):
            self._inits[found.sha256] = data
            while len(self._inits) > MAX_INITS:
                del self._inits[next(iter(self._inits))]
            return
        self._check_place(box, found)
        work = partial(self._write, found, init, data)
        try:
            if self._archive.deliver(work) is None:
                raise Refused("storage_failed")
        except ProtocolError:
            raise Refused("paused") from None

    def _check_place(self, box: _Box, piece: RingPiece) -> None:
        span = Span(piece.begin_us, piece.end_us)
        free = self._index.may_hold(piece.track, span, piece.uncertainty_us + ROUNDING_US)
        if not free or self.pauses.meets(piece.begin_us, piece.end_us):
            raise Refused("paused")
        near = any(
            piece.begin_us < span.end_us and piece.end_us > span.begin_us - LEAD_US
            for span in self._wanted([piece.track], box.tail_us)
        )
        if not near:
            raise Refused("not_wanted")

    def _write(self, piece: RingPiece, init: RingGeneration, data: bytes, writer: ArchiveWriter) -> int:
        before = self._index.delivered(piece.track, init.sha256)
        if before is None or before.end_us > piece.begin_us + OVERLAP_US:
            generation = self._begin(piece, init, None if before is None else before.generation, writer)
        else:
            generation = before.generation
        spec = PieceSpec(
            Span(piece.begin_us, piece.end_us),
            piece.frames,
            piece.sync,
            uncertainty_us=piece.uncertainty_us,
            source="backfill",
        )
        staged = writer.stage(Sealed(bytearray(data), piece.sha256))
        try:
            return writer.write_piece(piece.track, generation, spec, staged)
        finally:
            writer.discard(staged)

    def _begin(self, piece: RingPiece, init: RingGeneration, known: int | None, writer: ArchiveWriter) -> int:
        """The box's init piece becomes that of a generation, once more if pieces would not be in order."""
        data = self._inits.pop(init.sha256, None)
        if data is None and known is not None:
            path = layout.init_path(piece.track, known, init.container)
            data = (writer.folder / path).read_bytes()
        if data is None:
            raise Refused("out_of_order")
        spec = GenerationSpec(
            init.media,
            init.codec,
            init.container,
            init.timescale,
            feed=init.feed,
            input="device",
            track_id="",
            width=init.width,
            height=init.height,
        )
        staged = writer.stage(Sealed(bytearray(data), init.sha256))
        try:
            return writer.start_generation(piece.track, spec, staged, REASON)
        finally:
            writer.discard(staged)


def _entry(line: bytes) -> Entry:
    """Our own line."""
    return read_line(line)[0]
