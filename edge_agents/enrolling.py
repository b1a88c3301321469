"""`edge enroll`: a code, typed or scanned once, becomes this box's own way in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.clock import SystemClock
from core.device_access import Enrolled
from core.errors import ConfigError
from edge_agents.box import open_session
from edge_agents.config import EdgeConfig, load_config, parse_config
from edge_agents.identity import Identity, read_identity
from edge_agents.server_access import Refused, ServerAccess

_SCANNED: Final = re.compile(r"(https?://[^/?#@\s]+)/?#(.+)")
STARTER: Final = """\
# Made by `teleconsult edge enroll`. `teleconsult edge sources` lists what can be captured here:
# put it in place of the test card. What else can be said: docs/edge.md
server = "{server}"
{tls}"""
STARTER_FEED: Final = """
[[feeds]]
name = "{name}"
source = {{ kind = "testcard" }}
"""


@dataclass(frozen=True)
class Plan:
    """What is going to be done. `starter`: there is no configuration yet, one is written."""

    code: str
    config: EdgeConfig
    place: Path
    starter: bool


def plan_enrolment(code: str, server: str | None, tls_ca: Path | None, place: Path) -> Plan:
    """`code`: as typed, or as scanned: `https://HOST/#CODE`. Raises `ConfigError`."""
    scanned = _SCANNED.fullmatch(code.strip())
    if scanned is not None:
        server, code = server or scanned[1], scanned[2]
    wanted = None if server is None else server.rstrip("/")
    if place.exists():
        config = load_config(place)
        if wanted not in (None, config.base_url):
            raise ConfigError(f"{place}: server is {config.base_url}, not {wanted}; change one of them")
        return Plan(code, config, place, starter=False)
    if wanted is None:
        raise ConfigError("which service? add --server https://HOST, or scan the QR code")
    values = {"server": wanted, "feeds": [{"name": "feed", "source": {"kind": "testcard"}}]}
    ca = {} if tls_ca is None else {"tls_ca": str(tls_ca.absolute())}
    return Plan(code, parse_config(values | ca, place), place, starter=True)


async def enrol(plan: Plan, *, again: bool = False) -> Enrolled:
    """Exchange the code. An answer that was lost costs nothing: the same command is said again.

    Raises `ConfigError` for a box that is enrolled already, unless `again`; `Refused`, `Unavailable`.
    """
    path, server = plan.config.identity_file, plan.config.base_url
    present = read_identity(path)
    if present is not None and not again:
        raise ConfigError(
            f"this box is enrolled as {present.name} at {present.server}; to enrol it anew, add --again"
        )
    aside = path.with_name(path.name + ".new")
    identity = read_identity(aside)
    if identity is None or identity.server != server:
        identity = Identity(server)
        identity.write(aside)  # before the code is spent
    async with open_session(plan.config) as session:
        try:
            made = await ServerAccess(session, identity, SystemClock()).enrol(plan.code)
        except Refused:
            aside.unlink(missing_ok=True)
            raise
    identity.enrolled_as(made.device_id, made.name).write(path)
    aside.unlink(missing_ok=True)
    if plan.starter:
        write_starter(plan, made)
    return made


def write_starter(plan: Plan, made: Enrolled) -> None:
    """A test card on every feed: something to see before the first cable is plugged in."""
    ca = plan.config.tls_ca
    tls = "" if ca is None else f'tls_ca = "{ca}"\n'
    feeds = "".join(STARTER_FEED.format(name=name) for name in made.feeds)
    plan.place.write_text(STARTER.format(server=plan.config.base_url, tls=tls) + feeds, encoding="utf-8")
