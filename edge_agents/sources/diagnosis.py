"""Pure: what is wrong between a device and the box, by name, with what to do about it."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.messages import SignalTrouble
from edge_agents.sources.facts import Facts
from edge_agents.sources.v4l2_abi import InputStatus

Luma = NDArray[np.uint8]
"""(rows, columns), limited or full range."""

NO_LOCK: Final = InputStatus.NO_H_LOCK | InputStatus.NO_V_LOCK | InputStatus.NO_STD_LOCK | InputStatus.NO_SYNC
PROTECTED: Final = InputStatus.NO_ACCESS | InputStatus.MACROVISION
BLACK_SPREAD: Final = 2.0
COMB_RATIO: Final = 2.2
"""Neighbouring lines differ so many times more than lines of one field: two moments are in one picture."""
MIN_MOTION: Final = 1.5
BORDER_LUMA: Final = 22
MIN_SHIFT_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is stable; `trouble` is what the room is told when there is no picture because of it."""

    code: str
    says: str
    do: str
    trouble: SignalTrouble = ""


NO_SIGNAL = Finding(
    "no_signal",
    "nothing arrives at the input",
    "switch the device on; check the cable at both ends",
    "no_signal",
)
NO_POWER = Finding(
    "no_power", "the input has no power", "use a port with more power, or a powered USB hub", "no_signal"
)
UNSTABLE = Finding(
    "unstable",
    "there is a signal, but the receiver cannot hold on to it",
    "use a shorter or certified cable; take adapters and splitters out one by one",
    "unstable",
)
OUT_OF_RANGE = Finding(
    "mode_not_supported",
    "the device sends a mode that the receiver cannot take (often a VGA converter's, or 4K)",
    "set the device's output to 1920 × 1080 at 60 or 50 Hz; after VGA, set the converter to 1080p",
    "unsupported",
)
PROTECTED_INPUT = Finding(
    "hdcp",
    "the picture is copy-protected (HDCP)",
    "switch HDCP off in the device's menu; scanners have it under 'video output', players always have it",
    "protected",
)
NO_EDID = Finding(
    "no_edid",
    "the receiver tells the device nothing about itself (EDID): the device may send nothing, or 640 × 480",
    "load an EDID (v4l2-ctl --set-edid=type=hdmi), or put an EDID emulator for 1080p into the cable",
)
INTERLACED = Finding(
    "interlaced",
    "the device sends half pictures (interlaced): only every second line of them is used",
    "set the device's output to progressive: 1080p, not 1080i",
)
ODD_MODE = Finding(
    "odd_mode",
    "the mode is none that video has: it comes from a computer output or a VGA converter",
    "set the output to 1920 × 1080; with a VGA converter press its auto-adjust once the picture is full",
)
NO_MODES = Finding(
    "no_modes", "the device names no mode", "plug it into a USB 3 port; update its firmware", "failed"
)
ALL_BLACK = Finding(
    "black",
    "the picture is one colour all over",
    "wake the device's screen; if its own screen shows a picture, the output is copy-protected (HDCP) or of "
    "another screen",
    "protected",
)
SHIFTED = Finding(
    "shifted",
    "there is a black edge on one side only: a VGA converter has not found the picture's borders",
    "show a bright, full screen on the device and press the converter's auto-adjust",
)
COMBED = Finding("interlaced_picture", "two moments are woven into one picture", INTERLACED.do)


def findings(facts: Facts) -> list[Finding]:
    """What the driver's words mean, the worst first."""
    found = [finding for wrong, finding in _checks(facts) if wrong]
    return list(dict.fromkeys(found))


def _checks(facts: Facts) -> list[tuple[bool, Finding]]:
    status, timings = facts.status, facts.timings
    return [
        (not facts.captures or not facts.modes, NO_MODES),
        (bool(status & InputStatus.NO_POWER), NO_POWER),
        (bool(status & InputStatus.NO_SIGNAL) or facts.timings_error == errno.ENOLINK, NO_SIGNAL),
        (bool(status & PROTECTED), PROTECTED_INPUT),
        (facts.timings_error == errno.ERANGE, OUT_OF_RANGE),
        (bool(status & NO_LOCK) or facts.timings_error == errno.ENOLCK, UNSTABLE),
        (facts.edid_blocks == 0, NO_EDID),
        (timings is not None and timings.interlaced, INTERLACED),
        (timings is not None and not _is_video(timings.width, timings.height, timings.rate_hz), ODD_MODE),
    ]


def _is_video(width: int, height: int, rate_hz: float) -> bool:
    usual = (width, height) in {(3840, 2160), (1920, 1080), (1280, 720), (720, 576), (720, 480), (640, 480)}
    return usual and any(abs(rate_hz - rate) < 0.2 for rate in (24, 25, 29.97, 30, 50, 59.94, 60))


def picture_findings(pictures: Sequence[Luma]) -> list[Finding]:
    """What only the pictures tell: a few in a row, each (rows, columns)."""
    if all(float(picture.std()) < BLACK_SPREAD for picture in pictures):
        return [ALL_BLACK]
    found = []
    if _combed(pictures):
        found.append(COMBED)
    if _shifted(np.max(np.stack(pictures), axis=0)):
        found.append(SHIFTED)
    return found


def _combed(pictures: Sequence[Luma]) -> bool:
    """Where something moves, lines of the same field are more alike than neighbours."""
    ratios = []
    for before, after in pairwise(pictures):
        moving = np.abs(after.astype(np.int16) - before) > 20
        rows = after.astype(np.int16)
        inside = moving[2:-2]
        if inside.mean() < 0.002:
            continue
        beside = np.abs(rows[2:-2] - rows[1:-3])[inside].mean()
        field = np.abs(rows[2:-2] - rows[:-4])[inside].mean()
        ratios.append((beside + MIN_MOTION) / (field + MIN_MOTION))
    return bool(ratios) and float(np.median(ratios)) > COMB_RATIO


def _shifted(brightest: Luma) -> bool:
    """A black edge on one side and picture up to the other."""
    rows, columns = brightest.shape
    across, down = brightest.max(axis=0) > BORDER_LUMA, brightest.max(axis=1) > BORDER_LUMA
    left, right = _edges(across)
    top, bottom = _edges(down)
    return _lopsided(left, right, columns) or _lopsided(top, bottom, rows)


def _edges(lit: NDArray[np.bool_]) -> tuple[int, int]:
    places = np.flatnonzero(lit)
    return (int(places[0]), len(lit) - 1 - int(places[-1])) if len(places) else (0, 0)


def _lopsided(one: int, other: int, size: int) -> bool:
    least, most = min(one, other), max(one, other)
    return least <= 1 and MIN_SHIFT_SHARE * size <= most <= size * 0.2
