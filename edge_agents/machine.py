"""What can be read of the machine the box runs on. What cannot is None."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

SYS: Final = Path("/sys/class")
_MILLI: Final = 1000
_PLAUSIBLE_C: Final = range(-60, 200)
"""Sensors that are not connected say anything."""
_RESIDENT: Final = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)


def temperature_c(sys: Path = SYS) -> float | None:
    """The hottest sensor's degrees (Documentation/driver-api/thermal and hwmon/sysfs-interface)."""
    found = [degrees for degrees in _temperatures(sys) if int(degrees) in _PLAUSIBLE_C]
    return max(found, default=None)


def resident_bytes(status: Path = Path("/proc/self/status")) -> int:
    """Memory of this process; 0 where the system does not say."""
    try:
        found = _RESIDENT.search(status.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return 0
    return 0 if found is None else int(found[1]) * 1024


def disk_free_bytes(folder: Path) -> int | None:
    """Where the box keeps its files."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def own_version() -> str:
    """As installed; empty in a checkout."""
    try:
        return version("teleconsult")
    except PackageNotFoundError:
        return ""


def _temperatures(sys: Path) -> Iterator[float]:
    for pattern in ("thermal/thermal_zone*/temp", "hwmon/hwmon*/temp*_input"):
        for sensor in sys.glob(pattern):
            try:
                descriptor = os.open(sensor, os.O_RDONLY | os.O_NONBLOCK)
                try:
                    text = os.read(descriptor, 32)
                finally:
                    os.close(descriptor)
                yield int(text) / _MILLI
            except (OSError, ValueError):
                continue
