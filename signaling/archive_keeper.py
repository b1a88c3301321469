"""What the service does to archives when people have decided it: with the archive's own signing key.

Blocking work; handlers call it in threads. Errors are the API's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from archive import layout
from archive.decisions import Decision, Kind, Ledger
from archive.faults import ArchiveFault
from archive.keys import load_signer
from archive.opening import current_ledger
from archive.shred import Copies, carry_out, publish, record, unfinished
from archive.shred_request import Request, new_request
from archive.store_base import LocalFolder
from archive.store_open import store_of
from core.clock import Clock
from core.config import Settings
from core.errors import ConfigError, Conflict, NotFound, Unavailable

PROBLEMS: Final = (
    (404, "archive_not_found"),
    (409, "archive_conflict"),
    (409, "archive_faulty"),
    (503, "archive_away"),
)
"""What any of it may answer."""


@dataclass(frozen=True)
class Carried:
    """`finished`: False while a copy could not be reached; the sweep goes on with it."""

    decision: Decision
    finished: bool


class Keeper:
    """Raises `NotFound`, `Conflict`, `Unavailable`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock

    def ledger(self, consultation: str) -> Ledger:
        """What was decided about it so far."""
        with _problems():
            return current_ledger(self._copies(consultation).first)

    def ask(self, consultation: str, kind: Kind, reason: str, **terms: Any) -> Request:
        """The terms of a decision, if it could be made now."""
        with _problems():
            copies = self._copies(consultation)
            if kind == "shred" and not copies.first.has(layout.CLOSED):
                raise ConfigError("its archive is not closed: it cannot be shredded")
            return new_request(current_ledger(copies.first), kind, consultation, reason, **terms)

    def decide(self, consultation: str, request: Request) -> Carried:
        """Write it down, then do it. The decision stands, whatever happens to the rest."""
        with _problems():
            copies = self._copies(consultation)
            decision = record(copies, request, load_signer(self._settings.signing_key_file), self._clock)
        try:
            if request.kind == "shred":
                carry_out(copies)
            else:
                publish(copies)
        except OSError:
            return Carried(decision, finished=False)
        return Carried(decision, finished=True)

    def finish(self, consultation: str) -> None:
        """Carry out what was decided once more: destroys what is still there, here or in the store."""
        with _problems():
            carry_out(self._copies(consultation))

    def is_unfinished(self, consultation: str) -> bool:
        """True when it is to be shredded and its key is still on this machine."""
        with _problems():
            copies = self._copies(consultation)
            return unfinished(copies, current_ledger(copies.first))

    def signer(self) -> str:
        """The service's own public key. Raises `ConfigError`."""
        return load_signer(self._settings.signing_key_file).public

    def _copies(self, consultation: str) -> Copies:
        near = LocalFolder(self._settings.archive_dir / consultation)
        if not near.has(layout.MANIFEST):
            raise NotFound("there is no archive of it on this machine", code="archive_not_found")
        far = store_of(self._settings)
        return Copies(near, None if far is None else far.folder(consultation))


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except ArchiveFault as fault:
        raise Conflict(f"this archive is not as it was written: {fault}", code="archive_faulty") from None
    except ConfigError as error:
        raise Conflict(str(error), code="archive_conflict") from None
    except OSError as error:
        raise Unavailable(f"the archive cannot be reached: {error.strerror}", code="archive_away") from None
