"""Pure: where things lie inside a consultation's folder (docs/archive-format.md, "Folder").

Paths are relative, with `/`. They are derived from numbers, never taken from input, so none can lead outside.
"""

from __future__ import annotations

import re
from typing import Final, Literal

MANIFEST: Final = "manifest.jsonl"
SESSION_KEY: Final = "session.key.age"
CLOSED: Final = "closed.json"
DECISIONS: Final = "decisions.jsonl"
OBJECT_FOLDERS: Final = ("tracks", "events", "files")
TRUSTED_SIGNERS: Final = "trusted-signers.txt"
TRUSTED_PEOPLE: Final = "trusted-people.txt"
"""Beside the consultation folders, in the archive's root."""
TEMPORARY_SUFFIX: Final = ".tmp"
NEW_PREFIX: Final = ".new-"
"""A consultation's folder is built under this name and appears complete, by one rename."""

Container = Literal["mp4", "webm"]
TRACK_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,95}$"
CONSULTATION_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
FILE_ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
MAX_GENERATIONS: Final = 100_000
MAX_PIECES: Final = 100_000_000
"""Names get longer when three or six digits do not hold a number."""

_SUFFIX: Final[dict[str, str]] = {"mp4": "m4s", "webm": "webm"}
_OBJECT: Final = re.compile(
    r"^(?:tracks/[a-z0-9][a-z0-9_-]{0,95}/\d{3,6}/(?:init\.(?:mp4|webm)|\d{6,9}\.(?:m4s|webm))|events/\d{6,9}\.jsonl|files/\d{6,9})\.age$"
)


def init_path(track: str, generation: int, container: Container) -> str:
    """`tracks/<track>/000/init.mp4.age`."""
    return f"tracks/{track}/{generation:03d}/init.{container}.age"


def piece_path(track: str, generation: int, number: int, container: Container) -> str:
    """`tracks/<track>/000/000001.m4s.age`; pieces count from 1."""
    return f"tracks/{track}/{generation:03d}/{number:06d}.{_SUFFIX[container]}.age"


def events_path(number: int) -> str:
    """`events/000001.jsonl.age`; counts from 1."""
    return f"events/{number:06d}.jsonl.age"


def file_path(number: int) -> str:
    """`files/000001.age`; counts from 1."""
    return f"files/{number:06d}.age"


def is_object_path(path: str) -> bool:
    """True when `path` may name an object of a consultation."""
    return _OBJECT.fullmatch(path) is not None
