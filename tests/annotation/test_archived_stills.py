"""Frozen frames out of an archive's events: what was on each, as PNG and as DICOM a validator accepts."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom

from annotation.archived_stills import archived_stills, study_of, write_stills
from core.annotations import Change, Mark
from core.messages import AnnotationsChanged, FileInfo, Still

EPOCH_US = 1_795_300_000_000_000
CAPTURED_US = EPOCH_US + 5_000_000
FEED = "theatre"
HEIGHT, WIDTH = 180, 320


def still(still_id: str = "fz_1", captured_us: int = CAPTURED_US, **more: Any) -> Still:
    file = FileInfo(file_id=still_id, name="x.png", media_type="image/png", size_bytes=1, sha256="0" * 64)
    fields: dict[str, Any] = {"state": "ready", "file": file, "width": WIDTH, "height": HEIGHT} | more
    return Still(
        still_id=still_id,
        ref="r",
        feed=FEED,
        captured_us=captured_us,
        name="王医生",
        at_us=EPOCH_US,
        **fields,
    )


def told(at_us: int, one: Still, kind: str = "still_changed") -> dict[str, Any]:
    return {"type": kind, "still": one.model_dump(mode="json"), "at_us": at_us}


def away(at_us: int, still_id: str = "fz_1") -> dict[str, Any]:
    return {
        "type": "unfrozen",
        "still_id": still_id,
        "feed": FEED,
        "by": "Li",
        "at_us": at_us,
        "said_at_us": 7,
    }


def mark(mark_id: str, **more: Any) -> Mark:
    fields: dict[str, Any] = {
        "feed": FEED, "author": "p", "author_name": "李医生", "role": "site", "tool": "pen",
        "colour": "#00ff00", "width": 0.05, "points": [0.2, 0.5, 0.8, 0.5], "anchor": "frame",
        "captured_us": CAPTURED_US, "changed_us": CAPTURED_US,
    }  # fmt: skip
    return Mark.model_validate({**fields, "mark_id": mark_id, **more})


class Drawing:
    """The drawings on the feed, change by change."""

    def __init__(self) -> None:
        self._seq = 0

    def __call__(self, at_us: int, *put: Mark, removed: list[str] | None = None) -> dict[str, Any]:
        self._seq += 1
        change = Change(
            seq=self._seq, op="add", op_id="o", author="p", at_us=0, put=list(put), removed=removed or []
        )
        message = AnnotationsChanged(feed=FEED, document_id="d", changes=[change])
        return {**message.model_dump(mode="json"), "at_us": at_us}


ROOM = {
    "type": "room_state",
    "consultation": {"header": "张*三 · 男 · 57 · US-20417", "site": "Clinic"},
    "stills": [],
    "at_us": 0,
}


def marks_of(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    return {
        one.still.still_id: [shown.mark.mark_id for shown in one.shown]
        for one in archived_stills(EPOCH_US, events)
    }


def test_on_a_still_is_what_belongs_to_its_frame_and_nothing_else() -> None:
    draw = Drawing()
    events = [
        draw(1, mark("early", anchor="screen")),
        told(2, still()),
        draw(3, mark("on")),
        draw(4, mark("elsewhere", captured_us=CAPTURED_US + 1_000_000)),
        draw(5, mark("gone")),
        draw(6, removed=["gone"]),
    ]
    assert marks_of(events) == {"fz_1": ["on"]}


def test_what_is_drawn_or_cleared_after_it_was_put_away_changes_nothing() -> None:
    draw = Drawing()
    events = [told(2, still()), draw(3, mark("on")), away(4), draw(5, mark("late"), removed=["on"]), away(6)]
    assert marks_of(events) == {"fz_1": ["on"]}


def test_one_that_was_there_when_the_recorder_came_counts_and_one_that_never_came_does_not() -> None:
    here = {**ROOM, "stills": [still("fz_2").model_dump(mode="json"), {"still_id": 7}]}
    waits, failed = still("fz_3", state="wanted", file=None), still("fz_4", state="failed", problem="gone")
    events = [here, told(3, waits, "frozen"), told(4, failed), {"type": "still_changed", "at_us": 5}]
    assert marks_of(events) == {"fz_2": []}


def test_the_patient_is_named_as_the_room_was_told_never_more() -> None:
    study = study_of("c_1", EPOCH_US, [{"type": "knock", "at_us": 0}, ROOM])
    assert (study.patient_name, study.sex, study.exam_number) == ("张*三", "M", "US-20417")
    assert study.institution == "Clinic"
    assert study_of("c_1", EPOCH_US, []).patient_name == ""


def test_a_still_is_written_as_png_with_its_drawings_and_as_dicom_that_a_validator_accepts(
    tmp_path: Path,
) -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    data = cv2.imencode(".png", picture)[1].tobytes()
    draw = Drawing()
    events = [ROOM, told(2, still()), told(3, still("fz_2", CAPTURED_US + 10**6)), draw(4, mark("on"))]
    events += [
        told(5, still("fz_3", CAPTURED_US + 2 * 10**6)),
        told(6, still("fz_4", CAPTURED_US + 3 * 10**6)),
    ]
    files = {"fz_1": data, "fz_2": data, "fz_3": b"no picture"}
    first, second, broken, missing = write_stills("c_1", EPOCH_US, events, files.get, tmp_path)
    assert [file.name for file in first.files] == [
        "theatre-fz_1.png",
        "theatre-fz_1.dcm",
        "theatre-fz_1-drawings.dcm",
    ]
    assert (first.drawings, second.drawings) == (1, 0)
    assert [file.suffix for file in second.files] == [".png", ".dcm"]
    assert broken.files == missing.files == ()
    drawn = cv2.imread(str(first.files[0]))
    assert drawn is not None
    assert drawn[HEIGHT // 2, WIDTH // 2].tolist() == [0, 255, 0]
    assert drawn[10, 10].tolist() == [90, 90, 90]
    capture = pydicom.dcmread(first.files[1])
    assert (capture.pixel_array == 90).all(), "the drawings are beside the picture, not in it"
    assert str(capture.PatientName).startswith("张*三")
    state = pydicom.dcmread(first.files[2])
    assert state.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID == (
        capture.SOPInstanceUID
    )
    for path in (*first.files[1:], *second.files[1:]):
        ran = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace")
        assert [line for line in (ran.stdout + ran.stderr).splitlines() if line.startswith("Error")] == []
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
