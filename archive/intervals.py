"""Pure: spans of time as pairs (begin, end), what they make up together and what they leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, none touching another."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def left(begin: int, end: int, taken: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What of a span is left when others, in any order, are taken away."""
    for other_begin, other_end in sorted(taken, key=itemgetter(0)):
        if other_begin >= end:
            break
        if other_begin > begin:
            yield begin, other_begin
        begin = max(begin, other_end)
    if begin < end:
        yield begin, end


def without(spans: Iterable[tuple[int, int]], taken: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same for several spans."""
    return [part for begin, end in spans for part in left(begin, end, taken)]
