"""Frozen frames of an archived consultation, each with what was drawn on it, as its events tell.

What is on a still is what was on it when it was put away, or at the end: what somebody took back before is
not. Written as PNG with the drawings in it, and as DICOM beside which the drawings are a presentation state
of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
from pydantic import ValidationError

from annotation import export_dicom, render
from annotation.burn_in import Documents, heard_in
from annotation.shapes import Shown, shown_marks
from core.messages import AnnotationDocument, AnnotationsChanged, AnnotationsSynced, Still

READY: Final = "ready"
HEADER_SEPARATOR: Final = " · "
SEXES: Final[dict[str, Literal["M", "F"]]] = {"男": "M", "女": "F", "M": "M", "F": "F"}
"""As `core.masking.masked_header` says them."""
Picture = Callable[[str], bytes | None]
"""The bytes of an archived file, by its id; None when it is not there."""


@dataclass(slots=True)
class ArchivedStill:
    """One, and what was to be seen on it."""

    still: Still
    shown: list[Shown] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WrittenStill:
    """What was made of one. `files`: none when its picture is not in the archive."""

    still_id: str
    feed: str
    captured_us: int
    drawings: int
    files: tuple[Path, ...]


def archived_stills(epoch_us: int, events: Iterable[dict[str, Any]]) -> list[ArchivedStill]:
    """Those whose picture arrived, in the order in which they were frozen. `events`: the archive's lines."""
    found: dict[str, ArchivedStill] = {}
    away: set[str] = set()
    documents = Documents()
    lines = sorted(
        (line for line in events if isinstance(line.get("at_us"), int)), key=lambda line: line["at_us"]
    )
    at_us = 0
    for line in lines:
        at_us = line["at_us"]
        for still in _stills_in(line):
            if still.state == READY:
                found.setdefault(still.still_id, ArchivedStill(still))
        if line.get("type") == "unfrozen" and line.get("still_id") in found.keys() - away:
            away.add(line["still_id"])
            _draw(found[line["still_id"]], documents, epoch_us + at_us)
        for _, message in heard_in([line]):
            if isinstance(message, AnnotationsChanged | AnnotationDocument | AnnotationsSynced):
                documents.take_in(message)
    for still_id in found.keys() - away:
        _draw(found[still_id], documents, epoch_us + at_us)
    return sorted(found.values(), key=lambda one: one.still.at_us)


def study_of(consultation: str, epoch_us: int, events: Iterable[dict[str, Any]]) -> export_dicom.Study:
    """What the stills belong to, as the room was told: a masked identity, never more."""
    for line in events:
        told = line.get("consultation")
        if line.get("type") == "room_state" and isinstance(told, dict):
            parts = str(told.get("header", "")).split(HEADER_SEPARATOR)
            sex: Literal["M", "F", ""] = SEXES.get(parts[1], "") if len(parts) == 4 else ""
            number = parts[3] if len(parts) == 4 else ""
            site = str(told.get("site", ""))
            return export_dicom.Study(consultation, parts[0], number, sex, site, epoch_us)
    return export_dicom.Study(consultation, opened_at_us=epoch_us)


def write_stills(
    consultation: str, epoch_us: int, events: Iterable[dict[str, Any]], picture: Picture, out: Path
) -> list[WrittenStill]:
    """Files in `out` for each: `<feed>-<still>.png`, `.dcm`, and `-drawings.dcm` when something is drawn.

    Raises `OSError`. A picture that cannot be decoded counts as missing.
    """
    lines = list(events)
    study = study_of(consultation, epoch_us, lines)
    return [_write(study, one, picture, out) for one in archived_stills(epoch_us, lines)]


def _write(study: export_dicom.Study, one: ArchivedStill, picture: Picture, out: Path) -> WrittenStill:
    still = one.still
    image = _decoded(picture(still.still_id))
    files: list[Path] = []
    if image is not None:
        name = out / f"{still.feed}-{still.still_id}"
        files.append(_put(Path(f"{name}.png"), render.png(render.burn_in(image, one.shown))))
        frame = export_dicom.Still(still.feed, still.captured_us, image)
        capture = export_dicom.secondary_capture(study, frame)
        files.append(_put(Path(f"{name}.dcm"), export_dicom.to_bytes(capture)))
        if one.shown:
            state = export_dicom.presentation(capture, one.shown, creator=still.name)
            files.append(_put(Path(f"{name}-drawings.dcm"), export_dicom.to_bytes(state)))
    return WrittenStill(still.still_id, still.feed, still.captured_us, len(one.shown), tuple(files))


def _decoded(data: bytes | None) -> render.Image | None:
    if not data:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else np.asarray(image, np.uint8)


def _put(path: Path, data: bytes) -> Path:
    """Decrypted pictures are for the one who exports them."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    return path


def _draw(one: ArchivedStill, documents: Documents, now_us: int) -> None:
    replica = documents.replicas.get(one.still.feed)
    marks = [] if replica is None else [mark for mark in replica.marks.values() if mark.anchor == "frame"]
    one.shown = shown_marks(marks, captured_us=one.still.captured_us, now_us=now_us, motions={})


def _stills_in(line: dict[str, Any]) -> list[Still]:
    told: object = []
    if line.get("type") == "still_changed":
        told = [line.get("still")]
    elif line.get("type") == "room_state":
        told = line.get("stills", [])
    found = []
    for fields in told if isinstance(told, list) else []:
        try:
            found.append(Still.model_validate(fields))
        except ValidationError:
            continue
    return found
