"""Compares consultations' manifests with what the log, and witnesses, say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from archive import layout
from archive.chain import Head, read_line
from archive.entries import OpenEntry
from archive.faults import Verdict
from archive.log_book import LogBook, Marks, Record
from archive.log_findings import Finding
from archive.log_kept import Kept
from archive.log_stops import StopComparison
from archive.store_base import Folder
from core.errors import ProtocolError

LOG: Final = "the log"


class Comparison:
    """`folders`: what is there, by consultation. `only`: look at these alone."""

    def __init__(self, book: LogBook, kept: Iterable[Kept], folders: Mapping[str, Folder]) -> None:
        self._book, self._folders = book, folders
        self._seen: dict[str, list[tuple[str, int, str]]] = {}
        for file in kept:
            for head in file.heads:
                self._seen.setdefault(head.consultation, []).append((file.source, head.entries, head.head))

    def findings(self, *, whole: bool) -> list[Finding]:
        """`whole`: all that ever was must be there; else only the folders given are looked at."""
        names = set(self._folders)
        if whole:
            names |= self._book.records.keys() | self._seen.keys()
        return [self._compare(name) for name in sorted(names)]

    def _compare(self, name: str) -> Finding:
        record, folder = self._book.records.get(name), self._folders.get(name)
        marks = self._marks(name, record)
        vouched = max((entries for _, entries, _ in marks), default=0)
        state, leaf = _state(record), None if record is None else record.index

        def found(verdict: Verdict, reason: str = "") -> Finding:
            return Finding(name, verdict, state, vouched, leaf, reason)

        if folder is None:
            if vouched:
                return found(Verdict.MISSING, f"its archive is missing: {_whose(marks)} knew {vouched} lines")
            return found(Verdict.INTACT, "" if record and not record.record else "nothing of it was archived")
        if record is None:
            return found(*self._unknown(folder))
        if not record.record:
            return found(Verdict.ALTERED, "the log says that it was not recorded")
        stops = StopComparison(record.stops())
        verdict, reason = _check(folder, marks, record, stops)
        if verdict is Verdict.INTACT and stops.problem is not None:
            verdict, reason = stops.problem
        return replace(found(verdict, reason), stops=stops.stops, unconfirmed=tuple(stops.unconfirmed))

    def _marks(self, name: str, record: Record | None) -> list[tuple[str, int, str]]:
        logged = record.marks if record is not None else Marks()
        return [*((LOG, entries, head) for entries, head in logged), *self._seen.get(name, ())]

    def _unknown(self, folder: Folder) -> tuple[Verdict, str]:
        """It may be older than the log; else the log was cut, or this was made without it."""
        epoch_us, first_us = _epoch_us(folder), self._book.first_at_us
        if epoch_us is not None and first_us is not None and epoch_us < first_us:
            return Verdict.INTACT, "older than the log"
        return Verdict.TRUNCATED, "the log does not know it: the log was cut, or it was made beside it"


def _check(
    folder: Folder, marks: list[tuple[str, int, str]], record: Record, stops: StopComparison
) -> tuple[Verdict, str]:
    """Follow the manifest past every mark."""
    wanted: dict[int, list[tuple[str, str]]] = {}
    for source, entries, digest in marks:
        wanted.setdefault(entries, []).append((source, digest))
    head = Head()
    try:
        for line in folder.lines(layout.MANIFEST):
            if not line.endswith(b"\n"):
                break
            head = head.after(line)
            if wanted:  # what nobody has seen yet may be ahead of the log
                stops.read(line)
            for source, digest in wanted.pop(head.next_entry, ()):
                if digest != head.previous:
                    reason = f"entry {head.next_entry - 1} is not the one {source} knows"
                    return Verdict.ALTERED, reason
    except OSError:
        return Verdict.MISSING, "its manifest is missing"
    if wanted:
        most = max(wanted)
        return (
            Verdict.TRUNCATED,
            f"it ends after {head.next_entry} entries; {wanted[most][0][0]} knows {most}",
        )
    last = record.marks.last
    if record.final and last is not None and head.next_entry > last[0]:
        return Verdict.ALTERED, f"it goes on after entry {last[0] - 1}, with which it was closed"
    return Verdict.INTACT, ""


def _state(record: Record | None) -> str:
    if record is None:
        return "unknown"
    if record.closed is None:
        return "open"
    return "final" if record.final else record.closed.state


def _whose(marks: list[tuple[str, int, str]]) -> str:
    return max(marks, key=lambda mark: mark[1])[0]


def _epoch_us(folder: Folder) -> int | None:
    try:
        entry, _ = read_line(next(iter(folder.lines(layout.MANIFEST)), b""))
    except (OSError, ProtocolError):
        return None
    return entry.epoch_us if isinstance(entry, OpenEntry) else None
