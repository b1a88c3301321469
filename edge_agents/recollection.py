"""What the box is in the middle of, on its disk: one that dies while it is cut off goes on by itself.

Nobody who could be asked can be reached then, and what is not captured meanwhile is lost for good. The file
is there from when the box begins with a consultation until it is told that this is over.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from archive import layout, store
from core.ids import NAME_PATTERN
from core.messages import Model
from edge_agents.ring_store import MANIFEST

PRESENT: Final = "present.json"
MAX_AWAY_S: Final = 600
"""A box that wrote nothing for longer asks before it captures anything."""
FILE_MODE: Final = 0o600


class Present(Model):
    """The consultation, and whether the site has picture and sound paused."""

    room: str = Field(pattern=NAME_PATTERN)
    consultation_id: str = Field(pattern=layout.CONSULTATION_PATTERN)
    paused: bool = False


def remember(folder: Path, present: Present) -> None:
    """Durably. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    store.write_whole(folder / PRESENT, present.model_dump_json().encode(), mode=FILE_MODE)


def forget(folder: Path) -> None:
    """It is over. Raises `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        (folder / PRESENT).unlink()
        store.sync_directory(folder)


def recollect(folder: Path, unix_s: float) -> Present | None:
    """What a process that died a moment ago was in the middle of."""
    try:
        present = Present.model_validate_json((folder / PRESENT).read_bytes())
        written_s = (folder / PRESENT).stat().st_mtime
    except (OSError, ValidationError):
        return None
    with contextlib.suppress(OSError):
        written_s = max(written_s, (folder / present.consultation_id / MANIFEST).stat().st_mtime)
    return present if unix_s - written_s < MAX_AWAY_S else None
