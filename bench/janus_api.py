"""Janus' JSON API over a WebSocket on a Unix socket, as far as its VideoRoom needs it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from typing import Any, Final

import aiohttp

from rtp.sdp import Session, parse_sdp

JANUS_ROOM: Final = 1
KEEP_ALIVE_S: Final = 25.0
"""Janus ends a session that is silent for a minute."""
REPLY_DEADLINE_S: Final = 20.0
PLUGIN: Final = "janus.plugin.videoroom"
NO_SUCH_FEED: Final = 428
FEED_DEADLINE_S: Final = 5.0
FEED_RETRY_S: Final = 0.05

Message = dict[str, Any]


class JanusRefused(RuntimeError):
    """Janus, or its plugin, said no; `code` is its number for why."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class JanusClient:
    """One Janus session; every publisher or subscriber has a plugin handle in it."""

    def __init__(self, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._http = http
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._handles: dict[str, int] = {}
        self._session_id: int | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, path: str) -> JanusClient:
        """Connect to the socket and create the session."""
        http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(path))
        try:
            socket = await http.ws_connect("http://janus/", protocols=("janus-protocol",))
            client = cls(http, socket)
            client._tasks.append(asyncio.create_task(client._read()))
            client._session_id = (await client._ask({"janus": "create"}))["data"]["id"]
        except BaseException:
            await http.close()
            raise
        client._tasks.append(asyncio.create_task(client._keep_alive()))
        return client

    async def publish(self, name: str, offer: Session) -> tuple[Session, list[str]]:
        """Join the room and publish in one request; the publisher's number is what to subscribe to."""
        body = {"request": "joinandconfigure", "ptype": "publisher", "room": JANUS_ROOM, "display": name}
        event = await self._plugin(name, body, _jsep("offer", offer))
        return parse_sdp(event["jsep"]["sdp"]), [str(event["plugindata"]["data"]["id"])]

    async def subscribe(self, name: str, track_ids: Sequence[str]) -> Session:
        """Ask for everything these publishers send. One just connected is there a moment later."""
        streams = [{"feed": int(number)} for number in track_ids]
        body = {"request": "join", "ptype": "subscriber", "room": JANUS_ROOM, "streams": streams}
        deadline = asyncio.get_running_loop().time() + FEED_DEADLINE_S
        while True:
            try:
                return parse_sdp((await self._plugin(name, body))["jsep"]["sdp"])
            except JanusRefused as refused:
                if refused.code != NO_SUCH_FEED or asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(FEED_RETRY_S)

    async def answer(self, name: str, answer: Session) -> None:
        """Start the subscription."""
        await self._plugin(name, {"request": "start"}, _jsep("answer", answer))

    async def close(self) -> None:
        """End the session, and with it all its handles."""
        with contextlib.suppress(ConnectionError, TimeoutError, JanusRefused):
            await self._ask({"janus": "destroy"})
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()
        await self._http.close()

    async def _plugin(self, name: str, body: Message, jsep: Message | None = None) -> Message:
        if name not in self._handles:
            attached = await self._ask({"janus": "attach", "plugin": PLUGIN})
            self._handles[name] = attached["data"]["id"]
        message: Message = {"janus": "message", "handle_id": self._handles[name], "body": body}
        return await self._ask(message | ({"jsep": jsep} if jsep else {}))

    async def _ask(self, message: Message) -> Message:
        """The reply; of requests to a plugin its event, not the `ack` before it."""
        transaction = str(next(self._numbers))
        reply: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[transaction] = reply
        session = {} if self._session_id is None else {"session_id": self._session_id}
        try:
            await self._socket.send_json(message | session | {"transaction": transaction})
            async with asyncio.timeout(REPLY_DEADLINE_S):
                return _checked(await reply)
        finally:
            del self._waiting[transaction]

    async def _read(self) -> None:
        async for frame in self._socket:
            message: Message = frame.json()
            reply = self._waiting.get(message.get("transaction", ""))
            if reply is not None and not reply.done() and message["janus"] != "ack":
                reply.set_result(message)
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(ConnectionError("Janus closed the connection"))

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE_S)
            # Answered by an `ack` only, which nobody waits for.
            message = {"janus": "keepalive", "session_id": self._session_id, "transaction": "alive"}
            await self._socket.send_json(message)


def _jsep(kind: str, session: Session) -> Message:
    return {"type": kind, "sdp": session.serialize()}


def _checked(message: Message) -> Message:
    if message["janus"] == "error":
        raise JanusRefused(str(message["error"].get("reason")), int(message["error"].get("code", 0)))
    data = message.get("plugindata", {}).get("data", {})
    if "error" in data:
        raise JanusRefused(str(data["error"]), int(data.get("error_code", 0)))
    return message
