"""Opens an archive with an auditor's key: unwraps the consultation's secret, decrypts what the manifest
vouches for.

Nothing is decrypted that the signed manifest does not name with this very hash: anyone can encrypt to a
public key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyrage

from archive import layout
from archive.audit import ManifestAuditor
from archive.decisions import Ledger, read_ledger
from archive.entries import (
    CloseEntry,
    EventsEntry,
    FileEntry,
    GapEntry,
    GenerationEntry,
    OpenEntry,
    PieceEntry,
    SealedEntry,
)
from archive.faults import ArchiveFault, Verdict
from archive.keys import parse_identities, read_identities
from archive.store_base import Folder, as_folder
from core.errors import ConfigError


@dataclass
class Contents:
    """What a manifest lists, as far as it can be read. `fault`: where and why reading stopped."""

    opened: OpenEntry
    generations: list[GenerationEntry] = field(default_factory=list)
    pieces: dict[tuple[str, int], list[PieceEntry]] = field(default_factory=dict)
    events: list[EventsEntry] = field(default_factory=list)
    files: list[FileEntry] = field(default_factory=list)
    gaps: list[GapEntry] = field(default_factory=list)
    closed: CloseEntry | None = None
    fault: ArchiveFault | None = None


def read_contents(where: Path | Folder) -> Contents:
    """List a consultation's objects. Raises `ArchiveFault` when there is no readable entry 0.

    The chain is followed but signatures are not checked here: `archive.verify` does that.
    """
    audit = ManifestAuditor(frozenset(), check_signatures=False)
    contents: Contents | None = None
    try:
        for line in as_folder(where).lines(layout.MANIFEST):
            if not line.endswith(b"\n"):
                break
            entry = audit.feed(line)
            if contents is None:
                assert isinstance(entry, OpenEntry)
                contents = Contents(entry)
            else:
                _list(contents, entry)
    except FileNotFoundError:
        raise ArchiveFault(Verdict.MISSING, 0, "there is no manifest") from None
    except ArchiveFault as fault:
        if contents is None:
            raise
        contents.fault = fault
    if contents is None:
        raise ArchiveFault(Verdict.TRUNCATED, 0, "the manifest does not hold a whole entry")
    return contents


def _list(contents: Contents, entry: object) -> None:
    if isinstance(entry, GenerationEntry):
        contents.generations.append(entry)
        contents.pieces[entry.track, entry.generation] = []
    elif isinstance(entry, PieceEntry):
        contents.pieces[entry.track, entry.generation].append(entry)
    elif isinstance(entry, EventsEntry):
        contents.events.append(entry)
    elif isinstance(entry, FileEntry):
        contents.files.append(entry)
    elif isinstance(entry, GapEntry):
        contents.gaps.append(entry)
    elif isinstance(entry, CloseEntry):
        contents.closed = entry


def read_opening(where: Path | Folder) -> OpenEntry:
    """Entry 0, without checking its signature. Raises `ArchiveFault`, `OSError`."""
    return _opened(read_first_line(as_folder(where)))


def read_first_line(folder: Folder) -> bytes:
    """The manifest's line 0, which binds everything else. Raises `ArchiveFault`, `OSError`."""
    try:
        return next(iter(folder.lines(layout.MANIFEST)), b"")
    except FileNotFoundError:
        raise ArchiveFault(Verdict.MISSING, 0, "there is no manifest") from None


def _opened(first_line: bytes) -> OpenEntry:
    entry = ManifestAuditor(frozenset(), check_signatures=False).feed(first_line)
    assert isinstance(entry, OpenEntry)
    return entry


def current_ledger(where: Path | Folder) -> Ledger:
    """What was decided about an archive, without checking who signed it: `archive.verify` does that.

    Raises `ArchiveFault` when manifest or decisions cannot be read, `OSError`.
    """
    folder = as_folder(where)
    first = read_first_line(folder)
    ledger = Ledger(first, _opened(first))
    try:
        return read_ledger(ledger, folder.lines(layout.DECISIONS))
    except FileNotFoundError:
        return ledger


def unwrap(where: Path | Folder, opened: OpenEntry, identity_file: Path) -> Sequence[pyrage.x25519.Identity]:
    """The consultation's secret key. Raises `ArchiveFault` (altered, missing) or `ConfigError` (not your
    archive).
    """
    return unwrap_with(where, opened, read_identities(identity_file), str(identity_file))


def unwrap_with(
    where: Path | Folder, opened: OpenEntry, identities: Sequence[pyrage.x25519.Identity], source: str
) -> Sequence[pyrage.x25519.Identity]:
    """The same with keys already read from `source`."""
    ledger = current_ledger(where)
    try:
        wrapped = as_folder(where).read(layout.SESSION_KEY)
    except OSError:
        if ledger.shredded is not None:
            raise _fault(Verdict.SHREDDED, 0, "its key was shredded", layout.SESSION_KEY) from None
        raise _fault(Verdict.MISSING, 0, "its object is missing", layout.SESSION_KEY) from None
    if hashlib.sha256(wrapped).hexdigest() not in ledger.wrappings:
        raise _fault(Verdict.ALTERED, 0, "its object was altered", layout.SESSION_KEY)
    try:
        text = pyrage.decrypt(wrapped, identities).decode("utf-8")
    except (pyrage.DecryptError, UnicodeDecodeError):
        names = ", ".join(item.custodian for item in ledger.recipients)
        raise ConfigError(f"{source} cannot open this consultation; the keys of {names} can") from None
    return parse_identities(text, layout.SESSION_KEY)


def open_object(
    where: Path | Folder, entry: SealedEntry, identities: Sequence[pyrage.x25519.Identity]
) -> bytes:
    """Decrypt one object after comparing it with its entry. Raises `ArchiveFault`."""
    try:
        sealed = as_folder(where).read(entry.object)
    except OSError:
        raise _fault(Verdict.MISSING, entry.entry, "its object is missing", entry.object) from None
    if len(sealed) != entry.size or hashlib.sha256(sealed).hexdigest() != entry.sha256:
        raise _fault(Verdict.ALTERED, entry.entry, "its object was altered", entry.object)
    try:
        return bytes(pyrage.decrypt(sealed, identities))
    except pyrage.DecryptError:
        raise _fault(Verdict.ALTERED, entry.entry, "its object cannot be decrypted", entry.object) from None


def open_objects(
    where: Path | Folder,
    entries: Sequence[SealedEntry],
    identities: Sequence[pyrage.x25519.Identity],
    faults: list[ArchiveFault],
) -> Iterator[bytes]:
    """Decrypt objects one after another; damaged ones are left out and added to `faults`."""
    for entry in entries:
        try:
            yield open_object(where, entry, identities)
        except ArchiveFault as fault:
            faults.append(fault)


def _fault(verdict: Verdict, entry: int, reason: str, path: str) -> ArchiveFault:
    return ArchiveFault(verdict, entry, reason, object_path=path)
