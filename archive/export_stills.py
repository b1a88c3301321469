"""Exports the frozen frames of a consultation, with what was drawn on them.

The archive knows nothing of drawings and of DICOM; `teleconsult/archive_cli.py` plugs in what does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from archive.export import Export, Progress, prepare
from archive.faults import ArchiveFault
from archive.opening import Contents, open_objects, read_contents, unwrap
from archive.store_base import Folder
from core.errors import ConfigError


class WrittenStill(Protocol):
    """What was made of one still. `files`: none when its picture is not in the archive."""

    @property
    def still_id(self) -> str: ...
    @property
    def feed(self) -> str: ...
    @property
    def captured_us(self) -> int: ...
    @property
    def drawings(self) -> int: ...
    @property
    def files(self) -> tuple[Path, ...]: ...


WriteStills = Callable[
    [str, int, Iterable[dict[str, Any]], Callable[[str], bytes | None], Path], Iterable[WrittenStill]
]
"""(consultation, its epoch, its events, archived file by id, directory) → what was written."""
_writers: list[WriteStills] = []


def use(writer: WriteStills) -> None:
    """From now on stills can be exported."""
    _writers[:] = [writer]


def writer() -> WriteStills:
    """Raises `ConfigError` when nobody here can draw."""
    if not _writers:
        raise ConfigError("--stills: this program cannot draw; use `teleconsult archive`")
    return _writers[0]


def export_stills(
    folder: Path | Folder,
    identity_file: Path,
    out: Path,
    write: WriteStills,
    *,
    progress: Progress = lambda count: None,
) -> Export:
    """Write every still to `out`. What is damaged is left out and reported in `faults`.

    Raises as `export_consultation`.
    """
    contents = read_contents(folder)
    identities = unwrap(folder, contents.opened, identity_file)
    prepare(out)
    faults = [contents.fault] if contents.fault else []
    lines = _events(folder, contents, identities, faults, progress)
    by_id = {entry.file_id: entry for entry in contents.files}

    def picture(file_id: str) -> bytes | None:
        entry = by_id.get(file_id)
        if entry is None:
            return None
        progress(entry.size)
        return next(open_objects(folder, [entry], identities, faults), None)

    opened = contents.opened
    stills = tuple(write(opened.consultation, opened.epoch_us, lines, picture, out))
    return Export(opened.consultation, opened.epoch_us, out, (), len(lines), tuple(faults), stills)


def _events(
    folder: Path | Folder, contents: Contents, identities: Any, faults: list[ArchiveFault], progress: Progress
) -> list[dict[str, Any]]:
    """All that can be read; a line that is no object is passed over."""
    found = []
    for entry in contents.events:
        progress(entry.size)
        for data in open_objects(folder, [entry], identities, faults):
            for line in data.splitlines():
                try:
                    fields = json.loads(line)
                except ValueError:
                    continue
                if isinstance(fields, dict):
                    found.append(fields)
    return found
