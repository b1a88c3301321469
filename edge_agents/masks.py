"""Privacy masks: which rectangles of a device's picture nobody may ever see.

A profile belongs to one device. Its rectangles are drawn on a reference resolution and scaled to whatever the
device sends, rounded outwards. It fails closed: a profile that cannot be read, or that was drawn on another
shape of picture, lets no picture pass.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import ConfigError

MAX_MASKS: Final = 64
ASPECT_TOLERANCE: Final = 0.002
"""1366 × 768 counts as 16:9; 1360 × 768 does not, for its pixels would be off by eight."""
GRID_PX: Final = 2
"""Rectangles end on even pixels: with 4:2:0 a colour sample belongs to two by two of them."""


class Box(NamedTuple):
    """Pixels of one picture: from `left`, `top` to before `right`, `bottom`."""

    left: int
    top: int
    right: int
    bottom: int


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Reference(_Model):
    """The resolution the rectangles were drawn on, in pixels."""

    width: int = Field(ge=16, le=8192)
    height: int = Field(ge=16, le=8192)


class Mask(_Model):
    """One rectangle, in pixels of the reference."""

    x: int = Field(ge=0)
    y: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    note: str = Field(default="", max_length=200)
    """What is there, in general words. Never what the text says."""


class MaskProfile(_Model):
    """A device's masks."""

    device: str = Field(default="", max_length=200)
    reference: Reference
    masks: tuple[Mask, ...] = Field(min_length=1, max_length=MAX_MASKS)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        for number, mask in enumerate(self.masks, 1):
            if mask.x + mask.width > self.reference.width or mask.y + mask.height > self.reference.height:
                raise ValueError(f"mask {number} reaches beyond the reference picture")
        return self

    def fits(self, width: int, height: int) -> bool:
        """True when a picture of that size has the reference's shape."""
        mine, theirs = self.reference.width * height, width * self.reference.height
        return width > 0 and height > 0 and abs(mine - theirs) <= ASPECT_TOLERANCE * theirs

    def boxes(self, width: int, height: int) -> tuple[Box, ...]:
        """The rectangles in a picture of that size, rounded outwards. Meaningful only when it `fits`."""
        return tuple(
            Box(
                _down(mask.x, width, self.reference.width),
                _down(mask.y, height, self.reference.height),
                _up(mask.x + mask.width, width, self.reference.width),
                _up(mask.y + mask.height, height, self.reference.height),
            )
            for mask in self.masks
        )


def _down(value: int, size: int, reference: int) -> int:
    return value * size // reference // GRID_PX * GRID_PX


def _up(value: int, size: int, reference: int) -> int:
    pixels = -(-value * size // reference)
    return min(size, -(-pixels // GRID_PX) * GRID_PX)


def load_profile(path: Path) -> MaskProfile:
    """Read and check a profile. Raises `ConfigError` with the file and everything that is wrong in it."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: mask profile cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: mask profile is not valid TOML: {error}") from None
    return parse_profile(values, str(path))


def parse_profile(values: dict[str, Any], place: str) -> MaskProfile:
    """Check parsed TOML; `place` names it in errors. Raises `ConfigError`."""
    try:
        return MaskProfile.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, detail['loc'])) or 'masks'}: {detail['msg'].removeprefix('Value error, ')}"
            for detail in error.errors()
        )
        raise ConfigError(f"{place}: mask profile: {wrong}") from None


def write_profile(profile: MaskProfile) -> str:
    """The profile as TOML, for a person to edit."""
    size = profile.reference
    lines = [
        "# Privacy masks: rectangles in pixels of the reference picture; scaled, rounded outwards.",
        f"device = {_quoted(profile.device)}",
        f"reference = {{ width = {size.width}, height = {size.height} }}",
    ]
    for mask in profile.masks:
        lines += ["", "[[masks]]"]
        lines += [f"{name} = {getattr(mask, name)}" for name in ("x", "y", "width", "height")]
        lines += [f"note = {_quoted(mask.note)}"] if mask.note else []
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    plain = "".join(character if character.isprintable() else " " for character in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
