"""Pure: compares when an archive says that recording was stopped with when the log says that somebody did.

Both are clocks of one service, but not of one process, and what stops or begins takes a moment: `SLACK_US`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from archive.chain import read_line
from archive.continuity import RECORDING_STOPPED
from archive.entries import GapEntry, OpenEntry, PieceEntry
from archive.faults import Verdict
from archive.log_book import Stop
from core.errors import ProtocolError

SLACK_US: Final = 10_000_000
_OPEN: Final = b'"kind":"open"'
_PIECE: Final = b'"kind":"piece"'
_GAP: Final = b'"reason":"recording_stopped"'
_FOR_EVER_US: Final = 2**53


class StopComparison:
    """Give it every line of a manifest that the log, or a witness, has seen; then ask."""

    def __init__(self, stops: Iterable[Stop]) -> None:
        self.stops = tuple(stops)
        self.unconfirmed: list[tuple[int, int]] = []
        """What gaps say was stopped, and the log does not, beyond the slack."""
        self._spans = [(stop.begin_us, stop.end_us or _FOR_EVER_US) for stop in self.stops]
        self._epoch_us = 0
        self._recorded: int | None = None
        self._unfounded: int | None = None

    def read(self, line: bytes) -> None:
        """The next line. Most say nothing about this, and are not looked into."""
        if not (_OPEN in line or _GAP in line or (self._spans and _PIECE in line)):
            return
        try:
            entry, _ = read_line(line)
        except ProtocolError:
            return  # it does not verify by itself: that was said
        if isinstance(entry, OpenEntry):
            self._epoch_us = entry.epoch_us
        elif isinstance(entry, GapEntry) and entry.reason == RECORDING_STOPPED and entry.track is None:
            self._gap(entry)
        elif isinstance(entry, PieceEntry):
            self._piece(entry)

    @property
    def problem(self) -> tuple[Verdict, str] | None:
        """What contradicts the log."""
        if self._recorded is not None:
            return Verdict.ALTERED, f"entry {self._recorded} was recorded while the log says it was stopped"
        if self._unfounded is not None:
            reason = (
                f"entry {self._unfounded} says that recording was stopped; the log knows of nobody who did"
            )
            return Verdict.MISSING, reason
        return None

    # --- inside --------------------------------------------------------------------------

    def _piece(self, entry: PieceEntry) -> None:
        begin, end = self._epoch_us + entry.begin_us, self._epoch_us + entry.end_us
        inside = any(begin >= since + SLACK_US and end <= until - SLACK_US for since, until in self._spans)
        if inside and self._recorded is None:
            self._recorded = entry.entry

    def _gap(self, entry: GapEntry) -> None:
        begin, end = self._epoch_us + entry.begin_us, self._epoch_us + entry.end_us
        near = [
            (since - SLACK_US, until + SLACK_US)
            for since, until in self._spans
            if begin <= until + SLACK_US and end >= since - SLACK_US
        ]
        if not near and self._unfounded is None:
            self._unfounded = entry.entry
        for since, until in sorted(near):
            if begin < since:
                self.unconfirmed.append((begin, since))
            begin = max(begin, until)
        if near and begin < end:
            self.unconfirmed.append((begin, end))
