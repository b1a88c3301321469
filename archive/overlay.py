"""What is painted over exported pictures.

The archive knows nothing of drawings; `teleconsult/archive_cli.py` plugs in what does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import ConfigError

Image = npt.NDArray[np.uint8]
Overlay = Callable[[str, int, Image, int], Image]
"""(feed, moment, BGR picture, when that was captured) → the picture with what is to be seen on it then. Times
are µs of the consultation.
"""
MakeOverlay = Callable[[int, Iterable[dict[str, Any]]], Overlay]
"""(the consultation's epoch, its events) → what paints them."""
_makers: list[MakeOverlay] = []


def use(maker: MakeOverlay) -> None:
    """From now on drawings can be burnt in."""
    _makers[:] = [maker]


def maker() -> MakeOverlay:
    """Raises `ConfigError` when nobody here can draw."""
    if not _makers:
        raise ConfigError("--burn-in: drawings cannot be painted by this program; use `teleconsult archive`")
    return _makers[0]
