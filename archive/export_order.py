"""A track's exported generations as one sequence in the order of time.

What a box delivered after an outage is a generation of its own that lies beside, and between, live ones.
Where both are there the live one is taken, as in replay.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from archive.entries import GenerationEntry, PieceEntry
from archive.intervals import merged

Item = TypeVar("Item")
Pieces = dict[tuple[str, int], list[PieceEntry]]


@dataclass(frozen=True, slots=True)
class Part:
    """One generation in a file. What lies in a `hidden` span (ascending) is left out. Microseconds."""

    path: Path
    begin_us: int
    hidden: Sequence[tuple[int, int]] = ()

    def hides(self, at_us: int) -> bool:
        """True when something else is taken for that moment."""
        index = bisect_right(self.hidden, at_us, key=lambda span: span[0]) - 1
        return index >= 0 and at_us < self.hidden[index][1]


def parts_of(joined: dict[Path, GenerationEntry], pieces: Pieces) -> dict[str, list[Part]]:
    """Each track's parts, by their beginning."""
    live: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for entry in joined.values():
        for piece in pieces[entry.track, entry.generation]:
            if piece.source == "live":
                live[entry.track].append((piece.begin_us, piece.end_us))
    found: defaultdict[str, list[Part]] = defaultdict(list)
    for path, entry in joined.items():
        own = pieces[entry.track, entry.generation]
        late = all(piece.source == "backfill" for piece in own)
        hidden = merged(live[entry.track]) if late else ()
        found[entry.track].append(Part(path, min(piece.begin_us for piece in own), hidden))
    return {track: sorted(parts, key=lambda part: part.begin_us) for track, parts in sorted(found.items())}


def in_order(
    parts: Iterable[Part], decode: Callable[[Path], Iterator[tuple[int, Item]]]
) -> Iterator[tuple[int, Item]]:
    """(time, item) of all parts, ascending. `decode`: a file's own, ascending; called when it is due."""
    waiting = sorted(parts, key=lambda part: part.begin_us, reverse=True)
    opened: list[tuple[int, int, Item, Iterator[tuple[int, Item]]]] = []
    number = 0

    def advance(items: Iterator[tuple[int, Item]]) -> None:
        nonlocal number
        following = next(items, None)
        if following is not None:
            number += 1  # so that items are never compared
            heapq.heappush(opened, (following[0], number, following[1], items))

    while opened or waiting:
        while waiting and (not opened or waiting[-1].begin_us <= opened[0][0]):
            part = waiting.pop()
            advance(_seen(part, decode))
        if opened:
            at_us, _, item, items = heapq.heappop(opened)
            yield at_us, item
            advance(items)


def _seen(part: Part, decode: Callable[[Path], Iterator[tuple[int, Item]]]) -> Iterator[tuple[int, Item]]:
    return ((at_us, item) for at_us, item in decode(part.path) if not part.hides(at_us))
