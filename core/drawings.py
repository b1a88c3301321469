"""Drawings of open consultations, as stored: what was done on each feed, in order, in batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.database import Database
from core.tables import ConsultationRow, DrawingsRow

WHOLE: Final = 0
"""`first_seq` of a row that holds all of a document."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations `first_seq` … `last_seq` on one feed; `WHOLE`: everything up to `last_seq` instead."""

    consultation_id: str
    feed: str
    first_seq: int
    last_seq: int
    content: str


async def store(database: Database, batches: Sequence[Batch], over: Iterable[str] = ()) -> None:
    """All of it or nothing. What is `WHOLE` takes the place of all before. `over`: ended consultations."""
    async with database.writing() as session:
        gone = list(over)
        if gone:
            await session.execute(delete(DrawingsRow).where(DrawingsRow.consultation_id.in_(gone)))
        await _make_way(session, [batch for batch in batches if batch.first_seq == WHOLE])
        session.add_all(_row(batch) for batch in batches)


async def _make_way(session: AsyncSession, batches: Sequence[Batch]) -> None:
    if batches:
        replaced = [
            and_(
                DrawingsRow.consultation_id == batch.consultation_id,
                DrawingsRow.feed == batch.feed,
                DrawingsRow.last_seq <= batch.last_seq,
            )
            for batch in batches
        ]
        await session.execute(delete(DrawingsRow).where(or_(*replaced)))


async def stored(database: Database, consultation_id: str) -> list[Batch]:
    """Feed by feed, in order."""
    query = select(DrawingsRow).where(DrawingsRow.consultation_id == consultation_id)
    async with database.reading() as session:
        rows = await session.scalars(query.order_by(DrawingsRow.feed, DrawingsRow.last_seq))
        return [
            Batch(row.consultation_id, row.feed, row.first_seq, row.last_seq, row.content) for row in rows
        ]


async def discard(database: Database, consultation_id: str, feed: str) -> None:
    """All of one feed."""
    own = and_(DrawingsRow.consultation_id == consultation_id, DrawingsRow.feed == feed)
    async with database.writing() as session:
        await session.execute(delete(DrawingsRow).where(own))


async def delete_over(database: Database) -> None:
    """Drawings of consultations that are not open any more."""
    still_open = select(ConsultationRow.id).where(ConsultationRow.state == "open")
    async with database.writing() as session:
        await session.execute(delete(DrawingsRow).where(DrawingsRow.consultation_id.not_in(still_open)))


def _row(batch: Batch) -> DrawingsRow:
    return DrawingsRow(
        consultation_id=batch.consultation_id,
        feed=batch.feed,
        first_seq=batch.first_seq,
        last_seq=batch.last_seq,
        content=batch.content,
    )
