"""People with an account whom a host sent out: they come in again only when a host lets them.

A guest who is sent out loses the invitation instead (`core.invitations`).
"""

from __future__ import annotations

from sqlalchemy import delete

from core.database import Database
from core.tables import RemovedPersonRow


async def note_removed(database: Database, consultation_id: str, person: str) -> None:
    """From now on that person waits in the lobby. Again: nothing changes."""
    async with database.writing() as session:
        await session.merge(
            RemovedPersonRow(consultation_id=consultation_id, person=person, removed_us=database.now_us())
        )


async def readmit(database: Database, consultation_id: str, person: str) -> None:
    """A host let that person in again: coming back needs no knock."""
    gone = delete(RemovedPersonRow).where(
        RemovedPersonRow.consultation_id == consultation_id, RemovedPersonRow.person == person
    )
    async with database.writing() as session:
        await session.execute(gone)


async def is_removed(database: Database, consultation_id: str, person: str) -> bool:
    """True for somebody who was sent out, and whom no host has let in since."""
    async with database.reading() as session:
        return await session.get(RemovedPersonRow, (consultation_id, person)) is not None
