"""Pure: one author's steps, to be taken back and done again. They never name anybody else's marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Final

from core.annotations import Mark

STEPS_MAX: Final = 100
HISTORY_MAX_BYTES: Final = 128 * 1024
"""About what the marks remembered by one author's steps may weigh; the oldest go first, the newest never."""
MARK_BYTES: Final = 300
"""About what a mark weighs besides its points and text."""

Marks = dict[str, Mark | None]
"""Marks by their ids; None: it is not there."""


def weight_of(mark: Mark | None) -> int:
    """About how many bytes of JSON a mark is."""
    if mark is None:
        return 0
    return MARK_BYTES + 9 * (len(mark.points) + len(mark.pressures)) + 4 * len(mark.text)


@dataclass(slots=True)
class Step:
    """Something that is undone at once. `before`: how its marks were."""

    name: str
    before: Marks

    @property
    def weight_bytes(self) -> int:
        return sum(map(weight_of, self.before.values()))


@dataclass(slots=True)
class History:
    """What one author did on one feed, oldest first, and what they took back."""

    done: list[Step] = field(default_factory=list)
    undone: list[Step] = field(default_factory=list)

    def record(self, name: str, before: Marks) -> None:
        """Something was done. A gesture's later operations join its first one."""
        if not before:
            return
        self.undone.clear()
        if self.done and self.done[-1].name == name:
            self.done[-1].before = before | self.done[-1].before  # the oldest state counts
        else:
            self.done.append(Step(name, before))
        _trim(self.done)

    def take(self, kind: str, now: Mapping[str, Mark]) -> Step:
        """The step to undo, or to redo, is the other one's now. Raises `IndexError` when there is none."""
        source, target = (self.done, self.undone) if kind == "undo" else (self.undone, self.done)
        step = source.pop()
        target.append(Step(step.name, {mark_id: now.get(mark_id) for mark_id in step.before}))
        _trim(target)
        return step

    def peek(self, kind: str, gone: Set[str]) -> Step | None:
        """What `take` would give once these marks are forgotten."""
        steps = self.done if kind == "undo" else self.undone
        return next((step for step in reversed(steps) if not gone >= step.before.keys()), None)

    def forget(self, mark_ids: Iterable[str]) -> None:
        """Marks that are gone for good: faded, or removed by somebody else."""
        gone = set(mark_ids)
        for steps in (self.done, self.undone):
            for step in steps:
                if not gone.isdisjoint(step.before):
                    step.before = {
                        mark_id: mark for mark_id, mark in step.before.items() if mark_id not in gone
                    }
            steps[:] = [step for step in steps if step.before]

    def knows(self, mark_id: str) -> bool:
        """True while a step may bring that mark back."""
        return any(mark_id in step.before for steps in (self.done, self.undone) for step in steps)


def _trim(steps: list[Step]) -> None:
    weight = sum(step.weight_bytes for step in steps)
    while len(steps) > 1 and (len(steps) > STEPS_MAX or weight > HISTORY_MAX_BYTES):
        weight -= steps.pop(0).weight_bytes
