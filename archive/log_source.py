"""Where a log is read from: its folder on this machine, or its copy in a store, which is in parts.

In a store nothing can be appended to, so a file of the log is there as parts of `PART_BYTES`, the last one
shorter: `log/entries.jsonl/000000`, `000001`, … One after the other they are the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from archive.log_records import CHECKPOINTS, ENTRIES, FOLDER, TRUSTED_LOGS
from archive.store import read_optional
from archive.store_base import BLOCK_BYTES, split_lines
from archive.store_s3 import S3Archive

PART_BYTES: Final = 1 << 20
FILES: Final = (ENTRIES, CHECKPOINTS)
_PART: Final = re.compile(r"\d{6,9}")


class LogSource(Protocol):
    """A log to be read. `name`: `ENTRIES` or `CHECKPOINTS`."""

    @property
    def place(self) -> str:
        """Where it is, for people."""

    @property
    def exists(self) -> bool:
        """Both of its files are there."""

    def lines(self, name: str) -> Iterator[bytes]:
        """With their newlines, but for a last one that is torn."""

    def trusted(self) -> bytes | None:
        """What lies beside it says whose log it is; None: nothing."""


class LocalLog:
    """A folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def place(self) -> str:
        return str(self.folder)

    @property
    def exists(self) -> bool:
        return all((self.folder / name).is_file() for name in FILES)

    def lines(self, name: str) -> Iterator[bytes]:
        with (self.folder / name).open("rb") as file:
            yield from split_lines(iter(lambda: file.read(BLOCK_BYTES), b""))

    def trusted(self) -> bytes | None:
        return read_optional(self.folder.parent / TRUSTED_LOGS)


class StoreLog:
    """The copy in a store. What is not there in order, from the first part on, is not there."""

    def __init__(self, far: S3Archive) -> None:
        self._far = far

    @property
    def place(self) -> str:
        return f"{self._far.place}/{FOLDER}"

    @property
    def exists(self) -> bool:
        return all(self.parts(name) for name in FILES)

    def lines(self, name: str) -> Iterator[bytes]:
        yield from split_lines(self._far.read(part_key(name, number)) for number in range(self.parts(name)))

    def trusted(self) -> bytes | None:
        return self._far.read_root(TRUSTED_LOGS)

    def parts(self, name: str) -> int:
        """How many there are without a hole."""
        found = {int(path) for path in self._far.sizes(f"{FOLDER}/{name}") if _PART.fullmatch(path)}
        return next(number for number in range(len(found) + 1) if number not in found)


def part_key(name: str, number: int) -> str:
    """A part's place in the store, below the archive's URL."""
    return f"{FOLDER}/{name}/{number:06d}"
