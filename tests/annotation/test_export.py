"""Drawings in pictures and in DICOM: at their places, and accepted by a validator."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest

from annotation import export_dicom, render
from annotation.shapes import Shown, ruler_mm, shown_marks
from annotation.tissue_geometry import Affine
from core.annotations import Mark, MarkMotion

HEIGHT, WIDTH = 540, 960
AT_US = 1_795_300_000_000_000
RED, GREEN = "#ff0000", "#00ff00"


def mark(tool: str, *points: float, **more: Any) -> Mark:
    fields = {
        "mark_id": f"{tool}1", "feed": "ultrasound", "author": "p", "author_name": "李医生", "role": "site",
        "colour": RED, "width": 0.01, "changed_us": AT_US, "captured_us": AT_US,
    }  # fmt: skip
    return Mark.model_validate({**fields, "tool": tool, "points": list(points), **more})


def picture(level: int = 90) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def red_at(image: np.ndarray, x: float, y: float) -> bool:
    blue, green, red = image[min(HEIGHT - 1, round(y * HEIGHT)), min(WIDTH - 1, round(x * WIDTH))].tolist()
    return bool(red > 200 and green < 60 and blue < 60)


ALL = [
    mark("pen", 0.1, 0.1, 0.2, 0.2, 0.3, 0.1, pressures=[0.2, 0.9, 0.4]),
    mark("arrow", 0.4, 0.1, 0.5, 0.3, colour=GREEN),
    mark("ellipse", 0.6, 0.1, 0.8, 0.4),
    mark("rectangle", 0.1, 0.5, 0.3, 0.8),
    mark("ruler", 0.5, 0.6, 0.9, 0.6, scale={"mm_per_height": 100, "aspect": 16 / 9}),
    mark("text", 0.4, 0.9, text="二尖瓣\nhere", width=0.05),
]


def test_shapes_are_where_they_were_drawn() -> None:
    image = render.burn_in(picture(), [Shown(one) for one in ALL])
    assert red_at(image, 0.15, 0.15)
    assert red_at(image, 0.7, 0.1)
    assert red_at(image, 0.6, 0.25)
    assert not red_at(image, 0.7, 0.25)
    assert red_at(image, 0.2, 0.5)
    assert red_at(image, 0.3, 0.65)
    assert red_at(image, 0.7, 0.6)
    assert image[round(0.2 * HEIGHT), round(0.45 * WIDTH)].tolist()[1] > 200
    assert (
        np.abs(image[round(0.88 * HEIGHT) :, round(0.4 * WIDTH) : round(0.5 * WIDTH)].astype(int) - 90).max()
        > 100
    )
    assert (picture() == 90).all()


def test_the_same_drawing_is_the_same_part_of_a_picture_of_any_size() -> None:
    small = render.burn_in(picture(), [Shown(ALL[2])])
    large = render.burn_in(np.full((2 * HEIGHT, 2 * WIDTH, 3), 90, np.uint8), [Shown(ALL[2])])
    difference = np.abs(cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(int) - small)
    assert difference.mean() < 0.5


def test_what_moved_with_the_tissue_is_drawn_where_it_is_now_and_faded_when_that_is_unsure() -> None:
    moving = mark("rectangle", 0.1, 0.1, 0.2, 0.3, anchor="tissue")

    def at(state: str, after_us: int) -> list[Shown]:
        told = MarkMotion.model_validate(
            {"mark_id": moving.mark_id, "motion": [1, 0, 0, 1, 0.4, 0.2], "confidence": 0.5, "state": state}
        )
        motions = {moving.mark_id: (AT_US + 1_000_000, told)}
        return shown_marks([moving], captured_us=AT_US + 1_000_000 + after_us, now_us=AT_US, motions=motions)

    held = render.burn_in(picture(), at("held", 0))
    assert red_at(held, 0.5, 0.4)
    assert not red_at(held, 0.1, 0.2)
    assert at("unsure", 0)[0].opacity < 0.5
    assert at("lost", 0) == []
    assert [(one.opacity, one.unsure) for one in at("held", 150_000)] == [(0.5, True)]
    assert at("held", 210_000) == []


def test_a_mark_of_a_frame_is_on_that_frame_alone_and_a_fading_one_fades() -> None:
    own = mark("pen", 0.1, 0.1, 0.2, 0.2, anchor="frame")
    assert len(shown_marks([own], captured_us=AT_US + 33_000, now_us=AT_US)) == 1
    assert shown_marks([own], captured_us=AT_US + 67_000, now_us=AT_US) == []
    fading = mark("pen", 0.1, 0.1, 0.2, 0.2, fade_after_ms=4_000)
    levels = [
        [one.opacity for one in shown_marks([fading], captured_us=AT_US, now_us=AT_US + at)]
        for at in (0, 3_500_000, 4_100_000)
    ]
    assert levels == [[1.0], [0.5], []]


def test_marks_half_outside_or_far_outside_do_no_harm() -> None:
    out = Shown(ALL[3], motion=Affine(1, 0, 0, 1, 0.85, 0.4))
    assert render.burn_in(picture(), [out]).shape == (HEIGHT, WIDTH, 3)
    gone = Shown(ALL[5], motion=Affine(1, 0, 0, 1, -50, 90))
    assert (render.burn_in(picture(), [gone]) == 90).all()


def test_a_ruler_measures_by_the_scale_it_was_given() -> None:
    assert ruler_mm(ALL[4]) == pytest.approx(0.4 * 16 / 9 * 100)


def test_a_still_and_its_drawings_are_dicom_that_a_validator_accepts(tmp_path: Path) -> None:
    dice = np.random.default_rng(1)
    still = export_dicom.Still("ultrasound", AT_US, dice.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
    study = export_dicom.Study("c_1", "张*三", "E-1", "M", "第一医院", AT_US)
    image = export_dicom.secondary_capture(study, still)
    state = export_dicom.presentation(image, [Shown(one) for one in ALL], creator="李医生")
    for name, dataset in (("image", image), ("drawings", state)):
        path = tmp_path / f"{name}.dcm"
        path.write_bytes(export_dicom.to_bytes(dataset))
        assert problems(path) == []
    read = pydicom.dcmread(tmp_path / "image.dcm")
    assert (read.pixel_array[..., ::-1] == still.image).all()
    assert str(read.PatientName) == "张*三^"
    again = pydicom.dcmread(tmp_path / "drawings.dcm")
    referenced = again.ReferencedSeriesSequence[0].ReferencedImageSequence[0]
    assert referenced.ReferencedSOPInstanceUID == read.SOPInstanceUID
    assert again.StudyInstanceUID == read.StudyInstanceUID
    rectangle = again.GraphicAnnotationSequence[3].GraphicObjectSequence[0].GraphicData
    assert rectangle[:4] == pytest.approx([0.1 * WIDTH, 0.5 * HEIGHT, 0.3 * WIDTH, 0.5 * HEIGHT])
    texts = [
        text.UnformattedTextValue
        for item in again.GraphicAnnotationSequence
        for text in item.get("TextObjectSequence", [])
    ]
    assert texts == ["71.1 mm", "二尖瓣\r\nhere"]


def test_the_same_still_is_the_same_object_and_other_drawings_are_another() -> None:
    study, still = export_dicom.Study("c_1"), export_dicom.Still("ultrasound", AT_US, picture())
    images = [export_dicom.secondary_capture(study, still) for _ in range(2)]
    assert images[0].SOPInstanceUID == images[1].SOPInstanceUID
    states = [
        export_dicom.presentation(images[0], [Shown(one)]).SOPInstanceUID for one in (ALL[0], ALL[0], ALL[1])
    ]
    assert states[0] == states[1] != states[2]
    with pytest.raises(ValueError, match="nothing is drawn"):
        export_dicom.presentation(images[0], [])


def problems(path: Path) -> list[str]:
    """What dciodvfy (dicom3tools) calls an error."""
    ran = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace")
    return [line for line in (ran.stdout + ran.stderr).splitlines() if line.startswith("Error")]
