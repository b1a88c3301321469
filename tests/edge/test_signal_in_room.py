"""The room is told what a device delivers: with every track, and when it changes; a camera comes back."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.clock import SystemClock
from core.messages import FeedSignal, TrackAdded, TrackInfo
from edge_agents.config import FeedConfig
from edge_agents.layers import FULL, Encoding
from edge_agents.pipeline import VideoPipeline
from edge_agents.signal_watch import SignalWatch
from edge_agents.sources import open_source
from edge_agents.sources.slate import Slate
from tests.edge import rtsp_server
from tests.edge.test_pipeline import Collected, open_x264
from tests.edge.test_sources import film as film
from tests.edge.test_sources import h264_units
from tests.edge.test_tissue_in_room import FEED, WITHIN_S, Room, running


async def next_signal(room: Room) -> FeedSignal:
    async with asyncio.timeout(WITHIN_S):
        while True:
            said: dict[str, Any] = await room.said.get()
            if said["type"] == "set_signal":
                assert said["feed"] == FEED
                return FeedSignal.model_validate(said["signal"])


async def test_a_new_track_and_every_change_of_the_signal_are_told(tmp_path: Path, film: Path) -> None:
    track = TrackInfo(
        track_id="tr_1", participant_id="p1", feed=FEED, kind="video", source="device", codec="H264"
    )
    async with running(tmp_path, source={"kind": "file", "path": str(film)}) as room:
        await room.newest_frame_us()
        async with asyncio.timeout(WITHIN_S):
            while room.open_socket is None or room.agent is None or not room.agent.is_in_room:
                await asyncio.sleep(0.02)
        await room.open_socket.send_str(TrackAdded(track=track).model_dump_json())
        assert await next_signal(room) == FeedSignal(width=160, height=120)
        away = film.rename(film.with_suffix(".away"))
        while (told := await next_signal(room)) == FeedSignal(width=160, height=120):
            pass  # said when it came and again with the track
        assert told == FeedSignal(state="failing", trouble="failed")
        away.rename(film)
        assert await next_signal(room) == FeedSignal(width=160, height=120)


class Camera:
    """An RTSP camera on a fixed port that can be switched off and on."""

    def __init__(self, units: list[bytes]) -> None:
        self._units = units
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]

    @contextmanager
    def on(self) -> Iterator[None]:
        done = threading.Event()
        with socket.create_server(("127.0.0.1", self.port)) as listener:
            listener.settimeout(rtsp_server.TIMEOUT_S)
            thread = threading.Thread(target=rtsp_server._serve, args=(listener, self._units, done))
            thread.start()
            try:
                yield
            finally:
                done.set()
                thread.join(rtsp_server.TIMEOUT_S)


def test_a_network_camera_that_is_switched_off_and_on_again_is_back_by_itself() -> None:
    camera = Camera(h264_units())
    feed = FeedConfig.model_validate(
        {
            "name": "cam",
            "source": {"kind": "rtsp", "url": f"rtsp://me:hunter2@127.0.0.1:{camera.port}/"},
            "width": 320,
            "height": 180,
        }
    )
    told: list[FeedSignal] = []
    collected = Collected()
    pipeline = VideoPipeline(
        "cam",
        lambda: open_source(feed, SystemClock()),
        open_x264,
        {FULL: Encoding(320, 180, 30, 300_000, 300_000)},
        collected.add,
        signal=SignalWatch(Slate(320, 180, SystemClock()), told.append),
    )
    lost = FeedSignal(state="none", trouble="no_signal")
    try:
        with camera.on():
            pipeline.start()
            collected.poll(lambda: bool(told) and told[-1].state == "ok")
        collected.poll(lambda: told[-1] == lost)
        with camera.on():
            collected.poll(lambda: told[-1].state == "ok")
    finally:
        pipeline.stop()
    assert [signal.state for signal in told if signal.state == "ok"] == ["ok", "ok"]
