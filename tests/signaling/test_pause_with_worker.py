"""The privacy pause with a real worker process and real peers, by what arrives: room members, WHEP players,
late comers, a worker that is killed while the pause lasts.
"""

from __future__ import annotations

import asyncio
import signal

from core import messages
from rtp.negotiation import offer_view, read_view_answer
from rtp.sdp import parse_sdp
from tests.sfu.peers import Publisher, Subscriber, h264_frame, track
from tests.signaling.conftest import RoomClient, World, bearer
from tests.signaling.room_people import enter, person
from tests.signaling.test_with_worker import (
    WITHIN_S,
    RoomApi,
    WhipApi,
    WorkerProcess,
    _worker_connected,
    process,
    real,
)

__all__ = ["process", "real"]


class Camera:
    """A capture box that sends numbered frames all the time."""

    def __init__(self, world: World) -> None:
        self.publisher = Publisher([track()])
        self.number = 0
        self._world = world
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.publisher.publish(
            WhipApi(self._world, person(self._world, "device").token), "unused", feed="ultrasound"
        )
        await self.publisher.until(lambda: self.publisher.transport.sealer is not None)
        self._task = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self.publisher.transport.state != "closed":
            key = self.publisher.take_keyframe_wish() or self.number % 50 == 0
            self.publisher.send(h264_frame(self.number, 4, keyframe=key), self.number * 3_000)
            self.number += 1
            await asyncio.sleep(0.01)

    async def frames(self, count: int) -> None:
        """Until so many more were sent."""
        wanted = self.number + count
        async with asyncio.timeout(WITHIN_S):
            while self.number < wanted:
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.publisher.close()


def _frames(peer: Subscriber) -> list[bytes]:
    """Payloads of media packets as they came; no retransmissions, which are longer by a number in front."""
    return [packet.payload for packet in peer.raw if packet.payload[:1] == b"\x7c"]


def _number(payload: bytes) -> int:
    return int.from_bytes(payload[3:7], "big")


def _numbers(peer: Subscriber) -> list[int]:
    return [_number(payload) for payload in _frames(peer)]


async def _watch(client: RoomClient) -> Subscriber:
    peer = Subscriber()
    await peer.subscribe(RoomApi(client), "unused", [])
    return peer


async def _play(world: World) -> Subscriber:
    """A WHEP player."""
    peer = Subscriber()
    await peer.transport.gather()
    offer = offer_view(peer.local(), ("video",))
    headers = bearer(person(world, "viewer").token) | {"Content-Type": "application/sdp"}
    async with world.session.post(
        "/whep/demo/ultrasound", data=offer.serialize(), headers=headers
    ) as response:
        assert response.status == 201, await response.text()
        answer = parse_sdp(await response.text())
    peer.media, remote = read_view_answer(offer, answer)
    peer.receive_as({media.mid: "whep" for media in peer.media})
    await peer.connect(remote, "active")
    return peer


async def _see(peer: Subscriber, beyond: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        await peer.until(lambda: any(number > beyond for number in _numbers(peer)))


async def _set(host: RoomClient, paused: bool) -> None:
    await host.send(messages.SetPaused(paused=paused))
    await host.next(messages.PausedChanged, paused=paused)


async def test_nobody_receives_a_packet_of_the_pause_whatever_way_they_watch(real: World) -> None:
    host, _ = await enter(real, person(real, "host"))
    expert, _ = await enter(real, person(real, "invited"))
    late, _ = await enter(real, person(real, "invited", name="u_late"))
    camera = Camera(real)
    await camera.start()
    await expert.next(messages.TrackAdded)
    peers = [await _watch(expert), await _play(real)]
    for peer in peers:
        await _see(peer, 0)
    await _set(host, True)
    begin = camera.number
    peers += [await _watch(late), await _play(real)]
    await camera.frames(100)
    end = camera.number
    await _set(host, False)
    for peer in peers:
        await _see(peer, end)
        assert [number for number in _numbers(peer) if begin < number < end - 1] == []
        after = next(payload for payload in _frames(peer) if _number(payload) >= end - 1)
        assert after[1] & 0x1F == 5, "a keyframe comes first"
    await asyncio.gather(camera.stop(), *(peer.close() for peer in peers))


async def test_the_pause_outlives_a_killed_worker(real: World, process: WorkerProcess) -> None:
    host, _ = await enter(real, person(real, "host"))
    expert, _ = await enter(real, person(real, "invited"))
    camera = Camera(real)
    await camera.start()
    await expert.next(messages.TrackAdded)
    peer = await _watch(expert)
    await _see(peer, 0)
    await _set(host, True)
    await process.end(signal.SIGKILL)
    await expert.next(messages.MediaReset)
    await asyncio.gather(camera.stop(), peer.close())
    await process.start()
    await _worker_connected(real)
    camera = Camera(real)
    await camera.start()
    added = await expert.next(messages.TrackAdded)
    assert added.track.paused
    peer = await _watch(expert)
    await peer.until(lambda: peer.states[-1:] == ["connected"])
    await camera.frames(100)
    assert peer.raw == []
    end = camera.number
    await _set(host, False)
    await _see(peer, end)
    assert min(_numbers(peer)) >= end - 1
    await asyncio.gather(camera.stop(), peer.close())
