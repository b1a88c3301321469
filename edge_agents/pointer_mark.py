"""Where the pointer is while a button of it is down, on the box's disk: for the process after one that dies.

The report that releases a button tells a place, too. A process that begins knows neither whether one is down
nor where; without a mark it tells the pointer nothing, so it moves nothing before anybody agreed.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from edge_agents.hid_reports import AXIS_MAX, POINTER_REPORT_BYTES, PointerState, read_pointer_report

_FILE_MODE: Final = 0o600


class PointerMark:
    """One pointer's. The file is that report. Not fsynced: a box without power is no pointer any more."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def before(self, report: bytes) -> None:
        """It is about to be told. Raises `OSError`: what cannot be marked is not pressed."""
        if not read_pointer_report(report).buttons:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE)
        try:
            os.write(fd, report)  # over the one before, which is as long: never half of one
        finally:
            os.close(fd)

    def after(self, report: bytes) -> None:
        """It was told."""
        if not read_pointer_report(report).buttons:
            with contextlib.suppress(OSError):
                self._file.unlink()

    def read(self) -> PointerState | None:
        """What a process that died may have left down."""
        try:
            report = self._file.read_bytes()
        except OSError:
            return None
        if len(report) != POINTER_REPORT_BYTES:
            return None
        state = read_pointer_report(report)
        return state if max(state.x, state.y) <= AXIS_MAX else None
