"""What live pictures notice of a capture box that delivers what it kept during an outage.

    python -m tests.recorder.delivery [--bps 4000000] [--cut-s 30]

A real service, recorder and box (720p, 2.5 Mbit/s) in this process. The box's media and its HTTP share one
uplink: so much per second, 20 ms, a drop-tail queue of 200 ms. It is live for a while, cut off, and then live
while it delivers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles

import pytest

from archive import layout
from tests.recorder.cut_off import (
    CutBox,
    CutProxy,
    backfilled,
    box_settings,
    live_pieces,
    missing_times,
    new_device,
    run_box,
    verified,
)
from tests.recorder.service import Service, service
from tests.support.impairment import ImpairmentProxy
from tests.support.link import Impairment, Link
from tests.support.waiting import until

SETTLED_S = 15.0
WATCHED_S = 20.0
SAMPLE_S = 0.05
SEGMENT_BYTES = 1_400
WINDOW_SEGMENTS = 46
"""64 kB under way: what TCP begins with on most machines."""
DELIVERED_S = 15.0
"""Longer than one piece takes at the slowest: nothing more comes."""
MOST_S = 300.0


class SharedWay(CutProxy):
    """HTTP that takes its turn behind media on the same link."""

    def __init__(self, service_port: int, media_port: int, relay_port: int, link: Link) -> None:
        super().__init__(service_port, media_port, relay_port)
        self._link = link
        self.sent_bytes = 0

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        said: bytes = b"",
        meant: bytes = b"",
    ) -> None:
        if said:  # the way back is wide
            return await super()._pass(reader, writer, said, meant)
        under_way: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(WINDOW_SEGMENTS)
        arriving = asyncio.create_task(_arrive(under_way, writer))
        try:
            while data := await reader.read(SEGMENT_BYTES):
                await self._open.wait()
                while (out_ns := self._link.arrival_ns(len(data), time.monotonic_ns())) is None:
                    await asyncio.sleep(0.05)  # lost: sent again
                self.sent_bytes += len(data)
                await under_way.put((out_ns, data))
            await under_way.join()
        finally:
            arriving.cancel()
        writer.close()


async def _arrive(under_way: asyncio.Queue[tuple[int, bytes]], writer: asyncio.StreamWriter) -> None:
    while True:
        out_ns, data = await under_way.get()
        await asyncio.sleep(max(0, out_ns - time.monotonic_ns()) / 1e9)
        writer.write(data)
        await writer.drain()
        under_way.task_done()


@dataclass(frozen=True)
class Phase:
    """`queue_ms`: median and p95 of how long a packet would have waited on the uplink. `live_bps`: encoded.
    `late_bps`: HTTP.
    """

    seconds: float
    queue_ms: tuple[float, float]
    lost: int
    live_bps: float
    late_bps: float


class Scene:
    """The box, its uplink, and what it encodes."""

    def __init__(self, made: Service, box: CutBox, link: Link, way: SharedWay) -> None:
        self.made, self.box, self.link, self.way = made, box, link, way

    async def watch(self, least_s: float, *, until_delivered: bool = False) -> Phase:
        """For so long; or longer, until nothing has been delivered for a while."""
        box, began, lost, sent = self.box, time.monotonic(), self.link.lost, self.way.sent_bytes
        encoded = box.encoded_bytes
        queues: list[float] = []
        delivered, changed = len(backfilled(self.made)), began
        while (now := time.monotonic()) - began < MOST_S:
            queues.append(self.link.queued_ms(time.monotonic_ns()))
            if len(queues) % 20 == 0 and (count := len(backfilled(self.made))) != delivered:
                delivered, changed = count, now
            if now - began >= least_s and not (until_delivered and now - changed < DELIVERED_S):
                break
            await asyncio.sleep(SAMPLE_S)
        seconds = time.monotonic() - began
        percentiles = quantiles(queues, n=20)
        return Phase(
            seconds,
            (percentiles[9], percentiles[18]),
            self.link.lost - lost,
            8 * (box.encoded_bytes - encoded) / seconds,
            8 * (self.way.sent_bytes - sent) / seconds,
        )


@contextlib.asynccontextmanager
async def shared(made: Service, folder: Path, bps: int, patch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """Enrolled, attached, running."""
    link = Link(Impairment(rate_bps=bps, delay_ms=20, jitter_ms=2, queue_ms=200), random.Random(1))
    media = made.media.endpoint.port.address
    relay = await ImpairmentProxy.open(media)
    relay.up = link
    way = SharedWay(made.settings.port, media[1], relay.address[1], link)
    server = f"http://127.0.0.1:{await way.start()}"

    def cut(off: bool) -> None:
        link.impairment = replace(link.impairment, cut=off)
        relay.down.impairment = Impairment(cut=off)
        way.set_cut(off)

    settings = box_settings(server)
    settings["feeds"][0] |= {"width": 1280, "height": 720, "bitrate_bps": 2_500_000}
    try:
        async with run_box(made, folder, patch, await new_device(made), settings, cut) as box:
            yield Scene(made, box, link, way)
    finally:
        await way.stop()
        relay.close()


async def deliver(folder: Path, bps: int, cut_s: float, patch: pytest.MonkeyPatch) -> None:
    """All phases, printed."""
    async with service(folder) as made:
        made.start_recorder()
        async with shared(made, folder, bps, patch) as scene:
            await until(lambda: len(live_pieces(made)) >= 3, "the box is recorded")
            await asyncio.sleep(SETTLED_S)
            _say("live alone", await scene.watch(WATCHED_S))
            scene.box.cut(True)
            await asyncio.sleep(cut_s)
            scene.box.cut(False)
            await asyncio.sleep(2.0)
            _say("live and late", await scene.watch(WATCHED_S, until_delivered=True))
            _say("live alone", await scene.watch(WATCHED_S))
            await made.end_consultation()
            await until((made.folder / layout.CLOSED).exists, "the archive is closed", within_s=700)
        late_s = sum(one.end_us - one.begin_us for one in backfilled(made)) / 1e6
        missing = await asyncio.to_thread(missing_times, made, scene.box)
        print(f"delivered later: {late_s:.1f} s; missing: {len(missing)} of {len(scene.box.encoded)} frames")
        print(f"archive intact: {verified(made)}")


def _say(name: str, phase: Phase) -> None:
    print(
        f"{name}: {phase.seconds:.0f} s, queue p50 {phase.queue_ms[0]:.0f} p95 {phase.queue_ms[1]:.0f} ms, "
        f"{phase.lost} packets lost, encoded {phase.live_bps / 1e6:.2f} Mbit/s, "
        f"HTTP {phase.late_bps / 1e6:.2f} Mbit/s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bps", type=int, default=4_000_000)
    parser.add_argument("--cut-s", type=float, default=30.0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        asyncio.run(deliver(Path(folder), wanted.bps, wanted.cut_s, patch))


if __name__ == "__main__":
    main()
