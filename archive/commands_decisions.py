"""Decisions about an archive on the command line: one person asks with their key, another approves."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from archive import layout
from archive.decisions import ExportDecision, Kind, Ledger, read_ledger
from archive.keys import (
    ArchiveSigner,
    RecipientLike,
    TrustedSigner,
    load_signer,
    parse_trust,
    read_identities,
    read_trust,
)
from archive.opening import current_ledger, read_first_line, read_opening
from archive.shred import Copies, Destroyed, carry_out, open_wrapped, publish, record, rewrap
from archive.shred_request import Request, describe, new_request, read_request
from archive.store_base import Folder
from archive.store_open import Found, UsageError
from core.clock import NS_PER_US, Clock, SystemClock
from core.errors import ConfigError

EXPORT_WITHIN_US: Final = 24 * 3_600 * 1_000_000
"""How long after two people allowed it an export may be made."""


NOTHING: Final = Destroyed()


@dataclass(frozen=True)
class Person:
    """Who acts: their key; and the keys of everybody whose word counts."""

    key: ArchiveSigner
    registered: frozenset[str]


@dataclass(frozen=True)
class DecisionResult:
    """`request_file`: another person has to approve it; None: it was decided and done."""

    request: Request
    number: int | None = None
    request_file: Path | None = None
    destroyed: Destroyed = NOTHING

    def fields(self) -> dict[str, Any]:
        return {
            "kind": self.request.kind,
            "consultation": self.request.terms["consultation"],
            "decided": self.number is not None,
            "decision": self.number,
            "approved_by": [item.by for item in self.request.approvals],
            "request": None if self.request_file is None else str(self.request_file),
            "keys_destroyed": self.destroyed.keys,
            "objects_removed": self.destroyed.objects,
        }


def people_for(found: Found, given: Sequence[str], configured: Sequence[str]) -> list[TrustedSigner]:
    """Registered people: those given; else those configured; else `trusted-people.txt` in the archive's root.

    Raises `ConfigError`.
    """
    if given:
        return [item for value in given for item in parse_trust(value, "--person")]
    if configured:
        return [item for value in configured for item in parse_trust(value, "setting archive_people")]
    data = found.archive.read_root(layout.TRUSTED_PEOPLE)
    return [] if data is None else read_trust(data, f"{found.archive.place}/{layout.TRUSTED_PEOPLE}")


def person(found: Found, key: Path, given: Sequence[str], configured: Sequence[str]) -> Person:
    """Raises `ConfigError`."""
    registered = frozenset(item.public for item in people_for(found, given, configured))
    return Person(load_signer(key), registered)


def ask(
    folder: Folder,
    kind: Kind,
    reason: str,
    who: Person,
    request_file: Path | None,
    clock: Clock | None = None,
    **more: Any,
) -> DecisionResult:
    """Ask for a decision; what one person may decide is done at once. Raises `ConfigError`, `OSError`."""
    request = new_request(current_ledger(folder), kind, read_opening(folder).consultation, reason, **more)
    return ask_for(folder, request, who, request_file, clock)


def ask_to_rewrap(
    folder: Folder,
    identity: Path,
    recipients: Sequence[RecipientLike],
    reason: str,
    who: Person,
    request_file: Path | None,
) -> DecisionResult:
    """Wrap the key anew and ask that it replace the present one. Raises `ConfigError`, `OSError`."""
    return ask_for(folder, rewrap(folder, read_identities(identity), recipients, reason), who, request_file)


def ask_for(
    folder: Folder, request: Request, who: Person, request_file: Path | None, clock: Clock | None = None
) -> DecisionResult:
    clock = clock or SystemClock()
    request.add(who.key, clock.unix_ns() // NS_PER_US)
    if request.complete:
        return _decide(folder, request, who, clock)
    if who.key.public not in who.registered:
        raise ConfigError(f"{who.key.public} is not a registered person: see --person")
    if request_file is None:
        raise UsageError(
            "this takes two people: write a request with --request FILE; another one approves it"
        )
    try:
        descriptor = os.open(request_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise ConfigError(f"{request_file} exists and is not overwritten: give another name") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(request.to_json())
    return DecisionResult(request, request_file=request_file)


def approve(
    folder: Folder,
    kind: Kind,
    file: Path,
    who: Person,
    identity: Path | None = None,
    confirm: Callable[[str], None] = lambda text: None,
    clock: Clock | None = None,
) -> DecisionResult:
    """Approve another's request and carry it out. `identity`: to see with one's own key that a re-wrapped key
    is the right one. `confirm` is shown what is approved. Raises `ConfigError`, `ArchiveFault`, `OSError`.
    """
    request = read_request(file)
    if request.kind != kind:
        raise UsageError(f"{file} asks for a {request.kind}: use `archive {request.kind} --approve`")
    if identity is not None and request.wrapped is not None:
        open_wrapped(request.wrapped, read_identities(identity), read_opening(folder))
    confirm(describe(request))
    clock = clock or SystemClock()
    if all(item.key != who.key.public for item in request.approvals) or not request.complete:
        request.add(who.key, clock.unix_ns() // NS_PER_US)
    return _decide(folder, request, who, clock)


def _decide(folder: Folder, request: Request, who: Person, clock: Clock) -> DecisionResult:
    request.check_people(who.registered)
    copies = Copies.of(folder)
    decision = record(copies, request, who.key, clock)
    if request.kind in ("shred", "rewrap"):
        return DecisionResult(request, decision.decision, destroyed=carry_out(copies, request.wrapped))
    publish(copies)
    return DecisionResult(request, decision.decision)


def finish_shredding(folder: Folder) -> Destroyed:
    """Once more, after a crash or while the store was away. Raises `UsageError` when nothing was decided."""
    copies = Copies.of(folder)
    if current_ledger(copies.first).shredded is None:
        raise UsageError(f"{folder.place}: nobody has decided to shred it")
    return carry_out(copies)


def check_export_allowed(
    folder: Folder, form: str, trusted: Sequence[TrustedSigner], people: Sequence[TrustedSigner], clock: Clock
) -> None:
    """Raises `ConfigError` unless two people have allowed it within the last day, on record."""
    opened = read_opening(folder)
    signers = {opened.signer, *(item.public for item in trusted)}
    ledger = Ledger(read_first_line(folder), opened, signers, {item.public for item in people})
    if folder.has(layout.DECISIONS):
        read_ledger(ledger, folder.lines(layout.DECISIONS))
    now_us = clock.unix_ns() // NS_PER_US
    for decision in ledger.decisions:
        fresh = 0 <= now_us - decision.at_us < EXPORT_WITHIN_US
        wanted = isinstance(decision, ExportDecision) and decision.form == form
        if wanted and fresh and ledger.unknown_person is None:
            return
    raise ConfigError(
        f"an export takes two people: ask with `--key YOURS.pem --reason … --request FILE`, then another one "
        f"runs it with `--key THEIRS.pem --approve FILE`; or two allow it through the service ({form})"
    )
