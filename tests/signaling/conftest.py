"""A signaling service on a real loopback port, with people, a consultation, and a worker without media."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import argon2
import pytest
from aiohttp import web

from core import messages, people
from core.clock import SystemClock
from core.config import Settings
from core.consultations import Consultation, open_consultation
from core.database import Database
from core.messages import Role
from core.passwords import Passwords
from core.people import Organisation, User
from core.tokens import Grants
from signaling.app import create_app
from signaling.context import CONTEXT, Context
from signaling.grants import device_grants, room_grants
from signaling.main import serving
from tests.signaling.worker_double import WorkerDouble

PASSWORD = "correct horse battery"
WITHIN_S = 10.0


class ShiftedClock(SystemClock):
    """The machine's clock, put forward by what a test adds."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def unix_ns(self) -> int:
        return super().unix_ns() + self.ahead_ns

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() + self.ahead_ns

    def advance(self, seconds: float) -> None:
        self.ahead_ns += int(seconds * 1e9)


class RoomClient:
    """A room WebSocket that keeps what it was told. It reads all the time, so that pings are answered."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seen: list[Any] = []
        self._next = 0
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def send(self, message: messages.Model) -> None:
        await self.socket.send_str(message.model_dump_json())

    async def next(self, wanted: type[Any], **fields: Any) -> Any:
        """The next message of that type (and with those values); others before it stay in `seen`."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                while self._next < len(self.seen):
                    message = self.seen[self._next]
                    self._next += 1
                    if isinstance(message, wanted) and all(
                        getattr(message, k) == v for k, v in fields.items()
                    ):
                        return message
                assert not self._reader.done(), f"connection ended with {self.socket.close_code}"
                self._news.clear()
                await self._news.wait()

    async def sync(self) -> list[Any]:
        """Everything not yet looked at that the server sent before it answered a ping."""
        start = self._next
        number = secrets.randbits(30)
        await self.send(messages.Ping(id=number))
        await self.next(messages.Pong, id=number)
        return self.seen[start : self._next - 1]

    async def closed(self) -> int | None:
        """Wait for the server to close; the close code."""
        async with asyncio.timeout(WITHIN_S):
            await asyncio.wait([self._reader])
        return self.socket.close_code

    async def drop(self) -> None:
        """The network is gone: no close frame."""
        self.socket._response.close()  # the public API always says goodbye

    async def close(self) -> None:
        """Goodbye."""
        await self.socket.close()
        await asyncio.wait([self._reader])

    async def _read(self) -> None:
        try:
            while (raw := await self.socket.receive()).type == aiohttp.WSMsgType.TEXT:
                self.seen.append(messages.parse_server_message(raw.data))
                self._news.set()
        finally:
            self._news.set()


@dataclass
class World:
    """Everything a test touches."""

    base_url: str
    context: Context
    clock: ShiftedClock
    database: Database
    worker: WorkerDouble
    session: aiohttp.ClientSession
    consultation: Consultation
    clinic: Organisation
    hospital: Organisation
    users: dict[str, User]
    settings: Settings
    app: web.Application
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def login(self, username: str, password: str = PASSWORD) -> dict[str, Any]:
        body = {"username": username, "password": password}
        async with self.session.post("/api/v1/auth/login", json=body) as response:
            assert response.status == 200, await response.text()
            return dict(await response.json())

    async def get(self, path: str, token: str | None = None) -> tuple[int, Any]:
        async with self.session.get(path, headers=bearer(token)) as response:
            return response.status, await response.json()

    async def post(self, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        async with self.session.post(path, json=body, headers=bearer(token)) as response:
            text = await response.text()
            return response.status, (await response.json(content_type=None)) if text else None

    def room_token(self, subject: str, role: Role, grants: Grants | None = None, **extra: Any) -> str:
        return self.context.tokens.issue_room(
            **{
                "sub": subject,
                "role": role,
                "org": self.clinic.organisation_id,
                "name": subject,
                "org_name": "Clinic",
                "room": "demo",
                "con": self.consultation.consultation_id,
                "grants": grants or (device_grants(None) if role == "device" else room_grants(role)),
            }
            | extra
        )

    async def connect(self, token: str | None, hello: messages.Hello | None = None) -> RoomClient:
        """A socket that has said hello; the welcome is not read yet."""
        protocols = ["teleconsult.v1"] + ([f"token.{token}"] if token else [])
        socket = await self.session.ws_connect("/ws", params={"room": "demo"}, protocols=protocols)
        client = RoomClient(socket)
        self.stack.push_async_callback(client.close)
        await client.send(hello or messages.Hello())
        return client

    async def join(self, subject: str, role: Role, grants: Grants | None = None) -> tuple[RoomClient, Any]:
        client = await self.connect(self.room_token(subject, role, grants))
        return client, await client.next(messages.Welcome)

    async def publish(self, client: RoomClient, *tracks: str) -> messages.Published:
        """`tracks`: such as `video/camera`."""
        sources = [
            messages.PublishedSource.model_validate({"mid": str(n), "source": track.split("/")[1]})
            for n, track in enumerate(tracks)
        ]
        await client.send(messages.Publish(offer=f"v=0\r\npublish:{','.join(tracks)}", sources=sources))
        published: messages.Published = await client.next(messages.Published)
        return published

    async def whip(
        self, feed: str, token: str, sdp: str = "v=0\r\n", **headers: str
    ) -> aiohttp.ClientResponse:
        all_headers = {"Content-Type": "application/sdp", **bearer(token), **headers}
        response = await self.session.post(f"/whip/demo/{feed}", data=sdp, headers=all_headers)
        await response.read()
        return response

    async def audit(self) -> list[tuple[str, str, str]]:
        from core.trail import read_audit

        return [(row.actor, row.action, row.outcome) for row in await read_audit(self.database)]


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


@asynccontextmanager
async def make_world(tmp_path: Path, *, with_worker: bool = True) -> AsyncIterator[World]:
    web_root = tmp_path / "web"
    (web_root / "assets").mkdir(parents=True)
    (web_root / "index.html").write_text("<!doctype html><title>Teleconsult</title>")
    settings = Settings(data_dir=tmp_path, port=0, web_root=web_root).resolve_paths()
    clock = ShiftedClock()
    passwords = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.database_url, clock)
        stack.push_async_callback(database.close)
        worker = WorkerDouble(tmp_path / "w.sock")
        stack.push_async_callback(worker.stop)
        if with_worker:
            await worker.start()
        clinic = await people.create_organisation(database, "Clinic")
        hospital = await people.create_organisation(database, "Hospital")
        stranger = await people.create_organisation(database, "Elsewhere")
        users = {}
        for name, role, organisation in (
            ("wang", "specialist", hospital),
            ("li", "site", clinic),
            ("zhao", "auditor", clinic),
            ("root", "admin", clinic),
            ("mallory", "specialist", stranger),
        ):
            users[name] = await people.create_user(
                database,
                username=name,
                password_hash=await passwords.hash(PASSWORD),
                role=role,  # type: ignore[arg-type]  # one of the literals above
                organisation=organisation,
                display_name=name.title(),
            )
        consultation = await open_consultation(
            database,
            room="demo",
            header="张*三",
            record=True,
            organisation_id=clinic.organisation_id,
            invited=[hospital.organisation_id],
        )
        app = await create_app(
            settings, database, clock, [worker.address], passwords=passwords, place_wait_s=0.3
        )
        port = await stack.enter_async_context(serving(app, settings, first_request_within_s=1.0))
        base_url = f"http://127.0.0.1:{port}"
        session = await stack.enter_async_context(aiohttp.ClientSession(base_url))
        if with_worker:
            async with asyncio.timeout(WITHIN_S):
                await worker.connected.wait()
                while not app[CONTEXT].service.pool.connected:
                    await asyncio.sleep(0.005)
        world = World(
            base_url,
            app[CONTEXT],
            clock,
            database,
            worker,
            session,
            consultation,
            clinic,
            hospital,
            users,
            settings,
            app,
        )
        await stack.enter_async_context(world.stack)
        yield world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        yield made


@pytest.fixture
async def workerless(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, with_worker=False) as made:
        yield made
