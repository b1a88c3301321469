"""With a real SFU worker process: a feed published by WHIP is seen over the room's WebSocket."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core import messages
from core.directory import MemoryDirectory
from core.worker_api import CreateTransport, Subscriptions, TransportDescription
from signaling.worker_pool import WorkerPool
from tests.sfu.peers import Publisher, Subscriber, h264_frame, track
from tests.signaling.conftest import RoomClient, World, bearer, make_world

WITHIN_S = 40.0
"""A busy machine takes its time to start a process."""


class WhipApi:
    """The worker's `create`, as a WHIP client sees it."""

    def __init__(self, world: World, token: str) -> None:
        self._world = world
        self._token = token
        self.location = ""
        self.etag = ""

    async def create(self, request: CreateTransport) -> TransportDescription:
        assert request.offer is not None
        response = await self._world.whip(request.feed, self._token, request.offer)
        assert response.status == 201, await response.text()
        self.location, self.etag = response.headers["Location"], response.headers["ETag"]
        return TransportDescription(transport_id=request.transport_id, sdp=await response.text())

    async def answer(self, transport_id: str, sdp: str) -> None:
        raise AssertionError("a WHIP client offers")

    async def subscribe(self, transport_id: str, wanted: Subscriptions) -> TransportDescription:
        raise AssertionError("a WHIP client publishes")


class RoomApi:
    """The worker's `create` and `answer`, as a room client sees them."""

    def __init__(self, client: RoomClient) -> None:
        self._client = client

    async def create(self, request: CreateTransport) -> TransportDescription:
        await self._client.send(messages.Subscribe())
        offer = await self._client.next(messages.Offer)
        return TransportDescription(
            transport_id=offer.transport_id,
            sdp=offer.sdp,
            revision=offer.revision,
            mids={item.mid: item.track_id for item in offer.tracks},
        )

    async def answer(self, transport_id: str, sdp: str) -> None:
        offer = next(m for m in reversed(self._client.seen) if isinstance(m, messages.Offer))
        await self._client.send(messages.Answer(revision=offer.revision, sdp=sdp))

    async def subscribe(self, transport_id: str, wanted: Subscriptions) -> TransportDescription:
        raise AssertionError("the server decides what a room client gets")


class WorkerProcess:
    """`python -m sfu`, which may be killed and started again."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sfu", "--api", self._address,
            "--udp-host", "127.0.0.1", "--udp-port", "0", "--log-level", "error",
        )  # fmt: skip

    async def end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            await asyncio.wait_for(self._process.wait(), WITHIN_S)
            self._process = None


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    started = WorkerProcess(f"unix:{tmp_path / 'w.sock'}")
    await started.start()
    yield started
    await started.end(signal.SIGTERM)


@pytest.fixture
async def real(tmp_path: Path, process: WorkerProcess) -> AsyncIterator[World]:
    async with make_world(tmp_path, with_worker=False) as world:
        await _worker_connected(world)
        yield world


async def _worker_connected(world: World) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not world.context.service.pool.connected:
            await asyncio.sleep(0.01)


async def _watch(world: World, client: RoomClient) -> tuple[Subscriber, Publisher, WhipApi, str]:
    """A feed flowing from a WHIP publisher to a room member."""
    whip = WhipApi(world, world.room_token("device:box", "device"))
    publisher = Publisher([track()])
    await publisher.publish(whip, "unused", feed="ultrasound")
    added = (await client.next(messages.TrackAdded)).track
    subscriber = Subscriber()
    await subscriber.subscribe(RoomApi(client), "unused", [])
    await publisher.until(lambda: publisher.transport.sealer is not None)
    return subscriber, publisher, whip, added.track_id


async def _flow(publisher: Publisher, subscriber: Subscriber, track_id: str) -> None:
    """Send frames until some have arrived."""
    async with asyncio.timeout(WITHIN_S):
        number = 0
        while len(subscriber.packets.get(track_id, [])) < 20:
            publisher.send(h264_frame(number, 4, keyframe=number % 10 == 0), 3000)
            number += 1
            await asyncio.sleep(0.02)


async def test_a_whip_feed_reaches_a_room_member_and_comes_back_after_the_worker_is_killed(
    real: World, process: WorkerProcess
) -> None:
    client, _ = await real.join("u_1", "specialist")
    subscriber, publisher, _, track_id = await _watch(real, client)
    await _flow(publisher, subscriber, track_id)
    live = await client.next(messages.TrackChanged)
    assert (live.track.track_id, live.track.live) == (track_id, True)
    await client.next(messages.CaptureClock, track_id=track_id)

    killed_s = time.monotonic()
    await process.end(signal.SIGKILL)
    assert (await client.next(messages.MediaReset)).reason == "worker_lost"
    assert time.monotonic() - killed_s < 2
    assert any(m == messages.TrackRemoved(track_id=track_id) for m in client.seen)
    await asyncio.gather(publisher.close(), subscriber.close())

    await process.start()
    await _worker_connected(real)
    subscriber, publisher, _, again = await _watch(real, client)
    assert again != track_id
    await _flow(publisher, subscriber, again)
    await asyncio.gather(publisher.close(), subscriber.close())


async def test_peers_of_a_killed_signaling_process_notice_at_once_that_their_transports_are_gone(
    real: World,
) -> None:
    client, _ = await real.join("u_1", "specialist")
    subscriber, publisher, _, track_id = await _watch(real, client)
    await _flow(publisher, subscriber, track_id)
    successor = WorkerPool([real.worker.address], MemoryDirectory(), None)
    running = asyncio.create_task(successor.run())
    try:
        async with asyncio.timeout(WITHIN_S):
            await publisher.until(lambda: publisher.states[-1] == "closed")
            await subscriber.until(lambda: subscriber.states[-1] == "closed")
        assert publisher.transport.close_reason == "peer_closed"
    finally:
        running.cancel()
        await asyncio.gather(running, publisher.close(), subscriber.close(), return_exceptions=True)


async def test_ice_restarts_and_the_end_of_a_feed_go_through_to_the_worker(real: World) -> None:
    client, _ = await real.join("u_1", "specialist")
    subscriber, publisher, whip, track_id = await _watch(real, client)
    await _flow(publisher, subscriber, track_id)
    token = bearer(real.room_token("device:box", "device"))
    headers = token | {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
    fragment = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
    async with real.session.patch(whip.location, data=fragment, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert "a=ice-ufrag:" in await response.text()
        assert response.headers["ETag"] != whip.etag
    async with real.session.delete(whip.location, headers=token) as response:
        assert response.status == 200
    await client.next(messages.TrackRemoved, track_id=track_id)
    await asyncio.gather(publisher.close(), subscriber.close())


async def test_an_offer_that_is_no_offer_is_refused_by_the_real_worker(real: World) -> None:
    token = real.room_token("device:box", "device")
    for sdp in (
        "v=0\r\n",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 X 96\r\n",
        "v=0" * 999,
    ):
        response = await real.whip("ultrasound", token, sdp)
        assert response.status == 422, await response.text()
        assert response.content_type == "application/problem+json"
