"""`teleconsult admin device`: capture boxes, and the consultations they are attached to."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from core import devices, enrolments, people, sessions
from core.consultations import Consultation, consultation_in_room, find_consultation
from core.database import Database
from core.devices import Device
from core.enrolments import DEFAULT_MINUTES, MAX_MINUTES, EnrolmentCode
from core.errors import ConfigError, Conflict, NotFound
from core.ids import is_id, is_name
from core.qr import qr_terminal
from signaling.access import DEVICE_PREFIX
from signaling.accounts import REVOCATION_KEPT_US
from teleconsult.admin import organisations
from teleconsult.admin.common import (
    AsJson,
    ConfigFile,
    DataDir,
    audit,
    hint,
    settings_of,
    show,
    table,
    with_database,
)

app = typer.Typer(no_args_is_help=True)
COLUMNS: Final = ("device_id", "name", "feeds", "organisation", "enrolment", "disabled")

Box = Annotated[str, typer.Argument(help="Its id, or its name if no other box has the same.")]
Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="The service as the box reaches it: https://consult.example.org. For the QR code."
    ),
]
Minutes = Annotated[int, typer.Option(min=1, max=MAX_MINUTES, help="How long the code is good.")]
Room = Annotated[str, typer.Argument(help="The room or the id of an open consultation.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What people call it: Theatre 3, ultrasound cart.")],
    organisation: Annotated[str, typer.Option(help="Name or id of the hospital or clinic it stands in.")],
    feeds: Annotated[str, typer.Option(help="The pictures it sends, separated by commas: ultrasound,room")],
    server: Server = None,
    minutes: Minutes = DEFAULT_MINUTES,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Register a capture box, and show the one-time code that is typed on it."""
    names, server = parse_feeds(feeds), _server(server)

    async def work(database: Database) -> tuple[EnrolmentCode, str]:
        owner = await organisations.find(database, organisation)
        made = await devices.create_device(
            database, organisation_id=owner.organisation_id, name=name, feeds=names
        )
        await audit(database, "device_add", made.device_id)
        return await _code(database, made, minutes), owner.name

    code, owner_name = with_database(settings_of(config, data_dir), work)
    made = code.device
    _show_code(as_json, code, server, f"Added {made.name} ({made.device_id}) of {owner_name}", owner_name)


@app.command("code")
def code_command(
    box: Box,
    server: Server = None,
    minutes: Minutes = DEFAULT_MINUTES,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show a new one-time code for a box; the one before counts no more."""
    server = _server(server)

    async def work(database: Database) -> tuple[EnrolmentCode, str]:
        device = await find(database, box)
        names = await _organisation_names(database)
        return await _code(database, device, minutes), names[device.organisation_id]

    code, owner_name = with_database(settings_of(config, data_dir), work)
    _show_code(as_json, code, server, f"A new code for {code.device.name}", owner_name)


@app.command()
def revoke(box: Box, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Declare a box's key void (stolen, sold, broken): its streams end within a second."""

    async def work(database: Database) -> Device:
        device = await find(database, box)
        revoked = await enrolments.revoke_key(database, device.device_id)
        now_us = database.now_us()
        subject = DEVICE_PREFIX + device.device_id
        await sessions.store_revocation(database, subject, now_us, now_us + REVOCATION_KEPT_US)
        await audit(database, "device_revoke", device.device_id)
        return revoked

    device = with_database(settings_of(config, data_dir), work)
    fields = {"device_id": device.device_id, "name": device.name, "enrolment": device.enrolment}
    show(as_json, fields, f"The key of {device.name} is void")
    hint(f"To enrol it again: teleconsult admin device code {device.device_id}")


@app.command("list")
def list_command(
    organisation: Annotated[str | None, typer.Option(help="Only this one's boxes.")] = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List them."""

    async def work(database: Database) -> list[dict[str, Any]]:
        owner = None if organisation is None else await organisations.find(database, organisation)
        names = await _organisation_names(database)
        found = await devices.list_devices(database, None if owner is None else owner.organisation_id)
        return [_fields(device, names[device.organisation_id]) for device in found]

    rows = with_database(settings_of(config, data_dir), work)
    show(as_json, rows, table(rows, COLUMNS, "There is none yet: teleconsult admin device add"))


@app.command()
def disable(box: Box, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Shut a box out: it publishes nothing any more, attached or not."""
    _set_disabled(box, True, config, data_dir, as_json)


@app.command()
def enable(box: Box, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Let a disabled box in again."""
    _set_disabled(box, False, config, data_dir, as_json)


@app.command()
def attach(
    box: Box, room: Room, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Let a box publish in an open consultation of its own site."""
    _attach(box, room, config, data_dir, as_json, attached=True)


@app.command()
def detach(
    box: Box, room: Room, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Take a box out of a consultation: its pictures end within seconds."""
    _attach(box, room, config, data_dir, as_json, attached=False)


async def find(database: Database, id_or_name: str) -> Device:
    """Raises `NotFound`, or `Conflict` for a name that several boxes have."""
    known = await devices.list_devices(database)
    found = [device for device in known if id_or_name in (device.device_id, device.name)]
    if not found:
        raise NotFound(f"there is no device {id_or_name}; `teleconsult admin device list` lists them")
    if len(found) > 1:
        ids = ", ".join(device.device_id for device in found)
        raise Conflict(f"several devices are called {id_or_name}; give the id: {ids}")
    return found[0]


async def open_consultation_of(database: Database, room_or_id: str) -> Consultation:
    """By room or id. Raises `NotFound`."""
    found = await find_consultation(database, room_or_id) if is_id(room_or_id) else None
    if found is None and is_name(room_or_id):
        found = await consultation_in_room(database, room_or_id)
    if found is None or found.state != "open":
        raise NotFound(f"there is no open consultation in {room_or_id}; its site opens one in the web client")
    return found


def parse_feeds(text: str) -> list[str]:
    """`a,b` → [a, b]. Raises `ConfigError`."""
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names or not all(is_name(name) for name in names):
        raise ConfigError(f"--feeds {text}: allowed: names of a–z, 0–9 and '-', separated by commas")
    return list(dict.fromkeys(names))


def _set_disabled(box: str, disabled: bool, config: Any, data_dir: Any, as_json: bool) -> None:
    async def work(database: Database) -> Device:
        device = await find(database, box)
        await devices.set_device_disabled(database, device.device_id, disabled)
        await audit(database, "device_disable" if disabled else "device_enable", device.device_id)
        return device

    device = with_database(settings_of(config, data_dir), work)
    fields = {"device_id": device.device_id, "name": device.name, "disabled": disabled}
    show(as_json, fields, f"{device.name} is {'disabled' if disabled else 'enabled'}")


def _attach(box: str, room: str, config: Any, data_dir: Any, as_json: bool, *, attached: bool) -> None:
    async def work(database: Database) -> tuple[Device, Consultation]:
        device, consultation = await find(database, box), await open_consultation_of(database, room)
        change = devices.attach_device if attached else devices.detach_device
        await change(database, consultation.consultation_id, device.device_id)
        action = "device_attach" if attached else "device_detach"
        await audit(database, action, f"{consultation.consultation_id} {device.device_id}")
        return device, consultation

    device, consultation = with_database(settings_of(config, data_dir), work)
    fields = {
        "device_id": device.device_id,
        "consultation_id": consultation.consultation_id,
        "room": consultation.room,
        "attached": attached,
    }
    word = "attached to" if attached else "detached from"
    show(as_json, fields, f"{device.name} is {word} {consultation.room}")


async def _organisation_names(database: Database) -> dict[str, str]:
    return {found.organisation_id: found.name for found in await people.list_organisations(database)}


def _fields(device: Device, organisation: str) -> dict[str, Any]:
    return {
        "device_id": device.device_id,
        "name": device.name,
        "feeds": list(device.feeds),
        "organisation": organisation,
        "enrolment": device.enrolment,
        "disabled": device.disabled,
    }


async def _code(database: Database, device: Device, minutes: int) -> EnrolmentCode:
    made = await enrolments.create_code(database, device.device_id, minutes=minutes)
    await audit(database, "device_code", device.device_id)
    return made


def _show_code(as_json: bool, made: EnrolmentCode, server: str | None, text: str, owner: str) -> None:
    """Once: only its hash is stored."""
    ends = datetime.fromtimestamp(made.expires_us // 1_000_000, UTC).isoformat()
    scanned = made.code if server is None else f"{server}/#{made.code}"
    fields = _fields(made.device, owner) | {"code": made.code, "expires_at": ends}
    show(as_json, fields, f"{text}\n\n    {made.code}\n\n{qr_terminal(scanned)}")
    hint(
        f"On the box, before {ends}: teleconsult edge enroll {made.code} --server {server or 'https://…'}\n"
        f"Then attach it to an open consultation: "
        f"teleconsult admin device attach {made.device.device_id} ROOM"
    )


def _server(url: str | None) -> str | None:
    """Raises `ConfigError`."""
    if url is not None and not re.fullmatch(r"https?://[^/?#@\s]+/?", url):
        raise ConfigError(f"--server {url}: allowed: https://HOST or http://HOST:PORT")
    return None if url is None else url.rstrip("/")
