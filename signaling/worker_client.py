"""One SFU worker as signaling sees it: calls to its internal API, and the event WebSocket of its life."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeVar

import aiohttp
import structlog
from pydantic import BaseModel, ValidationError

from core.errors import RemoteError, TeleconsultError, Unavailable
from core.messages import Source
from core.worker_api import (
    CreateTransport,
    Fragment,
    FragmentAnswer,
    PausedTracks,
    SessionDescription,
    Subscriptions,
    TransportDescription,
    TransportView,
    WorkerDraining,
    WorkerReady,
    parse_worker_event,
)

log = structlog.get_logger()

TOKEN_VARIABLE: Final = "SFU_API_TOKEN"  # noqa: S105 - a variable's name
RECONNECT_FIRST_S: Final = 0.05
RECONNECT_MAX_S: Final = 1.0
RECONNECT_SHARE: Final = 100
"""The next attempt comes after a hundredth of the time away: 0.1 s after ten seconds."""
CALL_TIMEOUT_S: Final = 5.0
HEARTBEAT_S: Final = 5.0
LOST_AFTER_S: Final = 3.0
"""Not reachable for so long: clients are moved. A refused connection means the process is gone, at once."""
_UNIX: Final = "unix:"

_M = TypeVar("_M", bound=BaseModel)


class WorkerListener(Protocol):
    """Whoever owns the transports."""

    def worker_connected(self, worker: WorkerClient) -> None:
        """It can take transports now."""

    def worker_event(self, worker: WorkerClient, event: Any) -> None:
        """One of its `WorkerEvent`s but `WorkerReady` and `WorkerDraining`."""

    def worker_draining(self, worker: WorkerClient) -> None:
        """It takes nothing new and ends soon."""

    def worker_lost(self, worker: WorkerClient) -> None:
        """All transports it had are gone."""


class WorkerClient:
    """`address`: `unix:/path` or `host:port` (or an http URL). `run` keeps the event connection up."""

    def __init__(self, address: str, listener: WorkerListener, token: str | None = None) -> None:
        self.address = address
        self.worker_id = ""
        self.boot_id: str | None = None
        self.connected = False
        self.draining = False
        self._listener = listener
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    # --- calls ---------------------------------------------------------------------------

    async def create(self, wanted: CreateTransport) -> TransportDescription:
        return await self._model(TransportDescription, "POST", "/v1/transports", wanted)

    async def offer(self, transport_id: str, sdp: str, sources: dict[str, Source]) -> TransportDescription:
        path = f"/v1/transports/{transport_id}/offer"
        return await self._model(
            TransportDescription, "POST", path, SessionDescription(sdp=sdp, sources=sources)
        )

    async def answer(self, transport_id: str, sdp: str) -> None:
        await self._call("POST", f"/v1/transports/{transport_id}/answer", SessionDescription(sdp=sdp))

    async def subscribe(self, transport_id: str, wanted: Subscriptions) -> TransportDescription:
        path = f"/v1/transports/{transport_id}/subscriptions"
        return await self._model(TransportDescription, "PUT", path, wanted)

    async def set_view(self, transport_id: str, view: TransportView) -> None:
        """What an adaptive subscriber shows from now on."""
        await self._call("PUT", f"/v1/transports/{transport_id}/view", view)

    async def patch(self, transport_id: str, fragment: str) -> str | None:
        """Our fragment after an ICE restart, None after plain candidates."""
        body = Fragment(fragment=fragment)
        answer = await self._model(FragmentAnswer, "PATCH", f"/v1/transports/{transport_id}", body)
        return answer.fragment

    async def set_paused(self, track_ids: Sequence[str], paused: bool) -> None:
        """Forward nothing of these tracks, or go on; those that are gone are passed over."""
        await self._call("PUT", "/v1/tracks/paused", PausedTracks(track_ids=list(track_ids), paused=paused))

    async def stats(self) -> dict[str, Any]:
        """What the worker counts."""
        stats: dict[str, Any] = json.loads(await self._call("GET", "/v1/stats", None))
        return stats

    async def delete(self, transport_id: str) -> None:
        """Quietly succeeds when the transport or its worker is gone already."""
        with contextlib.suppress(TeleconsultError):
            await self._call("DELETE", f"/v1/transports/{transport_id}", None)

    async def transport_ids(self) -> frozenset[str]:
        """The transports the worker has."""
        return frozenset(session["transport_id"] for session in (await self.stats())["sessions"])

    async def _model(self, model: type[_M], method: str, path: str, body: BaseModel) -> _M:
        try:
            return model.model_validate_json(await self._call(method, path, body))
        except ValidationError:
            raise Unavailable("the media server gave an answer we do not understand") from None

    async def _call(self, method: str, path: str, body: BaseModel | None) -> bytes:
        """Raises `RemoteError` (with the worker's code and status) or `Unavailable`."""
        if self._session is None:
            raise Unavailable("the media server is not connected", code="no_worker")
        data = None if body is None else body.model_dump_json()
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.request(method, path, data=data, headers=headers) as response:
                content = await response.read()
                if response.status >= 400:
                    raise await _error(response)
                return content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("worker.call_failed", worker=self.worker_id, error=type(error).__name__)
            raise Unavailable("the media server does not answer; try again", code="no_worker") from None

    # --- events --------------------------------------------------------------------------

    async def run(self) -> None:
        """Stay connected until cancelled."""
        async with self._open_session() as self._session:
            try:
                await self._stay_connected(self._session)
            finally:
                self.connected = False
                self._session = None

    async def _stay_connected(self, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        last_seen_s = loop.time()
        while True:
            gone = False
            try:
                async with session.ws_connect("/v1/events", heartbeat=HEARTBEAT_S) as socket:
                    await self._read_events(socket)
            except aiohttp.ClientConnectorError as error:
                gone = isinstance(error.os_error, (ConnectionRefusedError, FileNotFoundError))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                log.info("worker.unreachable", address=self.address, error=type(error).__name__)
            if self.connected:
                self.connected, last_seen_s = False, loop.time()
                log.warning("worker.disconnected", worker=self.worker_id)
            if gone or loop.time() - last_seen_s > LOST_AFTER_S:
                self._lose()
            await asyncio.sleep(reconnect_delay_s(loop.time() - last_seen_s))

    async def _read_events(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                continue
            try:
                event = parse_worker_event(message.data)
            except ValidationError:
                log.error("worker.event_not_understood", worker=self.worker_id)
                continue
            if isinstance(event, WorkerReady):
                self._ready(event)
            elif isinstance(event, WorkerDraining):
                self.draining = True
                self._listener.worker_draining(self)
            else:
                self._listener.worker_event(self, event)

    def _ready(self, event: WorkerReady) -> None:
        self.worker_id = event.worker_id
        if self.boot_id != event.boot_id:
            self._lose()
        self.boot_id, self.connected, self.draining = event.boot_id, True, False
        log.info("worker.connected", worker=event.worker_id, boot_id=event.boot_id)
        self._listener.worker_connected(self)

    def _lose(self) -> None:
        """The process we knew is gone, and with it every transport."""
        if self.boot_id is not None:
            log.warning("worker.lost", worker=self.worker_id, boot_id=self.boot_id)
            self._listener.worker_lost(self)
            self.boot_id = None

    def _open_session(self) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S, sock_connect=1.0)
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        if self.address.startswith(_UNIX):
            connector: aiohttp.BaseConnector = aiohttp.UnixConnector(self.address.removeprefix(_UNIX))
            base = "http://worker"
        else:
            connector = aiohttp.TCPConnector()
            base = self.address if "://" in self.address else f"http://{self.address}"
        return aiohttp.ClientSession(base, connector=connector, timeout=timeout, headers=headers)


def reconnect_delay_s(away_s: float) -> float:
    """Often while a worker may be restarting, ever more seldom when it stays away."""
    return min(max(away_s / RECONNECT_SHARE, RECONNECT_FIRST_S), RECONNECT_MAX_S)


async def _error(response: aiohttp.ClientResponse) -> TeleconsultError:
    try:
        body = await response.json()
        code, message = str(body["code"]), str(body["message"])
    except (aiohttp.ClientError, ValueError, KeyError, TypeError):
        code, message = "worker_error", "the media server could not do this"
    if response.status in (401, 403) or response.status >= 500:
        log.error("worker.refused", status=response.status, code=code)
        return Unavailable("the media server could not do this; try again")
    return RemoteError(message, code=code, status=response.status)
