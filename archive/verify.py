"""Verification from ciphertext alone: no key is needed, only the signers' public keys.

Objects are hashed in threads while the manifest is read; the fault with the lowest entry number is the one
reported.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from archive import layout
from archive.audit import SEALED, ManifestAuditor
from archive.chain import MAX_LINE_BYTES
from archive.continuity import Hole
from archive.decisions import Ledger, read_ledger
from archive.entries import Entry, OpenEntry
from archive.faults import ArchiveFault, Verdict, worst
from archive.keys import TrustedSigner
from archive.store_base import Folder, LocalFolder, StoreError, as_folder, read_optional
from archive.store_base import is_consultation as is_consultation

HASH_THREADS: Final = min(8, (os.cpu_count() or 2) + 1)
IN_FLIGHT: Final = 64
"""Objects being hashed ahead of the oldest unfinished one; the reader waits when there are more."""

Progress = Callable[[int], None]
"""Called with the number of bytes verified since the last call."""


@dataclass(frozen=True, slots=True)
class BadEntry:
    """The first thing wrong. `entry`: its number (from 0); `object`: the path of the object concerned."""

    entry: int
    reason: str
    object: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What verification of a consultation found. `open`: it goes on; vouched for as far as written."""

    consultation: str
    path: Path | str
    """A folder, or the URL of one in a store."""
    verdict: Verdict
    open: bool = False
    entries: int = 0
    objects: int = 0
    bytes: int = 0
    end_us: int = 0
    torn_bytes: int = 0
    """Bytes after the last whole line of an open archive: a crash cut them; the next start removes them."""
    unentered: tuple[str, ...] = ()
    """An object whose entry is not written (yet): a recorder at work, or a crash."""
    signer: str | None = None
    trust: str | None = None
    """Where the trust in `signer` came from."""
    first_bad: BadEntry | None = None
    holes: tuple[Hole, ...] = ()
    """Where a track has no pieces, though no gap says why: in a closed archive something is missing; in one
    that goes on, it may yet be said.
    """
    holds: tuple[str, ...] = ()
    decisions: int = 0
    notes: tuple[str, ...] = ()
    """What is not as it should be, though nothing was altered."""


@dataclass
class _Pass:
    """One reading of one consultation."""

    audit: ManifestAuditor
    pending: deque[tuple[Entry, str, Future[tuple[str, int] | None]]] = field(default_factory=deque)
    people: frozenset[str] = frozenset()
    ledger: Ledger | None = None
    bytes_read: int = 0
    rest: bytes = b""
    found_key: str | None = None
    """SHA-256 of `session.key.age`."""


def verify_consultation(
    where: Path | Folder,
    trusted: Sequence[TrustedSigner],
    *,
    progress: Progress = lambda count: None,
    bound_to_name: bool = False,
    people: Collection[str] = (),
) -> Report:
    """Verify one consultation's folder. Never raises for what the folder holds, only `StoreError` for a store
    that cannot be asked. `bound_to_name`: it must be named after the consultation, as it is in an archive's
    root. `people`: registered people's public keys.
    """
    folder = as_folder(where)
    audit = ManifestAuditor({item.public for item in trusted})
    state = _Pass(audit, people=frozenset(people))
    existing = folder.objects()  # before the manifest: a recorder may be adding both
    with ThreadPoolExecutor(HASH_THREADS, thread_name_prefix="verify") as pool:
        fault = _run(folder, state, existing, pool, progress, bound_to_name)
    unentered = () if fault else tuple(sorted(set(existing) - audit.paths))
    return _report(folder, state, trusted, fault, unentered)


def _run(
    folder: Folder,
    state: _Pass,
    existing: list[str],
    pool: ThreadPoolExecutor,
    progress: Progress,
    bound_to_name: bool,
) -> ArchiveFault | None:
    marker = read_optional(folder, layout.CLOSED)  # before the manifest: a recorder may be closing it
    try:
        try:
            _read_manifest(folder, state, pool, progress, bound_to_name)
            state.audit.finish(state.rest, marker)
            state.audit.check_unentered(_unexpected(folder, state.audit, existing))
        except ArchiveFault as fault:
            _settle(state, progress, 0)  # an object of an earlier entry may be wrong too
            return fault
        _settle(state, progress, 0)
    except ArchiveFault as fault:
        return fault
    finally:
        for _, _, future in state.pending:
            future.cancel()
    return None


def _read_manifest(
    folder: Folder, state: _Pass, pool: ThreadPoolExecutor, progress: Progress, bound_to_name: bool
) -> None:
    for line in _manifest_lines(folder):
        if not line.endswith(b"\n") and len(line) <= MAX_LINE_BYTES:
            state.rest = line
            return
        entry = state.audit.feed(line)
        state.bytes_read += len(line)
        if bound_to_name and isinstance(entry, OpenEntry) and entry.consultation != folder.name:
            reason = f"the folder {folder.name} holds consultation {entry.consultation}"
            raise ArchiveFault(Verdict.ALTERED, 0, reason)
        if isinstance(entry, OpenEntry):
            state.ledger = _read_decisions(folder, line, entry, state.audit, state.people)
        _submit(folder, entry, state, pool)
        _settle(state, progress, IN_FLIGHT)


def _unexpected(folder: Folder, audit: ManifestAuditor, existing: list[str]) -> list[str]:
    """In a copy that still grows, only what can be no object at all."""
    growing = folder.copied and audit.closed is None
    return [path for path in existing if not growing or not layout.is_object_path(path)]


def _manifest_lines(folder: Folder) -> Iterator[bytes]:
    try:
        yield from folder.lines(layout.MANIFEST)
    except StoreError:
        raise
    except OSError as error:
        known = isinstance(error, FileNotFoundError | NotADirectoryError)
        reason = "the manifest is missing" if known else f"the manifest cannot be read: {error.strerror}"
        raise ArchiveFault(Verdict.MISSING, 0, reason, object_path=layout.MANIFEST) from None


def _read_decisions(
    folder: Folder, first_line: bytes, opened: OpenEntry, audit: ManifestAuditor, people: frozenset[str]
) -> Ledger:
    """What was decided later, and is therefore to be expected of the key and the objects."""
    ledger = Ledger(first_line, opened, audit.trusted, people)
    try:
        return read_ledger(ledger, folder.lines(layout.DECISIONS))
    except FileNotFoundError:
        return ledger
    except StoreError:
        raise
    except OSError as error:
        reason = f"the decisions cannot be read: {error.strerror}"
        raise ArchiveFault(Verdict.MISSING, 0, reason, object_path=layout.DECISIONS) from None


def _submit(folder: Folder, entry: Entry, state: _Pass, pool: ThreadPoolExecutor) -> None:
    if isinstance(entry, OpenEntry):
        path = layout.SESSION_KEY
    elif isinstance(entry, SEALED):
        path = entry.object
    else:
        return
    state.pending.append((entry, path, pool.submit(_hash, folder, path)))


def _hash(folder: Folder, path: str) -> tuple[str, int] | None:
    """Digest and size; None when there is no such file."""
    try:
        return folder.hash(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _settle(state: _Pass, progress: Progress, keep: int) -> None:
    """Compare finished objects, oldest first, until at most `keep` are pending. Raises `ArchiveFault`."""
    while len(state.pending) > keep:
        entry, path, future = state.pending.popleft()
        try:
            found = future.result()
        except StoreError:
            raise
        except OSError as error:
            reason = f"its object cannot be read: {error.strerror}"
            raise ArchiveFault(Verdict.MISSING, entry.entry, reason, object_path=path) from None
        if found is None and _may_be_gone(entry, state.ledger):
            continue
        if found is None:
            raise ArchiveFault(Verdict.MISSING, entry.entry, "its object is missing", object_path=path)
        if isinstance(entry, OpenEntry):
            state.found_key = found[0]
        if not _matches(entry, found, state.ledger):
            raise ArchiveFault(Verdict.ALTERED, entry.entry, "its object was altered", object_path=path)
        state.bytes_read += found[1]
        progress(found[1])


def _may_be_gone(entry: Entry, ledger: Ledger | None) -> bool:
    """True for what was destroyed by a decision."""
    shredded = ledger.shredded if ledger else None
    return shredded is not None and (isinstance(entry, OpenEntry) or shredded.objects == "removed")


def _matches(entry: Entry, found: tuple[str, int], ledger: Ledger | None) -> bool:
    if isinstance(entry, OpenEntry):
        return found[0] in (ledger.wrappings if ledger else [entry.session_key_sha256])
    return isinstance(entry, SEALED) and (entry.sha256, entry.size) == found


def _judge(state: _Pass) -> tuple[Verdict, BadEntry | None]:
    """Nothing was altered; what else is to be said?"""
    audit, ledger = state.audit, state.ledger
    if audit.closed is not None and (bad := _first_hole(audit.continuity.holes())) is not None:
        return Verdict.MISSING, bad
    if audit.untrusted_signer:
        return Verdict.UNVERIFIABLE, BadEntry(0, f"its signer {audit.untrusted_signer} is not trusted")
    if ledger is not None and ledger.unknown_person is not None:
        reason = f"{ledger.unknown_person}, who approved a decision, is not among the registered people"
        return Verdict.UNVERIFIABLE, BadEntry(0, reason, layout.DECISIONS)
    return (Verdict.SHREDDED if ledger is not None and ledger.shredded else Verdict.INTACT), None


def _first_hole(holes: Sequence[Hole]) -> BadEntry | None:
    """A closed archive says of everything that is missing why: the entry before which one says nothing."""
    if not holes:
        return None
    hole = min(holes, key=lambda item: item.entry)
    missing_s = (hole.end_us - hole.begin_us) / 1_000_000
    return BadEntry(
        hole.entry, f"before it, {missing_s:.1f} s of {hole.track} are missing, and no gap says why"
    )


def _notes(state: _Pass) -> tuple[str, ...]:
    ledger = state.ledger
    if ledger is None or state.found_key is None:
        return ()
    if ledger.shredded is not None:
        return (
            f"it is to be shredded, but {layout.SESSION_KEY} is still here: run `archive shred --finish`",
        )
    if state.found_key != ledger.session_key_sha256:
        return (f"{layout.SESSION_KEY} is not the last wrapping: run `archive rewrap --approve` again",)
    return ()


def _report(
    folder: Folder,
    state: _Pass,
    trusted: Sequence[TrustedSigner],
    fault: ArchiveFault | None,
    unentered: tuple[str, ...],
) -> Report:
    audit = state.audit
    verdict, bad = _judge(state)
    if fault is not None:
        verdict, bad = fault.verdict, BadEntry(fault.entry, fault.reason, fault.object_path)
    signer = audit.opened.signer if audit.opened else None
    return Report(
        consultation=audit.opened.consultation if audit.opened else folder.name,
        path=folder.path if isinstance(folder, LocalFolder) else folder.place,
        verdict=verdict,
        open=audit.opened is not None and audit.closed is None and fault is None,
        entries=audit.head.next_entry,
        objects=len(audit.paths),
        bytes=state.bytes_read,
        end_us=audit.end_us,
        torn_bytes=len(state.rest) if fault is None else 0,
        unentered=unentered,
        signer=signer,
        trust=next((item.source for item in trusted if item.public == signer), None),
        first_bad=bad,
        holds=tuple(sorted(state.ledger.holds)) if state.ledger else (),
        decisions=len(state.ledger.decisions) if state.ledger else 0,
        notes=_notes(state),
        holes=tuple(audit.continuity.holes()),
    )


def consultations_in(root: Path) -> list[Path]:
    """The consultation folders in an archive's root, oldest first (ids sort by time)."""
    return sorted(path for path in root.iterdir() if is_consultation(path))


def overall(reports: Sequence[Report]) -> Verdict:
    """The gravest verdict of several."""
    return worst([report.verdict for report in reports])
