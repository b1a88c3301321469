"""Makes `tests/vectors/annotation/replica.json`, on which both implementations of a replica are run.

`python -m tests.annotation.vectors` writes it anew; `test_vectors` fails when it is not what this makes.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

from annotation.document import Document
from annotation.replica import Replica
from core.annotations import Calibrate, Change, Scale
from core.errors import RemoteError
from tests.annotation.drawing import ACTORS, START_US, Desk, Numbers, extend, some_operation, stroke

PATH: Final = Path(__file__).parents[1] / "vectors" / "annotation" / "replica.json"
OPERATIONS: Final = 60
SEEDS: Final = range(6)


def drawn(seed: int) -> tuple[Document, list[Change]]:
    """What three people did, by chance."""
    chance = random.Random(seed)
    document, changes, now_us = Document("ultrasound", f"d_{seed}"), [], START_US
    for number in range(OPERATIONS):
        actor = ACTORS[chance.randrange(3)]
        said = Numbers(*(chance.randrange(10_000) for _ in range(3)))
        now_us += 1_000 * chance.randrange(300)
        operation = some_operation(document, actor, said, f"m{number}")
        try:
            done = document.submit(f"o{number}", operation, actor, now_us)
        except RemoteError:
            continue
        assert done.change is not None
        changes.append(done.change)
    return document, changes


def scenarios() -> list[dict[str, Any]]:
    made = []
    for seed in SEEDS:
        document, changes = drawn(seed)
        made.append(_scenario(f"everything in order, {seed}", document, changes))
        chance = random.Random(seed)
        twice = sorted(changes + chance.sample(changes, 10), key=lambda change: change.seq)
        made.append(_scenario(f"some of it twice, {seed}", document, twice))
    missing = changes[:20] + changes[21:30]
    made.append(_scenario("one is missing: from there on nothing fits", document, missing))
    made.append(_scenario("another document's", document, changes[:3], known="d_other"))
    made.append(_scenario("a stroke that is shorter here than there", *_short_stroke()))
    return made


def _short_stroke() -> tuple[Document, list[Change]]:
    desk = Desk()
    changes = [desk.do(ACTORS[1], stroke("m1", 0.1, 0.1)), desk.do(ACTORS[1], Calibrate(scale=_SCALE))]
    grown = desk.do(ACTORS[1], extend("m1", 1, 0.2, 0.2))
    assert grown.extended is not None
    wrong = grown.model_copy(update={"extended": grown.extended.model_copy(update={"start": 2})})
    return desk.document, [*changes, wrong]


_SCALE: Final = Scale(mm_per_height=120.5, aspect=1.25)


def _scenario(
    name: str, document: Document, changes: list[Change], known: str | None = None
) -> dict[str, Any]:
    replica = Replica(document.document_id if known is None else known)
    applied = [replica.apply(document.document_id, change) for change in changes]
    return {
        "name": name,
        "known": replica.document_id,
        "document_id": document.document_id,
        "changes": [change.model_dump(mode="json") for change in changes],
        "applied": applied,
        "seq": replica.seq,
        "marks": [mark.model_dump(mode="json") for mark in replica.marks.values()],
        "calibration": None if replica.calibration is None else replica.calibration.model_dump(mode="json"),
    }


def text() -> str:
    """The file."""
    lines = ",\n".join(json.dumps(scenario, separators=(",", ":")) for scenario in scenarios())
    return f"[\n{lines}\n]\n"


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(text())
