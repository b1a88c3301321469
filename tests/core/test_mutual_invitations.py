"""Two hospitals that invite each other at the same moment do not wait for each other for ever."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from core import consultations, people
from core.database import Database
from tests.core.clocks import FakeClock


async def test_two_organisations_open_a_consultation_with_each_other_at_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await Database.open(database_url, FakeClock())
    here = await people.create_organisation(database, "Here")
    there = await people.create_organisation(database, "There")
    check, both = consultations._check_distinct, asyncio.Barrier(2)

    async def together(*args: Any) -> None:
        await check(*args)
        with contextlib.suppress(TimeoutError, asyncio.BrokenBarrierError):  # SQLite lets one in at a time
            await asyncio.wait_for(both.wait(), 0.5)

    monkeypatch.setattr(consultations, "_check_distinct", together)
    opened = await asyncio.gather(
        *(
            consultations.open_consultation(
                database,
                room=consultations.new_room(),
                header="张*",
                record=True,
                organisation_id=one.organisation_id,
                invited=[other.organisation_id],
                distinct=True,
            )
            for one, other in ((here, there), (there, here))
        )
    )
    assert [one.state for one in opened] == ["open", "open"]
    await database.close()
