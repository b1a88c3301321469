"""Pure: what an archive holds of a box's tracks, and where it has holes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from archive.continuity import PRIVACY_PAUSE, RECORDING_STOPPED
from archive.entries import Entry, GapEntry, GenerationEntry, PieceEntry
from archive.intervals import merged, without
from archive.ring_messages import WantedSpan
from archive.specs import Span
from archive.writer import RESTART_REASON

HOLE_US: Final = 100_000
"""Less than this between two pieces, of which nothing was lost, is a frame that was never made."""
LOSS_US: Final = 15_000
"""Less than this is no frame: containers and clocks round."""
PACKET_LOSS: Final = "packet_loss"
LEAD_US: Final = 15_000_000
"""How long before a hole the piece may begin from which it can be decoded: keyframes come every 10 s."""
NOT_OURS: Final = frozenset({PRIVACY_PAUSE, RECORDING_STOPPED, RESTART_REASON})
"""Nothing is filled in there: nobody wanted it to be seen, or nobody can say whether somebody did."""


@dataclass(slots=True)
class _Track:
    covered: list[tuple[int, int]] = field(default_factory=list)
    lost: list[tuple[int, int]] = field(default_factory=list)
    filled: list[tuple[int, int]] = field(default_factory=list)
    """By what was delivered later."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A generation of what was delivered later: its number, and where its last piece ends."""

    generation: int
    end_us: int


class ArchiveIndex:
    """Fed with every entry of a manifest, in order."""

    def __init__(self) -> None:
        self._tracks: defaultdict[str, _Track] = defaultdict(_Track)
        self._closed: defaultdict[str | None, list[tuple[int, int]]] = defaultdict(list)
        """Where nothing is to be filled in."""
        self._private: defaultdict[str | None, list[tuple[int, int]]] = defaultdict(list)
        """Where somebody decided so."""
        self.objects: set[str] = set()
        """Hashes of what was delivered later, init pieces among them."""
        self._inits: dict[tuple[str, int], str] = {}
        self._ends: dict[tuple[str, int], int] = {}

    def feed(self, entry: Entry) -> None:
        if isinstance(entry, GenerationEntry):
            self._inits[entry.track, entry.generation] = entry.sha256
            if entry.reason == "backfill":
                self.objects.add(entry.sha256)
        elif isinstance(entry, PieceEntry):
            self._feed_piece(entry)
        elif isinstance(entry, GapEntry):
            span = (entry.begin_us, entry.end_us)
            if entry.reason in NOT_OURS:
                self._closed[entry.track].append(span)
                if entry.reason != RESTART_REASON:
                    self._private[entry.track].append(span)
            elif entry.reason == PACKET_LOSS and entry.track and span[1] - span[0] >= LOSS_US:
                self._tracks[entry.track].lost.append(span)

    def _feed_piece(self, entry: PieceEntry) -> None:
        track, span = self._tracks[entry.track], (entry.begin_us, entry.end_us)
        track.covered.append(span)
        key = (entry.track, entry.generation)
        self._ends[key] = max(self._ends.get(key, 0), entry.end_us)
        if entry.source == "backfill":
            self.objects.add(entry.sha256)
            track.filled.append(span)

    def delivered(self, track: str, init: str) -> Delivered | None:
        """The track's newest generation with that init piece, if it was delivered later."""
        if init not in self.objects:
            return None
        numbers = [
            number for (name, number), digest in self._inits.items() if (name, digest) == (track, init)
        ]
        return Delivered(max(numbers), self._ends.get((track, max(numbers)), 0)) if numbers else None

    def wanted(self, tracks: Iterable[str], until_us: int | None, tail_us: int) -> list[WantedSpan]:
        """Holes of these tracks, in order of time. `until_us`: where the consultation ended, if it has; what
        ended less than `tail_us` before is whole.
        """
        found = [
            WantedSpan(track=name, begin_us=begin, end_us=end)
            for name in tracks
            if name in self._tracks
            for begin, end in self._holes(name, until_us, tail_us)
        ]
        return sorted(found, key=lambda span: (span.begin_us, span.track))

    def may_hold(self, track: str, span: Span, slack_us: int) -> bool:
        """False for what reaches, by more than it may be off, into a span where nothing is to be seen."""
        return not _reaches(span, [*self._closed[track], *self._closed[None]], slack_us)

    def is_private(self, track: str, span: Span, slack_us: int) -> bool:
        """True for what reaches so far into a span of which somebody decided that nothing is to be kept."""
        return _reaches(span, [*self._private[track], *self._private[None]], slack_us)

    def _holes(self, name: str, until_us: int | None, tail_us: int) -> Sequence[tuple[int, int]]:
        track = self._tracks[name]
        holes: list[tuple[int, int]] = []
        covered = merged(track.covered)
        holes += [(end, begin) for (_, end), (begin, _) in pairwise(covered)]
        if covered and until_us is not None and until_us - covered[-1][1] > tail_us:
            holes.append((covered[-1][1], until_us))
        holes = [span for span in holes if span[1] - span[0] >= HOLE_US]
        holes += without(track.lost, merged(track.filled))
        outside = without(holes, merged([*self._closed[name], *self._closed[None]]))
        return [span for span in merged(outside) if span[1] - span[0] > LOSS_US]


def _reaches(span: Span, others: Sequence[tuple[int, int]], slack_us: int) -> bool:
    return any(min(span.end_us, end) - max(span.begin_us, begin) > slack_us for begin, end in others)
