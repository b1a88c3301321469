"""Writes one consultation's archive: seals objects, appends signed entries, goes on after a crash.

Every method does its I/O before it returns, in the order that keeps the archive verifiable at any instant:
object, fsync, rename, fsync of the folder, manifest line, fsync. When one raises `OSError` nothing of it is
in the archive and it may be called again. Not thread-safe; one writer per consultation (a lock enforces
it).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

import pyrage

from archive import layout, store
from archive.audit import ManifestAuditor
from archive.chain import Head, SigningKey, read_line, seal_entry, signature_holds
from archive.entries import FORMAT, Entry, OpenEntry
from archive.faults import ArchiveFault, Verdict
from archive.keys import RecipientLike, SessionKey, check_custodians
from archive.specs import GenerationSpec, PieceSpec, Span
from core.clock import NS_PER_US, Clock
from core.errors import Conflict

RESTART_REASON: Final = "recorder_restarted"


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
        self._recipient = pyrage.x25519.Recipient.from_str(opened.public_key)
        self._signer = signer
        self._clock = clock
        self._audit = audit
        self._manifest = manifest

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
    def closed(self) -> bool:
        return self._audit.closed is not None

    def now_us(self) -> int:
        """Where the timeline stands by this machine's clock."""
        return max(0, self._clock.unix_ns() // NS_PER_US - self.epoch_us)

    def start_generation(self, track: str, spec: GenerationSpec, init: bytes, reason: str) -> int:
        """Seal an init piece; returns the generation's number."""
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

    def write_piece(self, track: str, generation: int, spec: PieceSpec, data: bytes) -> int:
        """Seal a piece of a generation begun before; returns its number."""
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

    def declare_gap(self, track: str | None, span: Span, reason: str, *, discarded: int = 0) -> None:
        """Say that something is missing."""
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

    def release(self) -> None:
        """Let go of the files without closing the archive."""
        self._manifest.close()

    def _go_on(self) -> None:
        if self.closed:
            if not (self.folder / layout.CLOSED).exists():
                store.write_whole(self.folder / layout.CLOSED, self._audit.last_line)
            raise Conflict(f"{self.consultation} is closed")
        if (marker := store.read_optional(self.folder / layout.CLOSED)) is not None:
            self._audit.finish(b"", marker)
        self._repair()
        begin = max(self._audit.end_us, 0)
        discarded = self._discard_unentered()
        self.resumed = True
        self.declare_gap(None, Span(begin, self.now_us()), RESTART_REASON, discarded=discarded)

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

    def _add_object(self, fields: dict[str, Any], path: str, data: bytes) -> None:
        sealed = pyrage.encrypt(data, [self._recipient])
        store.make_directories(self.folder, path.rpartition("/")[0])
        store.write_whole(self.folder / path, sealed)
        digest = hashlib.sha256(sealed).hexdigest()
        try:
            self._append({**fields, "object": path, "sha256": digest, "size": len(sealed)})
        except OSError:
            self._take_back(path)
            raise

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
        self._audit.feed(line)
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
