"""The worker's internal HTTP API (`core/worker_api.py`): aiohttp on a Unix socket, or TCP with a token.

Errors are `{"code", "message"}` with the status of the `TeleconsultError` behind them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog
from aiohttp import WSCloseCode, web
from pydantic import ValidationError

from core.errors import ConfigError, RemoteError, TeleconsultError
from core.messages import SDP_MAX_CHARS
from core.worker_api import (
    CreateTransport,
    Fragment,
    FragmentAnswer,
    PausedTracks,
    SessionDescription,
    Subscriptions,
    TransportView,
)
from sfu.events import SlowReader
from sfu.worker import Worker

log = structlog.get_logger()

UNIX_PREFIX: Final = "unix:"
BODY_MAX_BYTES: Final = 2 * SDP_MAX_CHARS
HEARTBEAT_S: Final = 10.0
SHUTDOWN_S: Final = 1.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WorkerApi:
    """Routes of one worker."""

    def __init__(self, worker: Worker, token: str | None) -> None:
        self._worker = worker
        self._token = token
        self._watchers: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        """The aiohttp application; every route needs the token when there is one."""
        app = web.Application(
            middlewares=[self._authenticate, _problems], client_max_size=BODY_MAX_BYTES, logger=log
        )
        app.router.add_post("/v1/transports", self._create)
        app.router.add_post("/v1/transports/{id}/offer", self._offer)
        app.router.add_post("/v1/transports/{id}/answer", self._answer)
        app.router.add_put("/v1/transports/{id}/subscriptions", self._subscriptions)
        app.router.add_put("/v1/transports/{id}/view", self._view)
        app.router.add_put("/v1/tracks/paused", self._paused)
        app.router.add_patch("/v1/transports/{id}", self._patch)
        app.router.add_delete("/v1/transports/{id}", self._delete)
        app.router.add_get("/v1/stats", self._stats)
        app.router.add_get("/v1/events", self._events)
        app.on_shutdown.append(self._close_watchers)
        return app

    @web.middleware
    async def _authenticate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._token is not None:
            given = request.headers.get("Authorization", "").encode(errors="replace")
            if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
                return _problem(401, "unauthorized", "This worker needs its bearer token.")
        return await handler(request)

    async def _create(self, request: web.Request) -> web.Response:
        wanted = CreateTransport.model_validate_json(await request.read())
        return _json(self._worker.create(wanted).model_dump_json(), status=201)

    async def _offer(self, request: web.Request) -> web.Response:
        body = SessionDescription.model_validate_json(await request.read())
        return _json(self._worker.offer(request.match_info["id"], body.sdp, body.sources).model_dump_json())

    async def _answer(self, request: web.Request) -> web.Response:
        body = SessionDescription.model_validate_json(await request.read())
        self._worker.answer(request.match_info["id"], body.sdp)
        return web.Response(status=204)

    async def _subscriptions(self, request: web.Request) -> web.Response:
        wanted = Subscriptions.model_validate_json(await request.read())
        return _json(self._worker.subscribe(request.match_info["id"], wanted).model_dump_json())

    async def _view(self, request: web.Request) -> web.Response:
        view = TransportView.model_validate_json(await request.read())
        self._worker.set_view(request.match_info["id"], view)
        return web.Response(status=204)

    async def _paused(self, request: web.Request) -> web.Response:
        self._worker.set_paused(PausedTracks.model_validate_json(await request.read()))
        return web.Response(status=204)

    async def _patch(self, request: web.Request) -> web.Response:
        body = Fragment.model_validate_json(await request.read())
        fragment = self._worker.patch(request.match_info["id"], body.fragment)
        return _json(FragmentAnswer(fragment=fragment).model_dump_json())

    async def _delete(self, request: web.Request) -> web.Response:
        self._worker.delete(request.match_info["id"], "deleted")
        return web.Response(status=204)

    async def _stats(self, _request: web.Request) -> web.Response:
        return web.json_response(self._worker.stats())

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S)
        await socket.prepare(request)
        self._watchers.add(socket)
        reading = asyncio.create_task(_answer_pings(socket))
        try:
            async with self._worker.events.subscribe(self._worker.present_state()) as reader:
                with contextlib.suppress(ConnectionError):
                    while not socket.closed:
                        await socket.send_str((await reader.get()).model_dump_json())
        except SlowReader:
            log.warning("events.reader_too_slow")
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
        finally:
            reading.cancel()
            self._watchers.discard(socket)
        return socket

    async def _close_watchers(self, _app: web.Application) -> None:
        for socket in list(self._watchers):
            await socket.close(code=WSCloseCode.GOING_AWAY)


async def _answer_pings(socket: web.WebSocketResponse) -> None:
    """aiohttp answers pings, and takes pongs, only while somebody receives."""
    async for _ in socket:
        pass


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ValidationError as error:
        return _problem(400, "bad_request", _first_mistake(error))
    except TeleconsultError as error:
        if not isinstance(error, RemoteError):
            log.warning("api.failed", path=request.match_info.route.name, code=error.code)
        return _problem(error.status, error.code, str(error))


def _first_mistake(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}"


def _problem(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)


def _json(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="application/json")


async def serve_api(worker: Worker, address: str, token: str | None) -> web.AppRunner:
    """Listen on `unix:/path` (mode 0600; a stale socket is replaced) or `host:port`; TCP needs a token.

    The caller cleans the runner up. Raises `ConfigError`.
    """
    if not address.startswith(UNIX_PREFIX) and token is None:
        raise ConfigError("--api host:port needs a bearer token (TELECONSULT_WORKER_TOKEN or --token-file)")
    runner = web.AppRunner(
        WorkerApi(worker, token).application(), access_log=None, shutdown_timeout=SHUTDOWN_S
    )
    await runner.setup()
    try:
        await _site(runner, address).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(f"cannot listen on {address}: {error.strerror}") from None
    return runner


def _site(runner: web.AppRunner, address: str) -> web.BaseSite:
    if address.startswith(UNIX_PREFIX):
        return _PrivateUnixSite(runner, address.removeprefix(UNIX_PREFIX))
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise ConfigError(f"--api {address}: give unix:/path or host:port")
    return web.TCPSite(runner, host.strip("[]"), int(port))


class _PrivateUnixSite(web.UnixSite):
    """A Unix socket only its owner may use, from its first moment on."""

    async def start(self) -> None:
        _make_room(Path(str(self._path)))
        before = os.umask(0o177)
        try:
            await super().start()
        finally:
            os.umask(before)


def _make_room(path: Path) -> None:
    """Remove the socket a killed predecessor left behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_socket():
        path.unlink()
