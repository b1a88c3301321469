"""Pure: what of the ring to drop, and what to deliver."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from archive.ring import RingGeneration, RingObject, RingPiece
from archive.ring_messages import WantedSpan


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be kept, and how old it may be (`oldest_us`: on the consultation's timeline)."""

    max_bytes: int
    oldest_us: int


def to_drop(held: Sequence[RingObject], bounds: Bounds) -> list[int]:
    """Entries to forget, the oldest first: what is too old, then what is too much. The newest generation of
    a track stays, and every other one as long as a piece of it does.
    """
    left = sum(one.size for one in held)
    pieces_of: defaultdict[tuple[str, int], int] = defaultdict(int)
    newest: dict[str, int] = {}
    inits: dict[tuple[str, int], RingGeneration] = {}
    for one in held:
        if isinstance(one, RingPiece):
            pieces_of[one.track, one.generation] += 1
        else:
            newest[one.track] = max(newest.get(one.track, 0), one.generation)
            inits[one.track, one.generation] = one
    dropped: list[int] = []

    def drop(one: RingObject) -> None:
        nonlocal left
        left -= one.size
        dropped.append(one.entry)

    for key, init in inits.items():
        if not pieces_of[key] and key[1] != newest[key[0]]:
            drop(init)
    for piece in held:
        if not isinstance(piece, RingPiece) or (
            left <= bounds.max_bytes and piece.end_us >= bounds.oldest_us
        ):
            continue
        drop(piece)
        key = (piece.track, piece.generation)
        pieces_of[key] -= 1
        if not pieces_of[key] and key in inits and newest[piece.track] != piece.generation:
            drop(inits[key])
    return dropped


def to_deliver(
    held: Sequence[RingObject], wanted: Iterable[WantedSpan], there: Collection[int]
) -> list[RingObject]:
    """What fills the spans, in the order in which it has to come: of each generation its init piece, then
    pieces from the last one on that can be decoded by itself. What is `there` already is left out.
    """
    tracks = _by_track(held)
    inits = {(one.track, one.generation): one for one in held if isinstance(one, RingGeneration)}
    chosen: dict[int, RingObject] = {}
    for span in wanted:
        for piece in _filling(tracks.get(span.track, []), span):
            init = inits.get((piece.track, piece.generation))
            if init is not None:
                chosen[init.entry], chosen[piece.entry] = init, piece
    missing = set(chosen) - set(there)
    needed = {
        inits[one.track, one.generation].entry
        for entry, one in chosen.items()
        if entry in missing and isinstance(one, RingPiece)
    }
    return [
        chosen[entry] for entry in sorted(missing) if isinstance(chosen[entry], RingPiece) or entry in needed
    ]


def _by_track(held: Iterable[RingObject]) -> Mapping[str, list[RingPiece]]:
    tracks: defaultdict[str, list[RingPiece]] = defaultdict(list)
    for one in held:
        if isinstance(one, RingPiece):
            tracks[one.track].append(one)
    return tracks


def _filling(pieces: Sequence[RingPiece], span: WantedSpan) -> Sequence[RingPiece]:
    """Pieces of one track, in the order of their making, that reach into the span, and what they need."""
    inside = [index for index, one in enumerate(pieces) if _reaches(one, span)]
    if not inside:
        return []
    first, last = inside[0], inside[-1]
    starts = [index for index in range(first + 1) if pieces[index].sync]
    near = bisect_right(starts, first) - 1
    start = (
        starts[near] if near >= 0 and pieces[starts[near]].generation == pieces[first].generation else first
    )
    return [*pieces[start:first], *(pieces[index] for index in inside if index <= last)]


def _reaches(piece: RingPiece, span: WantedSpan) -> bool:
    return piece.end_us > span.begin_us and piece.begin_us < span.end_us
