"""The internal API over a real Unix socket: calls, refusals, events, and what a restart looks like."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from core.errors import ConfigError
from core.worker_api import (
    CreateTransport,
    LayerChanged,
    Subscriptions,
    TrackLive,
    TransportChanged,
    TransportDescription,
    WorkerDraining,
    WorkerReady,
    parse_worker_event,
)
from sfu.api import serve_api
from sfu.worker import Worker
from tests.sfu.peers import DEADLINE_S, ROOM, Publisher, Subscriber, h264_frame, track
from tests.sfu.test_forwarding import feed


class HttpApi:
    """The worker's calls over HTTP."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def create(self, request: CreateTransport) -> TransportDescription:
        async with self.session.post("/v1/transports", data=request.model_dump_json()) as response:
            assert response.status == 201, await response.text()
            return TransportDescription.model_validate_json(await response.read())

    async def answer(self, transport_id: str, sdp: str) -> None:
        async with self.session.post(f"/v1/transports/{transport_id}/answer", json={"sdp": sdp}) as response:
            assert response.status == 204, await response.text()

    async def subscribe(self, transport_id: str, wanted: Subscriptions) -> TransportDescription:
        path = f"/v1/transports/{transport_id}/subscriptions"
        async with self.session.put(path, data=wanted.model_dump_json()) as response:
            assert response.status == 200, await response.text()
            return TransportDescription.model_validate_json(await response.read())


@asynccontextmanager
async def client(path: Path, token: str | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    connector = aiohttp.UnixConnector(str(path))
    async with aiohttp.ClientSession("http://worker", connector=connector, headers=headers) as session:
        yield session


@pytest_asyncio.fixture
async def socket(worker: Worker, tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "run" / "sfu.sock"
    runner = await serve_api(worker, f"unix:{path}", None)
    yield path
    await runner.cleanup()


async def test_only_the_owner_may_use_the_socket(socket: Path) -> None:
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


async def test_tracks_are_paused_and_unknown_ones_are_passed_over(socket: Path, worker: Worker) -> None:
    publisher = Publisher([track()])
    async with client(socket) as session:
        await publisher.publish(HttpApi(session), "pub")
        (track_id,) = publisher.track_ids
        for paused in (True, True, False):
            body = {"track_ids": [track_id, "t_unknown"], "paused": paused}
            async with session.put("/v1/tracks/paused", json=body) as response:
                assert response.status == 204
            producer = worker.track(track_id, ROOM)
            assert producer is not None
            assert producer.info().paused == paused
        for wrong in ({"paused": True}, {"track_ids": "x", "paused": True}, {"track_ids": [], "paused": 7}):
            async with session.put("/v1/tracks/paused", json=wrong) as response:
                assert response.status == 400
    await publisher.close()


async def test_publish_subscribe_and_delete(socket: Path, worker: Worker) -> None:
    publisher, subscriber = Publisher([track()]), Subscriber()
    async with client(socket) as session:
        api = HttpApi(session)
        await publisher.publish(api, "pub")
        assert publisher.info is not None
        (info,) = publisher.info.tracks
        assert (info.feed, info.kind, info.source, info.codec, info.live) == (
            "ultrasound", "video", "device", "H264", False,
        )  # fmt: skip
        await subscriber.subscribe(api, "sub", publisher.track_ids)
        assert subscriber.description is not None
        assert list(subscriber.description.mids.values()) == publisher.track_ids
        publisher.send(h264_frame(0, 5, keyframe=True), 0)
        await subscriber.until(lambda: len(subscriber.raw) == 5)
        async with session.get("/v1/stats") as response:
            stats = await response.json()
        assert stats["counters"]["packets_out"] == 5
        assert stats["inside_us"]["p50"] > 0
        for name in ("pub", "sub"):
            async with session.delete(f"/v1/transports/{name}") as response:
                assert response.status == 204
        await subscriber.until(lambda: subscriber.states[-1] == "closed")
        assert worker.stats()["sessions"] == []
    await publisher.close()
    await subscriber.close()


async def test_events_begin_with_the_present_state(socket: Path) -> None:
    publisher = Publisher([track()])
    async with client(socket) as session:
        await publisher.publish(HttpApi(session), "pub")
        publisher.send(h264_frame(0, 1, keyframe=True), 0)
        async with session.ws_connect("/v1/events") as events:
            found = [parse_worker_event(await events.receive_str(timeout=DEADLINE_S)) for _ in range(3)]
            assert isinstance(found[0], WorkerReady)
            assert found[1] == TransportChanged(transport_id="pub", state="connected")
            assert found[2] == TrackLive(track_id=publisher.track_ids[0], kind="video", live=True)
            await session.delete("/v1/transports/pub")
            closed = parse_worker_event(await events.receive_str(timeout=DEADLINE_S))
            assert closed == TransportChanged(transport_id="pub", state="closed", reason="deleted")
    await publisher.close()


async def test_a_publisher_may_offer_again_with_more_and_with_fewer_tracks(socket: Path) -> None:
    publisher = Publisher([track()])
    async with client(socket) as session:
        await publisher.publish(HttpApi(session), "pub")
        before = publisher.info
        assert before is not None
        answers = []
        for tracks in ([*publisher.tracks, track("audio", "opus")], publisher.tracks):
            publisher.tracks = tracks
            async with session.post(
                "/v1/transports/pub/offer", json={"sdp": publisher.next_offer()}
            ) as response:
                assert response.status == 200, await response.text()
                answers.append(TransportDescription.model_validate_json(await response.read()))
        assert [info.track_id for info in answers[0].tracks][:1] == publisher.track_ids
        assert [info.kind for info in answers[0].tracks] == ["video", "audio"]
        assert [info.track_id for info in answers[1].tracks] == publisher.track_ids
    await publisher.close()


BAD_OFFER = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/transports", "{", 400, "bad_request"),
        ("POST", "/v1/transports", '{"transport_id": "t"}', 400, "bad_request"),
        ("POST", "/v1/transports", "publish without offer", 400, "protocol_error"),
        ("POST", "/v1/transports", "publish with a bad offer", 400, "protocol_error"),
        ("POST", "/v1/transports/none/answer", '{"sdp": ""}', 404, "not_found"),
        ("POST", "/v1/transports/none/offer", '{"sdp": ""}', 404, "not_found"),
        ("PUT", "/v1/transports/none/subscriptions", '{"track_ids": []}', 404, "not_found"),
        ("PATCH", "/v1/transports/none", '{"fragment": ""}', 404, "not_found"),
        ("DELETE", "/v1/transports/none", None, 404, "not_found"),
    ],
)
async def test_refusals_say_why(
    socket: Path, worker: Worker, method: str, path: str, body: str | None, status: int, code: str
) -> None:
    offers = {"publish without offer": None, "publish with a bad offer": BAD_OFFER}
    if body in offers:
        request = CreateTransport(
            transport_id="t", room=ROOM, participant_id="p", direction="publish", offer=offers[body]
        )
        body = request.model_dump_json()
    async with client(socket) as session, session.request(method, path, data=body) as response:
        problem = await response.json()
        assert (response.status, problem["code"]) == (status, code)
        assert problem["message"]
    assert worker.stats()["sessions"] == [], "nothing half-made is left behind"
    assert worker.endpoint.transports == ()


async def test_a_transport_id_is_used_once(socket: Path) -> None:
    request = CreateTransport(transport_id="t", room=ROOM, participant_id="p", direction="subscribe")
    async with client(socket) as session:
        await HttpApi(session).create(request)
        async with session.post("/v1/transports", data=request.model_dump_json()) as response:
            assert response.status == 409
        async with session.post("/v1/transports/t/offer", json={"sdp": BAD_OFFER}) as response:
            assert response.status == 404, "a subscriber does not offer"
        async with session.patch("/v1/transports/t", json={"fragment": "a=ice-ufrag:abcd\r\n"}) as response:
            assert response.status == 409, "nothing is negotiated yet"


async def test_with_a_token_nothing_works_without_it(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "sfu.sock"
    runner = await serve_api(worker, f"unix:{path}", "right")
    for token, status in ((None, 401), ("wrong", 401), ("right", 200)):
        async with client(path, token) as session, session.get("/v1/stats") as response:
            assert response.status == status
    await runner.cleanup()


async def test_a_tcp_port_needs_a_token(worker: Worker) -> None:
    with pytest.raises(ConfigError, match="token"):
        await serve_api(worker, "127.0.0.1:0", None)


async def test_a_reader_that_falls_behind_is_sent_away_to_start_over(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "sfu.sock"
    runner = await serve_api(worker, f"unix:{path}", None)
    async with client(path) as session, session.ws_connect("/v1/events") as events:
        await events.receive_str(timeout=DEADLINE_S)
        for number in range(5_000):
            worker.emit(TransportChanged(transport_id=str(number), state="connected"))
        received = 0
        async with asyncio.timeout(DEADLINE_S):
            async for _ in events:
                received += 1
        assert events.close_code == aiohttp.WSCloseCode.TRY_AGAIN_LATER
        assert received < 5_000
    await runner.cleanup()


# the process


@asynccontextmanager
async def process(path: Path, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = (
        "--worker-id",
        "sfu-9",
        "--api",
        f"unix:{path}",
        "--udp-host",
        "127.0.0.1",
        "--udp-port",
        "0",
    )
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sfu", *arguments, env={**os.environ, **environment}
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def ready(path: Path) -> WorkerReady:
    """The first event, as soon as the socket answers."""
    async with asyncio.timeout(DEADLINE_S), client(path) as session:
        while True:
            try:
                async with session.ws_connect("/v1/events") as events:
                    return parse_worker_event(await events.receive_str())
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.02)


async def test_a_killed_worker_comes_back_with_another_boot_id(tmp_path: Path) -> None:
    path = tmp_path / "sfu.sock"
    async with process(path) as first:
        before = await ready(path)
        first.kill()
        await first.wait()
    assert path.is_socket(), "left behind"
    async with process(path):
        after = await ready(path)
    assert before.worker_id == after.worker_id == "sfu-9"
    assert before.boot_id != after.boot_id


async def test_while_draining_nothing_new_begins_and_it_ends_when_everything_has_moved(
    socket: Path, worker: Worker
) -> None:
    publisher, late = Publisher([track()]), Publisher([track()])
    async with client(socket) as session:
        await publisher.publish(HttpApi(session), "pub")
        async with session.ws_connect("/v1/events") as events:
            assert isinstance(parse_worker_event(await events.receive_str(timeout=DEADLINE_S)), WorkerReady)
            draining = asyncio.create_task(worker.drain(3600, asyncio.Event()))
            found: Any = None
            while not isinstance(found, WorkerDraining):
                found = parse_worker_event(await events.receive_str(timeout=DEADLINE_S))
            with pytest.raises(AssertionError, match="draining"):
                await late.publish(HttpApi(session), "late")
            publisher.send(h264_frame(0, 5, keyframe=True), 0)  # what is there goes on
            await publisher.until(lambda: worker.stats()["counters"]["packets_in"] >= 5)
            assert not draining.done()
            await session.delete("/v1/transports/pub")
            await asyncio.wait_for(draining, DEADLINE_S)
        async with session.ws_connect("/v1/events") as again:
            for expected in (WorkerReady, WorkerDraining):
                assert isinstance(parse_worker_event(await again.receive_str(timeout=DEADLINE_S)), expected)
    await publisher.close()
    await late.close()


async def test_draining_ends_at_its_deadline_at_once_when_asked_and_when_nobody_could_move_anything(
    socket: Path, worker: Worker
) -> None:
    publisher, at_once = Publisher([track()]), asyncio.Event()
    async with client(socket) as session:
        await publisher.publish(HttpApi(session), "pub")
        await asyncio.wait_for(worker.drain(3600, at_once), DEADLINE_S)
        async with session.ws_connect("/v1/events") as events:
            await events.receive_str(timeout=DEADLINE_S)
            await asyncio.wait_for(worker.drain(0.1, at_once), DEADLINE_S)
            draining = asyncio.create_task(worker.drain(3600, at_once))
            at_once.set()
            await asyncio.wait_for(draining, DEADLINE_S)
    await publisher.close()


async def test_sigterm_says_goodbye_and_exits_cleanly(tmp_path: Path) -> None:
    path = tmp_path / "sfu.sock"
    publisher = Publisher([track()])
    async with process(path, TELECONSULT_DRAIN_S="0.1") as worker, client(path) as session:
        await ready(path)
        await publisher.publish(HttpApi(session), "pub")
        async with session.ws_connect("/v1/events") as events:
            worker.send_signal(signal.SIGTERM)
            closed = TransportChanged(transport_id="pub", state="closed", reason="worker_stopping")
            async with asyncio.timeout(DEADLINE_S):
                found = [parse_worker_event(message.data) async for message in events]
            assert closed in found
        await publisher.until(lambda: publisher.states[-1] == "closed")
        async with asyncio.timeout(DEADLINE_S):
            assert await worker.wait() == 0
    await publisher.close()


async def test_a_taken_port_is_one_line_with_the_fix(worker: Worker, tmp_path: Path) -> None:
    port = worker.endpoint.port.address[1]
    arguments = ("--api", f"unix:{tmp_path / 's'}", "--udp-host", "127.0.0.1", "--udp-port", str(port))
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sfu", *arguments, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            _, errors = await started.communicate()
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()
    assert started.returncode == 1
    (line,) = errors.decode().strip().splitlines()
    assert "--udp-port" in line


async def test_an_adaptive_subscriber_says_what_it_shows_and_others_are_refused(
    socket: Path, worker: Worker
) -> None:
    async with client(socket) as session:
        api = HttpApi(session)
        for transport_id, adaptive in [("adaptive", True), ("recorder", False)]:
            await api.create(
                CreateTransport(
                    transport_id=transport_id,
                    room=ROOM,
                    participant_id="p",
                    direction="subscribe",
                    adaptive=adaptive,
                )
            )
        view = {"views": [{"track_id": "t_gone", "width": 640, "height": 360, "focus": True}]}
        impossible = {"views": [{"track_id": "t_gone", "width": -1, "height": 360}]}
        cases = [("adaptive", view, 204), ("recorder", view, 409), ("nobody", view, 404)]
        for transport_id, body, status in [*cases, ("adaptive", impossible, 400)]:
            async with session.put(f"/v1/transports/{transport_id}/view", json=body) as response:
                assert response.status == status


async def test_an_adaptive_subscriber_gets_its_picture_and_readers_of_events_hear_in_which_layer(
    socket: Path, worker: Worker
) -> None:
    publisher, subscriber = Publisher([track()]), Subscriber()
    async with client(socket) as session:
        api = HttpApi(session)
        try:
            await publisher.publish(api, "pub")
            (track_id,) = publisher.track_ids
            await subscriber.subscribe(api, "sub", [track_id], adaptive=True)
            expected = LayerChanged(transport_id="sub", track_id=track_id, layer="")
            await feed(publisher, lambda: expected in list(worker.present_state()))
            assert subscriber.packets[track_id]
        finally:
            await subscriber.close()
            await publisher.close()
