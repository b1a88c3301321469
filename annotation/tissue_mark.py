"""Pure: one mark's place, and how sure we are of it.

It never drifts silently. The piece of the frame the mark was drawn on is the measure of all. A heart or a
breath shows other pieces in between: those become further *looks*, but only after the flow has come back to
the first piece where that piece says it is. Without a fresh look that fits, confidence runs out by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from annotation.tissue_flow import Grey
from annotation.tissue_geometry import IDENTITY, Matrix, apply, compose, invert
from annotation.tissue_template import Box, Check, Piece, check, cut, search

State = Literal["held", "unsure", "lost"]
"""`unsure`: shown faded, with a word. `lost`: not shown at its place any more."""

HELD: Final = 0.6
"""Confidence from which a mark counts as held."""
KNOWN: Final = 0.25
"""Below it, the mark is lost."""
LIKENESS: Final = (0.65, 0.85)
"""Correlation with the first piece that is worth nothing, and that is worth everything."""
LOOK_LIKENESS: Final = (0.75, 0.9)
"""The same for other looks: one of the same moment of the heart's beat is very much alike."""
SHARE: Final = (0.3, 0.6)
"""The same for the share of its cells that are alike."""
FOREIGN: Final = 0.4
"""A correlation below this is something else in front of the piece."""
FOREIGN_WORTH: Final = 0.4
"""What is left of the confidence after each look that shows something else."""
GRACE_US: Final = 150_000
"""How old a look may be."""
FORGOTTEN_US: Final = 1_000_000
"""What was not looked at for so long after that is worth 37 % of what it was."""
RISE_US: Final = 150_000
CERTAIN: Final = (0.8, 0.6)
"""Likeness and share that a lost piece must show to be believed found."""
CERTAIN_FAR: Final = 0.1
FAR_PX: Final = 40
"""So much more likeness is asked for so far away, in tracking pixels."""
CONFIRMATIONS: Final = 3
"""Looks in a row that must say so."""
MAX_LOOKS: Final = 8
NEW_LOOK: Final = (0.7, 0.9)
"""Between these likenesses to the best known look, another one is kept."""
FIRST_ENOUGH: Final = 0.4
"""Worth of the first piece with which no other look is asked."""
CLOSED_PX: Final = 1.0
"""How far off the flow may be when it comes back, in tracking pixels."""
WRONG_PX: Final = 2.5
"""Off by more than that, the looks that led there are forgotten."""
EXCURSION_US: Final = 2_000_000
"""How long other looks are believed without the first piece being seen."""


@dataclass(frozen=True)
class Look:
    """A piece of another frame. `way`: from the frame the mark was drawn on to that one."""

    piece: Piece
    way: Matrix
    at_us: int


@dataclass
class Held:
    """One mark and where it is now."""

    piece: Piece
    """Of the frame it was drawn on."""
    verified_us: int
    """When a look last said that it is where we have it."""
    matrix: Matrix = field(default_factory=IDENTITY.copy)
    """From the frame it was drawn on to the newest."""
    confidence: float = 1.0
    state: State = "held"
    astray: bool = False
    """In the newest frame nothing agreed on where it went."""
    likeness: float = 1.0
    """To the best look, in the newest frame that was looked at."""
    _worth: float = 1.0
    """The confidence at `verified_us`, less what was foreign since."""
    _looks: list[Look] = field(default_factory=list)
    _candidates: list[Look] = field(default_factory=list)
    _sought: Matrix | None = None
    """While lost: where it may be."""
    _confirmed: int = 0
    """How many looks in a row said so."""
    _used: set[int] = field(default_factory=set)
    """Looks that were believed since the first piece was last seen."""
    _home_us: int = field(init=False)
    """When that was."""
    _fitted: int = 0
    _turn: int = 0

    def __post_init__(self) -> None:
        self._home_us = self.verified_us

    def look(self, picture: Grey, at_us: int) -> None:
        """Compare with the looks; the place is corrected where one fits."""
        found, worth, first = self._best(picture)
        self.likeness = found.likeness
        if worth > 0:
            if first:
                self._close(found.matrix, at_us)
            elif at_us - self._home_us > EXCURSION_US:
                worth *= math.exp(-(at_us - self._home_us - EXCURSION_US) / FORGOTTEN_US)
            self.matrix = found.matrix
            self._worth = min(worth, self.confidence + (at_us - self.verified_us) / RISE_US)
            self.verified_us = at_us
        elif found.likeness < FOREIGN or self.astray:
            self._worth *= FOREIGN_WORTH
        if worth == 0 and self.state == "unsure":
            self._look_around(picture, at_us)
        self.passed(at_us)
        if self.state == "held" and NEW_LOOK[0] <= found.likeness <= NEW_LOOK[1]:
            self._keep(picture, at_us)

    def passed(self, at_us: int) -> None:
        """A frame went by: what was not verified for a while is less and less certain."""
        unverified_us = max(0, at_us - self.verified_us - GRACE_US)
        self.confidence = self._worth * math.exp(-unverified_us / FORGOTTEN_US)
        self.state = "held" if self.confidence >= HELD else "unsure" if self.confidence >= KNOWN else "lost"
        if self.state == "lost":
            self._candidates.clear()

    def seek(self, picture: Grey, at_us: int) -> None:
        """While lost: look for the piece. Believed after several frames in a row that are certain."""
        candidate = (
            self._candidate(picture) if self._sought is None else check(self.piece, picture, self._sought)
        )
        if candidate is None or not self._is_certain(candidate):
            self._sought, self._confirmed = None, 0
            return
        self._sought = candidate.matrix
        self._confirmed += 1
        if self._confirmed >= CONFIRMATIONS:
            self._sought, self._confirmed, self.astray = None, 0, False
            self._believe(candidate, at_us)
            self.passed(at_us)

    def _look_around(self, picture: Grey, at_us: int) -> None:
        """While unsure: it may just be farther off than a look corrects."""
        candidate = self._candidate(picture)
        if candidate is not None and self._is_certain(candidate):
            self._believe(candidate, at_us)

    def _candidate(self, picture: Grey) -> Check | None:
        place = search(self.piece, picture, self.matrix)
        return None if place is None else check(self.piece, picture, place)

    def _is_certain(self, candidate: Check) -> bool:
        """The farther from where it was last, the more alike it has to be."""
        middle = np.array([self.piece.middle])
        off_px = float(np.linalg.norm(apply(candidate.matrix, middle) - apply(self.matrix, middle)))
        needed = CERTAIN[0] + CERTAIN_FAR * min(1.0, off_px / FAR_PX)
        return candidate.likeness >= needed and candidate.share >= CERTAIN[1]

    def _believe(self, candidate: Check, at_us: int) -> None:
        self.matrix = candidate.matrix
        self._worth, self.verified_us = _worth(candidate, LIKENESS), at_us
        self._home_us = at_us
        self._candidates.clear()

    def _best(self, picture: Grey) -> tuple[Check, float, bool]:
        """The first piece where it fits, else one of the other looks; its worth; whether it was the first."""
        first = check(self.piece, picture, self.matrix)
        best_worth = _worth(first, LIKENESS)
        if best_worth >= FIRST_ENOUGH or not self._looks:
            return first, best_worth, True
        self._turn += 1
        best = first
        for number in {self._fitted % len(self._looks), self._turn % len(self._looks)}:
            look = self._looks[number]
            found = check(look.piece, picture, compose(self.matrix, invert(look.way)))
            if (worth := _worth(found, LOOK_LIKENESS)) > best_worth:
                best, best_worth = found._replace(matrix=compose(found.matrix, look.way)), worth
                self._fitted = number
        if best is not first:
            self._used.add(id(self._looks[self._fitted]))
        return best, best_worth, best is first

    def _keep(self, picture: Grey, at_us: int) -> None:
        if len(self._looks) + len(self._candidates) >= MAX_LOOKS:
            return
        box = self._box_now(picture)
        if box is None or (self._candidates and at_us - self._candidates[-1].at_us < GRACE_US / 2):
            return
        piece = cut(picture, box)
        if piece.can_be_followed:
            self._candidates.append(Look(piece, self.matrix, at_us))

    def _close(self, matrix: Matrix, at_us: int) -> None:
        """The flow is back at the first piece: if it did not err, what it passed on the way is known."""
        corners = self.piece.corners
        miss = float(np.linalg.norm(apply(matrix, corners) - apply(self.matrix, corners), axis=1).mean())
        if miss <= CLOSED_PX and at_us - self._home_us <= EXCURSION_US:
            self._looks.extend(self._candidates)
        elif miss > WRONG_PX:
            self._looks = [look for look in self._looks if id(look) not in self._used]
        self._candidates.clear()
        self._used.clear()
        self._home_us = at_us

    def _box_now(self, picture: Grey) -> Box | None:
        """Around where the mark is now; None when that is not inside the picture."""
        box = self.piece.box
        x, y = apply(self.matrix, np.array([self.piece.middle]))[0]
        left, top = round(x - box.width / 2), round(y - box.height / 2)
        inside = 0 <= left <= picture.shape[1] - box.width and 0 <= top <= picture.shape[0] - box.height
        return Box(left, top, box.width, box.height) if inside else None


def _worth(look: Check, likeness: tuple[float, float]) -> float:
    return _ramp(look.likeness, likeness) * _ramp(look.share, SHARE)


def _ramp(value: float, between: tuple[float, float]) -> float:
    low, high = between
    return min(1.0, max(0.0, (value - low) / (high - low)))
