"""Verification from ciphertext alone: no key is needed, only the signers' public keys.

Objects are hashed in threads while the manifest is read; the fault with the lowest entry number is the one
reported.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from archive import layout, store
from archive.audit import SEALED, ManifestAuditor
from archive.chain import MAX_LINE_BYTES
from archive.entries import Entry, OpenEntry
from archive.faults import ArchiveFault, Verdict, worst
from archive.keys import TrustedSigner

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
    path: Path
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


@dataclass
class _Pass:
    """One reading of one consultation."""

    audit: ManifestAuditor
    pending: deque[tuple[Entry, str, Future[tuple[str, int] | None]]] = field(default_factory=deque)
    bytes_read: int = 0
    rest: bytes = b""


def verify_consultation(
    folder: Path,
    trusted: Sequence[TrustedSigner],
    *,
    progress: Progress = lambda count: None,
    bound_to_name: bool = False,
) -> Report:
    """Verify one consultation's folder. Never raises for what the folder holds; `bound_to_name`: it must be
    named after the consultation, as it is in an archive's root.
    """
    audit = ManifestAuditor({item.public for item in trusted})
    state = _Pass(audit)
    existing = store.list_objects(folder)  # before the manifest: a recorder may be adding both
    with ThreadPoolExecutor(HASH_THREADS, thread_name_prefix="verify") as pool:
        fault = _run(folder, state, existing, pool, progress, bound_to_name)
    unentered = () if fault else tuple(sorted(set(existing) - audit.paths))
    return _report(folder, state, trusted, fault, unentered)


def _run(
    folder: Path,
    state: _Pass,
    existing: list[str],
    pool: ThreadPoolExecutor,
    progress: Progress,
    bound_to_name: bool,
) -> ArchiveFault | None:
    marker = store.read_optional(folder / layout.CLOSED)  # before the manifest: a recorder may be closing it
    try:
        try:
            _read_manifest(folder, state, pool, progress, bound_to_name)
            state.audit.finish(state.rest, marker)
            state.audit.check_unentered(existing)
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
    folder: Path, state: _Pass, pool: ThreadPoolExecutor, progress: Progress, bound_to_name: bool
) -> None:
    try:
        manifest = (folder / layout.MANIFEST).open("rb")
    except OSError:
        raise ArchiveFault(
            Verdict.MISSING, 0, "the manifest is missing", object_path=layout.MANIFEST
        ) from None
    with manifest:
        while line := manifest.readline(MAX_LINE_BYTES + 1):
            if not line.endswith(b"\n") and len(line) <= MAX_LINE_BYTES:
                state.rest = line
                return
            entry = state.audit.feed(line)
            state.bytes_read += len(line)
            if bound_to_name and isinstance(entry, OpenEntry) and entry.consultation != folder.name:
                reason = f"the folder {folder.name} holds consultation {entry.consultation}"
                raise ArchiveFault(Verdict.ALTERED, 0, reason)
            _submit(folder, entry, state, pool)
            _settle(state, progress, IN_FLIGHT)


def _submit(folder: Path, entry: Entry, state: _Pass, pool: ThreadPoolExecutor) -> None:
    if isinstance(entry, OpenEntry):
        path = layout.SESSION_KEY
    elif isinstance(entry, SEALED):
        path = entry.object
    else:
        return
    state.pending.append((entry, path, pool.submit(_hash, folder / path)))


def _hash(path: Path) -> tuple[str, int] | None:
    """Digest and size; None when there is no such file."""
    try:
        return store.hash_file(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _settle(state: _Pass, progress: Progress, keep: int) -> None:
    """Compare finished objects, oldest first, until at most `keep` are pending. Raises `ArchiveFault`."""
    while len(state.pending) > keep:
        entry, path, future = state.pending.popleft()
        try:
            found = future.result()
        except OSError as error:
            reason = f"its object cannot be read: {error.strerror}"
            raise ArchiveFault(Verdict.MISSING, entry.entry, reason, object_path=path) from None
        if found is None:
            raise ArchiveFault(Verdict.MISSING, entry.entry, "its object is missing", object_path=path)
        if not _matches(entry, found):
            raise ArchiveFault(Verdict.ALTERED, entry.entry, "its object was altered", object_path=path)
        state.bytes_read += found[1]
        progress(found[1])


def _matches(entry: Entry, found: tuple[str, int]) -> bool:
    if isinstance(entry, OpenEntry):
        return entry.session_key_sha256 == found[0]
    return isinstance(entry, SEALED) and (entry.sha256, entry.size) == found


def _report(
    folder: Path,
    state: _Pass,
    trusted: Sequence[TrustedSigner],
    fault: ArchiveFault | None,
    unentered: tuple[str, ...],
) -> Report:
    audit = state.audit
    verdict = fault.verdict if fault else Verdict.INTACT
    bad = BadEntry(fault.entry, fault.reason, fault.object_path) if fault else None
    if fault is None and audit.untrusted_signer:
        verdict = Verdict.UNVERIFIABLE
        bad = BadEntry(0, f"its signer {audit.untrusted_signer} is not trusted")
    signer = audit.opened.signer if audit.opened else None
    return Report(
        consultation=audit.opened.consultation if audit.opened else folder.name,
        path=folder,
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
    )


def is_consultation(path: Path) -> bool:
    """True for a folder that is, or was, a consultation's archive."""
    if path.name.startswith(".") or not path.is_dir():
        return False
    names = (layout.MANIFEST, layout.SESSION_KEY, layout.CLOSED, "tracks", "events")
    return any((path / name).exists() for name in names)


def consultations_in(root: Path) -> list[Path]:
    """The consultation folders in an archive's root, oldest first (ids sort by time)."""
    return sorted(path for path in root.iterdir() if is_consultation(path))


def overall(reports: Sequence[Report]) -> Verdict:
    """The gravest verdict of several."""
    return worst([report.verdict for report in reports])
