"""Written opinions, as stored: each once, never changed; a later one of the same person stands beside it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from core.database import Database
from core.errors import RemoteError
from core.messages import Opinion
from core.tables import OpinionRow

MAX_OPINIONS: Final = 100
"""Of one consultation."""


async def add_opinion(
    database: Database, consultation_id: str, person: str, opinion: Opinion
) -> tuple[Opinion, bool]:
    """Store one. The same `(person, ref)` again: the one there is, and False. Raises `RemoteError` when there
    are too many.
    """
    known = await _find(database, consultation_id, person, opinion.ref)
    if known is not None:
        return known, False
    row = OpinionRow(
        consultation_id=consultation_id,
        person=person,
        ref=opinion.ref,
        opinion=opinion.model_dump_json(),
        at_us=opinion.at_us,
    )
    try:
        async with database.writing() as session:
            counting = select(func.count()).where(OpinionRow.consultation_id == consultation_id)
            if (await session.scalar(counting) or 0) >= MAX_OPINIONS:
                raise RemoteError("there are too many opinions here", code="too_many", status=409)
            session.add(row)
    except IntegrityError:
        known = await _find(database, consultation_id, person, opinion.ref)
        if known is None:
            raise
        return known, False
    return opinion, True


async def list_opinions(database: Database, consultation_id: str) -> list[Opinion]:
    """Oldest first."""
    query = select(OpinionRow.opinion).where(OpinionRow.consultation_id == consultation_id)
    async with database.reading() as session:
        found = await session.scalars(query.order_by(OpinionRow.id))
        return [Opinion.model_validate_json(text) for text in found]


async def _find(database: Database, consultation_id: str, person: str, ref: str) -> Opinion | None:
    query = select(OpinionRow.opinion).where(
        OpinionRow.consultation_id == consultation_id, OpinionRow.person == person, OpinionRow.ref == ref
    )
    async with database.reading() as session:
        text = await session.scalar(query)
        return None if text is None else Opinion.model_validate_json(text)
