"""`[feeds.control]` of edge.toml: whether, and how, the console of a feed's device is controlled."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.control import CONTROL_MINUTES_MAX, ControlWay
from edge_agents.hid_reports import HidDevice


class ControlConfig(BaseModel):
    """A feed without this table cannot be controlled."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    backend: Literal["usb_gadget", "recording"] = Field(
        description="'usb_gadget': this box is the device's keyboard and pointer; 'recording': a file"
    )
    keyboard: Path | None = Field(default=None, description="a gadget's device file: /dev/hidg0")
    pointer: Path | None = Field(default=None, description="a gadget's device file: /dev/hidg1")
    file: Path | None = Field(
        default=None, description="a file to which backend = 'recording' appends what is pressed"
    )
    confirm: tuple[ControlWay, ...] = Field(
        default=("code", "touch"),
        min_length=1,
        max_length=3,
        description="one or more of 'code', 'touch' and 'badge', any of which confirms it at the box",
    )
    badges: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = Field(
        default=(), max_length=1000, description="the SHA-256, in lower-case hex, of what each badge says"
    )
    max_minutes: int = Field(
        default=CONTROL_MINUTES_MAX,
        ge=1,
        le=CONTROL_MINUTES_MAX,
        description=f"minutes, 1–{CONTROL_MINUTES_MAX}, that one control lasts at most",
    )

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if self.backend == "usb_gadget":
            if self.file is not None or not self.gadget_paths:
                raise ValueError("backend 'usb_gadget' needs keyboard or pointer, or both, and no file")
        elif self.file is None or self.gadget_paths:
            raise ValueError("backend 'recording' needs file, and neither keyboard nor pointer")
        return self

    @model_validator(mode="after")
    def _ways_fit(self) -> Self:
        if len(set(self.confirm)) != len(self.confirm):
            raise ValueError("confirm: each way once")
        if ("badge" in self.confirm) != bool(self.badges):
            raise ValueError("confirm, badges: 'badge' needs badges, and badges need 'badge'")
        return self

    @property
    def gadget_paths(self) -> dict[HidDevice, Path]:
        """Those that are named."""
        named: dict[HidDevice, Path | None] = {"keyboard": self.keyboard, "pointer": self.pointer}
        return {device: path for device, path in named.items() if path is not None}

    @property
    def devices(self) -> frozenset[HidDevice]:
        """What can be pressed."""
        return frozenset(self.gadget_paths) if self.backend == "usb_gadget" else _EVERYTHING

    @property
    def written(self) -> list[Path]:
        """Every file that is written to."""
        return [*self.gadget_paths.values(), *([] if self.file is None else [self.file])]

    def absolute(self, base: Path) -> Self:
        """Relative paths begin at `base`."""
        named: dict[str, Path | None] = {
            "keyboard": self.keyboard, "pointer": self.pointer, "file": self.file,
        }  # fmt: skip
        paths: dict[str, Any] = {
            name: base / path.expanduser() for name, path in named.items() if path is not None
        }
        return self.model_copy(update=paths)


_EVERYTHING: frozenset[HidDevice] = frozenset({"keyboard", "pointer"})


def check_apart(controls: Iterable[ControlConfig]) -> None:
    """Two keyboards on one gadget would press each other's keys. Raises `ValueError`."""
    paths = [path for control in controls for path in control.written]
    if len(set(paths)) != len(paths):
        raise ValueError("feeds: every keyboard, pointer and file of a [feeds.control] needs its own path")
