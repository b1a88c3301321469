"""Pure: the frozen frames of consultations: which there are, whose box is to send which, and bounds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from core.errors import Conflict, Forbidden, NotFound
from core.messages import FileInfo, Still, StillProblem

OPEN_MAX: Final = 8
"""Frozen at once in one room."""
CONSULTATIONS_MAX: Final = 256
SAME_FRAME_US: Final = 1_000
"""What went through RTP and back may be off by its rounding."""


@dataclass(slots=True)
class Wanted:
    """A still whose picture has not come. `arriving`: the box has begun to send it."""

    still: Still
    box: str
    """The box's subject: nobody else may send it."""
    arriving: bool = False


class Stills:
    """One consultation's. Nothing here is told to anybody; callers do that."""

    def __init__(self) -> None:
        self.loaded = False
        self.ready: OrderedDict[str, Still] = OrderedDict()
        self.wanted: dict[str, Wanted] = {}

    def load(self, stored: Iterable[Still]) -> None:
        """What an earlier process left. Again: nothing changes."""
        if not self.loaded:
            self.ready.update((still.still_id, still) for still in stored)
            self.loaded = True

    def open(self, may_view: Callable[[str], bool]) -> list[Still]:
        """Those of feeds that somebody may see, oldest first."""
        every = [*self.ready.values(), *(one.still for one in self.wanted.values())]
        return sorted((still for still in every if may_view(still.feed)), key=lambda still: still.at_us)

    def known(self, person: str, ref: str, feed: str, captured_us: int) -> Still | None:
        """That very wish, sent again; or the same frame, frozen already."""
        for still in self.open(lambda _feed: True):
            if (still.person, still.ref) == (person, ref):
                return still
            if still.feed == feed and abs(still.captured_us - captured_us) <= SAME_FRAME_US:
                return still
        return None

    def freeze(self, still: Still, box: str) -> None:
        """A new one, whose picture `box` has. Raises `Conflict` when there are too many."""
        if len(self.ready) + len(self.wanted) >= OPEN_MAX:
            raise Conflict("too many pictures are frozen; put one away first", code="too_many_stills")
        self.wanted[still.still_id] = Wanted(still, box)

    def awaited(self, still_id: str, box: str) -> Wanted:
        """One that this box is to send. Raises `NotFound`, also for other boxes' ones."""
        found = self.wanted.get(still_id)
        if found is None or found.box != box:
            raise NotFound("no such picture is awaited from you", code="still_not_found")
        return found

    def arrived(self, still_id: str, file: FileInfo, width: int, height: int) -> Still:
        """Its picture is there. Raises `NotFound` when it was put away meanwhile."""
        found = self.wanted.pop(still_id, None)
        if found is None:
            raise NotFound("this picture is not wanted any more", code="still_not_found")
        update = {"state": "ready", "file": file, "width": width, "height": height}
        still = self.ready[still_id] = found.still.model_copy(update=update)
        return still

    def failed(self, still_id: str, problem: StillProblem) -> Still | None:
        """Its picture will not come: it is not frozen. None when it was not awaited."""
        found = self.wanted.pop(still_id, None)
        if found is None:
            return None
        return found.still.model_copy(update={"state": "failed", "problem": problem})

    def put_away(self, still_id: str, person: str, *, moderates: bool) -> Still:
        """Raises `NotFound`, and `Forbidden` for somebody else's."""
        awaited = self.wanted.get(still_id)
        still = self.ready.get(still_id) or (awaited.still if awaited is not None else None)
        if still is None:
            raise NotFound("this picture is not frozen any more", code="still_not_found")
        if still.person != person and not moderates:
            raise Forbidden("only who froze it, or a host, puts it away", code="not_yours")
        self.ready.pop(still_id, None)
        self.wanted.pop(still_id, None)
        return still


class StillsShelf:
    """The stills of all consultations in this process; those untouched longest are forgotten first.

    Those that are ready are in the database, too.
    """

    def __init__(self) -> None:
        self._stills: OrderedDict[str, Stills] = OrderedDict()

    def of(self, consultation_id: str) -> Stills:
        """Made when there are none."""
        stills = self._stills.setdefault(consultation_id, Stills())
        self._stills.move_to_end(consultation_id)
        if len(self._stills) > CONSULTATIONS_MAX:
            self._stills.popitem(last=False)
        return stills

    def forget(self, consultation_id: str) -> None:
        """The consultation is over."""
        self._stills.pop(consultation_id, None)
