"""Writes one consultation's archive: seals objects, appends signed entries, goes on after a crash.

Every method does its I/O before it returns, in the order that keeps the archive verifiable at any instant:
object, fsync, rename, fsync of the folder, manifest line, fsync. When one raises `OSError` nothing of it is
in the archive and it may be called again. Not thread-safe; one writer per consultation (a lock enforces
it).
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Any, Final, Self

from archive import layout, store
from archive.age import X25519Recipient
from archive.audit import ManifestAuditor
from archive.chain import Head, SigningKey, read_line, seal_entry, signature_holds
from archive.continuity import PRIVACY_PAUSE, RECORDING_STOPPED
from archive.entries import FORMAT, Entry, GapEntry, OpenEntry
from archive.faults import ArchiveFault, Verdict
from archive.keys import RecipientLike, SessionKey, check_custodians
from archive.sealing import Sealed, Staged, seal
from archive.specs import GenerationSpec, PieceSpec, Span
from core.clock import NS_PER_US, Clock
from core.errors import Conflict, ProtocolError

RESTART_REASON: Final = "recorder_restarted"
CRASH_LOSES_US: Final = 3_000_000
"""More than a crash ever loses: a track that ended longer before had ended already."""


class ArchiveWriter:
    """Make one with `create`, `resume` or `create_or_resume`."""

    def __init__(
        self,
        folder: Path,
        manifest: store.ManifestFile,
        opened: OpenEntry,
        audit: ManifestAuditor,
        signer: SigningKey,
        clock: Clock,
    ) -> None:
        """`audit` has read all whole lines of `manifest`."""
        self.folder = folder
        self.consultation = opened.consultation
        self.epoch_us = opened.epoch_us
        self.resumed = False
        self.left_off: dict[str, tuple[int, str | None]] = {}
        """After `resume`, each track's: since when it has nothing that is declared, and why; None: it had
        ended before.
        """
        self.public_key = opened.public_key
        self._recipient = X25519Recipient.parse(opened.public_key)
        self._signer = signer
        self._clock = clock
        self._audit = audit
        self._manifest = manifest
        self._staged = itertools.count()
        self._directories: set[str] = set()
        """Those that are there."""

    @classmethod
    def create_or_resume(
        cls,
        root: Path,
        consultation: str,
        *,
        epoch_us: int,
        recipients: Sequence[RecipientLike],
        make_key: Callable[[Sequence[str]], SessionKey],
        signer: SigningKey,
        clock: Clock,
    ) -> Self:
        """Go on with the consultation's archive if there is one, else begin it (see `create`)."""
        if (root / consultation).is_dir():
            return cls.resume(root, consultation, signer=signer, clock=clock)
        check_custodians(recipients)
        key = make_key([item.recipient for item in recipients])
        return cls.create(
            root,
            consultation,
            epoch_us=epoch_us,
            recipients=recipients,
            session_key=key,
            signer=signer,
            clock=clock,
        )

    @classmethod
    def create(
        cls,
        root: Path,
        consultation: str,
        *,
        epoch_us: int,
        recipients: Sequence[RecipientLike],
        session_key: SessionKey,
        signer: SigningKey,
        clock: Clock,
    ) -> Self:
        """Begin an archive. Its folder appears complete, with entry 0, or not at all.

        Raises `ConfigError` when the custodians' rule is not met, `Conflict` when there is one, `OSError`.
        """
        check_custodians(recipients)
        folder, building = root / consultation, root / (layout.NEW_PREFIX + consultation)
        if folder.exists():
            raise Conflict(f"{consultation} has an archive already")
        fields = _open_fields(consultation, epoch_us, recipients, session_key, clock)
        _, line = seal_entry(fields, Head(), signer)
        root.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir()
        store.write_whole(building / layout.SESSION_KEY, session_key.wrapped)
        store.write_whole(building / layout.MANIFEST, line)
        os.rename(building, folder)
        store.sync_directory(root)
        return cls._open(folder, signer, clock)

    @classmethod
    def resume(cls, root: Path, consultation: str, *, signer: SigningKey, clock: Clock) -> Self:
        """Go on after a crash or restart: repair the end, remove objects no entry names, declare the gap.

        Raises `ArchiveFault` when the archive was altered, `Conflict` when it is closed or being written,
        `OSError`.
        """
        writer = cls._open(root / consultation, signer, clock)
        try:
            writer._go_on()
        except BaseException:
            writer.release()
            raise
        return writer

    @classmethod
    def _open(cls, folder: Path, signer: SigningKey, clock: Clock) -> Self:
        try:
            manifest = store.ManifestFile(folder / layout.MANIFEST)
        except FileNotFoundError:
            raise ArchiveFault(Verdict.MISSING, 0, "there is no manifest") from None
        try:
            audit = _read_back(manifest, signer)
            assert audit.opened is not None
            return cls(folder, manifest, audit.opened, audit, signer, clock)
        except BaseException:
            manifest.close()
            raise

    @property
    def head(self) -> Head:
        """Where its chain stands: everything up to there is on the disk. May be read from another thread."""
        return self._audit.head

    @property
    def closed(self) -> bool:
        return self._audit.closed is not None

    def now_us(self) -> int:
        """Where the timeline stands by this machine's clock."""
        return max(0, self._clock.unix_ns() // NS_PER_US - self.epoch_us)

    def start_generation(self, track: str, spec: GenerationSpec, init: bytes | Staged, reason: str) -> int:
        """Seal an init piece, unless it is staged already; returns the generation's number."""
        generation = len(self._audit.generations.get(track, []))
        fields = {
            "kind": "generation",
            "track": track,
            "generation": generation,
            "reason": reason,
            "media": spec.media,
            "codec": spec.codec,
            "container": spec.container,
            "timescale": spec.timescale,
            "width": spec.width,
            "height": spec.height,
            "feed": spec.feed,
            "input": spec.input,
            "track_id": spec.track_id,
        }
        self._add_object(fields, layout.init_path(track, generation, spec.container), init)
        return generation

    def seal(self, data: bytes) -> Sealed:
        """What `write_piece` would do first. May be called from any thread, ahead of the writing."""
        return seal(data, self._recipient)

    def stage(self, sealed: Sealed) -> Staged:
        """What it would do next: the object is on the disk, under a name nobody reads, which a restarted
        recorder removes. From any thread, ahead of the writing. Raises `OSError`.
        """
        path = self.folder / f"{next(self._staged)}{layout.TEMPORARY_SUFFIX}"
        store.write_temporary(path, (sealed.content,))
        return Staged(path, sealed.sha256, len(sealed.content))

    def discard(self, staged: Staged) -> None:
        """Remove what was staged, unless it is in the archive."""
        with contextlib.suppress(OSError):
            staged.path.unlink()

    def write_piece(self, track: str, generation: int, spec: PieceSpec, data: bytes | Staged) -> int:
        """Seal a piece of a generation begun before, unless it is staged already; returns its number.

        Raises `ProtocolError` for one that lies in a privacy pause: it must not be kept.
        """
        if self._audit.continuity.in_pause(track, spec.span, spec.uncertainty_us):
            raise ProtocolError("a piece lies in a privacy pause")
        container = self._audit.generations[track][generation].container
        number = self._audit.pieces[track, generation] + 1
        fields = {
            "kind": "piece",
            "track": track,
            "generation": generation,
            "number": number,
            "begin_us": spec.span.begin_us,
            "end_us": spec.span.end_us,
            "frames": spec.frames,
            "sync": spec.sync,
            "source": spec.source,
            "clock": spec.clock,
            "uncertainty_us": spec.uncertainty_us,
        }
        self._add_object(fields, layout.piece_path(track, generation, number, container), data)
        return number

    def write_events(self, span: Span, count: int, data: bytes) -> int:
        """Seal `count` lines of JSON; returns the piece's number."""
        number = self._audit.events + 1
        fields = {
            "kind": "events",
            "number": number,
            "begin_us": span.begin_us,
            "end_us": span.end_us,
            "count": count,
        }
        self._add_object(fields, layout.events_path(number), data)
        return number

    def write_file(self, file_id: str, data: bytes) -> int:
        """Seal a file of the chat; returns its number. Raises `Conflict` when it is there already."""
        if file_id in self._audit.files:
            raise Conflict(f"file {file_id} is archived already")
        number = len(self._audit.files) + 1
        fields = {"kind": "file", "number": number, "file_id": file_id}
        self._add_object(fields, layout.file_path(number), data)
        return number

    @property
    def files(self) -> Set[str]:
        """Ids of the files there are."""
        return self._audit.files

    @property
    def stops(self) -> Sequence[Span]:
        """When nothing was recorded because somebody had stopped it."""
        return self._audit.continuity.stops

    def declare_gap(self, track: str | None, span: Span, reason: str, *, discarded: int = 0) -> None:
        """Say that something is missing. Of a privacy pause, what is there is left out."""
        spans = [span]
        if reason == PRIVACY_PAUSE:
            spans = self._audit.continuity.beside_pieces(track, span)
        for part in spans:
            self._declare_gap(track, part, reason, discarded)

    def _declare_gap(self, track: str | None, span: Span, reason: str, discarded: int) -> None:
        self._append(
            {
                "kind": "gap",
                "track": track,
                "begin_us": span.begin_us,
                "end_us": max(span.begin_us, span.end_us),
                "reason": reason,
                "discarded": discarded,
            }
        )

    def close(self, reason: str) -> None:
        """Append the closing entry and the marker; afterwards nothing can be added. Closing twice does
        nothing.
        """
        if not self.closed:
            totals = {"objects": len(self._audit.paths), "bytes": self._audit.object_bytes}
            self._append({"kind": "close", "reason": reason, "end_us": self._audit.end_us, **totals})
        store.write_whole(self.folder / layout.CLOSED, self._audit.last_line)
        self.release()

    def stop(self, at_us: int) -> None:
        """Nothing is recorded from `at_us` on, by somebody's decision: the gap that `resume` ends begins
        here.
        """
        self.declare_gap(None, Span(min(self._audit.end_us, at_us), at_us), RECORDING_STOPPED)
        self.release()

    def release(self) -> None:
        """Let go of the files without closing the archive."""
        if not self._manifest.closed:
            with contextlib.suppress(OSError):  # the next recorder removes them; the lock must go either way
                store.remove_temporaries(self.folder)
        self._manifest.close()

    def _go_on(self) -> None:
        if self.closed:
            if not (self.folder / layout.CLOSED).exists():
                store.write_whole(self.folder / layout.CLOSED, self._audit.last_line)
            raise Conflict(f"{self.consultation} is closed")
        if (marker := store.read_optional(self.folder / layout.CLOSED)) is not None:
            self._audit.finish(b"", marker)
        self._repair()
        begin, now_us = self._written_until(), self.now_us()
        discarded = self._discard_unentered()
        self.resumed = True
        last, _ = read_line(self._audit.last_line)
        stopped = isinstance(last, GapEntry) and last.reason == RECORDING_STOPPED
        reason = RECORDING_STOPPED if stopped and not discarded else RESTART_REASON
        ends = self._audit.continuity.ends()
        self.left_off = {
            track: (now_us, reason) if end >= begin else (end, None) for track, end in ends.items()
        }
        self.declare_gap(None, Span(begin, now_us), reason, discarded=discarded)

    def _written_until(self) -> int:
        """Where the first of the tracks that were going on ends: a crash cuts each of them elsewhere."""
        end_us = self._audit.end_us
        ends = self._audit.continuity.ends().values()
        return min((end for end in ends if end_us - end < CRASH_LOSES_US), default=end_us)

    def _repair(self) -> None:
        good = sum(len(line) for line in self._manifest.lines() if line.endswith(b"\n"))
        self._manifest.cut(good)
        store.remove_temporaries(self.folder)

    def _discard_unentered(self) -> int:
        """Remove the object whose entry the crash prevented; more than one means a cut manifest."""
        extra = self._audit.check_unentered(store.list_objects(self.folder))
        for path in extra:
            (self.folder / path).unlink()
        return len(extra)

    def _add_object(self, fields: dict[str, Any], path: str, data: bytes | Staged) -> None:
        self._make_directories(path.rpartition("/")[0])
        staged = data if isinstance(data, Staged) else self.stage(self.seal(data))
        store.move_into_place(staged.path, self.folder / path)
        try:
            self._append({**fields, "object": path, "sha256": staged.sha256, "size": staged.size_bytes})
        except OSError:
            self._take_back(path)
            raise

    def _make_directories(self, relative: str) -> None:
        if relative not in self._directories:
            store.make_directories(self.folder, relative)
            self._directories.add(relative)

    def _take_back(self, path: str) -> None:
        """An object without an entry must not stay: after a crash there may be only one."""
        with contextlib.suppress(OSError):
            (self.folder / path).unlink()
            store.sync_directory((self.folder / path).parent)

    def _append(self, fields: dict[str, Any]) -> Entry:
        stamp = {"consultation": self.consultation, "at_us": self._clock.unix_ns() // NS_PER_US}
        if self.closed:
            raise Conflict(f"{self.consultation} is closed")
        entry, line = seal_entry({**fields, **stamp}, self._audit.head, self._signer)
        self._manifest.append(line)
        self._audit.feed_own(entry, line)
        return entry


def _read_back(manifest: store.ManifestFile, signer: SigningKey) -> ManifestAuditor:
    """Follow the chain. The last line's signature vouches, through the hashes, for all lines before it."""
    audit = ManifestAuditor({signer.public}, check_signatures=False)
    for line in manifest.lines():
        if line.endswith(b"\n"):
            audit.feed(line)
    if audit.opened is None:
        raise ArchiveFault(Verdict.TRUNCATED, 0, "the manifest does not hold a whole entry")
    if audit.untrusted_signer or not signature_holds(*read_line(audit.last_line)):
        position = audit.head.next_entry - 1
        raise ArchiveFault(Verdict.ALTERED, position, "it is not signed by this service's key")
    return audit


def _open_fields(
    consultation: str, epoch_us: int, recipients: Sequence[RecipientLike], key: SessionKey, clock: Clock
) -> dict[str, Any]:
    return {
        "kind": "open",
        "format": FORMAT,
        "consultation": consultation,
        "at_us": clock.unix_ns() // NS_PER_US,
        "epoch_us": epoch_us,
        "public_key": key.public_key,
        "recipients": [
            {"custodian": item.custodian, "recipient": item.recipient, "offline": item.offline}
            for item in recipients
        ],
        "session_key_sha256": hashlib.sha256(key.wrapped).hexdigest(),
    }
