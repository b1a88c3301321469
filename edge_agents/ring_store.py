"""The ring of one consultation on the box's disk: sealed objects, and signed lines that name them.

```
<ring_dir>/<consultation>/key.json              whose key all is sealed to, signed by the archive's signer
<ring_dir>/<consultation>/manifest.jsonl        one signed, hash-chained line per object
<ring_dir>/<consultation>/objects/00000012.age  the object of line 12
```

An object is written aside, fsynced, renamed; then its line is appended and fsynced. After power loss at any
moment each object is whole or absent. Not thread-safe, but for `read`.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import ValidationError

from archive import store
from archive.age import X25519Recipient
from archive.chain import Head
from archive.ring import BufferKey, RingLine, RingObject, RingOpen, Sign, follow, seal_line
from archive.sealing import seal
from core.errors import ProtocolError

KEY: Final = "key.json"
MANIFEST: Final = "manifest.jsonl"
OBJECTS: Final = "objects"
FILE_MODE: Final = 0o600
_OBJECT: Final = re.compile(r"^(\d{8,16})\.age$")

log = structlog.get_logger()


class RingStore:
    """Make one with `open`."""

    def __init__(self, folder: Path, key: BufferKey, manifest: store.ManifestFile, sign: Sign) -> None:
        self.folder, self.key = folder, key
        self._manifest, self._sign = manifest, sign
        self._recipient = X25519Recipient.parse(key.public_key)
        self._head = Head()
        self._ring = ""
        self._held: dict[int, RingObject] = {}
        self._generations: dict[str, int] = {}
        self._lines_bytes = 0

    @classmethod
    def open(cls, folder: Path, key: BufferKey, sign: Sign) -> RingStore:
        """Begin the consultation's ring, or go on with it. One that is damaged is begun anew.

        Raises `OSError`, `Conflict` while another process writes it.
        """
        held = read_key(folder)
        if held is not None and held.public_key != key.public_key:
            log.warning("ring_of_another_key", folder=folder.name)
            shutil.rmtree(folder)
        try:
            return cls._open(folder, key, sign)
        except ProtocolError as error:
            log.warning("ring_damaged", folder=folder.name, reason=str(error))
            shutil.rmtree(folder)
            return cls._open(folder, key, sign)

    @classmethod
    def _open(cls, folder: Path, key: BufferKey, sign: Sign) -> RingStore:
        folder.parent.mkdir(parents=True, exist_ok=True)
        store.make_directories(folder.parent, f"{folder.name}/{OBJECTS}")
        store.write_whole(folder / KEY, key.model_dump_json().encode(), mode=FILE_MODE)
        with contextlib.suppress(FileExistsError):
            (folder / MANIFEST).touch(FILE_MODE, exist_ok=False)
            store.sync_directory(folder)
        made = cls(folder, key, store.ManifestFile(folder / MANIFEST), sign)
        try:
            made._go_on()
        except BaseException:
            made.close()
            raise
        return made

    # what there is

    @property
    def head(self) -> Head:
        """Where the chain stands. May be read from another thread."""
        return self._head

    @property
    def ring(self) -> str:
        """The hash of the first line: which ring this is."""
        return self._ring

    @property
    def held(self) -> Sequence[RingObject]:
        """The objects there are, oldest first. A copy: may be read from another thread."""
        return list(self._held.values())

    @property
    def size_bytes(self) -> int:
        """All of it."""
        return self._lines_bytes + sum(one.size for one in list(self._held.values()))

    def next_generation(self, track: str) -> int:
        """The number of the track's next generation."""
        return self._generations.get(track, -1) + 1

    def read(self, entry: int) -> bytes | None:
        """A sealed object; None when it was dropped."""
        try:
            return self._path(entry).read_bytes()
        except FileNotFoundError:
            return None

    def lines_from(self, first: int, max_bytes: int) -> list[bytes]:
        """Whole lines of the manifest from `first` on, as many as fit. Raises `OSError`."""
        found: list[bytes] = []
        upto = self._head.next_entry
        with (self.folder / MANIFEST).open("rb") as lines:
            for number, line in enumerate(lines):
                if number < first:
                    continue
                max_bytes -= len(line)
                if number >= upto or max_bytes < 0:
                    break
                found.append(line)
        return found

    # changing it

    def add(self, fields: dict[str, Any], data: bytes) -> RingObject:
        """Seal an object and name it. Raises `OSError`; then nothing of it is there."""
        sealed = seal(data, self._recipient)
        entry = self._head.next_entry
        path = self._path(entry)
        content = bytes(sealed.content)
        store.write_whole(path, content, mode=FILE_MODE)
        try:
            added = self._append({**fields, "sha256": sealed.sha256, "size": len(content)})
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        assert not isinstance(added, RingOpen)
        self._take(added)
        return added

    def drop(self, entries: Iterable[int]) -> None:
        """Forget objects; their lines stay. Raises `OSError`."""
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                self._path(entry).unlink()
            self._held.pop(entry, None)

    def close(self) -> None:
        """Let go of the files."""
        self._manifest.close()

    def _append(self, fields: dict[str, Any]) -> RingLine:
        own = {"consultation": self.key.consultation, "device": self.key.device}
        found, line = seal_line({**fields, **own}, self._head, self._sign)
        self._manifest.append(line)
        self._advance(line)
        return found

    def _advance(self, line: bytes) -> None:
        self._head = self._head.after(line)
        self._lines_bytes += len(line)
        if self._head.next_entry == 1:
            self._ring = self._head.previous

    def _take(self, one: RingObject) -> None:
        self._held[one.entry] = one
        known = self._generations.get(one.track, -1)
        self._generations[one.track] = max(known, one.generation)

    def _go_on(self) -> None:
        """Cut a torn line, forget what no line names and lines whose object was dropped."""
        whole = [line for line in self._manifest.lines() if line.endswith(b"\n")]
        for found, _, _ in follow(whole, Head()):
            self._check(found)
            if not isinstance(found, RingOpen):
                self._take(found)
        for line in whole:
            self._advance(line)
        self._manifest.cut(self._lines_bytes)
        if not whole:
            self._append({"kind": "open", "public_key": self.key.public_key, "epoch_us": self.key.epoch_us})
        self._compare()

    def _check(self, line: RingLine) -> None:
        same = (line.consultation, line.device) == (self.key.consultation, self.key.device)
        if not same or (isinstance(line, RingOpen) and line.public_key != self.key.public_key):
            raise ProtocolError("this is another box's, or another consultation's ring")

    def _compare(self) -> None:
        there: set[int] = set()
        for path in (self.folder / OBJECTS).iterdir():
            name = _OBJECT.fullmatch(path.name)
            entry = -1 if name is None else int(name[1])
            if entry in self._held and path.stat().st_size == self._held[entry].size:
                there.add(entry)
            else:
                path.unlink()
        self._held = {entry: one for entry, one in self._held.items() if entry in there}

    def _path(self, entry: int) -> Path:
        return self.folder / OBJECTS / f"{entry:08d}.age"


def read_key(folder: Path) -> BufferKey | None:
    """Whose key a ring is sealed to; None for what is none."""
    try:
        return BufferKey.model_validate_json((folder / KEY).read_bytes())
    except (OSError, ValidationError):
        return None
