"""Drawings on a feed, as they travel: marks, operations on them, and what each operation changed.

Places in a picture are normalised: (0, 0) is its top left corner, (1, 1) its bottom right one, at any size.
Lengths (a line's width, a scale) are in heights of the picture, for the same reason.
What operations do is `annotation/document.py`; the web client has the same.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.vocabulary import Identifier, Role

POINTS_PER_OPERATION: Final = 1_000
POINTS_PER_MARK: Final = 2_000
MARK_TEXT_MAX_CHARS: Final = 500
UNIX_US_MAX: Final = 2**53 - 1
FADE_MIN_MS: Final = 500
FADE_MAX_MS: Final = 600_000

Tool = Literal["pen", "arrow", "ellipse", "rectangle", "text", "ruler"]
Anchor = Literal["screen", "frame", "tissue"]
"""screen: stays where it is in the picture. frame: belongs to the frame of its capture time, seen only on it.
tissue: moves with what is shown.
"""
OperationKind = Literal["add", "extend", "update", "remove", "clear", "undo", "redo", "calibrate"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
Width = Annotated[float, Field(ge=0.0005, le=0.1, allow_inf_nan=False)]
"""Of a line, in heights of the picture; for text: the height of its letters."""
MarkText = Annotated[str, Field(max_length=MARK_TEXT_MAX_CHARS)]
CaptureTime = Annotated[int, Field(ge=0, le=UNIX_US_MAX)]
"""Unix microseconds at the capture of the frame."""
Fade = Annotated[int, Field(ge=FADE_MIN_MS, le=FADE_MAX_MS)]
Coordinates = Annotated[list[Share], Field(max_length=2 * POINTS_PER_OPERATION)]
"""x, y, x, y, …"""
Pressures = Annotated[list[Share], Field(max_length=POINTS_PER_OPERATION)]

POINTS_NEEDED: Final[dict[str, int]] = {"arrow": 2, "ellipse": 2, "rectangle": 2, "ruler": 2, "text": 1}


class Part(BaseModel):
    """Of a message. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Place(Part):
    """A point of the picture."""

    x: Share
    y: Share


class Scale(Part):
    """How long things in the picture are: `mm_per_height` for a picture `aspect` times as wide as high."""

    mm_per_height: float = Field(gt=0, le=1_000_000, allow_inf_nan=False)
    aspect: float = Field(ge=0.1, le=10, allow_inf_nan=False)


class Calibration(Part):
    """The scale that new rulers on a feed are given, and who measured it."""

    scale: Scale
    author: str = Field(max_length=100)
    author_name: str = Field(max_length=500)
    at_us: CaptureTime


class _Drawn(Part):
    """Coordinates come in pairs, and with a pressure each or with none."""

    points: Coordinates
    pressures: Pressures = []

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if len(self.points) % 2:
            raise ValueError("points: x and y of each")
        if self.pressures and 2 * len(self.pressures) != len(self.points):
            raise ValueError("pressures: one for each point, or none")
        return self


class NewMark(_Drawn):
    """What somebody wants to draw. `mark_id` is theirs, and must be new."""

    mark_id: Identifier
    tool: Tool
    colour: Colour
    width: Width
    text: MarkText = ""
    captured_us: CaptureTime | None = None
    """Of the frame it is drawn on; None when it is not known. An anchor to a frame needs it."""
    anchor: Anchor = "screen"
    fade_after_ms: Fade | None = None
    """Gone so long after it was last changed; None: stays."""
    scale: Scale | None = None
    """Rulers: what their length means, for good."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wanted = POINTS_NEEDED.get(self.tool)
        if len(self.points) < 2 or (wanted is not None and len(self.points) != 2 * wanted):
            raise ValueError(f"points: a {self.tool} has {wanted or 'one or more'}")
        if self.tool == "text" and not self.text.strip():
            raise ValueError("text: there is none")
        if self.anchor != "screen" and self.captured_us is None:
            raise ValueError("captured_us: this anchor needs the frame's")
        return self


class Mark(Part):
    """One drawing on a feed, as everybody has it.

    Not validated again beyond its fields: it was checked when it was made, and grows without being copied.
    """

    mark_id: Identifier
    feed: Identifier
    author: str = Field(max_length=100)
    """The person, as `Participant.person`: the same for all seats."""
    author_name: str = Field(max_length=500)
    role: Role
    tool: Tool
    colour: Colour
    width: Width
    points: Annotated[list[Share], Field(max_length=2 * POINTS_PER_MARK)]
    pressures: Annotated[list[Share], Field(max_length=POINTS_PER_MARK)] = []
    text: MarkText = ""
    captured_us: CaptureTime | None = None
    anchor: Anchor = "screen"
    fade_after_ms: Fade | None = None
    scale: Scale | None = None
    changed_us: CaptureTime
    """The server's clock when it was last changed: fading begins then."""


class Add(Part):
    """A new mark, or the beginning of one."""

    op: Literal["add"] = "add"
    mark: NewMark
    step: Identifier | None = None
    """Operations of one gesture have the same: they are undone together. None: a step of its own."""


class Extend(_Drawn):
    """A stroke goes on. `start`: how many points it had, so that none is lost or doubled."""

    op: Literal["extend"] = "extend"
    mark_id: Identifier
    start: int = Field(ge=0, le=POINTS_PER_MARK)
    step: Identifier | None = None


class Update(Part):
    """One's own mark looks different now; what is None stays. `points` replace those there are."""

    op: Literal["update"] = "update"
    mark_id: Identifier
    points: Coordinates | None = None
    pressures: Pressures | None = None
    colour: Colour | None = None
    width: Width | None = None
    text: MarkText | None = None
    fade_after_ms: Fade | None = None
    keep: bool = False
    """It does not fade any more."""
    step: Identifier | None = None


class RemoveMark(Part):
    """One's own mark, or, for those who may, anybody's."""

    op: Literal["remove"] = "remove"
    mark_id: Identifier
    step: Identifier | None = None


class Clear(Part):
    """All of one's own marks on the feed, or, for those who may, everybody's."""

    op: Literal["clear"] = "clear"
    whose: Literal["mine", "all"] = "mine"
    step: Identifier | None = None


class Undo(Part):
    """One's own last step is taken back."""

    op: Literal["undo"] = "undo"


class Redo(Part):
    """What was taken back last is done again."""

    op: Literal["redo"] = "redo"


class Calibrate(Part):
    """How long things on this feed are; None: nobody knows any more. Rulers there are keep what they say."""

    op: Literal["calibrate"] = "calibrate"
    scale: Scale | None


Operation = Annotated[
    Add | Extend | Update | RemoveMark | Clear | Undo | Redo | Calibrate, Field(discriminator="op")
]


class Extension(Part):
    """Points appended to a mark that had `start` of them."""

    mark_id: Identifier
    start: int = Field(ge=0)
    points: list[Share]
    pressures: list[Share] = []
    changed_us: CaptureTime


class Change(Part):
    """What one operation did, in terms that need no history: any replica applies it in the same way.

    In this order: `removed` go, `put` are set (new ones last, known ones where they are), `extended` grows;
    after `calibrate` the calibration is what is here.
    """

    seq: int = Field(ge=1)
    op: OperationKind
    op_id: Identifier
    author: str = Field(max_length=100)
    at_us: CaptureTime
    """The server's clock."""
    removed: list[Identifier] = []
    """Faded marks among them."""
    put: list[Mark] = []
    extended: Extension | None = None
    calibration: Calibration | None = None
    undo: int = Field(default=0, ge=0)
    """How many steps the author may take back now, and again."""
    redo: int = Field(default=0, ge=0)


class MarkMotion(Part):
    """Where a mark that moves with the tissue is in one frame.

    `motion`: `[a, b, c, d, e, f]`, as CSS's `matrix()`, from where it was drawn, in normalised coordinates:
    x' = a·x + c·y + e, y' = b·x + d·y + f.
    """

    mark_id: Identifier
    motion: Annotated[
        list[Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]], Field(min_length=6, max_length=6)
    ]
    confidence: Share
    state: Literal["held", "unsure", "lost"]
    """unsure: shown faded, with a word. lost: nobody knows where it is now."""


class DocumentSeen(Part):
    """What a client has of one feed's drawings."""

    feed: Identifier
    document_id: Identifier
    seq: int = Field(ge=0, le=UNIX_US_MAX)
