"""Files of the chat on their way into the archive: each once, whole, or said to be missing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

import pytest

from core.errors import NotFound, Unavailable
from core.messages import FileInfo
from recorder import files
from recorder.files import FileKeeper

WITHIN_S = 10.0
GOOD = b"a letter"


def info(file_id: str, data: bytes = GOOD) -> FileInfo:
    digest = hashlib.sha256(data).hexdigest()
    return FileInfo(file_id=file_id, name="x", media_type="", size_bytes=len(data), sha256=digest)


class Service:
    """Answers with the next of what the test prepared, the last again and again."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def file(self, consultation: str, file_id: str, size_bytes: int) -> bytes:
        self.asked.append(file_id)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Archive:
    def __init__(self, *refusals: bool) -> None:
        self.kept: dict[str, bytes] = {}
        self.missing: list[tuple[str, str]] = []
        self._refusals = list(refusals)

    async def keep(self, file_id: str, data: bytes) -> bool:
        if self._refusals and self._refusals.pop(0):
            return False
        assert file_id not in self.kept
        self.kept[file_id] = data
        return True

    def note(self, file: FileInfo, reason: str) -> None:
        self.missing.append((file.file_id, reason))


def keeper(service: Service, archive: Archive, *known: str) -> FileKeeper:
    return FileKeeper(service, "c_1", archive.keep, archive.note, known)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.005)


async def test_each_file_is_kept_once_and_what_is_there_already_is_not_asked_for() -> None:
    service, archive = Service(GOOD), Archive()
    made = keeper(service, archive, "old")
    made.want([info("old"), info("a"), info("a")])
    made.want([info("a"), info("b")])
    await made.finish()
    assert archive.kept == {"a": GOOD, "b": GOOD}
    assert service.asked == ["a", "b"]


async def test_what_comes_altered_or_not_at_all_or_meets_a_full_disk_is_fetched_again() -> None:
    service = Service(b"a lettre", Unavailable("busy"), GOOD)
    archive = Archive(True)
    made = keeper(service, archive)
    made.want([info("a")])
    await until(lambda: archive.kept == {"a": GOOD})
    assert len(service.asked) == 4
    assert archive.missing == []


async def test_what_is_gone_or_too_much_or_too_late_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_WAITING", 2)
    monkeypatch.setattr(files, "FINISH_WITHIN_S", 0.05)
    archive = Archive()
    made = keeper(Service(NotFound("no"), Unavailable("down")), archive)
    made.want([info("gone"), info("late"), info("many")])
    await until(lambda: ("gone", "gone") in archive.missing)
    await made.finish()
    assert archive.missing == [("many", "too_many"), ("gone", "gone"), ("late", "consultation_closed")]
    assert archive.kept == {}
