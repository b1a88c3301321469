"""Everybody who may call the HTTP API, seen from the clinic's consultation: the columns of the matrix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from core.consultations import Consultation, new_room, open_consultation
from core.devices import create_device
from core.tokens import Grants
from signaling.access import Caller
from signaling.grants import device_grants, room_grants, viewer_grants
from tests.signaling.conftest import PEOPLE, World

Relation = Literal["host", "part", "none"]
Credential = Literal["none", "access", "room"]
Room = Literal["here", "other room", "other patient", "detached", "lobby"]


@dataclass(frozen=True)
class Column:
    """`kind`, `relation`: of people who signed in. `grants`, `room`: of bearers of a room token."""

    name: str
    token: Callable[[World], Awaitable[str | None]]
    credential: Credential = "access"
    kind: Caller | None = None
    relation: Relation = "none"
    grants: Grants | None = None
    role: str = ""
    room: Room = "here"
    own: bool = False
    """Of the organisation that opened the consultation."""


async def other_consultation(world: World, *devices: str) -> Consultation:
    """One of elsewhere."""
    return await open_consultation(
        world.database,
        room=new_room(),
        header="李*",
        record=True,
        organisation_id=world.elsewhere.organisation_id,
        opened_by=world.users["wu"].user_id,
        devices=devices,
    )


async def _nobody(_world: World) -> None:
    return None


def _person(name: str, kind: Caller, relation: Relation) -> Column:
    own = PEOPLE[name][1] == "Clinic"
    return Column(name, lambda world: world.token(name), kind=kind, relation=relation, own=own)


async def _guest(world: World) -> str:
    return str((await world.guest())["access_token"])


async def _other_guest(world: World) -> str:
    return str((await world.guest(await other_consultation(world)))["access_token"])


def _room(name: str, sub: str, role: Any, grants: Grants, where: Room = "here", **extra: Any) -> Column:
    async def token(world: World) -> str:
        return world.room_token(sub, role, grants, **extra)

    return Column(name, token, "room", grants=grants, role=role, room=where)


async def _waiting_guest(world: World) -> str:
    guest = await world.guest(lobby=True)
    _, joined = await world.post("/api/v1/rooms/demo/join", None, guest["access_token"])
    return str(joined["token"])


async def _attached_box(world: World) -> str:
    return world.room_token(f"device:{world.box.device_id}", "device", device_grants(["ultrasound"]))


async def _loose_box(world: World) -> str:
    clinic = world.clinic.organisation_id
    loose = await create_device(world.database, organisation_id=clinic, name="Loose", feeds=["ultrasound"])
    return world.room_token(f"device:{loose.device_id}", "device", device_grants(["ultrasound"]))


async def _foreign_box(world: World) -> str:
    elsewhere = world.elsewhere.organisation_id
    box = await create_device(world.database, organisation_id=elsewhere, name="Theirs", feeds=["ultrasound"])
    other = await other_consultation(world, box.device_id)
    return world.room_token(
        f"device:{box.device_id}",
        "device",
        device_grants(["ultrasound"]),
        org=elsewhere,
        room=other.room,
        con=other.consultation_id,
    )


_MEMBER: Final = room_grants("specialist")
_BOX: Final = device_grants(["ultrasound"])
COLUMNS: Final = (
    Column("anonymous", _nobody, "none"),
    _person("li", "site", "host"),
    _person("bai", "specialist", "part"),
    _person("wang", "specialist", "part"),
    _person("sun", "site", "part"),
    _person("mallory", "specialist", "none"),
    _person("wu", "site", "none"),
    _person("zhao", "auditor", "part"),
    _person("zhou", "auditor", "part"),
    _person("feng", "auditor", "none"),
    _person("root", "admin", "part"),
    _person("ma", "admin", "none"),
    Column("guest", _guest, kind="guest", relation="part"),
    Column("guest of another consultation", _other_guest, kind="guest"),
    Column("recorder", lambda world: world.recorder_token(), kind="recorder", relation="part"),
    _room("host in the room", "u_host", "site", room_grants("site", host=True)),
    _room("specialist in the room", "u_member", "specialist", _MEMBER),
    _room("recorder in the room", "service:recorder", "recorder", room_grants("recorder")),
    _room("viewer", "player:1", "specialist", viewer_grants(None)),
    _room("member of another room", "u_away", "specialist", _MEMBER, "other room", room="away"),
    _room("member of the last patient", "u_late", "specialist", _MEMBER, "other patient", con="c_gone"),
    Column("guest in the lobby", _waiting_guest, "room", grants=_MEMBER, role="specialist", room="lobby"),
    Column("attached box", _attached_box, "room", grants=_BOX, role="device"),
    Column("box that is not attached", _loose_box, "room", grants=_BOX, role="device", room="detached"),
    Column("foreign box", _foreign_box, "room", grants=_BOX, role="device", room="other room"),
)
