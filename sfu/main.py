"""The SFU worker's process: `teleconsult serve --role sfu`, or `python -m sfu` by itself."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from core import systemd
from core.clock import SystemClock
from core.compiled import use_compiled
from core.config import Settings, load_settings, split_place
from core.errors import ConfigError
from core.logging import configure_logging
from core.stopping import Stopping, stopped_by_signals
from sfu.api import serve_api
from sfu.worker import Worker
from transport.endpoint import MediaEndpoint
from transport.garbage import GarbagePlan
from transport.native.engine import load_engine

log = structlog.get_logger()

TOKEN_VARIABLE: Final = "SFU_API_TOKEN"  # noqa: S105 - a variable's name
NICE: Final = -10


async def run(settings: Settings, *, worker_id: str, api: str, token: str | None = None) -> None:
    """Serve media and the internal API until SIGTERM or SIGINT, then drain, close every transport and return.

    Raises `ConfigError` when a port or socket cannot be had.
    """
    clock = SystemClock()
    _go_first()
    with stopped_by_signals() as stopping:
        endpoint = await _open_endpoint(settings, clock)
        worker = Worker(endpoint, worker_id, clock, limit_viewers=settings.limit_viewers)
        garbage = GarbagePlan()
        try:
            runner = await serve_api(worker, api, token if token is not None else read_token(None))
            try:
                garbage.start()
                await _work(worker, stopping, settings.drain_s)
            finally:
                garbage.stop()
                worker.close_all("worker_stopping")
                await runner.cleanup()
        finally:
            await endpoint.close()
    log.info("sfu.stopped", worker_id=worker_id)


def _go_first() -> None:
    """Live pictures go before everything else that runs here, where the system allows it."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, min(NICE, os.getpriority(os.PRIO_PROCESS, 0)))


async def _work(worker: Worker, stopping: Stopping, drain_s: float) -> None:
    """Until it is asked to stop, and what it carries has moved."""
    port = worker.endpoint.port.address[1]
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    about = {"worker_id": worker.worker_id, "boot_id": worker.boot_id, "udp_port": port, "nice": nice}
    log.info("sfu.ready", **about, media_path=use_compiled())
    ended = asyncio.Event()
    async with systemd.ready(f"media on UDP port {port}"), asyncio.TaskGroup() as group:
        group.create_task(worker.run(ended))
        await stopping.asked.wait()
        systemd.notify(STOPPING="1", STATUS="draining")
        await worker.drain(drain_s, stopping.at_once)
        ended.set()


async def _open_endpoint(settings: Settings, clock: SystemClock) -> MediaEndpoint:
    announce = [split_place(item) for item in settings.announce]
    try:
        return await MediaEndpoint.open(
            settings.udp_host,
            settings.udp_port,
            announce=announce,
            clock=clock,
            engine=load_engine() if settings.engine else None,
        )
    except OSError as error:
        place = f"{settings.udp_host}:{settings.udp_port}"
        raise ConfigError(f"cannot take media on UDP {place}: {error.strerror}; set --udp-port") from None


def read_token(path: Path | None) -> str | None:
    """The API's bearer token: the file's first line, else the environment's; None without either."""
    if path is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if not token:
        raise ConfigError(f"{path}: holds no token")
    return token


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sfu", description="One SFU worker by itself.")
    parser.add_argument("--worker-id", default="sfu-1")
    parser.add_argument("--api", required=True, help="unix:/path or host:port")
    parser.add_argument("--token-file", type=Path, help=f"bearer token; else ${TOKEN_VARIABLE}")
    parser.add_argument("--udp-host")
    parser.add_argument("--udp-port", type=int)
    parser.add_argument("--announce", help="host:port,…")
    parser.add_argument("--log-level")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of one worker without the rest of the service."""
    import uvloop

    given = _parse(arguments)
    settings = load_settings(
        udp_host=given.udp_host, udp_port=given.udp_port, announce=given.announce, log_level=given.log_level
    )
    configure_logging(settings.log_level, "sfu")
    token = read_token(given.token_file)
    try:
        uvloop.run(run(settings, worker_id=given.worker_id, api=given.api, token=token))
    except ConfigError as error:
        raise SystemExit(str(error)) from None
