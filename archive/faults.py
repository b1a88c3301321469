"""Pure: what verification can find, and the exit code of each finding (DESIGN §7)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from core.errors import TeleconsultError


class Verdict(IntEnum):
    """The value is the exit code of `teleconsult archive verify`."""

    INTACT = 0
    ALTERED = 10
    TRUNCATED = 11
    MISSING = 12
    UNVERIFIABLE = 13
    SHREDDED = 14


_WORST_FIRST: Final = (
    Verdict.ALTERED,
    Verdict.TRUNCATED,
    Verdict.MISSING,
    Verdict.UNVERIFIABLE,
    Verdict.SHREDDED,
    Verdict.INTACT,
)


class ArchiveFault(TeleconsultError):
    """The archive is not what was written. `entry`: number of the first bad entry; `object`: its path, if
    any.
    """

    code = "archive_fault"

    def __init__(self, verdict: Verdict, entry: int, reason: str, *, object_path: str | None = None) -> None:
        super().__init__(f"entry {entry}: {reason}")
        self.verdict = verdict
        self.entry = entry
        self.reason = reason
        self.object_path = object_path


def worst(verdicts: list[Verdict]) -> Verdict:
    """The gravest of `verdicts`; intact when there are none."""
    return min(verdicts, key=_WORST_FIRST.index, default=Verdict.INTACT)
