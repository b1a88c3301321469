"""Makes `tests/vectors/annotation/replay.json`: an archive's lines, and what is to be seen at which moments.

Films (`annotation/burn_in.py`) and the replay in the browser (`web_client/src/replay/drawings`) are both run
on it. `python -m tests.annotation.replay_vectors` writes it anew.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

from annotation.burn_in import Overlay
from annotation.document import Document
from core import messages
from core.annotations import Add, MarkMotion, Place
from core.errors import RemoteError
from tests.annotation.drawing import ACTORS, Numbers, some_operation

PATH: Final = Path(__file__).parents[1] / "vectors" / "annotation" / "replay.json"
EPOCH_US: Final = 1_795_300_000_000_000
FRAME_US: Final = 33_333
SECONDS: Final = 24
FEEDS: Final = ("ultrasound", "p_1-screen")
LATE_US: Final = (30_000, 400_000)
"""How long after its frame's capture something is heard of."""
LOOKS: Final = 120


class Archive:
    """Lines as a recorder writes them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.lines: list[dict[str, Any]] = []
        self.documents = {feed: Document(feed, f"d_{feed}") for feed in FEEDS}
        self._count = 0

    def heard(self, at_us: int, message: messages.Model) -> None:
        self.lines.append({**message.model_dump(mode="json"), "at_us": at_us})

    def draw(self, at_us: int, feed: str) -> None:
        """Somebody does something on what they see, which was captured a moment before."""
        self._count += 1
        chance, document = self.chance, self.documents[feed]
        actor = ACTORS[chance.randrange(3)]
        said = Numbers(*(chance.randrange(10_000) for _ in range(3)))
        operation = some_operation(document, actor, said, f"m{self._count}")
        if isinstance(operation, Add):
            captured_us = EPOCH_US + at_us // FRAME_US * FRAME_US - chance.randrange(10) * FRAME_US
            look = {"anchor": chance.choice(["screen", "frame", "tissue"]), "captured_us": captured_us}
            operation = operation.model_copy(update={"mark": operation.mark.model_copy(update=look)})
        try:
            done = document.submit(f"o{self._count}", operation, actor, EPOCH_US + at_us)
        except RemoteError:
            return
        assert done.change is not None
        changed = messages.AnnotationsChanged(
            feed=feed, document_id=document.document_id, changes=[done.change]
        )
        self.heard(at_us, changed)

    def track(self, at_us: int, feed: str) -> None:
        """The box tells of a frame; now and then it says nothing for a while."""
        document = self.documents[feed]
        marks = [mark.mark_id for mark in document.marks.values() if mark.anchor == "tissue"]
        if not marks or at_us // 700_000 % 3 == 2:
            return
        motions = [
            MarkMotion.model_validate(
                {
                    "mark_id": mark_id,
                    "motion": [1, 0, 0, 1, round(self.chance.random() / 4, 3), 0.125],
                    "confidence": 0.5,
                    "state": self.chance.choice(["held", "held", "held", "unsure", "lost"]),
                }
            )
            for mark_id in marks
        ]
        captured_us = EPOCH_US + at_us // FRAME_US * FRAME_US
        later_us = at_us + self.chance.randint(*LATE_US)
        self.heard(later_us, messages.MarksMoved(feed=feed, captured_us=captured_us, marks=motions))

    def point(self, at_us: int, feed: str) -> None:
        actor = ACTORS[self.chance.randrange(3)]
        there = Place(x=round(self.chance.random(), 3), y=0.5) if self.chance.random() < 0.9 else None
        pointed = messages.Pointed(
            feed=feed,
            participant_id=f"p_{actor.person}",
            person=actor.person,
            name=actor.name,
            at=there,
        )
        self.heard(at_us, pointed)

    def come_back(self, at_us: int) -> None:
        """The recorder was away: it is told one feed whole, and that the other has no drawings any more."""
        document = self.documents[FEEDS[0]]
        marks = list(document.marks.values())
        whole: dict[str, Any] = {"feed": FEEDS[0], "document_id": document.document_id, "seq": document.seq}
        for first, some in ((True, marks[: len(marks) // 2]), (False, marks[len(marks) // 2 :])):
            part = messages.AnnotationDocument(**whole, marks=some, first=first, last=not first)
            self.heard(at_us, part)
        self.heard(at_us, messages.AnnotationsSynced(feeds=[FEEDS[0]]))
        self.documents[FEEDS[1]] = Document(FEEDS[1], "d_anew")


def archive(seed: int) -> list[dict[str, Any]]:
    made = Archive(seed)
    for at_us in range(500_000, SECONDS * 1_000_000, FRAME_US):
        feed = FEEDS[made.chance.random() < 0.3]
        if made.chance.random() < 0.35:
            made.draw(at_us, feed)
        made.track(at_us, FEEDS[0])
        if at_us // 3_000_000 % 2 == 1 and made.chance.random() < 0.3:
            made.point(at_us, feed)
        if abs(at_us - SECONDS * 500_000) < FRAME_US / 2:
            made.come_back(at_us)
    return made.lines


def looks(seed: int, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At some moments, in order, on the frame of then or one shortly before."""
    chance, overlay = random.Random(seed), Overlay(EPOCH_US, lines)
    found = []
    for at_us in sorted(chance.randrange(SECONDS * 1_000_000) for _ in range(LOOKS)):
        feed = FEEDS[chance.random() < 0.3]
        shown_us = at_us - chance.choice([0, 0, 0, chance.randrange(60_000), chance.randrange(2_000_000)])
        found.append(
            {"feed": feed, "at_us": at_us, "shown_us": shown_us, **seen(overlay, feed, at_us, shown_us)}
        )
    return found


def seen(overlay: Overlay, feed: str, at_us: int, shown_us: int) -> dict[str, Any]:
    marks = [
        {
            "mark_id": one.mark.mark_id,
            "points": len(one.mark.points),
            "colour": one.mark.colour,
            "opacity": round(one.opacity, 6),
            "motion": list(one.motion),
            "unsure": one.unsure,
        }
        for one in overlay.shown(feed, at_us, shown_us)
    ]
    pointers = [{"person": one.person, "x": one.x, "y": one.y} for one in overlay.pointers(feed, at_us)]
    return {"marks": marks, "pointers": pointers}


def text() -> str:
    """The file."""
    lines = archive(7)
    parts = [
        f'"epoch_us":{EPOCH_US}',
        f'"lines":[\n{_rows(lines)}\n]',
        f'"looks":[\n{_rows(looks(7, lines))}\n]',
    ]
    return "{" + ",\n".join(parts) + "}\n"


def _rows(rows: list[dict[str, Any]]) -> str:
    return ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)


if __name__ == "__main__":
    PATH.write_text(text())
