"""Chat messages, as stored: each once, in order, until a while after the consultation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from core.database import Database
from core.messages import CHAT_HISTORY_MESSAGES, ChatEntry
from core.tables import ChatRow, ConsultationRow, FileRow

HISTORY_MAX_BYTES: Final = 256 * 1024
"""Of one `welcome`: long messages make the history shorter."""


async def add_message(
    database: Database, consultation_id: str, person: str, entry: ChatEntry
) -> tuple[ChatEntry, bool]:
    """Store a message. The same `(person, ref)` again: the one there is, and False."""
    row = ChatRow(
        consultation_id=consultation_id,
        person=person,
        ref=entry.ref,
        entry=entry.model_dump_json(),
        at_us=entry.at_us,
    )
    known = await _find(database, consultation_id, person, entry.ref)
    if known is not None:
        return known, False
    try:
        async with database.writing() as session:
            session.add(row)
    except IntegrityError:
        known = await _find(database, consultation_id, person, entry.ref)
        if known is None:
            raise
        return known, False
    return entry, True


async def history(
    database: Database, consultation_id: str, limit: int = CHAT_HISTORY_MESSAGES
) -> list[ChatEntry]:
    """The newest messages, oldest first: at most `limit`, and about `HISTORY_MAX_BYTES`."""
    query = select(ChatRow.entry).where(ChatRow.consultation_id == consultation_id)
    async with database.reading() as session:
        texts = list(await session.scalars(query.order_by(ChatRow.id.desc()).limit(limit)))
    return [ChatEntry.model_validate_json(text) for text in reversed(_fitting(texts))]


async def delete_messages(database: Database, consultation_ids: Sequence[str]) -> int:
    """Delete all messages of these consultations; how many there were."""
    async with database.writing() as session:
        gone = await session.scalars(
            delete(ChatRow).where(ChatRow.consultation_id.in_(consultation_ids)).returning(ChatRow.id)
        )
        return len(gone.all())


async def closed_before(database: Database, before_us: int) -> list[str]:
    """Consultations closed before then that still have messages or files."""
    closed = (ConsultationRow.closed_us.is_not(None), ConsultationRow.closed_us < before_us)
    with_chat = select(ChatRow.consultation_id)
    with_files = select(FileRow.consultation_id)
    query = select(ConsultationRow.id).where(
        *closed, ConsultationRow.id.in_(with_chat) | ConsultationRow.id.in_(with_files)
    )
    async with database.reading() as session:
        return list(await session.scalars(query))


def _fitting(texts: list[str]) -> list[str]:
    room = HISTORY_MAX_BYTES
    for index, text in enumerate(texts):
        room -= len(text.encode())
        if room < 0:
            return texts[:index]
    return texts


async def _find(database: Database, consultation_id: str, person: str, ref: str) -> ChatEntry | None:
    query = select(ChatRow.entry).where(
        ChatRow.consultation_id == consultation_id, ChatRow.person == person, ChatRow.ref == ref
    )
    async with database.reading() as session:
        text = await session.scalar(query)
        return None if text is None else ChatEntry.model_validate_json(text)
