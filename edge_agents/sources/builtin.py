"""Where the built-in clip lies. Apart from `clip`, because importing pydicom takes a second."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

_CLIP: Final = Path("data", "test_files", "examples_ybr_color.dcm")


def builtin_clip_path() -> Path:
    """The cardiac clip in pydicom's wheel (30 frames, 320 × 240); no network is involved."""
    spec = importlib.util.find_spec("pydicom")
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places or ["pydicom"]))) / _CLIP
