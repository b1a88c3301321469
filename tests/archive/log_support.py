"""Small logs to test with: fixed times, real keys, real files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from archive.checkpoint import VerifierKey
from archive.keys import ArchiveSigner
from archive.log_entries import Leaf, make_leaf
from archive.log_store import LogStore

KEY: Final = ArchiveSigner.generate()
ORIGIN: Final = "clinic.example/log"
LOG: Final = VerifierKey.of(ORIGIN, KEY.public)
AT_US: Final = 1_760_000_000_000_000


def leaf(kind: str, **fields: Any) -> Leaf:
    return make_leaf({"kind": kind, "at_us": AT_US, **fields})


def access(number: int = 0) -> Leaf:
    """One of many."""
    return leaf(
        "access", access="join", by=f"u_{number}", second=None, consultation=f"c_{number % 7}", detail=""
    )


def opened(consultation: str, *, record: bool = True, at_us: int = AT_US) -> Leaf:
    return leaf(
        "open",
        consultation=consultation,
        organisation="o_1",
        by="u_1",
        record=record,
        reason="patient_agreed" if record else "patient_declined",
    ).model_copy(update={"at_us": at_us})


def open_store(folder: Path, key: ArchiveSigner = KEY, origin: str = ORIGIN) -> LogStore:
    return LogStore.open(folder, origin, key)


def fill(folder: Path, count: int, begin: int = 0) -> None:
    """That many leaves, each with its own checkpoint."""
    log = open_store(folder)
    for number in range(begin, begin + count):
        log.append([access(number)])
        log.publish()
    log.close()
