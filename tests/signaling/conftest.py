"""A signaling service on a real loopback port, with people, a consultation, and a worker without media."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import argon2
import pytest
from aiohttp import web

from archive.checkpoint import COSIGNATURE, VerifierKey
from archive.keys import ArchiveSigner
from core import messages, people
from core.clock import SystemClock
from core.config import Settings
from core.consultations import Consultation, open_consultation
from core.database import Database
from core.devices import Device, create_device
from core.invitations import Invitation, create_invitation
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
WITNESS: Final = ArchiveSigner.generate()
WITNESS_KEY: Final = VerifierKey.of("witness.example/w1", WITNESS.public, COSIGNATURE)
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
    elsewhere: Organisation
    """Takes part in nothing of the clinic's."""
    box: Device
    """The clinic's, attached."""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def login(self, username: str, password: str = PASSWORD) -> dict[str, Any]:
        body = {"username": username, "password": password}
        async with self.session.post("/api/v1/auth/login", json=body) as response:
            assert response.status == 200, await response.text()
            return dict(await response.json())

    async def token(self, username: str) -> str:
        """An access token of that person."""
        return str((await self.login(username))["access_token"])

    async def recorder_token(self) -> str:
        """An access token of the recorder."""
        body = {"name": "recorder", "secret": self.settings.service_secret_file.read_text().strip()}
        _, answer = await self.post("/api/v1/auth/service", body)
        return str(answer["access_token"])

    async def invite(self, consultation: Consultation | None = None, **more: Any) -> tuple[Invitation, str]:
        """An invitation to a consultation, as its site would make one, and its token."""
        wanted = {"name": "Guest", "organisation": "Far away", "lobby": False, "minutes": 60} | more
        consultation = consultation or self.consultation
        return await create_invitation(
            self.database,
            consultation_id=consultation.consultation_id,
            created_by=self.users["li"].user_id,
            **wanted,
        )

    async def guest(self, consultation: Consultation | None = None, **more: Any) -> dict[str, Any]:
        """What a guest gets for the link."""
        _, token = await self.invite(consultation, **more)
        status, redeemed = await self.post("/api/v1/invitations/redeem", {"token": token})
        assert status == 200, redeemed
        return dict(redeemed)

    async def get(self, path: str, token: str | None = None) -> tuple[int, Any]:
        async with self.session.get(path, headers=bearer(token)) as response:
            return response.status, await response.json()

    async def post(self, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        return await self.call("POST", path, body, token)

    async def delete(self, path: str, token: str | None = None) -> tuple[int, Any]:
        return await self.call("DELETE", path, None, token)

    async def call(self, method: str, path: str, body: Any, token: str | None) -> tuple[int, Any]:
        async with self.session.request(method, path, json=body, headers=bearer(token)) as response:
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


PEOPLE: Final[dict[str, tuple[Role, str]]] = {
    "wang": ("specialist", "Hospital"),
    "li": ("site", "Clinic"),
    "zhao": ("auditor", "Clinic"),
    "root": ("admin", "Clinic"),
    "mallory": ("specialist", "Elsewhere"),
    "bai": ("specialist", "Clinic"),
    "sun": ("site", "Hospital"),
    "zhou": ("auditor", "Hospital"),
    "wu": ("site", "Elsewhere"),
    "feng": ("auditor", "Elsewhere"),
    "ma": ("admin", "Elsewhere"),
}
"""The clinic invites the hospital; elsewhere has nothing to do with it."""


async def make_people(
    database: Database, passwords: Passwords
) -> tuple[dict[str, Organisation], dict[str, User]]:
    """Everybody has the same password."""
    names = dict.fromkeys(organisation for _, organisation in PEOPLE.values())
    organisations = {name: await people.create_organisation(database, name) for name in names}
    password_hash = await passwords.hash(PASSWORD)
    users = {
        name: await people.create_user(
            database,
            username=name,
            password_hash=password_hash,
            role=role,
            organisation=organisations[organisation],
            display_name=name.title(),
        )
        for name, (role, organisation) in PEOPLE.items()
    }
    return organisations, users


@asynccontextmanager
async def make_world(
    tmp_path: Path,
    *,
    with_worker: bool = True,
    second: WorkerDouble | None = None,
    database_url: str = "",
    **more: Any,
) -> AsyncIterator[World]:
    """`more`: settings. `second`: another worker, which the test starts when it likes."""
    web_root = tmp_path / "web"
    (web_root / "assets").mkdir(parents=True)
    (web_root / "index.html").write_text("<!doctype html><title>Teleconsult</title>")
    chosen = {
        "totp_roles": [],
        "database_url": database_url,
        "web_root": web_root,
        "witnesses": [WITNESS_KEY.text],
    } | more
    settings = Settings(data_dir=tmp_path, port=0, **chosen).resolve_paths()
    clock = ShiftedClock()
    passwords = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.database_url, clock)
        stack.push_async_callback(database.close)
        worker = WorkerDouble(tmp_path / "w.sock")
        stack.push_async_callback(worker.stop)
        if with_worker:
            await worker.start()
        organisations, users = await make_people(database, passwords)
        clinic, hospital = organisations["Clinic"], organisations["Hospital"]
        box = await create_device(
            database, organisation_id=clinic.organisation_id, name="Box", feeds=["ultrasound"]
        )
        consultation = await open_consultation(
            database,
            room="demo",
            header="张*三",
            record=True,
            organisation_id=clinic.organisation_id,
            invited=[hospital.organisation_id],
            devices=[box.device_id],
            opened_by=users["li"].user_id,
        )
        addresses = [double.address for double in (worker, second) if double is not None]
        app = await create_app(settings, database, clock, addresses, passwords=passwords, place_wait_s=0.3)
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
            organisations["Elsewhere"],
            box,
        )
        await stack.enter_async_context(world.stack)
        yield world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path) as made:
        yield made


@pytest.fixture
async def everywhere(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    """A world on SQLite, and one on PostgreSQL."""
    async with make_world(tmp_path, database_url=database_url) as made:
        yield made


@pytest.fixture
async def workerless(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, with_worker=False) as made:
        yield made
