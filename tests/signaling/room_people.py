"""Who comes into a room, as tests need them: each with the token the service would give them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from core import invitations, messages
from core.messages import Role
from core.tokens import Grants
from signaling.grants import device_grants, room_grants, viewer_grants
from tests.signaling.conftest import WITHIN_S, RoomClient, World

Kind = Literal["host", "specialist", "invited", "guest", "waiting", "device", "recorder", "viewer"]
_guests = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """`sub`: who the token names; `token`: for the room."""

    sub: str
    token: str


def person(world: World, kind: Kind, name: str | None = None, **extra: Any) -> Person:
    """Anybody but guests. `host`: of the clinic; `specialist`: of the clinic; `invited`: of the hospital."""
    org, org_name = world.clinic.organisation_id, "Clinic"
    role: Role = "specialist"
    grants: Grants = room_grants("specialist")
    if kind == "host":
        role, grants = "site", room_grants("site", host=True)
    elif kind == "invited":
        org, org_name = world.hospital.organisation_id, "Hospital"
    elif kind == "device":
        role, grants = "device", device_grants(None)
    elif kind == "recorder":
        role, grants, org, org_name = "recorder", room_grants("recorder"), "", ""
    elif kind == "viewer":
        grants = viewer_grants(None)
    sub = name or {"device": "device:box", "recorder": "service:recorder"}.get(kind, f"u_{kind}")
    fields = {"grants": grants, "org": org, "org_name": org_name, "name": sub} | extra
    return Person(sub, world.room_token(sub, role, **fields))


async def guest(world: World, *, lobby: bool = True, name: str = "Guest") -> Person:
    """Somebody who came by an invitation; with `lobby` they have to knock."""
    invitation, secret = await invitations.create_invitation(
        world.database,
        consultation_id=world.consultation.consultation_id,
        name=name,
        organisation="Elsewhere Hospital",
        lobby=lobby,
        minutes=60,
        created_by=world.users["li"].user_id,
    )
    assert invitation.state == "open"
    guest_id = await invitations.redeem_invitation(world.database, secret)
    return Person(guest_id, guest_token(world, guest_id, lobby=lobby, name=name))


def guest_token(world: World, guest_id: str, *, lobby: bool, name: str = "Guest", **extra: Any) -> str:
    """A room token as `join` would give it."""
    grants = room_grants("specialist", lobby=lobby)
    fields = {"grants": grants, "org": "", "org_name": "Elsewhere Hospital", "name": name} | extra
    return world.room_token(guest_id, "specialist", **fields)


async def enter(world: World, who: Person) -> tuple[RoomClient, messages.Welcome]:
    """Straight into the room."""
    client = await world.connect(who.token)
    return client, await client.next(messages.Welcome)


async def knock(world: World, who: Person) -> tuple[RoomClient, messages.Waiting]:
    """Into the lobby."""
    client = await world.connect(who.token)
    return client, await client.next(messages.Waiting)


async def refused(client: RoomClient, message: messages.Model, code: str) -> messages.Error:
    """Say something; the answer is an error of that code."""
    await client.send(message)
    error: messages.Error = await client.next(messages.Error)
    assert (error.code, error.about) == (code, message.type)  # type: ignore[attr-defined]  # all messages have it
    return error


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something inside the service."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.005)
