"""The second copy of a consultation's archive, in a store: every step is repeatable, nothing is skipped.

Order: the wrapped key, the first entry, objects, the manifest as far as they go, decisions, at the very end
`closed.json`.
What was sent is read back and compared before it counts. So the copy is at any time a whole archive that may
only be shorter, and a local object is removed only when its copy was seen to be the same.

A line of the manifest counts once another follows it (or `closed.json` exists): then it survives a power loss
here, and nothing is in the store that this machine has forgotten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import structlog

from archive import layout, store
from archive.audit import SEALED
from archive.chain import read_line
from archive.entries import CloseEntry, Entry, SealedEntry
from archive.faults import ArchiveFault
from archive.opening import current_ledger
from archive.store_base import StoreError, read_optional
from archive.store_s3 import S3Archive
from archive.store_versions import VersionedStore
from core.clock import NS_PER_S, NS_PER_US, Clock
from core.errors import ProtocolError

STATE_DIRECTORY: Final = ".upload"
"""In the archive's root; what it holds can be lost: then everything is compared with the store once more."""
PARALLEL: Final = 4
BATCH_OBJECTS: Final = 64
MANIFEST_EVERY_NS: Final = 10 * NS_PER_S
MANIFEST_BYTES_PER_S: Final = 100_000
"""An object in a store cannot be appended to: a growing manifest is sent again, but not faster than this."""
_US_PER_DAY: Final = 86_400 * 1_000_000

log = structlog.get_logger()


@dataclass
class UploadState:
    """How far a consultation's copy has come. Hashes are of what the store has."""

    manifest_bytes: int = 0
    """Of the manifest whose objects are in the store."""
    manifest_sent: int = 0
    manifest_lines: int = 0
    """In `manifest_sent`."""
    session_key: str | None = None
    decisions: str | None = None
    closed: bool = False
    closed_us: int | None = None
    pruned: bool = False
    damaged: list[str] = field(default_factory=list)
    """Objects that were no longer whole here before they could be sent."""


@dataclass(frozen=True, slots=True)
class Step:
    """`more`: there is something to do at once. `behind_us`: when the oldest entry not sent was written."""

    objects: int = 0
    bytes: int = 0
    more: bool = False
    behind_us: int | None = None


class ConsultationUpload:
    """One consultation's copy. Blocking: call it in a thread. Not thread-safe."""

    def __init__(self, root: Path, name: str, far: S3Archive, clock: Clock) -> None:
        self.name = name
        self._root, self._local = root, root / name
        self._far, self._folder = far, far.folder(name)
        self._clock = clock
        self._state_file = root / STATE_DIRECTORY / f"{name}.json"
        self._compare = not self._load()
        self._manifest_ns: int | None = None

    @property
    def done(self) -> bool:
        """Closed, and all of it is in the store."""
        return self.state.closed

    @property
    def begun(self) -> bool:
        """Something of it is in the store."""
        return self.state.manifest_sent > 0

    @property
    def lines(self) -> int:
        """Of the manifest in the store."""
        return self.state.manifest_lines

    def step(self) -> Step:
        """Send what is next. Raises `OSError`; then nothing is lost and the step can be repeated."""
        if not self.begun and not self._begin():
            return Step()
        gone = self._objects_removed()
        self._send_session_key()
        entries, until = self._next_entries()
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="upload") as pool:
            sent = list(pool.map(self._send_object, [] if gone else entries))
        if until > self.state.manifest_bytes:
            self.state.manifest_bytes = until
            self._save()
        final = self._is_final()
        self._send_manifest(final)
        self._send_decisions()
        if final and self.state.manifest_sent == self.state.manifest_bytes and not self.state.closed:
            self._send_closed()
        following = next(self._entries(self.state.manifest_bytes), None)
        behind = None if following is None else following[0].at_us
        return Step(len(sent), sum(sent), following is not None, behind)

    def prune(self, local_days: int) -> int:
        """Remove local objects `local_days` after the close; returns how many. The store must show each of
        them, in its size, at this moment.
        """
        state, now_us = self.state, self._clock.unix_ns() // NS_PER_US
        if not state.closed or state.pruned or state.damaged or state.closed_us is None:
            return 0
        if self._objects_removed():
            return 0
        if now_us - state.closed_us < local_days * _US_PER_DAY:
            return 0
        wanted = {entry.object: entry.size for entry, _ in self._entries(0) if isinstance(entry, SEALED)}
        there = self._far.sizes(self.name)
        if missing := [path for path, size in wanted.items() if there.get(path) != size]:
            raise StoreError(self._far.place, f"{self.name}: {missing[0]} is not in the store any more")
        for path in wanted:
            (self._local / path).unlink(missing_ok=True)
        state.pruned = True
        self._save()
        return len(wanted)

    def _begin(self) -> bool:
        """From the first thing there on, what is there is an archive: its key, then its first entry. False:
        that is not durable yet.
        """
        first = next(self._entries(0), None)
        if first is None:
            return False
        self._send_session_key()
        with (self._local / layout.MANIFEST).open("rb") as manifest:
            here = manifest.read()
        there = read_optional(self._folder, layout.MANIFEST) if self._compare else None
        if there is None or not here.startswith(there):
            there = here[: first[1]]
            self._send(layout.MANIFEST, there)
        self._note_manifest(there)
        return True

    def _note_manifest(self, sent: bytes) -> None:
        self.state.manifest_sent, self.state.manifest_lines = len(sent), sent.count(b"\n")
        self._save()

    def _load(self) -> bool:
        """False when nothing is known: then every object is compared with the store before it is sent."""
        try:
            self.state = UploadState(**json.loads(self._state_file.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            self.state = UploadState()
            return False
        manifest = self._local / layout.MANIFEST
        if manifest.exists() and manifest.stat().st_size < self.state.manifest_bytes:
            self.state = UploadState()
            return False
        if self.state.manifest_sent and not self.state.manifest_lines:  # notes of an older version
            self.state.manifest_lines = manifest.read_bytes()[: self.state.manifest_sent].count(b"\n")
        return True

    def _save(self) -> None:
        self._state_file.parent.mkdir(exist_ok=True)
        store.write_whole(self._state_file, json.dumps(asdict(self.state)).encode())

    def _entries(self, offset: int) -> Iterator[tuple[Entry, int]]:
        """Durable entries from `offset` on, each with the offset after it."""
        closed = (self._local / layout.CLOSED).exists()
        with (self._local / layout.MANIFEST).open("rb") as manifest:
            manifest.seek(offset)
            line = manifest.readline()
            while line.endswith(b"\n"):
                following = manifest.readline()
                if not following.endswith(b"\n") and not closed:
                    return
                offset += len(line)
                yield read_line(line)[0], offset
                line = following

    def _next_entries(self) -> tuple[list[SealedEntry], int]:
        found: list[SealedEntry] = []
        until = self.state.manifest_bytes
        try:
            for entry, after in self._entries(self.state.manifest_bytes):
                until = after
                if isinstance(entry, SEALED):
                    found.append(entry)
                if isinstance(entry, CloseEntry):
                    self.state.closed_us = entry.at_us
                if len(found) == BATCH_OBJECTS:
                    break
        except ProtocolError as error:
            raise OSError(None, f"its manifest cannot be read: {error}", str(self._local)) from None
        return found, until

    def _objects_removed(self) -> bool:
        """True when it was shredded and its objects are gone on purpose."""
        if not (self._local / layout.DECISIONS).exists():
            return False
        try:
            shredded = current_ledger(self._local).shredded
        except ArchiveFault:
            return False
        return shredded is not None and shredded.objects == "removed"

    def _send_object(self, entry: SealedEntry) -> int:
        try:
            data = (self._local / entry.object).read_bytes()
        except FileNotFoundError:
            data = b""
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            if not self._same(entry.object, entry.sha256):
                self._note_damage(entry)
            return 0
        if not (self._compare and self._same(entry.object, entry.sha256)):
            self._send(entry.object, data)
        return len(data)

    def _note_damage(self, entry: SealedEntry) -> None:
        if entry.object not in self.state.damaged:
            self.state.damaged.append(entry.object)
            log.error("upload.object_damaged", consultation=self.name, entry=entry.entry, object=entry.object)

    def _send(self, path: str, data: bytes) -> None:
        """Write, read back, compare."""
        self._folder.write(path, data)
        if not self._same(path, hashlib.sha256(data).hexdigest()):
            raise StoreError(self._far.place, "the store gave back something else than it was given")

    def _same(self, path: str, sha256: str) -> bool:
        try:
            return self._folder.hash(path)[0] == sha256
        except FileNotFoundError:
            return False

    def _send_session_key(self) -> None:
        path = self._local / layout.SESSION_KEY
        data = store.read_optional(path)
        digest = None if data is None else hashlib.sha256(data).hexdigest()
        if data is None or digest is None or digest == self.state.session_key:
            return
        self._send(layout.SESSION_KEY, data)
        if not path.exists():  # shredded at this very moment
            VersionedStore(self._far.access).destroy([f"{self.name}/{layout.SESSION_KEY}"])
            return
        self.state.session_key = digest
        self._save()

    def _send_manifest(self, final: bool) -> None:
        state = self.state
        if state.manifest_bytes <= state.manifest_sent:
            return
        now_ns = self._clock.monotonic_ns()
        pause_ns = MANIFEST_EVERY_NS + state.manifest_bytes * NS_PER_S // MANIFEST_BYTES_PER_S
        if not final and self._manifest_ns is not None and now_ns - self._manifest_ns < pause_ns:
            return
        with (self._local / layout.MANIFEST).open("rb") as manifest:
            data = manifest.read(state.manifest_bytes)
        self._send(layout.MANIFEST, data)
        self._manifest_ns = now_ns
        self._note_manifest(data)

    def _send_decisions(self) -> None:
        data = store.read_optional(self._local / layout.DECISIONS)
        if data is None:
            return
        digest = hashlib.sha256(data).hexdigest()
        if digest != self.state.decisions:
            self._send(layout.DECISIONS, data)
            self.state.decisions = digest
            self._save()

    def _is_final(self) -> bool:
        size = (self._local / layout.MANIFEST).stat().st_size
        return (self._local / layout.CLOSED).exists() and self.state.manifest_bytes == size

    def _send_closed(self) -> None:
        self._send(layout.CLOSED, (self._local / layout.CLOSED).read_bytes())
        self.state.closed = True
        self._save()
