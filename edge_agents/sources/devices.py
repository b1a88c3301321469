"""What can be captured on this machine, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import av
from pydantic import BaseModel

from edge_agents.sources import v4l2
from edge_agents.sources.builtin import builtin_clip_path
from edge_agents.sources.diagnosis import findings
from edge_agents.sources.facts import Facts, Mode

BY_ID: Final = Path("/dev/v4l/by-id")
"""Names made from vendor, model and serial number: they stay when devices are plugged in another order."""
BY_PATH: Final = Path("/dev/v4l/by-path")
"""Names made from the socket: for devices without a serial number, of which there are two alike."""


class CaptureMode(BaseModel):
    """`mode`: as in edge.toml. `pixels`: FourCC."""

    mode: str
    pixels: list[str]


class Diagnosis(BaseModel):
    """`code` is one of a fixed list (docs/edge-devices.md)."""

    code: str
    says: str
    do: str


class Capturable(BaseModel):
    """One thing a feed's `source` may name."""

    kind: str
    source: str
    """Ready to be pasted into edge.toml."""
    note: str = ""
    name: str = ""
    """What the device calls itself."""
    signal: str = ""
    """What it receives, where it knows: '1920x1080@60'."""
    modes: list[CaptureMode] = []
    diagnoses: list[Diagnosis] = []


def list_sources(
    by_id: Path = BY_ID,
    dev: Path = Path("/dev"),
    by_path: Path = BY_PATH,
    ask: Callable[[Path], Facts] = v4l2.ask,
) -> list[Capturable]:
    """Everything a feed can use here, built-in sources first."""
    found = [Capturable(kind="testcard", source='{kind = "testcard"}', note="time code and colour bars")]
    if builtin_clip_path().exists():
        found.append(Capturable(kind="clip", source='{kind = "clip"}', note="cardiac ultrasound, 30 frames"))
    for path in _video_devices(by_id, by_path, dev):
        device = _device(path, ask)
        if device is not None:
            found.append(device)
    if "decklink" in av.formats_available:
        found.append(Capturable(kind="sdi", source='{kind = "sdi", device = "NAME"}', note="by its name"))
    if display := os.environ.get("DISPLAY"):
        found.append(Capturable(kind="screen", source=f'{{kind = "screen", display = "{display}"}}'))
    return found


def _video_devices(by_id: Path, by_path: Path, dev: Path) -> list[Path]:
    """Stable names, by device before by socket; a device that has none is listed by its number."""
    listed: dict[Path, Path] = {}
    for folder in (by_id, by_path):
        for path in sorted(folder.glob("*-video-index*")) if folder.is_dir() else []:
            listed.setdefault(path.resolve(), path)
    for path in sorted(dev.glob("video[0-9]*")):
        listed.setdefault(path.resolve(), path)
    return list(listed.values())


def _device(path: Path, ask: Callable[[Path], Facts]) -> Capturable | None:
    """None for a node that captures nothing: cameras have a second one for descriptions of their pictures."""
    source = f'{{kind = "v4l2", device = "{path}"}}'
    note = f"now {path.resolve().name}" if path.is_symlink() else "no stable name: may change when replugged"
    try:
        facts = ask(path)
    except OSError as error:
        return Capturable(kind="v4l2", source=source, note=f"{note}; cannot be asked: {error.strerror}")
    if not facts.captures:
        return None
    signal = facts.timings
    return Capturable(
        kind="v4l2",
        source=source,
        note=note,
        name=facts.name,
        signal="" if signal is None else f"{signal.width}x{signal.height}@{signal.rate_hz:g}",
        modes=modes_of(facts.modes),
        diagnoses=[Diagnosis(code=one.code, says=one.says, do=one.do) for one in findings(facts)],
    )


def modes_of(modes: Iterable[Mode]) -> list[CaptureMode]:
    """Largest and fastest first; the formats of one mode together; rates as whole numbers."""
    formats: dict[tuple[int, int, int], list[str]] = {}
    for mode in modes:
        pixels = formats.setdefault((mode.width, mode.height, round(mode.rate_hz)), [])
        if mode.pixels not in pixels:
            pixels.append(mode.pixels)
    return [
        CaptureMode(mode=f"{width}x{height}@{rate}", pixels=formats[width, height, rate])
        for width, height, rate in sorted(formats, key=lambda key: (-key[0] * key[1], -key[2]))
    ]
