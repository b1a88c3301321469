"""Frozen frames, as stored: those whose picture arrived. Their bytes are files of the same id."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select, update

from core.database import Database
from core.messages import Still
from core.tables import StillRow


async def add_still(database: Database, consultation_id: str, still: Still) -> None:
    """Its bytes are in place: from now on it outlives this process."""
    row = StillRow(
        id=still.still_id,
        consultation_id=consultation_id,
        info=still.model_dump_json(),
        at_us=still.at_us,
        ended_us=None,
    )
    async with database.writing() as session:
        session.add(row)


async def end_still(database: Database, still_id: str, at_us: int) -> None:
    """It was put away. The picture stays with the consultation's files."""
    async with database.writing() as session:
        await session.execute(update(StillRow).where(StillRow.id == still_id).values(ended_us=at_us))


async def open_stills(database: Database, consultation_id: str) -> list[Still]:
    """Those that nobody has put away, oldest first."""
    query = (
        select(StillRow.info)
        .where(StillRow.consultation_id == consultation_id, StillRow.ended_us.is_(None))
        .order_by(StillRow.at_us)
    )
    async with database.reading() as session:
        return [Still.model_validate_json(info) for info in await session.scalars(query)]


async def delete_stills(database: Database, consultation_ids: Sequence[str]) -> None:
    """Forget all of these consultations, whose files are gone."""
    async with database.writing() as session:
        await session.execute(delete(StillRow).where(StillRow.consultation_id.in_(consultation_ids)))
