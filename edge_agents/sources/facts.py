"""Pure: what a capture device says of itself and of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge_agents.sources.v4l2_abi import InputStatus, Timings

SILENT: Final = InputStatus(0)


@dataclass(frozen=True)
class Mode:
    """One way of capturing: FourCC, pixels, pictures a second."""

    pixels: str
    width: int
    height: int
    rate_hz: float


@dataclass(frozen=True)
class Facts:
    """What a device said. `timings_error`: why the signal cannot be measured; 0: it can, or nobody asked.

    `edid_blocks`: what the input tells its source about itself; None: it has no such thing (USB converters).
    """

    name: str
    driver: str = ""
    bus: str = ""
    captures: bool = True
    modes: tuple[Mode, ...] = ()
    status: InputStatus = SILENT
    timings: Timings | None = None
    timings_error: int = 0
    edid_blocks: int | None = None
