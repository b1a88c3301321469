"""The real service in one process: signaling, an SFU worker, publishers over WHIP, and the recorder under
test.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import argon2
from aiohttp import web

from archive import canonical, layout
from archive.entries import Entry, PieceEntry, parse_entry
from core import people
from core.clock import SystemClock
from core.config import Recipient, Settings
from core.consultations import Consultation, close_consultation, open_consultation
from core.database import Database
from core.passwords import Passwords
from core.supervisor import own_command
from core.worker_api import CreateTransport, TransportDescription
from recorder.main import record
from rtp.negotiation import OutgoingTrack
from rtp.payload import h264, opus
from sfu.api import serve_api
from sfu.worker import Worker
from signaling.app import create_app
from signaling.context import CONTEXT
from signaling.grants import device_grants
from signaling.main import serving
from teleconsult.serve import settings_environment
from tests.archive import support as archives
from tests.recorder import support
from tests.sfu.peers import Publisher, track
from tests.support.waiting import until
from transport.endpoint import MediaEndpoint

ROOM = "theatre-1"
WITHIN_S = 30.0
CLOCK = SystemClock()
PAYLOAD_BYTES = 1_100


@dataclass
class MediaServer:
    """One SFU worker on a Unix socket; `kill` takes it away without a goodbye."""

    worker: Worker
    runner: web.AppRunner
    endpoint: MediaEndpoint
    ticking: asyncio.Task[None]

    @classmethod
    async def start(cls, address: str) -> MediaServer:
        endpoint = await MediaEndpoint.open("127.0.0.1", 0, clock=CLOCK)
        worker = Worker(endpoint, "sfu-1", CLOCK)
        runner = await serve_api(worker, address, None)
        return cls(worker, runner, endpoint, asyncio.create_task(worker.run(asyncio.Event())))

    async def kill(self) -> None:
        self.ticking.cancel()
        await self.endpoint.close()
        await self.runner.cleanup()


class WhipApi:
    """What `Publisher` needs, over WHIP."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session, self._url, self._token = session, url, token

    async def create(self, request: CreateTransport) -> TransportDescription:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/sdp"}
        async with self._session.post(self._url, data=request.offer, headers=headers) as response:
            assert response.status == 201, await response.text()
            return TransportDescription(transport_id=request.transport_id, sdp=await response.text())

    async def answer(self, transport_id: str, sdp: str) -> None:
        raise AssertionError("a publisher offers")

    async def subscribe(self, transport_id: str, wanted: Any) -> TransportDescription:
        raise AssertionError("a publisher does not subscribe")


class Feed:
    """A capture box with a real picture and a tone, in real time."""

    def __init__(self) -> None:
        tracks: list[OutgoingTrack] = [track("video", "H264"), track("audio", "opus")]
        self.publisher = Publisher(tracks)
        self.frames_sent = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self, api: WhipApi) -> None:
        await self.publisher.publish(api, "t_feed", room=ROOM)
        self._task = asyncio.create_task(self._send())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await self.publisher.close()

    async def _send(self) -> None:
        """30 pictures and 50 sounds a second; a keyframe every second, or when one is asked for."""
        units, sounds = support.video("H264"), support.audio()
        begin, heard, picture = asyncio.get_running_loop().time(), 0, 0
        asked = self.publisher.keyframe_requests
        while self.publisher.transport.state != "closed":
            if self.publisher.keyframe_requests != asked:
                asked, picture = self.publisher.keyframe_requests, 0
            payloads = h264.packetize(units[picture % len(units)].data, PAYLOAD_BYTES)
            self.publisher.send(payloads, self.frames_sent * 3_000, 0)
            picture, self.frames_sent = picture + 1, self.frames_sent + 1
            if self.frames_sent % 30 == 1:
                self.publisher.send_report(0)
            while heard * 30 < self.frames_sent * 50:
                sound = sounds[heard % len(sounds)].data
                self.publisher.send(opus.packetize(sound, PAYLOAD_BYTES), heard * 960, 1)
                heard += 1
            due = begin + self.frames_sent / support.FRAME_RATE
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))


@dataclass
class Service:
    """Everything a test touches."""

    settings: Settings
    database: Database
    app: web.Application
    session: aiohttp.ClientSession
    consultation: Consultation
    media: MediaServer
    api_address: str
    stack: AsyncExitStack
    recorders: list[tuple[asyncio.Event, asyncio.Task[None]]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.settings.archive_dir / self.consultation.consultation_id

    def start_recorder(self, **changes: Any) -> None:
        stopping = asyncio.Event()
        settings = self.settings.model_copy(update=changes)
        self.recorders.append((stopping, asyncio.create_task(record(settings, stopping, CLOCK))))

    async def start_recorder_process(
        self, before: Sequence[str] = (), *, heard: bool = False
    ) -> asyncio.subprocess.Process:
        """The recorder as `serve` starts it, with `before` in front. It ends with the test. `heard`: what it
        says is in `stdout`.
        """
        process = await asyncio.create_subprocess_exec(
            *before,
            *own_command("serve", "--role", "recorder"),
            env={**os.environ, **settings_environment(self.settings)},
            stdout=asyncio.subprocess.PIPE if heard else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT if heard else asyncio.subprocess.DEVNULL,
        )

        async def end() -> None:
            if process.returncode is None:
                process.kill()
                await process.wait()

        self.stack.push_async_callback(end)
        return process

    async def stop_recorder(self) -> None:
        stopping, task = self.recorders.pop()
        stopping.set()
        await task

    async def publish(self, feed: str = "ultrasound") -> Feed:
        context = self.app[CONTEXT]
        token = context.tokens.issue_room(
            sub=f"device:{feed}",
            role="device",
            org=self.consultation.organisation_id,
            name=feed,
            org_name="Clinic",
            room=ROOM,
            con=self.consultation.consultation_id,
            grants=device_grants(None),
        )
        started = Feed()
        await started.start(WhipApi(self.session, f"/whip/{ROOM}/{feed}", token))
        self.stack.push_async_callback(started.stop)
        return started

    async def replace_media_server(self) -> None:
        """As after `kill -9`: every transport is gone."""
        await self.media.kill()
        self.media = await MediaServer.start(self.api_address)

    async def end_consultation(self) -> None:
        await close_consultation(self.database, self.consultation.consultation_id)

    def entries(self) -> list[Entry]:
        """Whole entries there are now."""
        path = self.folder / layout.MANIFEST
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return [parse_entry(canonical.decode(line[:-1])) for line in lines if line.endswith(b"\n")]

    def pieces(self, ending: str = "video") -> list[PieceEntry]:
        return [
            item for item in self.entries() if isinstance(item, PieceEntry) and item.track.endswith(ending)
        ]

    @property
    def recording_state(self) -> str:
        room = self.app[CONTEXT].service.rooms.get(ROOM)
        return "off" if room is None else room.consultation.recording

    @property
    def recording_problem(self) -> str:
        room = self.app[CONTEXT].service.rooms.get(ROOM)
        return "" if room is None else room.consultation.recording_problem

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something on disk or in the service. Raises `AssertionError` naming it."""
        await until(condition, what, WITHIN_S)

    def events(self, identity: Path) -> list[dict[str, Any]]:
        """What was archived besides media, decrypted."""
        from archive.opening import open_objects, read_contents, unwrap

        contents = read_contents(self.folder)
        identities = unwrap(self.folder, contents.opened, identity)
        data = b"".join(open_objects(self.folder, contents.events, identities, []))
        return [json.loads(line) for line in data.splitlines()]


@asynccontextmanager
async def service(
    tmp_path: Path, recipients: list[Recipient] | None = None, *, archive_dir: Path | None = None
) -> AsyncIterator[Service]:
    wanted = list(archives.keys().recipients) if recipients is None else recipients
    settings = Settings(data_dir=tmp_path, port=0, recipients=wanted, web_root=tmp_path).resolve_paths()
    settings = settings.model_copy(update={"archive_dir": archive_dir or settings.archive_dir})
    passwords = Passwords(argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    address = f"unix:{tmp_path}/w.sock"
    async with AsyncExitStack() as stack:
        database = await Database.open(settings.database_url, CLOCK)
        stack.push_async_callback(database.close)
        clinic = await people.create_organisation(database, "Clinic")
        consultation = await open_consultation(
            database, room=ROOM, header="张*三", record=True, organisation_id=clinic.organisation_id
        )
        media = await MediaServer.start(address)
        app = await create_app(settings, database, CLOCK, [address], passwords=passwords, place_wait_s=2.0)
        port = await stack.enter_async_context(serving(app, settings))
        session = await stack.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{port}"))
        made = Service(
            settings.model_copy(update={"port": port}),
            database,
            app,
            session,
            consultation,
            media,
            address,
            stack,
        )
        await made.until(lambda: app[CONTEXT].service.pool.connected, "signaling finds the worker")
        try:
            yield made
        finally:
            while made.recorders:
                await made.stop_recorder()
            await stack.aclose()
            await made.media.kill()
