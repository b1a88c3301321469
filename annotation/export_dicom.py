"""A frozen still as DICOM: the picture as it was (Secondary Capture), and beside it what was drawn on it.

The drawings are a Color Softcopy Presentation State (DICOM PS3.3 A.33.2) that refers to the picture: a
workstation shows them over it and can take them away; nothing is burnt into the pixels. Patient data are what
the consultation has: a masked name and an exam number.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final, Literal

import numpy as np
from highdicom.color import CIELabColor
from highdicom.pr import (
    ColorSoftcopyPresentationState,
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    TextObject,
)
from highdicom.pr.enum import AnnotationUnitsValues, GraphicTypeValues
from PIL import ImageCms
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from annotation.render import Image
from annotation.shapes import Shown, lines, places, ruler_words

MANUFACTURER: Final = "Teleconsult"
TEXT_MAX_CHARS: Final = 1_024
"""DICOM's limit for unformatted text (VR ST)."""
PIXEL: Final = AnnotationUnitsValues.PIXEL
US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Study:
    """What the still belongs to. `sex`: M, F, O, or empty. `patient_name`: masked, as everyone sees it."""

    consultation: str
    patient_name: str = ""
    exam_number: str = ""
    sex: Literal["M", "F", "O", ""] = ""
    institution: str = ""
    opened_at_us: int = 0


@dataclass(frozen=True, slots=True)
class Still:
    """One frame of one feed. `captured_us`: Unix µs."""

    feed: str
    captured_us: int
    image: Image
    """(height, width, 3), BGR."""


def secondary_capture(study: Study, still: Still, *, version: str = "1") -> FileDataset:
    """The picture as it was captured, uncompressed RGB. The same still always has the same UID."""
    captured = _moment(still.captured_us)
    image = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    _describe_study(image, study)
    image.SOPClassUID = SecondaryCaptureImageStorage
    image.SOPInstanceUID = _uid("image", study.consultation, still.feed, str(still.captured_us))
    image.SeriesInstanceUID = _uid("series", study.consultation, still.feed)
    image.Modality, image.SeriesNumber, image.InstanceNumber = "OT", 1, 1
    image.SeriesDescription = still.feed[:64]
    image.Laterality = ""
    image.Manufacturer, image.SoftwareVersions = MANUFACTURER, version
    image.ConversionType = "DV"  # digitised video (PS3.3 C.8.6.1)
    image.DateOfSecondaryCapture = image.ContentDate = image.AcquisitionDate = captured.strftime("%Y%m%d")
    image.TimeOfSecondaryCapture = image.ContentTime = image.AcquisitionTime = captured.strftime("%H%M%S.%f")
    image.TimezoneOffsetFromUTC = "+0000"
    image.ImageType = ["ORIGINAL", "PRIMARY"]
    image.PatientOrientation = []
    image.BurnedInAnnotation = "YES"  # a device's picture shows what the device painted into it
    _put_pixels(image, still.image)
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    return image


def presentation(image: Dataset, shown: Sequence[Shown], *, creator: str = "", version: str = "1") -> Dataset:
    """What is drawn on `image` (a `secondary_capture`), for workstations to show over it.

    Raises `ValueError` when there is nothing to draw.
    """
    width, height = int(image.Columns), int(image.Rows)
    layers: dict[str, GraphicLayer] = {}
    annotations = []
    for one in shown:
        graphics, texts = _objects(one, width, height)
        if graphics or texts:
            layer = layers.setdefault(one.mark.colour, _layer(one.mark.colour, len(layers) + 1))
            annotations.append(
                GraphicAnnotation([image], layer, graphic_objects=graphics, text_objects=texts)
            )
    if not annotations:
        raise ValueError("nothing is drawn on this still")
    state = ColorSoftcopyPresentationState(
        referenced_images=[image],
        series_instance_uid=generate_uid(entropy_srcs=[image.SOPInstanceUID, "drawings"]),
        series_number=2,
        sop_instance_uid=generate_uid(entropy_srcs=[image.SOPInstanceUID, *_identity(shown)]),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=version,
        device_serial_number=image.StudyInstanceUID[-16:],
        content_label="TELESTRATION",
        content_description="drawn during the consultation",
        content_creator_name=_person_name(creator) or None,
        icc_profile=_srgb(),
        graphic_layers=list(layers.values()),
        graphic_annotations=annotations,
    )
    state.Laterality = ""  # unknown here; there may be two of what is shown
    return state


def to_bytes(dataset: Dataset) -> bytes:
    """A DICOM file (PS3.10)."""
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _describe_study(image: Dataset, study: Study) -> None:
    opened = _moment(study.opened_at_us)
    image.SpecificCharacterSet = "ISO_IR 192"
    image.PatientName = _person_name(study.patient_name)
    image.PatientID = study.exam_number[:64]
    image.PatientBirthDate = ""
    image.PatientSex = study.sex
    image.StudyInstanceUID = _uid("study", study.consultation)
    image.StudyDate, image.StudyTime = opened.strftime("%Y%m%d"), opened.strftime("%H%M%S.%f")
    image.StudyID = study.consultation[:16]
    image.AccessionNumber = ""
    image.ReferringPhysicianName = ""
    if study.institution:
        image.InstitutionName = study.institution[:64]


def _put_pixels(image: Dataset, picture: Image) -> None:
    image.Rows, image.Columns = picture.shape[:2]
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
    data = np.ascontiguousarray(picture[..., ::-1]).tobytes()
    image.PixelData = data + b"\0" * (len(data) % 2)


def _objects(shown: Shown, width: int, height: int) -> tuple[list[GraphicObject], list[TextObject]]:
    graphics = []
    for line in lines(shown, width, height):
        inside = np.clip(line, 0, (width, height))
        kind = GraphicTypeValues.POLYLINE if len(inside) > 1 else GraphicTypeValues.POINT
        graphics.append(GraphicObject(kind, inside, PIXEL))
    mark = shown.mark
    words = mark.text if mark.tool == "text" else ruler_words(mark) if mark.tool == "ruler" else ""
    if not words.strip():
        return graphics, []
    x, y = np.clip(places(shown, width, height)[-1], 0, (width, height)).tolist()
    text = words.replace("\n", "\r\n")[:TEXT_MAX_CHARS]
    return graphics, [TextObject(text, PIXEL, anchor_point=(x, y), anchor_point_visible=False)]


def _layer(colour: str, order: int) -> GraphicLayer:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return GraphicLayer(f"DRAWING{order}", order, display_color=CIELabColor.from_rgb(red, green, blue))


def _identity(shown: Sequence[Shown]) -> list[str]:
    """Other drawings are another object."""
    return [f"{one.mark.mark_id} {one.mark.changed_us} {one.motion}" for one in shown]


def _person_name(name: str) -> str:
    """One component, as what comes before the first caret (PS3.5 6.2); delimiters are no part of a name."""
    whole = "".join(" " if letter in "\\^=" else letter for letter in name).strip()[:60]
    return whole + "^" if whole else ""


@cache
def _srgb() -> bytes:
    """What the picture's colours mean: a presentation state has to say it, as of an input (C.11.15)."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[12:16] = b"scnr"  # the device class (ICC.1 7.2.5)
    return bytes(profile)


def _moment(unix_us: int) -> datetime:
    return datetime.fromtimestamp(unix_us / US_PER_S, UTC)


def _uid(*parts: str) -> str:
    """The same for the same things, for ever."""
    return str(generate_uid(entropy_srcs=["teleconsult", *parts]))
