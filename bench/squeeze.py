"""A capture box behind a link that is squeezed and let go again: how much of it is used, what viewers see.

    python -m bench.squeeze [--profile ultrasound] [--phase-s 20] [--plot docs/plots/squeeze-ultrasound.svg]

A real feed (capture, libx264, DTLS-SRTP) → seeded impairment proxy → a real media worker → a subscriber on
loopback. Needs the checkout: the impaired link is the tests'.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from bench.frame_watch import FrameWatch
from bench.plot import Line, Panel, plot
from core.clock import NS_PER_S, SystemClock
from core.worker_api import CreateTransport
from edge_agents.config import parse_config
from edge_agents.feed import Feed
from rtp.packet import RtpPacket
from rtp.sdp import parse_sdp
from sfu.worker import Worker
from tests.sfu.peers import DirectApi, Subscriber
from tests.support.impairment import ImpairmentProxy
from tests.support.link import Impairment, Link
from transport.endpoint import MediaEndpoint

CLOCK: Final = SystemClock()
SAMPLE_S: Final = 0.1
SEED: Final = 4
ROOM, FEED = "squeeze", "feed"
DELAY_MS, JITTER_MS, QUEUE_MS = 20.0, 5.0, 200.0
WIDE_BPS, NARROW_BPS = 8_000_000, 1_500_000
SETTLED: Final = 0.8
"""Of the link: what counts as used."""
RECOVERY_WINDOW_S: Final = 1.0
LATE_NS: Final = 25_000_000
MAX_BUSY_SHARE: Final = 0.03


@dataclass(frozen=True, slots=True)
class Phase:
    """The link carries `rate_bps` for `seconds`; the first `settle_s` are not judged."""

    rate_bps: int
    seconds: float
    settle_s: float


@dataclass(slots=True)
class Sample:
    """One moment. Bit rates per second; `queue_ms` before the squeezed link."""

    at_s: float
    link_bps: int
    passed_bps: float
    estimate_bps: int
    target_bps: int
    queue_ms: float
    height: int
    fps: int


@dataclass(slots=True)
class PhaseResult:
    """`used`: share of the link after settling. `freeze_s`: longest time without a new picture, in all of it
    and after settling. `recovery_s`: until a second's average uses 80 % of the link; None: never.
    """

    rate_bps: int
    used: float
    freeze_s: float
    freeze_settled_s: float
    recovery_s: float | None
    lost_packets: int


@dataclass(slots=True)
class Squeeze:
    """What one run showed."""

    phases: list[PhaseResult] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    stats: dict[str, Any] = field(default_factory=dict)
    late: int = 0
    """Samples taken more than `LATE_NS` after their time."""

    @property
    def machine_kept_up(self) -> bool:
        """False when pictures were dropped or the event loop stood still because the machine was busy with
        something else: what that looks like to the estimator says nothing about the link.
        """
        pipeline = self.stats["pipeline"]
        dropped = pipeline["dropped"] > MAX_BUSY_SHARE * pipeline["captured"]
        return not dropped and self.late <= MAX_BUSY_SHARE * len(self.samples)


class MeteredLink(Link):
    """Notes what comes out, and when."""

    def __init__(self, impairment: Impairment) -> None:
        super().__init__(impairment, random.Random(SEED))  # replayable
        self.out: list[tuple[int, int]] = []
        self.queue_ms = 0.0

    def arrival_ns(self, size_bytes: int, now_ns: int) -> int | None:
        out_ns = super().arrival_ns(size_bytes, now_ns)
        if out_ns is not None:
            self.out.append((out_ns, size_bytes))
            self.queue_ms = max(0.0, (self._free_ns - now_ns) / 1e6)
        return out_ns

    def bits(self, from_ns: int, to_ns: int) -> int:
        """What came out in that time."""
        return sum(size * 8 for at_ns, size in self.out if from_ns <= at_ns < to_ns)


class Watcher(Subscriber):
    """A subscriber that knows what could be shown."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = FrameWatch()
        self._seen = 0

    def on_rtp(self, packet: RtpPacket) -> None:
        super().on_rtp(packet)
        for received in self.packets.values():
            for media in received:
                self.watch.received(media, CLOCK.monotonic_ns())
            received.clear()
        self.raw.clear()


class Stage:
    """Worker, WHIP in front of it, and the link between box and worker."""

    def __init__(self, worker: Worker, proxy: ImpairmentProxy, link: MeteredLink) -> None:
        self.worker, self.proxy, self.link = worker, proxy, link
        self.tracks: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    def set_rate(self, rate_bps: int) -> None:
        """From now on the way up carries so much."""
        self.proxy.up.impairment = replace(self.link.impairment, rate_bps=rate_bps)

    async def post(self, request: web.Request) -> web.Response:
        description = self.worker.create(
            CreateTransport(
                transport_id="box",
                room=ROOM,
                participant_id="box",
                direction="publish",
                offer=await request.text(),
                feed=FEED,
            )
        )
        answer = parse_sdp(description.sdp)
        host, port = self.proxy.address
        for media in answer.media:
            media.candidates = [replace(known, address=host, port=port) for known in media.candidates[:1]]
        if not self.tracks.done():
            self.tracks.set_result([track.track_id for track in description.tracks])
        return web.Response(
            status=201,
            text=answer.serialize(),
            headers={"Location": "/resource"},
            content_type="application/sdp",
        )

    async def delete(self, request: web.Request) -> web.Response:
        self.worker.delete("box", "deleted")
        return web.Response()


@contextlib.asynccontextmanager
async def staged() -> AsyncIterator[tuple[Stage, str]]:
    """(stage, URL of its WHIP)."""
    endpoint = await MediaEndpoint.open("127.0.0.1", 0, clock=CLOCK)
    worker, stopping = Worker(endpoint, "sfu-squeeze", CLOCK), asyncio.Event()
    running = asyncio.create_task(worker.run(stopping))
    way = Impairment(delay_ms=DELAY_MS, jitter_ms=JITTER_MS, queue_ms=QUEUE_MS)
    proxy = await ImpairmentProxy.open(("127.0.0.1", endpoint.port.address[1]), seed=SEED, up=way, down=way)
    link = MeteredLink(way)
    proxy.up = link
    stage, app = Stage(worker, proxy, link), web.Application()
    app.router.add_post("/whip/{room}/{feed}", stage.post)
    app.router.add_delete("/resource", stage.delete)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield stage, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        stopping.set()
        await running
        worker.close_all("over")
        await endpoint.close()
        proxy.close()


@contextlib.asynccontextmanager
async def running_feed(url: str, picture: dict[str, Any]) -> AsyncIterator[Feed]:
    """The box's feed, publishing to `url`."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "token").write_text("token")
        feed_values = {"name": FEED, "encoder": "libx264", **picture}
        values = {"server": url, "room": ROOM, "token_file": "token", "feeds": [feed_values]}
        config = parse_config(values, place / "edge.toml")
        async with aiohttp.ClientSession() as session:
            feed = Feed(config, config.feeds[0], session, CLOCK)
            task = asyncio.create_task(feed.run())
            try:
                yield feed
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def squeeze(picture: dict[str, Any], phases: Sequence[Phase]) -> Squeeze:
    """Run all phases one after the other. `picture`: keys of a `[[feeds]]` table."""
    result = Squeeze()
    async with staged() as (stage, url):
        stage.set_rate(phases[0].rate_bps)
        async with running_feed(url, picture) as feed:
            tracks = await asyncio.wait_for(stage.tracks, 10)
            watcher = Watcher()
            await watcher.subscribe(DirectApi(stage.worker), "viewer", tracks[:1], room=ROOM)
            await watcher.until(lambda: bool(watcher.watch.shown_ns))
            start_ns = CLOCK.monotonic_ns()
            for phase in phases:
                await _run(phase, stage, feed, watcher, result, start_ns)
            result.stats = _stats(feed)
            await watcher.close()
    return result


def _stats(feed: Feed) -> dict[str, Any]:
    publication = feed.publisher.publication
    sent = asdict(publication.sender.stats) if publication and publication.sender else {}
    return {"pipeline": asdict(feed.pipeline.stats), "sent": sent}


async def _run(
    phase: Phase, stage: Stage, feed: Feed, watcher: Watcher, result: Squeeze, start_ns: int
) -> None:
    stage.set_rate(phase.rate_bps)
    begun_ns, lost = CLOCK.monotonic_ns(), stage.link.lost
    end_ns = begun_ns + int(phase.seconds * NS_PER_S)
    next_ns = begun_ns
    while next_ns < end_ns:
        next_ns += int(SAMPLE_S * NS_PER_S)
        await asyncio.sleep(max(0, next_ns - CLOCK.monotonic_ns()) / NS_PER_S)
        result.late += CLOCK.monotonic_ns() - next_ns > LATE_NS
        result.samples.append(_sample(phase, stage, feed, start_ns))
    settled_ns = begun_ns + int(phase.settle_s * NS_PER_S)
    bits = stage.link.bits(settled_ns, end_ns)
    result.phases.append(
        PhaseResult(
            rate_bps=phase.rate_bps,
            used=bits / (phase.rate_bps * (end_ns - settled_ns) / NS_PER_S),
            freeze_s=watcher.watch.longest_gap_s(begun_ns, end_ns),
            freeze_settled_s=watcher.watch.longest_gap_s(settled_ns, end_ns),
            recovery_s=_recovery_s(stage.link, phase.rate_bps, begun_ns, end_ns),
            lost_packets=stage.link.lost - lost,
        )
    )


def _sample(phase: Phase, stage: Stage, feed: Feed, start_ns: int) -> Sample:
    now_ns = CLOCK.monotonic_ns()
    plan = feed.pipeline.plan
    full = plan.get("f")
    publication = feed.publisher.publication
    window_ns = int(SAMPLE_S * NS_PER_S)
    return Sample(
        at_s=(now_ns - start_ns) / NS_PER_S,
        link_bps=phase.rate_bps,
        passed_bps=stage.link.bits(now_ns - window_ns, now_ns) / SAMPLE_S,
        estimate_bps=publication.estimate_bps if publication else 0,
        target_bps=sum(encoding.bitrate_bps for encoding in plan.values()),
        queue_ms=stage.link.queue_ms,
        height=full.height if full else 0,
        fps=full.fps if full else 0,
    )


def _recovery_s(link: MeteredLink, rate_bps: int, begun_ns: int, end_ns: int) -> float | None:
    window_ns, step_ns = int(RECOVERY_WINDOW_S * NS_PER_S), int(SAMPLE_S * NS_PER_S)
    for to_ns in range(begun_ns + window_ns, end_ns, step_ns):
        if link.bits(to_ns - window_ns, to_ns) >= SETTLED * rate_bps * RECOVERY_WINDOW_S:
            return (to_ns - begun_ns) / NS_PER_S
    return None


def squeezed(phase_s: float) -> list[Phase]:
    """8 → 1.5 → 8 Mbit/s."""
    return [
        Phase(WIDE_BPS, phase_s, min(5.0, phase_s / 2)),
        Phase(NARROW_BPS, phase_s, 2.0),
        Phase(WIDE_BPS, phase_s, 5.0),
    ]


def report(result: Squeeze) -> str:
    """One line per phase."""
    lines = []
    for phase in result.phases:
        recovery = "never" if phase.recovery_s is None else f"{phase.recovery_s:.1f} s"
        lines.append(
            f"{phase.rate_bps / 1e6:4.1f} Mbit/s: {phase.used:6.1%} used, 80 % after {recovery}, "
            f"longest freeze {phase.freeze_s:.2f} s ({phase.freeze_settled_s:.2f} settled), "
            f"{phase.lost_packets} packets lost"
        )
    return "\n".join(lines)


def drawn(result: Squeeze, title: str) -> str:
    """SVG: bit rates, the queue before the link, and what the full picture was lowered to."""
    samples = result.samples
    rates = [
        Line("link", "#888888", [(s.at_s, s.link_bps / 1e6) for s in samples]),
        Line("through the link", "#9ecae1", [(s.at_s, s.passed_bps / 1e6) for s in samples]),
        Line("estimate", "#d62728", [(s.at_s, s.estimate_bps / 1e6) for s in samples]),
        Line("encoders' target", "#2ca02c", [(s.at_s, s.target_bps / 1e6) for s in samples]),
    ]
    queue = [Line("", "#9467bd", [(s.at_s, s.queue_ms) for s in samples])]
    picture = [
        Line("lines", "#1f77b4", [(s.at_s, s.height) for s in samples]),
        Line("frames/s × 10", "#ff7f0e", [(s.at_s, s.fps * 10) for s in samples]),
    ]
    panels = (
        Panel("Mbit/s", 260, 10.0, (0, 2, 4, 6, 8, 10), rates),
        Panel("queue, ms", 90, 250.0, (0, 100, 200), queue),
        Panel("lines; frames/s × 10", 70, 1200.0, (0, 540, 1080), picture),
    )
    return plot(title, panels, max(sample.at_s for sample in samples))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--profile", default="ultrasound")
    parser.add_argument("--source", default="testcard", choices=("testcard", "clip"))
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--bitrate-bps", type=int, default=9_000_000)
    parser.add_argument("--phase-s", type=float, default=20.0)
    parser.add_argument("--plot", type=Path, help="write an SVG")
    parser.add_argument("--json", type=Path, help="write everything measured")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    picture = {
        "profile": options.profile,
        "source": {"kind": options.source},
        "width": width,
        "height": height,
        "bitrate_bps": options.bitrate_bps,
    }
    cpu_s, wall_s = time.process_time(), time.monotonic()
    result = asyncio.run(squeeze(picture, squeezed(options.phase_s)))
    used = (time.process_time() - cpu_s) / (time.monotonic() - wall_s)
    print(report(result))  # a command's output
    print("the machine kept up" if result.machine_kept_up else "the machine was too busy: no figures")
    print(f"{used:.0%} of a core, box, link, worker and viewer together; {json.dumps(result.stats)}")
    if options.json:
        options.json.write_text(json.dumps(asdict(result), indent=1))
    if options.plot:
        title = f"{options.profile}, {options.source} {options.size}: 8 → 1.5 → 8 Mbit/s"
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        options.plot.write_text(drawn(result, title))


if __name__ == "__main__":
    main()
