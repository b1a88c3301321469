"""The demo's people, tokens and end."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.clock import SystemClock
from core.config import Settings
from core.consultations import consultation_in_room
from core.database import Database
from core.devices import attached_devices
from core.errors import Unavailable
from core.people import find_user
from core.tokens import Revocations, Tokens, load_or_create_keys
from signaling.app import create_app
from signaling.main import serving
from signaling.seed import end_demo, seed_demo

FEEDS = ("ultrasound", "theatre")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, port=0).resolve_paths()


async def test_seeding_twice_keeps_people_and_consultation_and_gives_fresh_passwords(
    settings: Settings,
) -> None:
    first = await seed_demo(settings, "demo", FEEDS)
    second = await seed_demo(settings, "demo", FEEDS)
    assert set(first.users) == {"specialist", "specialist2", "site", "auditor", "admin"}
    assert first.consultation == second.consultation
    assert first.users["site"] != second.users["site"]
    database = await Database.open(settings.database_url, SystemClock())
    user = await find_user(database, username="specialist2")
    await database.close()
    assert user is not None
    assert user.role == "specialist"


async def test_the_demo_s_consultation_is_the_site_s_and_its_box_is_attached(settings: Settings) -> None:
    seed = await seed_demo(settings, "demo", FEEDS)
    await seed_demo(settings, "demo", FEEDS)
    tokens = Tokens(load_or_create_keys(settings.token_key_file), SystemClock(), Revocations())
    database = await Database.open(settings.database_url, SystemClock())
    site = await find_user(database, username="site")
    attached = await attached_devices(database, seed.consultation.consultation_id)
    await database.close()
    assert site is not None
    assert seed.consultation.opened_by == site.user_id
    assert seed.consultation.specialty
    assert seed.consultation.question
    [(device_id, box)] = attached.items()
    assert box.feeds == FEEDS
    assert tokens.verify_room(seed.device_token).sub == f"device:{device_id}"


async def test_the_demo_s_tokens_do_what_they_are_for_and_nothing_else(settings: Settings) -> None:
    seed = await seed_demo(settings, "demo", FEEDS)
    tokens = Tokens(load_or_create_keys(settings.token_key_file), SystemClock(), Revocations())
    box, whip, whep = (
        tokens.verify_room(token) for token in (seed.device_token, seed.whip_token, seed.whep_token)
    )
    assert box.grants.feeds == list(FEEDS)
    assert not box.grants.subscribe
    assert whip.grants.may_publish_feed("endoscope")
    assert whip.sub != box.sub
    assert whep.grants.may_view("ultrasound")
    assert whep.grants.publish == []
    assert {claims.con for claims in (box, whip, whep)} == {seed.consultation.consultation_id}


async def test_ending_the_demo_closes_its_consultation_as_the_site_would(settings: Settings) -> None:
    seed = await seed_demo(settings, "demo", FEEDS)
    database = await Database.open(settings.database_url, SystemClock())
    app = await create_app(settings, database, SystemClock(), [])
    async with serving(app, settings) as port:
        await end_demo(settings, f"http://127.0.0.1:{port}", seed)
    assert await consultation_in_room(database, "demo") is None
    await database.close()


async def test_ending_the_demo_closes_its_consultation_even_when_the_service_is_gone(
    settings: Settings,
) -> None:
    seed = await seed_demo(settings, "demo", FEEDS)
    with pytest.raises(Unavailable):
        await end_demo(settings, "http://127.0.0.1:1", seed)
    database = await Database.open(settings.database_url, SystemClock())
    assert await consultation_in_room(database, "demo") is None
    await database.close()
