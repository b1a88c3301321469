"""The archive's log as the rest of signaling uses it: what opens, ends and is looked at becomes a leaf."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from typing import Any, Final, Literal

import structlog

from archive.log_book import LATE_CLOSE
from archive.log_entries import AccessKind, Leaf, OpenLeaf, make_leaf
from archive.log_heads import head_holds
from core.clock import NS_PER_S, NS_PER_US, Clock
from core.consultations import Consultation
from core.errors import Conflict, RemoteError, Unavailable
from core.ids import is_id
from core.messages import SignedHead
from signaling.log_writer import LogWriter

log = structlog.get_logger()

HEAD_LOGGED_S: Final = 60
"""How often the head of an open archive becomes a leaf."""
MAX_REMEMBERED: Final = 10_000
MAX_AWAITED: Final = 1_000
NOBODY: Final = "unknown"
_SUBJECT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:.-]{0,99}")
_DETAIL: Final = re.compile(r"[a-z0-9_.:-]{0,64}")
_US_PER_S: Final = NS_PER_S // NS_PER_US

RecordReason = Literal["patient_agreed", "patient_declined", "site_decided", "corrected", "unknown"]
CloseState = Literal["final", "provisional", "unrecorded", "not_opened"]


class ArchiveLog:
    """`context.log`. `heads`: the newest each recorder reported, of consultations that are not finished."""

    def __init__(self, writer: LogWriter, clock: Clock) -> None:
        self.writer = writer
        self.heads: dict[str, SignedHead] = {}
        self._clock = clock
        self._logged_us: dict[str, int] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        """Lately: what reads an old state must not open them again."""
        self._locks: dict[str, asyncio.Lock] = {}
        self._contradicted: set[str] = set()

    @property
    def failure(self) -> str | None:
        """Why nothing can be written at the moment, in words for the operator."""
        return self.writer.failure

    # --- who looked, took, was refused ---------------------------------------------------

    async def access(
        self,
        *,
        kind: AccessKind,
        by: str,
        consultation: str | None,
        second: str | None = None,
        detail: str = "",
    ) -> int:
        """Durable when it returns: the leaf's index. Raises `Unavailable` (503 `log_unavailable`): then do
        not do what was to be logged. `by`, `second`: subject ids; `detail`: a plain word.
        """
        return await self.writer.append(self._access(kind, by, consultation, second, detail))

    def note(
        self,
        *,
        kind: AccessKind,
        by: str,
        consultation: str | None,
        second: str | None = None,
        detail: str = "",
    ) -> None:
        """The same for what must not wait for a disk. Kept, bounded; how many were lost is a leaf."""
        self.writer.post(self._access(kind, by, consultation, second, detail))

    async def addendum(self, consultation: str, *, entries: int, head: str, reason: str) -> int:
        """Something that belongs to a closed consultation: where its own manifest ends. Raises `Unavailable`,
        `ProtocolError`.
        """
        fields = {"consultation": consultation, "entries": entries, "head": head, "reason": reason}
        return await self.writer.append(self._leaf("addendum", **fields))

    # --- a consultation's beginning and end ----------------------------------------------

    async def open(self, consultation: Consultation) -> None:
        """Durable when it returns; again changes nothing. Raises `Unavailable`: then it must not open."""
        wanted = consultation.consultation_id
        if self.knows(wanted):
            return
        async with self._locks.setdefault(wanted, asyncio.Lock()):
            if not self.knows(wanted):
                await self.writer.append(self._open_leaf(consultation))
        self._locks.pop(wanted, None)

    async def open_late(self, consultation: Consultation) -> None:
        """Of one that is open already (made before there was a log, or beside the service): it goes on
        whatever the disk does.
        """
        try:
            await self.open(consultation)
        except Unavailable as error:
            log.error("log.open_not_written", consultation=consultation.consultation_id, reason=str(error))

    def knows(self, consultation: str) -> bool:
        """True once its open leaf is durable, whatever became of it lately."""
        record = self.writer.book.records.get(consultation)
        return consultation in self._ended or (record is not None and record.opened is not None)

    async def close(self, consultation: str, state: CloseState) -> None:
        """Its last leaf, but for an addendum. Raises `Unavailable`: try again."""
        record = self.writer.book.records.get(consultation)
        if record is None or record.closed is not None:
            return
        entries, head = self._stands(consultation)
        fields = {"consultation": consultation, "entries": entries, "head": head, "state": state}
        await self.writer.append(self._leaf("close", **fields))
        self._forget(consultation)
        log.info("log.closed", consultation=consultation, state=state, entries=entries)

    # --- whether it is recorded ----------------------------------------------------------

    async def recording(self, consultation: str, *, record: bool, by: str, reason: RecordReason) -> None:
        """It shall be recorded from now on, or no longer: durable when it returns. Raises `Unavailable`: then
        it goes on as it was.
        """
        await self.writer.append(self._recording_leaf(consultation, record, by, reason))

    def note_recording(self, consultation: str, *, record: bool, by: str, reason: RecordReason) -> None:
        """The same for what happens whatever the disk does."""
        self.writer.post(self._recording_leaf(consultation, record, by, reason))

    # --- where archives stand ------------------------------------------------------------

    async def report(self, head: SignedHead) -> None:
        """The recorder says where an archive stands. The first one, and a final one, are logged at once.

        Raises `RemoteError` 422 `head_invalid`, `Conflict` `head_contradicts` when it was further already, or
        stood elsewhere; `Unavailable`.
        """
        if not head_holds(head):
            raise RemoteError("the head's signature is wrong", code="head_invalid", status=422)
        record = self.writer.book.records.get(head.consultation)
        if record is None or record.final:
            return  # finished, or said before
        self._check_growth(head)
        self.heads[head.consultation] = head
        if head.final or head.consultation not in self._logged_us or not record.record:
            await self._log_head(head)

    async def log_heads(self) -> None:
        """The heads that grew since they were logged a minute ago or earlier. Raises `Unavailable`."""
        before_us = self.now_us() - HEAD_LOGGED_S * _US_PER_S
        for head in list(self.heads.values()):
            record = self.writer.book.records.get(head.consultation)
            due = self._logged_us.get(head.consultation, 0) <= before_us
            if record is not None and due and record.marks.last != (head.entries, head.head):
                await self._log_head(head)

    def awaited(self) -> list[str]:
        """Consultations whose recorder has not said yet that their archive is closed, newest first."""
        records = reversed(self.writer.book.records.values())
        found = [record.consultation for record in records if record.record and not record.final]
        return found[:MAX_AWAITED]

    def now_us(self) -> int:
        """Unix microseconds."""
        return self._clock.unix_ns() // NS_PER_US

    # --- inside --------------------------------------------------------------------------

    async def _log_head(self, head: SignedHead) -> None:
        record = self.writer.book.records.get(head.consultation)
        fields: dict[str, Any] = {
            "consultation": head.consultation,
            "entries": head.entries,
            "head": head.head,
        }
        if record is not None and record.closed is not None:
            if head.final:
                await self.writer.append(self._leaf("addendum", **fields, reason=LATE_CLOSE))
                self._forget(head.consultation)
            return
        self._logged_us[head.consultation] = self.now_us()
        try:
            await self.writer.append(self._leaf("head", **fields, final=head.final))
        except Unavailable:
            self._logged_us.pop(head.consultation, None)
            raise

    def _check_growth(self, head: SignedHead) -> None:
        entries, known = self._stands(head.consultation)
        if head.entries > entries or (head.entries, head.head) == (entries, known):
            return
        if head.consultation not in self._contradicted:
            self._contradicted.add(head.consultation)
            log.error("log.head_contradicts", consultation=head.consultation, entries=head.entries)
            detail = "head_contradicts"
            self.note(kind="denied", by="service:recorder", consultation=head.consultation, detail=detail)
        raise Conflict("this archive was further already, or stood elsewhere", code="head_contradicts")

    def _stands(self, consultation: str) -> tuple[int, str | None]:
        """Where its archive was when it was heard of last."""
        head, record = self.heads.get(consultation), self.writer.book.records.get(consultation)
        logged = record.marks.last if record is not None else None
        if head is not None and (logged is None or head.entries > logged[0]):
            return head.entries, head.head
        return logged or (0, None)

    def _forget(self, consultation: str) -> None:
        record = self.writer.book.records.get(consultation)
        self._ended[consultation] = None
        while len(self._ended) > MAX_REMEMBERED:
            self._ended.popitem(last=False)
        if record is None:
            self.heads.pop(consultation, None)
            self._logged_us.pop(consultation, None)
            self._contradicted.discard(consultation)

    def _open_leaf(self, consultation: Consultation) -> Leaf:
        record, agreed = consultation.record, consultation.consent_record
        return OpenLeaf(
            kind="open",
            at_us=self.now_us(),
            consultation=consultation.consultation_id,
            organisation=_subject(consultation.organisation_id),
            by=_subject(consultation.opened_by),
            record=record,
            reason="patient_agreed" if record else "site_decided" if agreed else "patient_declined",
        )

    def _recording_leaf(self, consultation: str, record: bool, by: str, reason: RecordReason) -> Leaf:
        fields = {"consultation": consultation, "record": record, "by": _subject(by), "reason": reason}
        return self._leaf("recording", **fields)

    def _access(
        self, kind: AccessKind, by: str, consultation: str | None, second: str | None, detail: str
    ) -> Leaf:
        return self._leaf(
            "access",
            access=kind,
            by=_subject(by),
            second=None if second is None else _subject(second),
            consultation=consultation if consultation is not None and is_id(consultation) else None,
            detail=detail if _DETAIL.fullmatch(detail) else "other",
        )

    def _leaf(self, kind: str, **fields: Any) -> Leaf:
        """Raises `ProtocolError`."""
        return make_leaf({"kind": kind, "at_us": self.now_us(), **fields})


def _subject(text: str) -> str:
    """A subject's id; anything else could be somebody's name."""
    return text if _SUBJECT.fullmatch(text) else NOBODY
