"""`teleconsult archive`, with what paints drawings into exported films and stills."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from archive import export_stills, overlay
from archive.cli import app

__all__ = ["app"]


def _drawings(epoch_us: int, events: Iterable[dict[str, Any]]) -> overlay.Overlay:
    from annotation.burn_in import Overlay  # with it comes OpenCV, which not every command needs

    return Overlay(epoch_us, events)


def _stills(
    consultation: str,
    epoch_us: int,
    events: Iterable[dict[str, Any]],
    picture: Callable[[str], bytes | None],
    out: Path,
) -> Iterable[export_stills.WrittenStill]:
    from annotation.archived_stills import write_stills

    return write_stills(consultation, epoch_us, events, picture, out)


overlay.use(_drawings)
export_stills.use(_stills)
