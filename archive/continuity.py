"""Pure: what a manifest says about time: nothing lies in a privacy pause, and what is missing is declared."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from archive.entries import GapEntry, PieceEntry
from archive.intervals import left, merged
from archive.specs import Span

PRIVACY_PAUSE: Final = "privacy_pause"
RECORDING_STOPPED: Final = "recording_stopped"
ROUNDING_US: Final = 1_000
"""Containers count in ticks, the coarsest (WebM's) in milliseconds."""
HOLE_US: Final = 1_500_000
"""Less than this between two pieces may be a still picture's last frame, or a slow one's next."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Nothing of a track, and no gap that says why. `entry`: number of the piece that follows it."""

    track: str
    begin_us: int
    end_us: int
    entry: int


class _Piece(NamedTuple):
    begin_us: int
    end_us: int
    slack_us: int
    entry: int


class Continuity:
    """Add pieces and gaps in any order; then ask."""

    def __init__(self) -> None:
        self._pieces: defaultdict[str, list[_Piece]] = defaultdict(list)
        self._gaps: defaultdict[str | None, list[tuple[int, int]]] = defaultdict(list)
        self._pauses: defaultdict[str | None, list[tuple[int, int]]] = defaultdict(list)
        self.stops: list[Span] = []
        """When nothing was recorded because somebody had stopped it."""

    def add_piece(self, entry: PieceEntry) -> None:
        """A piece the manifest names."""
        slack_us = entry.uncertainty_us + ROUNDING_US
        self._pieces[entry.track].append(_Piece(entry.begin_us, entry.end_us, slack_us, entry.entry))

    def add_gap(self, entry: GapEntry) -> None:
        """A gap the manifest declares."""
        span = (entry.begin_us, entry.end_us)
        self._gaps[entry.track].append(span)
        if entry.reason == PRIVACY_PAUSE:
            self._pauses[entry.track].append(span)
        elif entry.reason == RECORDING_STOPPED:
            self.stops.append(Span(*span))

    def ends(self) -> dict[str, int]:
        """Where each track's last piece ends."""
        return {
            track: max(piece.end_us for piece in pieces) for track, pieces in self._pieces.items() if pieces
        }

    def in_pause(self, track: str, span: Span, uncertainty_us: int) -> bool:
        """True for a piece that would lie in a privacy pause declared already, by more than it may be off."""
        slack_us = uncertainty_us + ROUNDING_US
        pauses = [*self._pauses[track], *self._pauses[None]]
        return any(min(span.end_us, end) - max(span.begin_us, begin) > slack_us for begin, end in pauses)

    def beside_pieces(self, track: str | None, span: Span) -> list[Span]:
        """What of `span` no piece of the track (None: of any) covers; one empty span when all is covered."""
        tracks = list(self._pieces) if track is None else [track]
        pieces = (piece for name in tracks for piece in self._pieces[name])
        near = sorted(piece[:2] for piece in pieces if piece.end_us > span.begin_us)
        beside = [Span(begin, end) for begin, end in left(span.begin_us, span.end_us, near)]
        return beside or [Span(span.end_us, span.end_us)]

    def first_in_pause(self) -> int | None:
        """The lowest entry number of a piece that lies in a privacy pause of its track."""
        found = [entry for track in self._pieces for entry in self._in_pauses(track)]
        return min(found, default=None)

    def _in_pauses(self, track: str) -> Iterator[int]:
        pauses = merged([*self._pauses[track], *self._pauses[None]])
        ends = [end for _, end in pauses]
        for piece in self._pieces[track]:
            for begin, end in pauses[bisect_left(ends, piece.begin_us) :]:
                if begin >= piece.end_us:
                    break
                if min(piece.end_us, end) - max(piece.begin_us, begin) > piece.slack_us:
                    yield piece.entry
                    break

    def holes(self) -> list[Hole]:
        """What is missing between a track's first and last piece, and nobody declared."""
        return [hole for track in sorted(self._pieces) for hole in self._holes(track)]

    def _holes(self, track: str) -> Iterator[Hole]:
        pieces = sorted(self._pieces[track])
        gaps = merged([*self._gaps[track], *self._gaps[None]])
        ends = [end for _, end in gaps]
        until_us = pieces[0].begin_us if pieces else 0
        for piece in pieces:
            if piece.begin_us - until_us > HOLE_US:
                near = gaps[bisect_left(ends, until_us) :]
                for begin, end in left(until_us, piece.begin_us, near):
                    if end - begin > HOLE_US + piece.slack_us:
                        yield Hole(track, begin, end, piece.entry)
            until_us = max(until_us, piece.end_us)
