"""Pure: reads a manifest line by line and says where, and how, it stops being what its signer wrote.

The auditor knows nothing of files: its driver (`archive.verify`, `archive.writer`) feeds lines and compares
objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Set
from typing import Final

from archive import layout
from archive.chain import Head, read_line, signature_holds
from archive.continuity import Continuity
from archive.entries import (
    CloseEntry,
    Entry,
    EventsEntry,
    FileEntry,
    GapEntry,
    GenerationEntry,
    OpenEntry,
    PieceEntry,
    SealedEntry,
)
from archive.faults import ArchiveFault, Verdict
from core.errors import ProtocolError

SEALED: Final = (GenerationEntry, PieceEntry, EventsEntry, FileEntry)


class ManifestAuditor:
    """Feed it every line in order, then the rest of the file.

    `trusted`: signers an entry may have. An archive whose entry 0 names another signer is still checked
    against itself: it is altered if it contradicts itself, otherwise cannot be verified
    (`untrusted_signer`). `check_signatures=False` is for a writer that checks the last line's signature
    only: the chain binds the rest.
    """

    def __init__(self, trusted: Set[str], *, check_signatures: bool = True) -> None:
        self._trusted = frozenset(trusted)
        self._check_signatures = check_signatures
        self.head = Head()
        self.opened: OpenEntry | None = None
        self.closed: CloseEntry | None = None
        self.last_line = b""
        self.untrusted_signer: str | None = None
        self.generations: dict[str, list[GenerationEntry]] = {}
        self.pieces: dict[tuple[str, int], int] = {}
        self.events = 0
        self.files: set[str] = set()
        """Ids of the files there are."""
        self.continuity = Continuity()
        self.paths: set[str] = set()
        self.object_bytes = 0
        self.end_us = 0

    @property
    def trusted(self) -> frozenset[str]:
        """Signers whose word counts here: of an archive with an unknown signer, that one alone."""
        return self._trusted

    def feed(self, line: bytes) -> Entry:
        """Check one whole line. Raises `ArchiveFault` (altered)."""
        try:
            entry, message = read_line(line)
        except ProtocolError as error:
            raise self._altered(f"its line cannot be read: {error}") from None
        self._check_position(entry)
        if self._check_signatures and not signature_holds(entry, message):
            raise self._altered("its signature is wrong")
        self._take(entry, line)
        return entry

    def feed_own(self, entry: Entry, line: bytes) -> None:
        """The same for one just sealed, by `seal_entry`, after this very head. Raises `ArchiveFault`."""
        self._check_position(entry)
        self._take(entry, line)

    def _take(self, entry: Entry, line: bytes) -> None:
        self._check_meaning(entry)
        self.head, self.last_line = self.head.after(line), line

    def finish(self, rest: bytes, closed_line: bytes | None) -> None:
        """`rest`: bytes after the last newline. `closed_line`: the closing marker's content, if there is one.

        An open archive may end in part of a line: the crash that cut it. Raises `ArchiveFault`.
        """
        self._check_end(rest, closed_line)
        if (entry := self.continuity.first_in_pause()) is not None:
            raise ArchiveFault(Verdict.ALTERED, entry, "its piece lies in a privacy pause")

    def _check_end(self, rest: bytes, closed_line: bytes | None) -> None:
        if closed_line is not None:
            self._check_closed(rest, closed_line)
        elif rest and self.closed is not None:
            raise self._altered("bytes follow the closing entry")
        elif self.opened is None:
            raise ArchiveFault(Verdict.TRUNCATED, 0, "the manifest does not hold a whole entry")
        elif _has_whole_entry(rest):
            raise self._altered("bytes stand where its line should end")

    def check_unentered(self, found: Iterable[str]) -> list[str]:
        """`found`: objects that exist. Returns those no entry names: at most the one a crash, or a writer
        at work, leaves between object and entry. Raises `ArchiveFault` for more, or for a file that cannot
        be that one.
        """
        extra = sorted(path for path in found if path not in self.paths)
        position = self.head.next_entry
        strange = [path for path in extra if self.closed is not None or not layout.is_object_path(path)]
        if strange:
            raise ArchiveFault(Verdict.ALTERED, position, "a file no entry names", object_path=strange[0])
        if len(extra) > 1:
            reason = f"the manifest ends here, but {len(extra)} later objects exist"
            raise ArchiveFault(Verdict.TRUNCATED, position, reason, object_path=extra[0])
        if extra and extra[0] not in self._next_objects() and not self._is_next_generation(extra[0]):
            raise ArchiveFault(Verdict.ALTERED, position, "a file no entry names", object_path=extra[0])
        return extra

    def _next_objects(self) -> Set[str]:
        paths = {layout.events_path(self.events + 1), layout.file_path(len(self.files) + 1)}
        for (track, generation), number in self.pieces.items():
            container = self.generations[track][generation].container
            paths.add(layout.piece_path(track, generation, number + 1, container))
        return paths

    def _is_next_generation(self, path: str) -> bool:
        """True when `path` can be the init piece of a track's next generation, or of a new track's first."""
        parts = path.split("/")
        if len(parts) != 4 or not parts[3].startswith("init."):
            return False
        return int(parts[2]) == len(self.generations.get(parts[1], []))

    def _altered(self, reason: str) -> ArchiveFault:
        return ArchiveFault(Verdict.ALTERED, self.head.next_entry, reason)

    def _check_position(self, entry: Entry) -> None:
        if entry.entry != self.head.next_entry:
            raise self._altered(f"entry {entry.entry} stands in its place")
        if entry.previous != self.head.previous:
            raise self._altered("it does not follow the line before it")
        if self.closed is not None:
            raise self._altered("it follows the closing entry")
        if (self.opened is None) != isinstance(entry, OpenEntry):
            raise self._altered(f"an entry of kind {entry.kind} cannot stand here")
        if self.opened is not None and entry.consultation != self.opened.consultation:
            raise self._altered("it belongs to another consultation")
        self._check_signer(entry)

    def _check_signer(self, entry: Entry) -> None:
        if self.opened is None and entry.signer not in self._trusted:
            self.untrusted_signer = entry.signer
            self._trusted = frozenset({entry.signer})
        elif entry.signer not in self._trusted:
            raise self._altered("it is signed by a key that is not trusted")

    def _check_meaning(self, entry: Entry) -> None:
        if isinstance(entry, OpenEntry):
            self.opened = entry
        elif isinstance(entry, GenerationEntry):
            self._add_generation(entry)
        elif isinstance(entry, PieceEntry):
            self._add_piece(entry)
        elif isinstance(entry, EventsEntry):
            self.events += 1
            self._expect(entry.number == self.events, "its number does not follow")
            self._add_object(entry, layout.events_path(entry.number))
            self.end_us = max(self.end_us, entry.end_us)
        elif isinstance(entry, FileEntry):
            self._add_file(entry)
        elif isinstance(entry, GapEntry):
            self.continuity.add_gap(entry)
        elif isinstance(entry, CloseEntry):
            totals = (entry.objects, entry.bytes)
            self._expect(totals == (len(self.paths), self.object_bytes), "its totals are wrong")
            self.closed = entry

    def _add_generation(self, entry: GenerationEntry) -> None:
        known = self.generations.setdefault(entry.track, [])
        self._expect(entry.generation == len(known), "its generation does not follow")
        known.append(entry)
        self.pieces[entry.track, entry.generation] = 0
        self._add_object(entry, layout.init_path(entry.track, entry.generation, entry.container))

    def _add_piece(self, entry: PieceEntry) -> None:
        key = (entry.track, entry.generation)
        self._expect(key in self.pieces, "its generation was never begun")
        self.pieces[key] += 1
        self._expect(entry.number == self.pieces[key], "its number does not follow")
        container = self.generations[entry.track][entry.generation].container
        self._add_object(entry, layout.piece_path(*key, entry.number, container))
        self.end_us = max(self.end_us, entry.end_us)
        self.continuity.add_piece(entry)

    def _add_file(self, entry: FileEntry) -> None:
        self._expect(entry.file_id not in self.files, "its file is there already")
        self.files.add(entry.file_id)
        self._expect(entry.number == len(self.files), "its number does not follow")
        self._add_object(entry, layout.file_path(entry.number))

    def _add_object(self, entry: SealedEntry, path: str) -> None:
        self._expect(entry.object == path, "its object's path is not its own")
        self.paths.add(path)
        self.object_bytes += entry.size

    def _expect(self, holds: bool, reason: str) -> None:
        if not holds:
            raise self._altered(reason)

    def _check_closed(self, rest: bytes, closed_line: bytes) -> None:
        """The marker is the closing entry once more; a manifest that lacks it was cut."""
        if self.closed is not None:
            if closed_line != self.last_line:
                raise ArchiveFault(Verdict.ALTERED, self.closed.entry, f"{layout.CLOSED} is not this entry")
            if rest:
                raise self._altered("bytes follow the closing entry")
            return
        closing = self._read_marker(closed_line)
        next_line_is_it = closing.entry == self.head.next_entry
        if rest and next_line_is_it and not closed_line.startswith(rest):
            raise self._altered("its line is damaged")
        reason = f"the manifest ends here; it was closed with entry {closing.entry}"
        raise ArchiveFault(Verdict.TRUNCATED, self.head.next_entry, reason)

    def _read_marker(self, closed_line: bytes) -> CloseEntry:
        bad = self._altered(f"{layout.CLOSED} is not a closing entry of it")
        try:
            entry, message = read_line(closed_line)
        except ProtocolError:
            raise bad from None
        consultation = self.opened.consultation if self.opened else entry.consultation
        known = not self._trusted or entry.signer in self._trusted or self.opened is None
        if not isinstance(entry, CloseEntry) or entry.consultation != consultation or not known:
            raise bad
        if not signature_holds(entry, message) or entry.entry < self.head.next_entry:
            raise bad
        return entry


def _has_whole_entry(rest: bytes) -> bool:
    """True when `rest` holds a whole entry and then something: its newline was changed, not torn off."""
    text = rest.decode("utf-8", "replace")
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return end < len(text)
