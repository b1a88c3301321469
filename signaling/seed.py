"""What a demo or a first installation needs in the database; doing it again changes only the passwords."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp

from core import consultations, devices, people
from core.clock import Clock, SystemClock
from core.config import Settings
from core.consultations import Consultation
from core.database import Database
from core.devices import Device
from core.errors import Unavailable
from core.local_service import Trust
from core.messages import Role
from core.passwords import Passwords
from core.people import Organisation, User
from core.tokens import Grants, Revocations, Tokens, load_or_create_keys
from signaling.access import DEVICE_PREFIX
from signaling.grants import device_grants, viewer_grants

CLINIC: Final = "Demo township clinic"
HOSPITAL: Final = "Demo provincial hospital"
HEADER: Final = "张*三 · 男 · 57 · US-20417"
SPECIALTY: Final = "心脏超声 · Echocardiography"
QUESTION: Final = (
    "三尖瓣反流程度？是否需要手术？\nHow severe is the tricuspid regurgitation? Does it need surgery?"
)
BOX: Final = "Demo box"
DEMO_TOKEN_LIFETIME_S: Final = 7 * 24 * 3600
DEMO_PEOPLE: Final[dict[str, tuple[Role, str, str]]] = {
    "specialist": ("specialist", HOSPITAL, "Dr Wang 王"),
    "specialist2": ("specialist", HOSPITAL, "Dr Chen 陈"),
    "site": ("site", CLINIC, "Nurse Li 李"),
    "auditor": ("auditor", CLINIC, "Auditor Zhao 赵"),
    "admin": ("admin", CLINIC, "Administrator"),
}


@dataclass(frozen=True)
class DemoSeed:
    """`users`: role name → (user name, password). The device token publishes all of the demo's feeds."""

    users: dict[str, tuple[str, str]]
    consultation: Consultation
    device_token: str
    whip_token: str
    whep_token: str


async def ensure_organisation(database: Database, name: str) -> Organisation:
    """The organisation of that name, created if need be."""
    found = await people.find_organisation(database, name)
    return found or await people.create_organisation(database, name)


async def ensure_user(
    database: Database,
    passwords: Passwords,
    *,
    username: str,
    password: str,
    role: Role,
    organisation: Organisation,
    display_name: str,
) -> User:
    """The user of that name with that password; role and organisation are set only on creation."""
    password_hash = await passwords.hash(password)
    found = await people.find_user(database, username=username)
    if found is None:
        return await people.create_user(
            database,
            username=username,
            password_hash=password_hash,
            role=role,
            organisation=organisation,
            display_name=display_name,
        )
    await people.set_password_hash(database, found.user_id, password_hash)
    return found


async def ensure_consultation(
    database: Database,
    *,
    room: str,
    host: User,
    invited: Organisation,
    device: Device,
) -> Consultation:
    """The open consultation of that room, opened by `host` if need be; its box is attached."""
    found = await consultations.consultation_in_room(database, room)
    if found is not None:
        await devices.attach_device(database, found.consultation_id, device.device_id)
        return found
    return await consultations.open_consultation(
        database,
        room=room,
        header=HEADER,
        record=True,
        organisation_id=host.organisation_id,
        invited=[invited.organisation_id],
        devices=[device.device_id],
        opened_by=host.user_id,
        specialty=SPECIALTY,
        question=QUESTION,
    )


async def ensure_device(
    database: Database, *, organisation: Organisation, name: str, feeds: Sequence[str]
) -> Device:
    """The organisation's box of that name, registered if need be."""
    organisation_id = organisation.organisation_id
    for device in await devices.list_devices(database, organisation_id):
        if device.name == name:
            return device
    return await devices.create_device(database, organisation_id=organisation_id, name=name, feeds=feeds)


def issue_room_token(
    tokens: Tokens,
    consultation: Consultation,
    *,
    sub: str,
    role: Role,
    name: str,
    organisation: Organisation,
    grants: Grants,
    lifetime_s: int = DEMO_TOKEN_LIFETIME_S,
) -> str:
    """A room token for something that does not sign in: a capture box, a WHIP encoder, a WHEP player."""
    return tokens.issue_room(
        sub=sub,
        role=role,
        org=organisation.organisation_id,
        name=name,
        org_name=organisation.name,
        room=consultation.room,
        con=consultation.consultation_id,
        grants=grants,
        lifetime_s=lifetime_s,
    )


async def seed_demo(
    settings: Settings, room: str, feeds: Sequence[str], clock: Clock | None = None
) -> DemoSeed:
    """Two organisations, five people with fresh passwords, an open consultation, tokens for machines."""
    clock = clock or SystemClock()
    database = await Database.open(settings.database_url, clock)
    try:
        clinic = await ensure_organisation(database, CLINIC)
        hospital = await ensure_organisation(database, HOSPITAL)
        users = await _ensure_people(database, {CLINIC: clinic, HOSPITAL: hospital})
        host = await people.find_user(database, username="site")
        assert host is not None
        box = await ensure_device(database, organisation=clinic, name=BOX, feeds=feeds)
        consultation = await ensure_consultation(database, room=room, host=host, invited=hospital, device=box)
    finally:
        await database.close()
    tokens = Tokens(load_or_create_keys(settings.token_key_file), clock, Revocations())
    return DemoSeed(users, consultation, **_box_tokens(tokens, consultation, clinic, box))


def _box_tokens(
    tokens: Tokens, consultation: Consultation, clinic: Organisation, box: Device
) -> dict[str, str]:
    """The box holds the demo's feeds; the WHIP token is another subject's, so it cannot take them over."""
    return {
        "device_token": issue_room_token(
            tokens,
            consultation,
            sub=DEVICE_PREFIX + box.device_id,
            role="device",
            name=box.name,
            organisation=clinic,
            grants=device_grants(list(box.feeds)),
        ),
        "whip_token": issue_room_token(
            tokens,
            consultation,
            sub=f"{DEVICE_PREFIX}demo-whip",
            role="device",
            name="WHIP encoder",
            organisation=clinic,
            grants=device_grants(None),
        ),
        "whep_token": issue_room_token(
            tokens,
            consultation,
            sub="player:demo-whep",
            role="specialist",
            name="WHEP player",
            organisation=clinic,
            grants=viewer_grants(None),
        ),
    }


async def _ensure_people(
    database: Database, organisations: dict[str, Organisation]
) -> dict[str, tuple[str, str]]:
    passwords = Passwords()
    users: dict[str, tuple[str, str]] = {}
    for username, (role, organisation, display_name) in DEMO_PEOPLE.items():
        password = secrets.token_urlsafe(9)
        await ensure_user(
            database,
            passwords,
            username=username,
            password=password,
            role=role,
            organisation=organisations[organisation],
            display_name=display_name,
        )
        users[username] = (username, password)
    return users


async def end_demo(settings: Settings, base_url: str, seed: DemoSeed, trust: Trust = True) -> None:
    """End the demo's consultation as its site would, so that its archive is closed.

    Raises `Unavailable` when the service does not answer or refuses; the consultation is closed all the same.
    """
    username, password = seed.users["site"]
    try:
        connector = aiohttp.TCPConnector(ssl=trust)
        async with aiohttp.ClientSession(base_url, connector=connector) as session:
            login = {"username": username, "password": password}
            async with session.post("/api/v1/auth/login", json=login) as response:
                response.raise_for_status()
                token = (await response.json())["access_token"]
            path = f"/api/v1/consultations/{seed.consultation.consultation_id}/close"
            async with session.post(path, headers={"Authorization": f"Bearer {token}"}) as response:
                response.raise_for_status()
    except aiohttp.ClientError as error:
        await _close_in_database(settings, seed)
        raise Unavailable(f"the service did not end the consultation: {type(error).__name__}") from None


async def _close_in_database(settings: Settings, seed: DemoSeed) -> None:
    database = await Database.open(settings.database_url, SystemClock())
    try:
        await consultations.close_consultation(database, seed.consultation.consultation_id)
    finally:
        await database.close()
