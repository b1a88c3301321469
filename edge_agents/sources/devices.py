"""What can be captured on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from edge_agents.sources.builtin import builtin_clip_path

BY_ID: Final = Path("/dev/v4l/by-id")
"""Names made from vendor, model and serial number: they stay when devices are plugged in another order."""


class Capturable(BaseModel):
    """One thing a feed's `source` may name."""

    kind: str
    source: str
    """Ready to be pasted into edge.toml."""
    note: str = ""


def list_sources(by_id: Path = BY_ID, dev: Path = Path("/dev")) -> list[Capturable]:
    """Everything a feed can use here, built-in sources first."""
    found = [Capturable(kind="testcard", source='{kind = "testcard"}', note="time code and colour bars")]
    if builtin_clip_path().exists():
        found.append(Capturable(kind="clip", source='{kind = "clip"}', note="cardiac ultrasound, 30 frames"))
    found += [_device(path) for path in _video_devices(by_id, dev)]
    if display := os.environ.get("DISPLAY"):
        found.append(Capturable(kind="screen", source=f'{{kind = "screen", display = "{display}"}}'))
    return found


def _video_devices(by_id: Path, dev: Path) -> list[Path]:
    """Stable names; a device that has none is listed by its number."""
    named = sorted(by_id.glob("*-video-index*")) if by_id.is_dir() else []
    known = {path.resolve() for path in named}
    return named + [path for path in sorted(dev.glob("video[0-9]*")) if path.resolve() not in known]


def _device(path: Path) -> Capturable:
    note = f"now {path.resolve().name}" if path.is_symlink() else "no stable name: may change when replugged"
    return Capturable(kind="v4l2", source=f'{{kind = "v4l2", device = "{path}"}}', note=note)
