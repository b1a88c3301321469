"""`teleconsult demo`: everything on one machine, with people, keys and two feeds, ready to look at."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table

from archive.keys import create_identity, ensure_signer, register_person
from archive.layout import CLOSED
from core.config import DEFAULT_HTTP_PORT, DEFAULT_UDP_PORT, Recipient, Settings, load_settings
from core.errors import ConfigError, Unavailable
from core.local_service import local_trust
from core.supervisor import Role, Supervisor, own_command
from signaling.seed import DemoSeed, end_demo, seed_demo
from signaling.tls import check_tls, is_loopback
from teleconsult.demo_tls import box_authority, demo_certificate, demo_url
from teleconsult.ready import wait_for_http, wait_for_room
from teleconsult.serve import (
    LOOK_EVERY_S,
    STOPS_EDGE,
    service_roles,
    settings_environment,
    short_runtime_dir,
    start_logging,
)

log = structlog.get_logger("demo")

ROOM: Final = "demo"
FEEDS: Final = ("ultrasound", "theatre")
READY_WITHIN_S: Final = 60.0
ARCHIVE_CLOSED_WITHIN_S: Final = 10.0
EDGE_CONFIG: Final = """\
server = "{server}"
room = "{room}"
token_file = "{token_file}"
{tls}
[[feeds]]
name = "ultrasound"
profile = "ultrasound"
source = {{ kind = "clip" }}
{size}
[[feeds]]
name = "theatre"
profile = "theatre"
source = {{ kind = "testcard" }}
{size}"""
SMALL_PICTURES: Final = "width = 640\nheight = 360\nbitrate_bps = 1_000_000\n"


@dataclass(frozen=True)
class Prepared:
    """What the demo runs with."""

    settings: Settings
    seed: DemoSeed
    base_url: str
    auditor_identity: Path
    edge_config: Path


def command(
    data_dir: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("var/demo"),
    port: Annotated[int, typer.Option(help="HTTP port; 0 takes a free one.")] = DEFAULT_HTTP_PORT,
    udp_port: Annotated[int, typer.Option(help="Media port; 0 takes a free one.")] = DEFAULT_UDP_PORT,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(help="How many media workers.", min=1)] = 1,
    announce: Annotated[str | None, typer.Option(help="host:port clients send media to.")] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Serve HTTPS with a certificate of the demo's own.")
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate (PEM); needs --tls-key.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM, mode 0600).")] = None,
    log_level: Annotated[str, typer.Option(help="Of demo.log: debug, info, warning or error.")] = "info",
    small: Annotated[
        bool, typer.Option("--small", help="Pictures of 640 × 360, for a slow or busy machine.")
    ] = False,
) -> None:
    """Run everything here, with two live feeds and people to sign in as. Ctrl-C ends it."""
    os.umask(0o077)  # keys, tokens and passwords of the demo are its user's alone
    if not (is_loopback(host) or tls or tls_cert):
        raise ConfigError(f"the demo on {host} needs TLS: add --tls")
    files: dict[str, Path | None] = {
        "tls_cert": tls_cert and tls_cert.absolute(),
        "tls_key": tls_key and tls_key.absolute(),
    }
    if tls:
        if tls_cert is not None or tls_key is not None:
            raise ConfigError("--tls makes a certificate; give it, or --tls-cert and --tls-key, not both")
        made = demo_certificate(data_dir.absolute(), host)
        files = dict(zip(("tls_cert", "tls_key", "tls_ca"), made, strict=True))
    recipients = demo_recipients(data_dir.absolute() / "keys")
    settings = load_settings(
        None,
        data_dir=data_dir, host=host, port=free_port(host, port, socket.SOCK_STREAM, "--port"), udp_host=host,
        udp_port=free_port(host, udp_port, socket.SOCK_DGRAM, "--udp-port"), announce=announce,
        workers=workers,
        recipients=[recipient.model_dump() for recipient in recipients], log_level=log_level,
        **files,
        totp_roles=[],
    )  # fmt: skip
    check_tls(settings)
    start_logging(settings.model_copy(update={"log_level": "warning"}), "demo")  # the console is for people
    try:
        asyncio.run(run_demo(short_runtime_dir(settings), small=small))
    except Unavailable as error:
        raise Unavailable(f"{error}; what happened is in {log_file(settings)}") from None


def log_file(settings: Settings) -> Path:
    """Where the demo's processes write their log."""
    return settings.data_dir / "demo.log"


def free_port(host: str, port: int, kind: socket.SocketKind, flag: str) -> int:
    """`port` if nobody holds it, a free one for 0. Raises `ConfigError` naming the flag to change."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"{host}:{port} cannot be used ({error.strerror}); choose another: {flag} {port + 1000}"
            ) from None
        return int(probe.getsockname()[1])


def demo_recipients(keys_dir: Path) -> list[Recipient]:
    """The demo's two custodians, made on the first run. The second key would be kept offline."""
    custodians = (("auditor", "Demo auditor", False), ("offline", "Demo safe (offline)", True))
    return [
        Recipient(custodian=custodian, recipient=recipient_of(keys_dir / f"{name}.agekey"), offline=offline)
        for name, custodian, offline in custodians
    ]


def recipient_of(identity: Path) -> str:
    """The public half of an identity file, which is made if it is missing."""
    if not identity.exists():
        return create_identity(identity)
    for line in identity.read_text().splitlines():
        if line.startswith("# public key: "):
            return line.removeprefix("# public key: ").strip()
    raise ConfigError(f"{identity}: no '# public key:' line; remove the data directory to start afresh")


def register_people(settings: Settings) -> None:
    """The demo's two people who may export and shred together: `person-1.pem` and `person-2.pem`."""
    for number in (1, 2):
        key = ensure_signer(settings.data_dir / "keys" / f"person-{number}.pem")
        register_person(settings.archive_dir, key.public, f"demo person {number}")


async def prepare(settings: Settings, *, small: bool = False) -> Prepared:
    """Keys, people, the consultation, the box's configuration. `small`: its pictures are."""
    seed = await seed_demo(settings, ROOM, FEEDS)
    base_url = demo_url(settings)
    token_file = settings.data_dir / "keys" / "edge.token"
    token_file.write_text(seed.device_token)
    edge_config = settings.data_dir / "edge.toml"
    box_ca = box_authority(settings)
    tls = "" if box_ca is None else f'tls_ca = "{box_ca}"\n'
    size = SMALL_PICTURES if small else ""
    edge_config.write_text(
        EDGE_CONFIG.format(server=base_url, room=ROOM, token_file=token_file, tls=tls, size=size)
    )
    await asyncio.to_thread(register_people, settings)
    identity = settings.data_dir / "keys" / "auditor.agekey"
    return Prepared(settings, seed, base_url, identity, edge_config)


def roles(prepared: Prepared) -> list[Role]:
    """The service and a capture box."""
    edge = own_command("edge", "run", "--config", str(prepared.edge_config))
    environment = settings_environment(prepared.settings)
    return [*service_roles(prepared.settings), Role("edge", edge, environment, stops=STOPS_EDGE)]


def demo_json(prepared: Prepared) -> dict[str, Any]:
    """What programs need to use the demo (DESIGN §4)."""
    return {
        "base_url": prepared.base_url,
        "room": ROOM,
        "feeds": list(FEEDS),
        "users": {
            role: {"username": username, "password": password}
            for role, (username, password) in prepared.seed.users.items()
        },
        "whip_token": prepared.seed.whip_token,
        "whep_token": prepared.seed.whep_token,
        "archive_dir": str(prepared.settings.archive_dir),
        "archive_identity": str(prepared.auditor_identity),
    }


def publish_json(path: Path, content: dict[str, Any]) -> None:
    """Write it whole or not at all: programs wait for this file to appear."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(content, indent=2) + "\n")
    draft.replace(path)


async def run_demo(settings: Settings, *, small: bool = False) -> None:
    """Prepare, start, wait until pictures flow and are recorded, tell, wait for Ctrl-C, end in order."""
    console = Console(stderr=False)
    ready_file = settings.data_dir / "demo.json"
    ready_file.unlink(missing_ok=True)
    with (
        console.status("Preparing keys and people …") as status,
        log_file(settings).open("ab") as log_output,
    ):
        prepared = await prepare(settings, small=small)
        supervisor = Supervisor(
            roles(prepared), own_command("spare"), log_output.fileno(), drain_s=settings.drain_s
        )
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        running = asyncio.create_task(supervisor.run())
        try:
            await first_of(wait_until_ready(prepared, status), ended.wait(), running)
            if not ended.is_set():
                publish_json(ready_file, demo_json(prepared))
                status.stop()
                tell(console, prepared)
                await first_of(ended.wait(), running)
        finally:
            ready_file.unlink(missing_ok=True)
            await end(prepared, supervisor, running)


async def first_of(*waits: Any) -> None:
    """Return when the first of them is done, and raise what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task, wait in zip(tasks, waits, strict=True):
        if task in pending and not isinstance(wait, asyncio.Task):
            task.cancel()
    for task in done:
        task.result()


async def wait_until_ready(prepared: Prepared, status: Status) -> None:
    """Until both feeds are live and recorded."""
    status.update("Starting the service …")
    trust = local_trust(prepared.settings)
    await wait_for_http(prepared.base_url, READY_WITHIN_S, trust)
    username, password = prepared.seed.users["specialist"]
    await wait_for_room(
        prepared.base_url,
        ROOM,
        {"username": username, "password": password},
        set(FEEDS),
        READY_WITHIN_S,
        lambda text: status.update(f"Waiting for pictures: {text} …"),
        trust,
    )


async def end(prepared: Prepared, supervisor: Supervisor, running: asyncio.Task[None]) -> None:
    """End the consultation, so that its archive is closed, then the processes."""
    with contextlib.suppress(asyncio.CancelledError, TimeoutError):
        async with asyncio.timeout(ARCHIVE_CLOSED_WITHIN_S):
            settings, trust = prepared.settings, local_trust(prepared.settings)
            await end_demo(settings, prepared.base_url, prepared.seed, trust)
            await until_closed(settings.archive_dir / prepared.seed.consultation.consultation_id)
    supervisor.stop()
    await running


async def until_closed(archive: Path) -> None:
    """Until the recorder has closed that archive, if it ever began one."""
    while True:
        if not await asyncio.to_thread(_is_being_written, archive):
            return
        await asyncio.sleep(LOOK_EVERY_S)


def _is_being_written(archive: Path) -> bool:
    return archive.is_dir() and not (archive / CLOSED).exists()


def tell(console: Console, prepared: Prepared) -> None:
    """The links and the people, for whoever started it."""
    table = Table(title=f"Teleconsult is running: {prepared.base_url}", title_justify="left")
    for heading in ("sign in as", "password", "to"):
        table.add_column(heading, no_wrap=True)
    purposes = {
        "specialist": "see, hear, talk",
        "specialist2": "the same, as a second expert",
        "site": "be the clinic",
        "auditor": "audit the archive",
        "admin": "administer",
    }
    for role, (username, password) in prepared.seed.users.items():
        table.add_row(username, password, purposes.get(role, role))
    console.print(table)
    if (authority := prepared.settings.tls_ca) is not None:
        console.print(f"Trust this authority in your browser, once: {authority}", soft_wrap=True)
    console.print(f"Archive: {prepared.settings.archive_dir}", soft_wrap=True)
    console.print(f"Log: {log_file(prepared.settings)}", soft_wrap=True)
    console.print(f"All of this for programs: {prepared.settings.data_dir / 'demo.json'}", soft_wrap=True)
    console.print("Ctrl-C ends it.")
