"""A person in the recorded room, over the real WebSocket and HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from core import messages
from core.messages import Role
from signaling.context import CONTEXT
from signaling.grants import room_grants
from tests.recorder.service import ROOM, Service


class Visitor:
    """Says things; what the service answers is not looked at, but for refusals."""

    def __init__(self, service: Service, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self._service, self._socket = service, socket
        self._headers = {"Authorization": f"Bearer {token}"}

    async def say(self, message: messages.Model) -> None:
        """Said, and worked on: a ping after it was answered. Raises `AssertionError` when refused."""
        await self._socket.send_str(message.model_dump_json())
        await self._socket.send_str(messages.Ping(id=7).model_dump_json())
        while True:
            answer: dict[str, Any] = await self._socket.receive_json(timeout=10)
            assert answer["type"] != "error", answer
            if answer["type"] == "pong":
                return

    async def send_file(self, ref: str, name: str, data: bytes) -> str:
        """In a chat message; the file's id."""
        headers = self._headers | {"X-File-Name": name, "Content-Type": "application/octet-stream"}
        async with self._service.session.post(
            f"/api/v1/rooms/{ROOM}/files", data=data, headers=headers
        ) as response:
            assert response.status == 201, await response.text()
            sent = await response.json()
        assert sent["sha256"] == hashlib.sha256(data).hexdigest()
        await self.say(messages.Chat(ref=ref, text="see there", file_ids=[sent["file_id"]]))
        return str(sent["file_id"])


@asynccontextmanager
async def visitor(service: Service, role: Role = "site") -> AsyncIterator[Visitor]:
    """`site`: a host; `specialist`."""
    host = role == "site"
    consultation = service.consultation
    token = service.app[CONTEXT].tokens.issue_room(
        sub=f"u_{role}",
        role=role,
        org=consultation.organisation_id,
        name=f"Dr {role}",
        org_name="Clinic",
        room=ROOM,
        con=consultation.consultation_id,
        grants=room_grants(role, host=host),
    )
    protocols = ("teleconsult.v1", f"token.{token}")
    async with service.session.ws_connect("/ws", params={"room": ROOM}, protocols=protocols) as socket:
        await socket.send_str(messages.Hello().model_dump_json(exclude_none=True))
        welcome = await socket.receive_json(timeout=10)
        assert welcome["type"] == "welcome", welcome
        yield Visitor(service, socket, token)
