"""A real box whose whole uplink can be cut: HTTP and media pass through two ends that do."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import pytest

from archive.entries import PieceEntry, SealedEntry
from archive.faults import Verdict
from archive.keys import TrustedSigner, load_signer
from archive.opening import open_object, read_contents, unwrap_with
from archive.verify import verify_consultation
from bench.relay import Relay
from core.clock import SystemClock
from core.devices import Device, attach_device, create_device
from core.enrolments import create_code
from edge_agents import attendance, timecode
from edge_agents.box import Box, open_session
from edge_agents.config import EdgeConfig, parse_config
from edge_agents.encoder import EncodedFrame
from edge_agents.identity import Identity
from edge_agents.layers import FULL
from edge_agents.log_knob import LogKnob
from edge_agents.ring import Ring
from edge_agents.server_access import ServerAccess
from tests.archive.support import keys as archive_keys
from tests.recorder.service import Service

FEED = "ultrasound"
TRACK = f"{FEED}-device-video"
SIZE = (256, 144)
FPS = 30
FRAME_US = 1_000_000 // FPS


class CutProxy:
    """HTTP from the box to the service. While `cut`, nothing passes either way. In what the service says the
    media server's port is the relay's.
    """

    def __init__(self, service_port: int, media_port: int, relay_port: int) -> None:
        self._service_port = service_port
        self._ports = (b" %d typ" % media_port, b" %d typ" % relay_port)
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def set_cut(self, cut: bool) -> None:
        if cut:
            self._open.clear()
        else:
            self._open.set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await self._carry(reader, writer)
        self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await self._once_open(reader)
            if asked is None:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._service_port)
            with contextlib.suppress(ConnectionError):
                far_writer.write(asked)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(reader, far_writer))
                    group.create_task(self._pass(far_reader, writer, *self._ports))
        except* (ConnectionError, OSError):
            pass
        finally:
            writer.close()

    async def _once_open(self, reader: asyncio.StreamReader) -> bytes | None:
        """What came while it was cut; None for who gave up: a network that is cut keeps nothing for later."""
        asked = b""
        while not self._open.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    data = await reader.read(1 << 16)
                    if not data:
                        return None
                    asked += data
        return asked

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        said: bytes = b"",
        meant: bytes = b"",
    ) -> None:
        while data := await reader.read(1 << 16):
            await self._open.wait()
            writer.write(data.replace(said, meant) if said else data)
            await writer.drain()
        writer.close()


@dataclass
class CutBox:
    """The box, and everything it encoded."""

    config: EdgeConfig
    device: Device
    identity: Identity
    cut: Callable[[bool], None]
    encoded: list[int] = field(default_factory=list)
    """Capture times (Unix µs) of the full pictures."""
    encoded_bytes: int = 0
    """Of all pictures."""
    box: Box | None = None
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        async with open_session(self.config) as session:
            self.box = Box(self.config, self.identity, session, SystemClock(), LogKnob("info"))
            await self.box.run()


@asynccontextmanager
async def cut_ends(made: Service) -> AsyncIterator[tuple[str, Callable[[bool], None]]]:
    """Where the service is for a box that may be cut off, and how to do that."""
    media_port = made.media.endpoint.port.address[1]
    relay = await Relay.open(("127.0.0.1", media_port))
    proxy = CutProxy(made.settings.port, media_port, relay.address[1])

    def cut(off: bool) -> None:
        relay.cut = off
        proxy.set_cut(off)

    try:
        yield f"http://127.0.0.1:{await proxy.start()}", cut
    finally:
        cut(False)
        await proxy.stop()
        relay.close()


@asynccontextmanager
async def cut_box(
    made: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, attached: bool = True
) -> AsyncIterator[CutBox]:
    """Enrolled, attached, and running."""
    async with cut_ends(made) as (server, cut):
        device = await new_device(made, attached=attached)
        async with run_box(made, tmp_path, monkeypatch, device, box_settings(server), cut) as box:
            yield box


@asynccontextmanager
async def run_box(
    made: Service,
    folder: Path,
    patch: pytest.MonkeyPatch,
    device: Device,
    settings: dict[str, Any],
    cut: Callable[[bool], None],
) -> AsyncIterator[CutBox]:
    """Enrolled, and running; it asks soon, and what it encodes is noted."""
    for name in ("IDLE_S", "ATTENDING_S"):
        patch.setattr(attendance, name, 1.0)
    identity = await enrolled(made, device, settings["server"])
    box = CutBox(parse_config(settings, folder / "edge.toml"), device, identity, cut)
    put = Ring.put_video

    def seen(self: Ring, feed: str, unit: EncodedFrame) -> None:
        box.encoded_bytes += len(unit.data)
        if unit.rid == FULL:
            box.encoded.append(unit.captured.unix_us)
        put(self, feed, unit)

    patch.setattr(Ring, "put_video", seen)
    box.start()
    try:
        yield box
    finally:
        cut(False)
        await box.stop()


async def new_device(made: Service, *, attached: bool = True) -> Device:
    """Of the consultation's organisation."""
    organisation_id = made.consultation.organisation_id
    device = await create_device(made.database, organisation_id=organisation_id, name="Box", feeds=[FEED])
    if attached:
        await attach_device(made.database, made.consultation.consultation_id, device.device_id)
    return device


def box_settings(server: str) -> dict[str, Any]:
    """A box with a small test card, as its file says it."""
    feed = {
        "name": FEED,
        "source": {"kind": "testcard"},
        "width": SIZE[0],
        "height": SIZE[1],
        "fps": FPS,
        "bitrate_bps": 400_000,
        "encoder": "libx264",
        "still_mb": 8,
    }
    return {"server": server, "status_port": 0, "feeds": [feed]}


def written(settings: dict[str, Any], path: Path) -> Path:
    """As TOML: JSON's strings and numbers are TOML's, too."""
    (feed,) = settings["feeds"]
    plain = [f"{name} = {json.dumps(value)}" for name, value in settings.items() if name != "feeds"]
    inner = [f"{name} = {json.dumps(value)}" for name, value in feed.items() if name != "source"]
    source = f'source = {{ kind = "{feed["source"]["kind"]}" }}'
    path.write_text("\n".join([*plain, "[[feeds]]", *inner, source]) + "\n")
    return path


async def enrolled(made: Service, device: Device, server: str) -> Identity:
    code = await create_code(made.database, device.device_id)
    fresh = Identity(server)
    async with aiohttp.ClientSession() as session:
        got = await ServerAccess(session, fresh, SystemClock()).enrol(code.code)
    return fresh.enrolled_as(got.device_id, got.name)


def backfilled(made: Service) -> list[PieceEntry]:
    return [one for one in made.pieces() if one.source == "backfill"]


def live_pieces(made: Service) -> list[PieceEntry]:
    return [one for one in made.pieces() if one.source == "live"]


def shown_times(made: Service) -> set[int]:
    """Capture times in the pictures of the whole archive, decrypted and decoded."""
    contents = read_contents(made.folder)
    identities = unwrap_with(made.folder, contents.opened, [archive_keys().identities[0]], "test")
    found: set[int] = set()
    for generation in contents.generations:
        pieces = contents.pieces[generation.track, generation.generation]
        if generation.media != "video" or not pieces:
            continue
        entries: list[SealedEntry] = [generation, *pieces]
        objects = [open_object(made.folder, one, identities) for one in entries]
        found |= _times_in(b"".join(objects))
    return found


def _times_in(film: bytes) -> set[int]:

    times: set[int] = set()
    with av.open(io.BytesIO(film), "r") as container:
        for picture in container.decode(video=0):
            luma = np.asarray(picture.to_ndarray(format="gray"))
            read = timecode.decode(luma)
            if read is not None:
                times.add(read)
    return times


def missing_times(made: Service, cut: CutBox) -> Sequence[int]:
    """What the box encoded between the first and the last picture in the archive, and is not there."""
    shown = shown_times(made)
    first, last = min(shown), max(shown)
    return [at for at in cut.encoded if first <= at <= last and at not in shown]


def verified(made: Service) -> bool:
    """The whole archive, by its own signer; nothing undeclared is missing."""
    signer = load_signer(made.settings.signing_key_file)
    report = verify_consultation(made.folder, [TrustedSigner(signer.public, "test")])
    return report.verdict is Verdict.INTACT
