"""Why nothing can be recorded: a word the clients have words for, and what to look for in the log."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Final

from core.errors import TeleconsultError
from core.messages import RecordingProblem

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Failure:
    """`reason`: in English and without paths, for the archive and for who operates the service."""

    problem: RecordingProblem
    reason: str


TOO_SLOW: Final = Failure("disk_slow", "the archive's disk is too slow")


def failure_of(error: TeleconsultError | OSError) -> Failure:
    """What the room is told about it."""
    if not isinstance(error, OSError):
        return Failure("setup", str(error))
    problem: RecordingProblem = "disk_full" if error.errno in _FULL else "disk_fails"
    return Failure(problem, error.strerror or "the archive cannot be written")
