"""Wrong input on the room's WebSocket: a clear answer or an end for who sends it, nothing for the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import string
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, get_args

import aiohttp
import pytest

from core import messages
from core.messages import ClientMessage
from tests.signaling.conftest import RoomClient, World
from tests.signaling.room_people import enter, guest, knock, person, until

SLOWEST_S: Final = 5.0
"""Generous: the machine that runs this does other things, too."""
CUT_OFF: Final = (1006, 1009, 4429)
"""The reset may overtake the close frame."""


@asynccontextmanager
async def undisturbed(world: World) -> AsyncIterator[tuple[RoomClient, RoomClient]]:
    """Two people who talk all the time: each message arrives, in order, and soon; their media goes on."""
    host, _ = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    await world.publish(host, "video/camera", "audio/microphone")
    await expert.send(messages.Subscribe())
    offer = await expert.next(messages.Offer)
    await expert.send(messages.Answer(revision=offer.revision, sdp="v=0 answer"))
    transports, stop, slowest_s = set(world.worker.transports), asyncio.Event(), 0.0

    async def talk() -> None:
        """Until a little after the attack."""
        nonlocal slowest_s
        said = left = 0
        while not stop.is_set() or (left := left + 1) < 5:
            begun_s = time.monotonic()
            await host.send(messages.SetMuted(track_id=offer.tracks[0].track_id, muted=said % 2 == 0))
            changed = await expert.next(messages.TrackChanged)
            assert changed.track.muted == (said % 2 == 0)
            slowest_s = max(slowest_s, time.monotonic() - begun_s)
            said += 1
            await asyncio.sleep(0.02)

    talking = asyncio.create_task(talk())
    try:
        yield host, expert
    finally:
        stop.set()
        await talking
    assert slowest_s < SLOWEST_S
    assert transports <= set(world.worker.transports)
    for client in (host, expert):
        unasked = [
            item for item in await client.sync() if isinstance(item, messages.Error | messages.MediaReset)
        ]
        assert unasked == []


async def _socket(world: World) -> aiohttp.ClientWebSocketResponse:
    who = person(world, "specialist", name="u_mallory")
    client, _ = await enter(world, who)
    return client.socket


async def _ended(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    async with asyncio.timeout(20):
        while not socket.closed:
            await asyncio.sleep(0.01)
    return socket.close_code


async def _flood_of(socket: aiohttp.ClientWebSocketResponse, text: str, count: int = 2_000) -> None:
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
        for _ in range(count):
            await socket.send_str(text)


async def _nonsense(socket: aiohttp.ClientWebSocketResponse) -> None:
    numbers = random.Random(5)
    await _flood_of(socket, "".join(numbers.choices(string.printable, k=300)))


async def _large(socket: aiohttp.ClientWebSocketResponse) -> None:
    publish = json.dumps({"type": "publish", "offer": "v" * 190_000, "sources": []})
    await _flood_of(socket, publish, 100)


async def _huge(socket: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
        await socket.send_str(" " * 20_000_000)


async def _binary(socket: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
        for size in range(1_500):
            await socket.send_bytes(bytes(size % 700))


async def _chats(socket: aiohttp.ClientWebSocketResponse) -> None:
    await _flood_of(socket, messages.Chat(ref="1", text="spam" * 500).model_dump_json())


async def _deep(socket: aiohttp.ClientWebSocketResponse) -> None:
    await _flood_of(socket, "[" * 100_000, 100)


@pytest.mark.parametrize("attack", [_nonsense, _large, _huge, _binary, _chats, _deep])
async def test_a_flood_ends_its_sender_s_connection_and_nobody_else_notices(
    world: World, attack: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]]
) -> None:
    async with undisturbed(world):
        socket = await _socket(world)
        await attack(socket)
        assert await _ended(socket) in CUT_OFF


async def test_a_flood_from_the_lobby_disturbs_nobody(world: World) -> None:
    async with undisturbed(world) as (host, _):
        client, _ = await knock(world, await guest(world))
        await host.next(messages.Knock)
        await _flood_of(client.socket, messages.Subscribe().model_dump_json())
        assert await client.closed() in CUT_OFF
        (seat,) = world.context.service.waiting.values()
        await until(lambda: not seat.member.connected)
        world.clock.advance(11)
        assert (await host.next(messages.KnockEnded)).reason == "left"


async def test_everything_in_the_wrong_order_is_answered_and_nothing_else_happens(world: World) -> None:
    """Messages before hello, twice, about things that are not there, in a thousand random orders."""
    numbers = random.Random(11)
    kinds = [kind for kind in get_args(get_args(ClientMessage)[0]) if kind is not messages.Hello]
    examples = {
        messages.Publish: {
            "offer": "v=0",
            "sources": [{"mid": "0", "source": "camera"}],
            "transport_id": "t_x",
        },
        messages.Answer: {"revision": 99, "sdp": "v=0"},
        messages.SetMuted: {"track_id": "k_x", "muted": True},
        messages.SetRecording: {"state": "recording"},
        messages.Chat: {"ref": "1", "file_ids": ["f_x"]},
        messages.Admit: {"participant_id": "p_x"},
        messages.TurnAway: {"participant_id": "p_x"},
        messages.Remove: {"participant_id": "p_x"},
        messages.SetPaused: {"paused": True},
        messages.SetConsent: {"record": False},
        messages.SetRecord: {"record": True},
        messages.WriteOpinion: {"ref": "1", "text": "x"},
        messages.Renew: {"token": "x"},
        messages.ReportQuality: {"feed": "x", "judgement": "good"},
        messages.SetView: {"views": []},
        messages.Annotate: {"op_id": "1", "feed": "x", "operation": {"op": "undo"}},
        messages.Point: {"feed": "x"},
        messages.ReportHealth: {"health": {}},
        messages.Freeze: {"ref": "1", "feed": "x", "captured_us": 1},
        messages.Unfreeze: {"still_id": "fz_x"},
        messages.StillMissing: {"still_id": "fz_x", "problem": "gone"},
        messages.SetSignal: {"feed": "x", "signal": {}},
        messages.OfferControl: {"feed": "x", "ways": ["code"]},
        messages.AskControl: {"feed": "x"},
        messages.GrantControl: {"control_id": "c_x", "minutes": 5},
        messages.ConfirmControl: {"control_id": "c_x", "code": "123456"},
        messages.EndControl: {"control_id": "c_x"},
        messages.Press: {"control_id": "c_x", "pressed": {"keys": ["KeyA"]}, "said_us": 1},
        messages.ControlAnswer: {"control_id": "c_x", "answer": "confirmed", "way": "code"},
        messages.MoveMarks: {
            "feed": "x",
            "captured_us": 1,
            "marks": [{"mark_id": "m", "motion": [1, 0, 0, 1, 0, 0], "state": "lost", "confidence": 0.0}],
        },
    }
    async with undisturbed(world) as (_, expert):
        bare = RoomClient(await world.session.ws_connect("/ws", params={"room": "demo"}))
        for kind in kinds:
            await bare.send(kind(**examples.get(kind, {})))
            assert (await bare.next(messages.Error)).code == "hello_first"
        await bare.close()
        client, _ = await enter(world, person(world, "specialist", name="u_mallory"))
        errors = 0
        for _ in range(150):
            kind = numbers.choice(kinds)
            await client.send(kind(**examples.get(kind, {})))
            if numbers.random() < 0.1:
                world.clock.advance(1)  # so that it is no flood
        for message in await client.sync():
            errors += isinstance(message, messages.Error)
        assert errors > 70
        assert not world.context.service.rooms["demo"].consultation.paused
        heard = {type(message) for message in expert.seen}
        assert not heard & {messages.PausedChanged, messages.ConsentChanged, messages.ChatAdded}


async def test_a_client_that_takes_nothing_is_cut_off_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outbox fills up; nobody waits for it."""
    monkeypatch.setattr("signaling.room_socket.OUTBOX_MESSAGES", 20)
    monkeypatch.setattr("signaling.room_socket.SEND_WITHIN_S", 0.5)
    async with undisturbed(world):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(world.base_url.rsplit(":", 1)[1]))
        token = person(world, "specialist", name="u_deaf").token
        writer.write(
            f"GET /ws?room=demo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Sec-WebSocket-Protocol: teleconsult.v1, token.{token}\r\n\r\n".encode()
        )
        assert b"101" in await reader.readline()
        writer.write(_masked(messages.Hello().model_dump_json().encode()))
        async with asyncio.timeout(20):
            while len(world.context.service.attached) < 3:
                await asyncio.sleep(0.01)
        deaf = next(s for s in world.context.service.attached.values() if s.member.subject == "u_deaf")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, too
        async with asyncio.timeout(20):
            while deaf.member.connected:
                deaf.connection.send(messages.Error(code="x", message="y" * 100_000))
                await asyncio.sleep(0.01)
        writer.close()


def _masked(payload: bytes) -> bytes:
    """One text frame of a client (RFC 6455 §5.3), masked with zeros."""
    assert len(payload) < 126
    return bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload
