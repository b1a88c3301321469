"""`teleconsult admin token`: room tokens for encoders (WHIP) and players (WHEP), which cannot sign in.

Tokens are not stored; that one was made is in the audit trail, and from there they are listed.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from sqlalchemy import select

from core import devices, sessions
from core.clock import SystemClock
from core.config import Settings
from core.consultations import Consultation, find_consultation
from core.database import Database
from core.errors import ConfigError, Conflict, NotFound
from core.ids import is_name
from core.messages import Role
from core.tables import AuditRow
from core.tokens import Grants, Revocations, Tokens, load_or_create_keys
from signaling.access import DEVICE_PREFIX
from signaling.grants import device_grants, viewer_grants
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
from teleconsult.admin.devices import find as find_device
from teleconsult.admin.devices import open_consultation_of
from teleconsult.authority_files import replace_file

app = typer.Typer(no_args_is_help=True)

ISSUED: Final = "token_issue"
ANY: Final = "*"
DEFAULT_MINUTES: Final = 12 * 60
MAX_MINUTES: Final = 30 * 24 * 60
COLUMNS: Final = ("token_id", "kind", "consultation_id", "feed", "expires_at", "state")

Room = Annotated[str, typer.Argument(help="The room or the id of an open consultation.")]
Minutes = Annotated[
    int, typer.Option(min=1, max=MAX_MINUTES, help="How long it is good; never past the consultation.")
]
Out = Annotated[
    Path | None, typer.Option(help="Write the token into this file (mode 0600) instead of showing it.")
]
Name = Annotated[str, typer.Option(help="What the others see.")]


@dataclass(frozen=True)
class Wanted:
    """What a token is to say."""

    kind: str
    subject: str
    role: Role
    name: str
    grants: Grants
    feed: str
    minutes: int


@app.command()
def whip(
    room: Room,
    feed: Annotated[str | None, typer.Option(help="The only feed it may publish; else any name.")] = None,
    device: Annotated[
        str | None, typer.Option(help="Publish as this registered box, with its feeds.")
    ] = None,
    minutes: Minutes = DEFAULT_MINUTES,
    name: Name = "Encoder",
    out: Out = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a token with which OBS, GStreamer, FFmpeg or a box publishes into one consultation."""
    settings = settings_of(config, data_dir)

    async def work(database: Database) -> dict[str, Any]:
        consultation = await open_consultation_of(database, room)
        grants = device_grants(None if feed is None else [_feed(feed)])
        wanted = Wanted(
            "whip", f"{DEVICE_PREFIX}cli-{secrets.token_hex(4)}", "device", name, grants, feed or ANY, minutes
        )
        if device is not None:
            wanted = await _as_box(database, consultation, device, feed, minutes)
        return await _issue(settings, database, consultation, wanted)

    _told(with_database(settings, work), out, as_json)


@app.command()
def whep(
    room: Room,
    feed: Annotated[str | None, typer.Option(help="The only feed it may watch; else all.")] = None,
    minutes: Minutes = DEFAULT_MINUTES,
    name: Name = "Player",
    out: Out = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a token with which a player watches one consultation."""
    settings = settings_of(config, data_dir)

    async def work(database: Database) -> dict[str, Any]:
        consultation = await open_consultation_of(database, room)
        grants = viewer_grants(None if feed is None else [_feed(feed)])
        subject = f"player:cli-{secrets.token_hex(4)}"
        wanted = Wanted("whep", subject, "specialist", name, grants, feed or ANY, minutes)
        return await _issue(settings, database, consultation, wanted)

    _told(with_database(settings, work), out, as_json)


@app.command("list")
def list_command(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the tokens made here that are still good."""
    rows = with_database(settings_of(config, data_dir), _made)
    rows = [row for row in rows if everything or row["state"] == "good"]
    show(as_json, rows, table(rows, COLUMNS, "There is none."))


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="As `token list` shows it.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Void a token: what it publishes or watches ends within seconds."""

    async def work(database: Database) -> dict[str, Any]:
        found = next((row for row in await _made(database) if row["token_id"] == token_id), None)
        if found is None:
            raise NotFound(f"no token {token_id} was made here; `teleconsult admin token list` lists them")
        expires_us = int(datetime.fromisoformat(found["expires_at"]).timestamp() * 1_000_000)
        await sessions.store_revocation(database, token_id, database.now_us(), expires_us + 3600 * 1_000_000)
        await audit(database, "token_revoke", token_id)
        return found | {"state": "revoked"}

    show(as_json, with_database(settings_of(config, data_dir), work), f"{token_id} is revoked")


async def _as_box(
    database: Database, consultation: Consultation, device: str, feed: str | None, minutes: int
) -> Wanted:
    box = await find_device(database, device)
    if box.enrolment != "none":
        raise Conflict(f"{box.name} has a key of its own: it fetches its tokens by itself")
    if not await devices.is_attached(database, consultation.consultation_id, box.device_id):
        raise Conflict(
            f"{box.name} is not attached to {consultation.room}; "
            f"run: teleconsult admin device attach {box.device_id} {consultation.room}"
        )
    if feed is not None and feed not in box.feeds:
        raise ConfigError(f"--feed {feed}: {box.name} has {', '.join(box.feeds)}")
    feeds = list(box.feeds) if feed is None else [feed]
    subject = DEVICE_PREFIX + box.device_id
    return Wanted("whip", subject, "device", box.name, device_grants(feeds), ",".join(feeds), minutes)


async def _issue(
    settings: Settings, database: Database, consultation: Consultation, wanted: Wanted
) -> dict[str, Any]:
    tokens = Tokens(load_or_create_keys(settings.token_key_file), SystemClock(), Revocations())
    token = tokens.issue_room(
        sub=wanted.subject,
        role=wanted.role,
        org=consultation.organisation_id,
        name=wanted.name,
        org_name=consultation.site,
        room=consultation.room,
        con=consultation.consultation_id,
        grants=wanted.grants,
        lifetime_s=wanted.minutes * 60,
    )
    claims = tokens.verify_room(token)
    note = (claims.jti, wanted.kind, consultation.consultation_id, wanted.feed, str(int(claims.exp)))
    await audit(database, ISSUED, " ".join(note))
    feed = "{feed}" if wanted.feed == ANY or "," in wanted.feed else wanted.feed
    return {
        "token_id": claims.jti,
        "token": token,
        "kind": wanted.kind,
        "room": consultation.room,
        "consultation_id": consultation.consultation_id,
        "feed": wanted.feed,
        "expires_at": _iso(claims.exp),
        "path": f"/{wanted.kind}/{consultation.room}/{feed}",
    }


async def _made(database: Database) -> list[dict[str, Any]]:
    """Newest first."""
    revoked = await sessions.load_revocations(database)
    async with database.reading() as session:
        query = select(AuditRow.target).where(AuditRow.action == ISSUED).order_by(AuditRow.id.desc())
        targets = list(await session.scalars(query))
    rows = []
    for target in targets:
        token_id, kind, consultation_id, feed, expires = target.split(" ")
        rows.append(
            {
                "token_id": token_id,
                "kind": kind,
                "consultation_id": consultation_id,
                "feed": feed,
                "expires_at": _iso(float(expires)),
                "state": await _state(
                    database, token_id, consultation_id, float(expires), token_id in revoked
                ),
            }
        )
    return rows


async def _state(
    database: Database, token_id: str, consultation_id: str, expires_s: float, revoked: bool
) -> str:
    if revoked:
        return "revoked"
    if expires_s * 1_000_000 <= database.now_us():
        return "expired"
    consultation = await find_consultation(database, consultation_id)
    return "good" if consultation is not None and consultation.state == "open" else "consultation over"


def _told(made: dict[str, Any], out: Path | None, as_json: bool) -> None:
    if out is not None:
        replace_file(out.absolute(), made["token"].encode() + os.linesep.encode(), 0o600)
        made = {key: value for key, value in made.items() if key != "token"} | {"file": str(out.absolute())}
    show(as_json, made, f"Written to {out}" if out is not None else made["token"])
    hint(
        f"For {made['path']}, as bearer token, until {made['expires_at']}. "
        f"Void it: teleconsult admin token revoke {made['token_id']}"
    )


def _feed(name: str) -> str:
    if not is_name(name):
        raise ConfigError(f"--feed {name}: allowed: a–z, 0–9 and '-', at most 64")
    return name


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(int(unix_s), UTC).isoformat()
