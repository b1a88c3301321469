"""A browser behind a link that is squeezed and let go again: which layers it gets, what it shows.

    python -m bench.downlink [--phase-s 15] [--plot docs/plots/downlink.svg]

`teleconsult demo` (two 1080p feeds) → seeded impairment proxy → Chromium, all on this machine. Needs the
checkout: demo, browser and the impaired link are the tests'.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from bench.plot import Line, Panel, plot
from bench.shown_frames import SCRIPT, ShownFrames
from tests.support.browser import chromium, stats
from tests.support.demo import Demo
from tests.support.link import Impairment, Link
from tests.support.network import Network
from tests.support.stage import FEEDS, new_person, specialist_behind

SEED: Final = 4
WAY: Final = Impairment(delay_ms=20.0, jitter_ms=5.0, queue_ms=200.0)
WIDE_BPS, NARROW_BPS = 8_000_000, 1_500_000
SAMPLE_S: Final = 0.1
STEP_S: Final = 2.5
"""What happens within this of a change of the link counts as happening at it."""
READY_WITHIN_S: Final = 30.0
BPS_WINDOW_S: Final = 0.5
NS_PER_S: Final = 1_000_000_000
COLOURS: Final = ("#1f77b4", "#ff7f0e")
GAPS_PER_S: Final = 10


@dataclass(frozen=True, slots=True)
class Phase:
    """The link carries `rate_bps` for `seconds`."""

    rate_bps: int
    seconds: float


@dataclass(slots=True)
class Sample:
    """One moment. `layers`: rid by feed, None: paused."""

    at_s: float
    link_bps: int
    passed_bps: float
    budget_bps: int | None
    queue_ms: float
    layers: dict[str, str | None]


@dataclass(slots=True)
class FeedResult:
    """Of one feed in one phase. `freeze_s`: longest time without a new picture, at the step and after it."""

    layer: str | None
    width: int
    frames_per_s: float
    freeze_step_s: float
    freeze_s: float
    in_full_after_s: float | None
    """From the step until a frame of the size before all steps was shown; None: never."""


@dataclass(slots=True)
class PhaseResult:
    rate_bps: int
    used: float
    lost_packets: int
    feeds: dict[str, FeedResult]


@dataclass(slots=True)
class Run:
    """What one run showed."""

    phases: list[PhaseResult] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    frames: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    """(seconds, width) by feed."""


class MeteredLink(Link):
    """Notes what comes out, and when."""

    def __init__(self, impairment: Impairment) -> None:
        super().__init__(impairment, random.Random(SEED))  # replayable
        self.out: list[tuple[int, int]] = []

    def arrival_ns(self, size_bytes: int, now_ns: int) -> int | None:
        out_ns = super().arrival_ns(size_bytes, now_ns)
        if out_ns is not None:
            self.out.append((out_ns, size_bytes))
        return out_ns

    def queue_ms(self, now_ns: int) -> float:
        """How long what is sent now would wait."""
        return max(0.0, (self._free_ns - now_ns) / 1e6) if self.impairment.rate_bps else 0.0

    def bps(self, from_ns: int, to_ns: int) -> float:
        """What came out in that time."""
        size_bytes = sum(size for at_ns, size in self.out if from_ns <= at_ns < to_ns)
        return size_bytes * 8 * NS_PER_S / (to_ns - from_ns)


class Downlink:
    """One viewer of a demo, alone in the room, behind a link."""

    def __init__(self, demo: Demo, page: Page, link: MeteredLink, network: Network) -> None:
        self.page, self.link = page, link
        self.shown = ShownFrames(page)
        self.run = Run()
        self._demo, self._network = demo, network
        self._tracks = {report["trackId"]: feed for feed, report in stats(page)["feeds"].items()}
        self._began_s = time.time()
        self._widths: dict[str, int] = {}

    def wait_until_in_full(self) -> None:
        """Until nothing is lowered. Raises `TimeoutError`."""
        until_s = time.monotonic() + READY_WITHIN_S
        while any(self._lowered(feed) for feed in FEEDS):
            if time.monotonic() > until_s:
                raise TimeoutError(f"still lowered: {stats(self.page)['feeds']}")
            self.page.wait_for_timeout(SAMPLE_S * 1000)
        self.shown.read()
        self._widths = {feed: self.shown.by_feed[feed][-1].width for feed in FEEDS}
        self._began_s = time.time()

    def _lowered(self, feed: str) -> bool:
        report = stats(self.page)["feeds"][feed]
        self.shown.read()
        return report["layer"] is None or report["lowered"] is not None or not self.shown.by_feed[feed]

    def phase(self, phase: Phase) -> PhaseResult:
        """The link as it is said, sampled; what came of it."""
        self._network.impair(replace(WAY, rate_bps=phase.rate_bps), up=WAY)
        begun_s, begun_ns, lost = time.time(), time.monotonic_ns(), self.link.lost
        while time.time() < begun_s + phase.seconds:
            self.page.wait_for_timeout(SAMPLE_S * 1000)
            self.run.samples.append(self._sample(phase))
        self.shown.read()
        end_s = time.time()
        settled_ns = begun_ns + int(STEP_S * NS_PER_S)
        layers = self.run.samples[-1].layers
        result = PhaseResult(
            rate_bps=phase.rate_bps,
            used=self.link.bps(settled_ns, time.monotonic_ns()) / phase.rate_bps,
            lost_packets=self.link.lost - lost,
            feeds={feed: self._feed(feed, layers.get(feed), begun_s, end_s) for feed in FEEDS},
        )
        self.run.phases.append(result)
        return result

    def _feed(self, feed: str, layer: str | None, begun_s: float, end_s: float) -> FeedResult:
        shown, settled_s = self.shown, begun_s + STEP_S
        frames = shown.between(feed, settled_s, end_s)
        return FeedResult(
            layer=layer,
            width=frames[-1].width if frames else 0,
            frames_per_s=len(frames) / (end_s - settled_s),
            freeze_step_s=shown.longest_gap_s(feed, begun_s, settled_s),
            freeze_s=shown.longest_gap_s(feed, settled_s, end_s),
            in_full_after_s=shown.first_s(feed, self._widths[feed], begun_s),
        )

    def _sample(self, phase: Phase) -> Sample:
        now_ns = time.monotonic_ns()
        session = self.session()
        return Sample(
            at_s=time.time() - self._began_s,
            link_bps=phase.rate_bps,
            passed_bps=self.link.bps(now_ns - int(BPS_WINDOW_S * NS_PER_S), now_ns),
            budget_bps=session["budget_bps"],
            queue_ms=self.link.queue_ms(now_ns),
            layers={self._tracks[track]: rid for track, rid in session["layers"].items()},
        )

    def session(self) -> dict[str, Any]:
        """The viewer's, as the media worker tells it."""
        sessions: list[dict[str, Any]] = self._demo.worker_stats()["sessions"]
        return next(one for one in sessions if "budget_bps" in one)

    def finish(self) -> Run:
        """The run, with all frames."""
        self.run.frames = {
            feed: [(frame.at_s - self._began_s, frame.width) for frame in self.shown.by_feed[feed]]
            for feed in FEEDS
        }
        return self.run


def squeezed(phase_s: float) -> list[Phase]:
    """8 → 1.5 → 8 Mbit/s."""
    return [Phase(WIDE_BPS, phase_s), Phase(NARROW_BPS, phase_s), Phase(WIDE_BPS, phase_s)]


def measure(demo: Demo, network: Network, page: Page, phases: Sequence[Phase]) -> Run:
    """Run all phases one after the other, from the moment on when everything is shown in full."""
    link = MeteredLink(replace(WAY, rate_bps=phases[0].rate_bps))
    network.way_down(link)
    network.impair(link.impairment, up=WAY)
    downlink = Downlink(demo, page, link, network)
    downlink.wait_until_in_full()
    for phase in phases:
        downlink.phase(phase)
    return downlink.finish()


def report(run: Run) -> str:
    """Lines for each phase."""
    lines = []
    for phase in run.phases:
        lines.append(
            f"{phase.rate_bps / 1e6:4.1f} Mbit/s: {phase.used:.0%} used, {phase.lost_packets} packets lost"
        )
        for name, feed in phase.feeds.items():
            full = "never" if feed.in_full_after_s is None else f"{feed.in_full_after_s:.1f} s"
            lines.append(
                f"    {name}: layer {feed.layer} ({feed.width} wide), {feed.frames_per_s:.1f} frames/s, "
                f"longest freeze {feed.freeze_step_s:.2f} s at the step, {feed.freeze_s:.2f} s after it; "
                f"in full after {full}"
            )
    return "\n".join(lines)


def drawn(run: Run, title: str) -> str:
    """SVG: bit rates, the queue before the link, the width of the pictures shown, the time between them."""
    samples, end_s = run.samples, max(sample.at_s for sample in run.samples)
    seen = {
        feed: [frame for frame in frames if 0 <= frame[0] <= end_s] for feed, frames in run.frames.items()
    }
    named = [(feed, colour, seen[feed]) for feed, colour in zip(seen, COLOURS, strict=False)]
    rates = [
        Line("link", "#888888", [(s.at_s, s.link_bps / 1e6) for s in samples]),
        Line("through the link", "#9ecae1", [(s.at_s, s.passed_bps / 1e6) for s in samples]),
        Line("budget", "#d62728", [(s.at_s, (s.budget_bps or 0) / 1e6) for s in samples]),
    ]
    queue = [Line("", "#9467bd", [(s.at_s, s.queue_ms) for s in samples])]
    gaps = [Line("", colour, _gaps_ms([at_s for at_s, _ in frames])) for _, colour, frames in named]
    panels = (
        Panel("Mbit/s", 240, 10.0, (0, 2, 4, 6, 8, 10), rates),
        Panel("queue, ms", 80, 250.0, (0, 100, 200), queue),
        Panel("width shown, pixels", 70, 2000.0, (0, 640, 1920), [Line(*one) for one in named]),
        Panel("time without a new picture, ms", 50, 1000.0, (0, 500, 1000), gaps),
    )
    return plot(title, panels, end_s)


def _gaps_ms(times_s: Sequence[float]) -> list[tuple[float, float]]:
    """The longest gap before a frame, of each tenth of a second."""
    longest: dict[int, float] = {}
    for before_s, at_s in pairwise(times_s):
        tenth = int(at_s * GAPS_PER_S)
        longest[tenth] = max(longest.get(tenth, 0.0), (at_s - before_s) * 1000)
    return [(tenth / GAPS_PER_S, gap_ms) for tenth, gap_ms in longest.items()]


def run_alone(phases: Sequence[Phase]) -> Run:
    """With a demo and a browser of its own."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        demo = Demo.start(Path(folder))
        try:
            with Network(demo.base_url, demo.udp_port, seed=SEED) as network:
                context = new_person(browser)
                context.add_init_script(SCRIPT)
                return measure(demo, network, specialist_behind(network, demo, context), phases)
        finally:
            demo.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--phase-s", type=float, default=15.0)
    parser.add_argument("--plot", type=Path, help="write an SVG")
    parser.add_argument("--json", type=Path, help="write everything measured")
    options = parser.parse_args()
    run = run_alone(squeezed(options.phase_s))
    print(report(run))  # a command's output
    if options.json:
        options.json.write_text(json.dumps(asdict(run), indent=1))
    if options.plot:
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        options.plot.write_text(drawn(run, "A browser's downlink: 8 → 1.5 → 8 Mbit/s"))


if __name__ == "__main__":
    main()
