"""The audit trail: who did what to what, when, and whether it was allowed. Rows are never changed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from core.database import Database
from core.tables import AuditRow


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """`actor`: user id, `device:…` or `service:…`. `target`: ids only, never a person's name."""

    at_us: int
    actor: str
    action: str
    target: str
    outcome: str


async def record_audit(database: Database, actor: str, action: str, target: str, outcome: str = "ok") -> None:
    """Append one record, durable when this returns."""
    row = AuditRow(at_us=database.now_us(), actor=actor[:100], action=action, target=target, outcome=outcome)
    async with database.writing() as session:
        session.add(row)


async def read_audit(database: Database, *, after_id: int = 0, limit: int = 1000) -> list[AuditRecord]:
    """In the order they were written."""
    query = select(AuditRow).where(AuditRow.id > after_id).order_by(AuditRow.id).limit(limit)
    async with database.reading() as session:
        return [
            AuditRecord(row.at_us, row.actor, row.action, row.target, row.outcome)
            for row in await session.scalars(query)
        ]
