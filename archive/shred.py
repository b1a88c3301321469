"""Writes a decision down, then makes the files follow it: destroys a key everywhere, or replaces it.

The line comes first and is durable before anything is touched; carrying out can be repeated after a crash, or
when the store did not answer, until nothing is left to do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import obstore
import pyrage

from archive import layout, store
from archive.chain import SigningKey
from archive.decisions import Decision, Ledger, ShredDecision, seal_decision
from archive.entries import OpenEntry
from archive.keys import RecipientLike, check_custodians, parse_identities
from archive.opening import current_ledger, read_opening
from archive.shred_request import Request, new_request
from archive.store_base import Folder, LocalFolder
from archive.store_open import LayeredFolder
from archive.store_s3 import S3Folder
from archive.store_versions import VersionedStore
from core.clock import NS_PER_US, Clock
from core.errors import ConfigError, ProtocolError


@dataclass(frozen=True)
class Copies:
    """Where one consultation lies: on this machine, in a store, or both."""

    near: LocalFolder | None
    far: S3Folder | None

    @classmethod
    def of(cls, folder: Folder) -> Copies:
        if isinstance(folder, LayeredFolder):
            return cls(folder.near, folder.far if isinstance(folder.far, S3Folder) else None)
        if isinstance(folder, S3Folder):
            return cls(None, folder)
        return cls(folder if isinstance(folder, LocalFolder) else None, None)

    @property
    def first(self) -> Folder:
        """The one that decisions are written to first."""
        found = self.near or self.far
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What is gone now: files of the key (versions in a store count each), and objects."""

    keys: int = 0
    objects: int = 0


def record(copies: Copies, request: Request, signer: SigningKey, clock: Clock) -> Decision:
    """Append a decision, durably; the same request again changes nothing. The caller has checked its people.

    Raises `ConfigError` when it cannot be made (now), `ArchiveFault`, `OSError`.
    """
    if request.kind == "shred" and not copies.first.has(layout.CLOSED):
        raise ConfigError("the consultation goes on, or its archive was never closed: it cannot be shredded")
    if copies.near is not None:
        with _locked(copies.near.path / layout.DECISIONS) as file:
            decision, line = _next(copies.first, request, signer, clock)
            if line is not None:
                _append(file, line)
                store.sync_directory(copies.near.path)
        return decision
    decision, line = _next(copies.first, request, signer, clock)
    if line is not None:
        _append_far(copies, line)
    return decision


def publish(copies: Copies) -> None:
    """Bring the store's copy of the decisions up to date. Raises `OSError`."""
    if copies.near is not None and copies.far is not None:
        data = store.read_optional(copies.near.path / layout.DECISIONS)
        if data is not None:
            copies.far.write(layout.DECISIONS, data)


def carry_out(copies: Copies, wrapped: bytes | None = None) -> Destroyed:
    """Make the files follow the decisions; `wrapped`: the new key's file after a rewrap. Raises `OSError`,
    `ArchiveFault`.
    """
    ledger = current_ledger(copies.first)
    if ledger.shredded is not None:
        near = _shred_near(copies, ledger.shredded)
        publish(copies)
        far = _shred_far(copies, ledger.shredded)
        return Destroyed(near.keys + far.keys, near.objects + far.objects)
    publish(copies)
    if wrapped is not None:
        _replace_key(copies, wrapped)
    return Destroyed()


def unfinished(copies: Copies, ledger: Ledger) -> bool:
    """True when a key is still here that was to be destroyed."""
    return ledger.shredded is not None and copies.first.has(layout.SESSION_KEY)


def rewrap(
    folder: Folder,
    identities: Sequence[pyrage.x25519.Identity],
    recipients: Sequence[RecipientLike],
    reason: str,
) -> Request:
    """Wrap the consultation's secret key for other custodians, and ask that it be replaced.

    Raises `ConfigError` (custodians' rule, wrong key), `ArchiveFault`, `OSError`.
    """
    check_custodians(recipients)
    opened, ledger = read_opening(folder), current_ledger(folder)
    plain = open_wrapped(folder.read(layout.SESSION_KEY), identities, opened)
    wrapped = pyrage.encrypt(plain, [pyrage.x25519.Recipient.from_str(item.recipient) for item in recipients])
    listed = [
        {"custodian": item.custodian, "recipient": item.recipient, "offline": item.offline}
        for item in recipients
    ]
    return new_request(
        ledger,
        "rewrap",
        opened.consultation,
        reason,
        recipients=listed,
        replaces_sha256=ledger.session_key_sha256,
        session_key_sha256=store.hash_bytes(wrapped),
        wrapped=wrapped,
    )


def open_wrapped(wrapped: bytes, identities: Sequence[pyrage.x25519.Identity], opened: OpenEntry) -> bytes:
    """The identity file inside, if it is this consultation's. Raises `ConfigError`."""
    try:
        plain = bytes(pyrage.decrypt(wrapped, identities))
        found = parse_identities(plain.decode("utf-8"), layout.SESSION_KEY)
    except (pyrage.DecryptError, UnicodeDecodeError):
        raise ConfigError("your key does not open this consultation's") from None
    if opened.public_key not in {str(item.to_public()) for item in found}:
        raise ConfigError("it holds the key of another consultation")
    return plain


def _next(
    folder: Folder, request: Request, signer: SigningKey, clock: Clock
) -> tuple[Decision, bytes | None]:
    """The decision and its line; no line when it is there already."""
    ledger = current_ledger(folder)
    if request.anchor != ledger.anchor:
        raise ConfigError("this request is about another archive")
    for decision in ledger.decisions:
        if decision.request == request.terms["request"]:
            return decision, None
    try:
        ledger.check_next(request.kind, request.terms)
        number, now_us = len(ledger.decisions), clock.unix_ns() // NS_PER_US
        return seal_decision(request.terms, request.approvals, number, ledger.previous, now_us, signer)
    except ProtocolError as error:
        raise ConfigError(str(error)) from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The decisions' file, open for one process at a time, without the line a crash cut."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole != len(data):
            os.ftruncate(descriptor, whole)
            os.fsync(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _append(descriptor: int, line: bytes) -> None:
    os.lseek(descriptor, 0, os.SEEK_END)
    store.write_all(descriptor, line)
    os.fsync(descriptor)


def _append_far(copies: Copies, line: bytes) -> None:
    assert copies.far is not None
    before = b"".join(copies.far.lines(layout.DECISIONS)) if copies.far.has(layout.DECISIONS) else b""
    copies.far.write(layout.DECISIONS, before + line)


def wipe(path: Path) -> int:
    """Overwrite a small file, then remove it; 1 when there was one. On flash memory, and on file systems that
    never write in place, the overwriting does nothing: docs/operations.md says what helps there.
    """
    try:
        with path.open("r+b", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            store.write_all(file.fileno(), bytes(size))
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return 0
    store.sync_directory(path.parent)
    return 1


def _shred_near(copies: Copies, decision: ShredDecision) -> Destroyed:
    if copies.near is None:
        return Destroyed()
    key = copies.near.path / layout.SESSION_KEY
    wiped = wipe(key) + wipe(key.with_name(key.name + layout.TEMPORARY_SUFFIX))
    return Destroyed(wiped, _remove_local(copies.near) if decision.objects == "removed" else 0)


def _shred_far(copies: Copies, decision: ShredDecision) -> Destroyed:
    far = copies.far
    if far is None:
        return Destroyed()
    destroyed = VersionedStore(far.archive.access).destroy([f"{far.name}/{layout.SESSION_KEY}"])
    return Destroyed(destroyed, _remove_far(far) if decision.objects == "removed" else 0)


def _remove_local(near: LocalFolder) -> int:
    paths = near.objects()
    for path in paths:
        (near.path / path).unlink(missing_ok=True)
    return len(paths)


def _remove_far(far: S3Folder) -> int:
    keys = [f"{far.name}/{path}" for path in far.objects()]
    if keys:
        with far.archive.errors():
            obstore.delete(far.archive.store, keys)
    return len(keys)


def _replace_key(copies: Copies, wrapped: bytes) -> None:
    """The older wrapping must not stay behind: whoever is no custodian any more could open it."""
    if copies.near is not None:
        path = copies.near.path / layout.SESSION_KEY
        store.write_whole(path, wrapped)
    if copies.far is not None:
        VersionedStore(copies.far.archive.access).destroy([f"{copies.far.name}/{layout.SESSION_KEY}"])
        copies.far.write(layout.SESSION_KEY, wrapped)
