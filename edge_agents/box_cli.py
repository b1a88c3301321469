"""`teleconsult edge enroll · status · kiosk`: what somebody who stands beside the box types."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Final

import aiohttp
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.clock import SystemClock
from core.errors import ConfigError, Unavailable
from edge_agents.config import DEFAULT_STATUS_PORT, load_config
from edge_agents.control_words import CONTROL_WORDS
from edge_agents.status import BoxStatus, ControlStatus, RingStatus
from edge_agents.status_page import HOST
from edge_agents.status_words import WORDS

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
ConfigFile = Annotated[Path, typer.Option("--config", help="The box's TOML file.")]
ASK_WITHIN_S: Final = 5.0
CHROMIUM: Final = (
    "chromium",
    "--kiosk",
    "--incognito",
    "--noerrdialogs",
    "--disable-infobars",
    "--autoplay-policy=no-user-gesture-required",
    "--auto-accept-camera-and-microphone-capture",
)


def enroll(
    code: Annotated[str, typer.Argument(help="The code, or what the QR code says.")],
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="The service, if no file says it: https://HOST.")
    ] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="The hospital's certificate authority (PEM), if it has its own.")
    ] = None,
    config: ConfigFile = Path("edge.toml"),
    again: Annotated[bool, typer.Option("--again", help="Even if this box is enrolled already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Enrol this box: its key is made here and never leaves it."""
    from edge_agents.enrolling import enrol, plan_enrolment

    plan = plan_enrolment(code, server, tls_ca, config)
    made = asyncio.run(enrol(plan, again=again))
    if as_json:
        _print_json(made.model_dump() | {"config": str(config), "key": str(plan.config.identity_file)})
        return
    _print(f"Enrolled as {made.name} ({made.device_id}), for {', '.join(made.feeds)}.")
    if plan.starter:
        _print(f"{config} shows a test card; `teleconsult edge sources` lists what to put in its place.")
    _print(f"Next: teleconsult edge run --config {config}")


def status(config: ConfigFile = Path("edge.toml"), as_json: AsJson = False) -> None:
    """Say how the box that runs here is. Anybody may ask: without its file, at the usual port."""
    readable = os.access(config, os.R_OK)
    found = asyncio.run(_status(load_config(config).status_port if readable else DEFAULT_STATUS_PORT))
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
        return
    words, console = WORDS["en"], Console()
    console.print(Text(words.states[found.state]))
    for trouble in found.troubles:
        console.print(Text(words.troubles[trouble], style="bold red"))
    for control in found.controls:
        console.print(Text(_control(control), style="bold"))
    console.print(_feeds(found))
    console.print(_facts(found))


def kiosk(config: ConfigFile = Path("edge.toml"), as_json: AsJson = False) -> None:
    """Print a link, good once, for the display beside the box, and the command that shows it there."""
    from edge_agents.box import open_session
    from edge_agents.identity import own_identity
    from edge_agents.server_access import ServerAccess

    settings = load_config(config)
    identity = own_identity(settings)
    if identity is None:
        raise ConfigError("this box is not enrolled: the display's link is for boxes with a key of their own")

    async def ask() -> tuple[str, int]:
        async with open_session(settings) as session:
            link = await ServerAccess(session, identity, SystemClock()).kiosk()
            return link.url, link.expires_at_us

    url, expires_at_us = asyncio.run(ask())
    command = shlex.join([*CHROMIUM, url])
    if as_json:
        _print_json({"url": url, "expires_at_us": expires_at_us, "command": command})
        return
    _print(command)
    Console(stderr=True).print(
        Text("The link works once, within ten minutes; then the site lets the display in, as any guest.")
    )


async def _status(port: int) -> BoxStatus:
    if port == 0:
        raise ConfigError("status_port is 0: this box has no status to ask for")
    url = f"http://{HOST}:{port}/status.json"
    timeout = aiohttp.ClientTimeout(total=ASK_WITHIN_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            body = await response.read()
        return BoxStatus.model_validate_json(body)
    except (aiohttp.ClientError, TimeoutError, OSError):
        raise Unavailable(
            f"no box answers at {HOST}:{port}; is it running? systemctl status teleconsult-edge"
        ) from None
    except ValidationError:
        raise Unavailable(f"what answers at {HOST}:{port} is no box of this version") from None


def _control(one: ControlStatus) -> str:
    words = CONTROL_WORDS["en"]
    who = f"{one.name} ({one.organisation})" if one.organisation else one.name
    time = f"{one.left_s // 60}:{one.left_s % 60:02d}"
    if one.stage == "active":
        return f"{words.controls.format(who=who, feed=one.feed)} {words.left.format(time=time)}"
    asked = words.wants.format(who=who, feed=one.feed, minutes=one.minutes)
    code = f" Code: {one.code[:3]} {one.code[3:]}." if one.code else ""
    return f"{asked} {words.wait.format(time=time)}{code}"


def _feeds(found: BoxStatus) -> Table:
    table = Table("feed", "signal", "pictures/s", "sent", "encoder", "uplink Mbit/s", box=None)
    for feed in found.health.feeds:
        uplink = "–" if feed.uplink_bps is None else f"{feed.uplink_bps / 1e6:.1f}"
        table.add_row(
            feed.feed,
            WORDS["en"].signals[feed.signal],
            f"{feed.frames_per_s:g}",
            "yes" if feed.sent else "no",
            feed.encoder or "–",
            uplink,
        )
    return table


def _facts(found: BoxStatus) -> Table:
    health, table = found.health, Table(box=None, show_header=False)
    off, hot = health.clock_off_ms, health.temperature_c
    table.add_row("server", found.server)
    table.add_row("enrolled as", f"{found.name} {found.device_id}".strip() or "not enrolled")
    table.add_row("room", found.room or "–")
    table.add_row("clock off", "–" if off is None else f"{off:+d} ms")
    table.add_row("temperature", "–" if hot is None else f"{hot:.0f} °C")
    table.add_row("kept for after an outage", _kept(found.ring))
    table.add_row("memory", f"{health.memory_bytes >> 20} MiB")
    table.add_row("version", health.version or "–")
    return table


def _kept(ring: RingStatus | None) -> str:
    if ring is None:
        return "–"
    age = "" if ring.oldest_s is None else f", {ring.oldest_s // 60} min"
    waiting = f"{ring.waiting_bytes / (1 << 20):.1f} MiB waiting"
    return f"{ring.held_bytes >> 20} MiB{age}; {waiting}; {ring.delivered} pieces delivered"


def _print(text: str) -> None:
    Console().print(Text(text), soft_wrap=True)


def _print_json(fields: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fields, ensure_ascii=False, indent=2) + "\n")
