"""`teleconsult serve`: the whole service under one supervisor, or one role of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

import aiohttp
import structlog
import typer

from core import systemd
from core.config import Settings, load_settings
from core.errors import ConfigError
from core.local_service import local_trust, local_url
from core.supervisor import Role, Supervisor, own_command

log = structlog.get_logger("serve")

STOPS_EDGE, STOPS_SIGNALING, STOPS_MEDIA, STOPS_RECORDER = range(4)
"""The recorder last: so it has everything that anybody saw."""
LOOK_EVERY_S: Final = 0.5
PROBE_WITHIN_S: Final = 3.0


def worker_socket(settings: Settings, number: int) -> str:
    """Where worker `number` (from 1) offers its internal API."""
    return f"unix:{settings.runtime_dir / f'sfu-{number}.sock'}"


def settings_environment(settings: Settings) -> dict[str, str]:
    """`settings` as variables, so that every child sees exactly what we see, wherever it came from."""
    environment: dict[str, str] = {}
    for key, value in settings.model_dump(mode="json").items():
        if value is not None:
            environment["TELECONSULT_" + key.upper()] = value if isinstance(value, str) else json.dumps(value)
    return environment


def short_runtime_dir(settings: Settings) -> Settings:
    """Unix socket paths end at 107 bytes (unix(7)); a deep data directory gets a short place of its own."""
    if len(os.fsencode(settings.runtime_dir)) < 80:
        settings.runtime_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return settings
    return settings.model_copy(update={"runtime_dir": Path(tempfile.mkdtemp(prefix="teleconsult-"))})


def service_roles(settings: Settings) -> list[Role]:
    """The children of a service on one machine; they may start in any order."""
    environment = settings_environment(settings)
    numbers = range(1, settings.workers + 1)
    apis = [worker_socket(settings, number) for number in numbers]
    roles = [
        Role(
            f"sfu-{number}",
            own_command("serve", "--role", "sfu", "--worker-id", f"sfu-{number}", "--api", api),
            environment | {"TELECONSULT_UDP_PORT": str(settings.udp_port + number - 1)},
            spare=True,
            stops=STOPS_MEDIA,
        )
        for number, api in zip(numbers, apis, strict=True)
    ]
    worker_arguments = tuple(part for api in apis for part in ("--worker", api))
    roles.append(
        Role(
            "signaling",
            own_command("serve", "--role", "signaling", *worker_arguments),
            environment,
            spare=True,
            stops=STOPS_SIGNALING,
        )
    )
    if settings.recipients:
        recorder = own_command("serve", "--role", "recorder")
        roles.append(Role("recorder", recorder, environment, spare=True, stops=STOPS_RECORDER))
    else:
        from signaling.readiness import NO_RECIPIENTS

        log.warning("recording_off", reason=NO_RECIPIENTS)
    return roles


async def run_service(settings: Settings) -> None:
    """Run everything until SIGTERM or SIGINT."""
    from signaling.tls import check_tls

    check_tls(settings)
    supervisor = Supervisor(service_roles(settings), own_command("spare"), drain_s=settings.drain_s)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        systemd.notify(STOPPING="1", STATUS="draining")
        supervisor.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    telling = asyncio.create_task(tell_systemd(settings))
    try:
        await supervisor.run()
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def tell_systemd(settings: Settings) -> None:
    """Say when the service is ready, then feed the watchdog for as long as it answers."""
    async with aiohttp.ClientSession() as session:
        while (state := await _readiness(session, settings)) != "ready":
            systemd.notify(STATUS=state)
            await asyncio.sleep(LOOK_EVERY_S)
        systemd.notify(READY="1", STATUS=f"serving on port {settings.port}")
        interval_s = systemd.watchdog_interval_s()
        while interval_s is not None:
            if await _readiness(session, settings, "/healthz") == "ready":
                systemd.notify(WATCHDOG="1")
            await asyncio.sleep(interval_s / 3)


async def _readiness(session: aiohttp.ClientSession, settings: Settings, path: str = "/readyz") -> str:
    """`ready`, or what is waited for."""
    try:
        url = local_url(settings) / path.removeprefix("/")
        timeout = aiohttp.ClientTimeout(total=PROBE_WITHIN_S)
        async with session.get(url, ssl=local_trust(settings), timeout=timeout) as response:
            if response.status == 200:
                return "ready"
            return "waiting for " + "; ".join((await response.json()).get("waiting_for", []))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return "starting"


def role_coroutine(
    role: str, settings: Settings, worker_id: str, api: str | None, workers: list[str]
) -> Coroutine[Any, Any, None]:
    """The chosen role's main coroutine. Imports only what that role needs."""
    if role == "sfu":
        from sfu.main import run as run_sfu

        return run_sfu(settings, worker_id=worker_id, api=api or worker_socket(settings, 1))
    if role == "recorder":
        from recorder.main import run as run_recorder

        return run_recorder(settings)
    if role != "signaling":
        raise ConfigError(f"--role {role}: allowed: signaling, sfu, recorder")
    from signaling.main import run as run_signaling

    return run_signaling(settings, workers=workers or [worker_socket(settings, 1)])


def command(
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    role: Annotated[str | None, typer.Option(help="Run one role only: signaling, sfu or recorder.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to serve HTTP on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to serve HTTP on.")] = None,
    udp_host: Annotated[str | None, typer.Option(help="Address to take media on.")] = None,
    udp_port: Annotated[int | None, typer.Option(help="Port of the first worker's media.")] = None,
    announce: Annotated[str | None, typer.Option(help="host:port clients send media to, behind NAT.")] = None,
    workers: Annotated[int | None, typer.Option(help="How many SFU workers.")] = None,
    archive_dir: Annotated[Path | None, typer.Option(help="Where consultations are archived.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate (PEM); needs --tls-key.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM, mode 0600).")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    worker_id: Annotated[str, typer.Option(help="With --role sfu: this worker's name.")] = "sfu-1",
    api: Annotated[str | None, typer.Option(help="With --role sfu: unix:/path or host:port.")] = None,
    worker: Annotated[list[str] | None, typer.Option(help="With --role signaling: a worker's API.")] = None,
) -> None:
    """Run the service: signaling, media workers and recorder, or one of them with --role."""
    settings = load_settings(
        config,
        data_dir=data_dir, host=host, port=port, udp_host=udp_host, udp_port=udp_port, announce=announce,
        workers=workers, archive_dir=archive_dir, log_level=log_level,
        tls_cert=None if tls_cert is None else tls_cert.absolute(),
        tls_key=None if tls_key is None else tls_key.absolute(),
    )  # fmt: skip
    start_logging(settings, worker_id if role == "sfu" else role or "supervisor")
    if role is None:
        asyncio.run(run_service(short_runtime_dir(settings)))
    else:
        run_role(role_coroutine(role, settings, worker_id, api, worker or []))


def start_logging(settings: Settings, role: str) -> None:
    """Structured lines on stderr, at the configured level, each with the role that wrote it."""
    from core.logging import configure_logging

    configure_logging(settings.log_level, role)


def run_role(coroutine: Coroutine[Any, Any, None]) -> None:
    """A role in its own process, on uvloop."""
    import uvloop

    uvloop.run(coroutine)
