"""How old pictures are when the capture box has encoded them, and what each feed costs.

    teleconsult bench edge [--feeds 2] [--seconds 20] [--json]

Feeds as a box runs them, without the network: source (the cardiac clip on its scanner's screen, masked, and
the test card, by turns), ring of stills, both encodings, 4.5 Mbit/s. A picture's age is counted from its
capture time to the moment its access unit leaves the encoder. Sealing and sending are measured elsewhere.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rich.table import Table

from bench.proc import MachineTime
from core.clock import NS_PER_MS, NS_PER_S, SystemClock
from edge_agents.config import FeedConfig
from edge_agents.encoder import EncodedFrame, EncoderShelf
from edge_agents.layers import full_plan
from edge_agents.masks import Mask, MaskProfile, Reference
from edge_agents.pipeline import VideoPipeline
from edge_agents.signal_watch import SignalWatch
from edge_agents.sources import open_raw
from edge_agents.sources.prepared import PreparedSource
from edge_agents.sources.slate import Slate
from edge_agents.still import StillRing

AGE_P95_MS: Final = 50.0
SETTLE_S: Final = 3.0
QUIET_LOAD: Final = 0.5
"""Load average per core, of others, up to which figures are final."""
KINDS: Final = ("clip", "testcard")
MASKS: Final = MaskProfile(
    reference=Reference(width=1920, height=1080),
    masks=(
        Mask(x=180, y=20, width=560, height=50),
        Mask(x=1340, y=20, width=420, height=50),
        Mask(x=320, y=80, width=160, height=130),
        Mask(x=1490, y=90, width=110, height=500),
    ),
)


@dataclass(frozen=True)
class Wanted:
    feeds: int = 2
    seconds: float = 20.0
    lines: int = 1080
    fps: int = 30
    encoder: str = "auto"


@dataclass(frozen=True)
class FeedFigures:
    """Ages in ms of the full encoding. `cpu_percent`: of one core, capture and encoding apart."""

    feed: str
    encoder: str
    frames_per_s: float
    age_ms_p50: float
    age_ms_p95: float
    age_ms_max: float
    capture_cpu_percent: float
    encode_cpu_percent: float
    dropped: int
    bitrate_bps: int


@dataclass(frozen=True)
class Report:
    """`load_before`: the machine's load average before; `quiet`: these figures are final."""

    feeds: list[FeedFigures]
    cpu_percent: float
    cores: int
    idle_percent: float
    steal_percent: float
    load_before: float
    quiet: bool
    wanted: Wanted

    @property
    def fits(self) -> bool:
        """Every feed's pictures young enough, none lost to the machine, some of it left."""
        return all(
            one.age_ms_p95 <= AGE_P95_MS and one.frames_per_s >= 0.98 * self.wanted.fps for one in self.feeds
        )

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "fits": self.fits, "age_ms_p95_wanted": AGE_P95_MS}


@dataclass
class _Feed:
    """One running pipeline and what came out of it."""

    name: str
    pipeline: VideoPipeline
    shelf: EncoderShelf
    ages_ns: list[int] = field(default_factory=list)
    bytes_made: int = 0
    dropped_before: int = 0
    cpu_before: tuple[float, float] = (0.0, 0.0)

    def begin(self) -> None:
        self.ages_ns.clear()
        self.bytes_made = 0
        self.dropped_before = self.pipeline.stats.dropped
        self.cpu_before = self._cpu()

    def figures(self, seconds: float) -> FeedFigures:
        ages = sorted(self.ages_ns)
        cpu = [after - before for after, before in zip(self._cpu(), self.cpu_before, strict=True)]
        return FeedFigures(
            feed=self.name,
            encoder=self.shelf.name,
            frames_per_s=round(len(ages) / seconds, 1),
            age_ms_p50=_ms(ages, 0.5),
            age_ms_p95=_ms(ages, 0.95),
            age_ms_max=_ms(ages, 1.0),
            capture_cpu_percent=round(100 * cpu[0] / seconds, 1),
            encode_cpu_percent=round(100 * cpu[1] / seconds, 1),
            dropped=self.pipeline.stats.dropped - self.dropped_before,
            bitrate_bps=round(self.bytes_made * 8 / seconds),
        )

    def _cpu(self) -> tuple[float, float]:
        return _thread_cpu_s(f"capture-{self.name}"), _thread_cpu_s(f"encode-{self.name}")


def run(wanted: Wanted, tell: Callable[[str], None] = lambda text: None) -> Report:
    """Measure. Takes `seconds` and three more."""
    load_before = os.getloadavg()[0]
    feeds = [_open(number, wanted) for number in range(wanted.feeds)]
    for feed in feeds:
        feed.pipeline.start()
    try:
        tell("settling …")
        time.sleep(SETTLE_S)
        tell(f"measuring {wanted.feeds} feeds for {wanted.seconds:g} s …")
        machine, began_s, cpu_s = MachineTime.now(), time.monotonic(), time.process_time()
        for feed in feeds:
            feed.begin()
        time.sleep(wanted.seconds)
        took_s = time.monotonic() - began_s
        figures = [feed.figures(took_s) for feed in feeds]
        cpu_percent = 100 * (time.process_time() - cpu_s) / took_s
        idle, steal = MachineTime.now().percent_since(machine)
    finally:
        for feed in feeds:
            feed.pipeline.stop()
    cores = os.cpu_count() or 1
    quiet = load_before <= QUIET_LOAD * cores and 100 - idle - steal - cpu_percent / cores < 10
    return Report(
        figures,
        round(cpu_percent, 1),
        cores,
        round(idle, 1),
        round(steal, 1),
        round(load_before, 2),
        quiet,
        wanted,
    )


def _open(number: int, wanted: Wanted) -> _Feed:
    kind = KINDS[number % 2]
    config = FeedConfig.model_validate(
        {
            "name": f"{kind}-{number}",
            "source": {"kind": kind},
            "width": wanted.lines * 16 // 9 // 2 * 2,
            "height": wanted.lines,
            "fps": wanted.fps,
            "encoder": wanted.encoder,
        }
    )
    clock, ring, shelf = SystemClock(), StillRing(config.still_mb << 20), EncoderShelf(config.encoder)
    masks = MASKS if kind == "clip" else None

    def deliver(unit: EncodedFrame) -> None:
        feed.bytes_made += len(unit.data)
        if unit.rid == "f":
            feed.ages_ns.append(time.monotonic_ns() - unit.captured.monotonic_ns)

    pipeline = VideoPipeline(
        config.name,
        lambda: PreparedSource(open_raw(config, clock), masks, config.width, config.height),
        shelf.open,
        full_plan(config),
        deliver,
        ring.put,
        SignalWatch(Slate(config.width, config.height, clock), fps=config.fps),
    )
    feed = _Feed(config.name, pipeline, shelf)
    return feed


def _thread_cpu_s(name: str) -> float:
    for thread in threading.enumerate():
        if thread.name == name and thread.ident is not None:
            return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return 0.0


def _ms(ages_ns: Sequence[int], share: float) -> float:
    if not ages_ns:
        return float(NS_PER_S)
    return round(ages_ns[min(len(ages_ns) - 1, int(len(ages_ns) * share))] / NS_PER_MS, 1)


def table(report: Report) -> Table:
    """The report for a person."""
    shown = Table("feed", "frames/s", "age p50", "p95", "max", "capture", "encode", "dropped", "Mbit/s")
    for one in report.feeds:
        shown.add_row(
            f"{one.feed} ({one.encoder})",
            f"{one.frames_per_s:g}",
            f"{one.age_ms_p50:g} ms",
            f"{one.age_ms_p95:g} ms",
            f"{one.age_ms_max:g} ms",
            f"{one.capture_cpu_percent:g} %",
            f"{one.encode_cpu_percent:g} %",
            str(one.dropped),
            f"{one.bitrate_bps / 1e6:.2f}",
        )
    return shown


def notes(report: Report) -> list[str]:
    """What the figures mean."""
    verdict = "fits" if report.fits else "does not fit"
    lines = [
        f"all together {report.cpu_percent:g} % of one core of {report.cores}; the machine was "
        f"{report.idle_percent:g} % idle, {report.steal_percent:g} % stolen; "
        f"age p95 wanted ≤ {AGE_P95_MS:g} ms: {verdict}"
    ]
    if not report.quiet:
        lines.append(f"the machine was busy (load {report.load_before:g}): these figures are not final")
    return lines
