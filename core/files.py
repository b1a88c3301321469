"""Files sent in the chat, and the pictures of frozen frames, as stored: their names and sizes.

The bytes lie in `files_dir`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, select

from core.database import Database
from core.messages import FileInfo
from core.tables import FileRow

STILL_PREFIX: Final = "fz"
"""Of the id of a still, which is its file's, too. Who may see it is another question than with the chat."""


def is_still(file_id: str) -> bool:
    """True for the picture of a frozen frame."""
    return file_id.startswith(STILL_PREFIX + "_")


async def add_file(database: Database, consultation_id: str, person: str, info: FileInfo) -> None:
    """Its bytes are in place: it may be sent and fetched from now on."""
    row = FileRow(
        id=info.file_id,
        consultation_id=consultation_id,
        person=person,
        info=info.model_dump_json(),
        created_us=database.now_us(),
    )
    async with database.writing() as session:
        session.add(row)


async def find_file(database: Database, consultation_id: str, file_id: str) -> FileInfo | None:
    """None, too, for a file of another consultation."""
    async with database.reading() as session:
        row = await session.get(FileRow, file_id)
        known = row is not None and row.consultation_id == consultation_id
        return FileInfo.model_validate_json(row.info) if row is not None and known else None


async def used(database: Database, consultation_id: str) -> tuple[int, int]:
    """How many files a consultation has, and how many bytes they take."""
    query = select(FileRow.info).where(FileRow.consultation_id == consultation_id)
    async with database.reading() as session:
        sizes = [FileInfo.model_validate_json(info).size_bytes for info in await session.scalars(query)]
        return len(sizes), sum(sizes)


async def delete_files(database: Database, consultation_ids: Sequence[str]) -> int:
    """Forget all files of these consultations, whose bytes are gone; how many there were."""
    async with database.writing() as session:
        gone = await session.scalars(
            delete(FileRow).where(FileRow.consultation_id.in_(consultation_ids)).returning(FileRow.id)
        )
        return len(gone.all())
