"""Five people drawing at once among many marks: does the canvas keep up, and is the server's loop free?

    teleconsult bench drawing [--seconds 20] [--marks 200] [--json]

A private service and box, four people without a browser and one at a headless Chromium who draws, too. What
its page does with every frame is timed there; what the server's loop does, in the server (`loop_watch`).
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import aiohttp
from rich.table import Table

from bench.drawing_people import Drawer
from bench.latency import ARGUMENTS, Wanted, browser_path, edge_agent, join_room, playwright_api
from bench.latency_figures import Spread
from bench.loop_watch import within_ms
from bench.proc import MachineTime
from bench.room_service import RoomService, room_service

FEED: Final = "card-1"
OTHERS: Final = 4
WINDOW: Final = {"width": 1440, "height": 900}
SEE_WITHIN_MS: Final = 30_000
SETTLING_S: Final = 2.0
BEFORE_S: Final = 10.0
FRAMES_TARGET: Final = 58.0
"""A second: 60 less what two clocks disagree."""
BLOCKED_TARGET_MS: Final = 5.0
SAME_LOOK_MS: Final = 1000 / 60 * 1.5
"""Between two frames; more, and one was left out."""
MOVE_EVERY_S: Final = 1 / 60

TIMED: Final = """
(() => {
  const real = window.requestAnimationFrame.bind(window);
  window.timed = { on: false, frames: [], spent: [] };
  const { clearRect } = CanvasRenderingContext2D.prototype;
  let spent = 0, draws = 0;
  window.requestAnimationFrame = (draw) => real((now) => {
    const began = performance.now();
    draw(now);
    spent += performance.now() - began;
  });
  // A canvas is drawn anew from nothing.
  CanvasRenderingContext2D.prototype.clearRect = function (...given) {
    draws += 1;
    clearRect.apply(this, given);
  };
  const tick = (now) => {
    if (window.timed.on) {
      window.timed.frames.push(now);
      if (draws > 0) window.timed.spent.push(spent);
    }
    spent = draws = 0;
    real(tick);
  };
  real(tick);
})();
"""
"""For the page to run before its own scripts: what its drawing takes, frame by frame, ms."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """`frames`: of the page, a second; `frames_before`: with the same marks while nobody draws. `late`: how
    many came after one that was left out. `draw`: what the page's own work took in a frame in which it drew,
    ms. `steps`, `turns`: of the server's loop, as `LoopWatch` has them, ms, longest first.
    """

    marks: int
    seconds: float
    frames_before: float
    frames: float
    late: int
    drawn: int
    draw: Spread | None
    steps: list[float]
    turns: list[float]
    refused: int
    idle_percent: float
    load: float

    @property
    def fits(self) -> bool:
        """Whether both targets are met."""
        free = max(self.steps, default=0.0) <= BLOCKED_TARGET_MS
        return self.frames >= FRAMES_TARGET and free and self.refused == 0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "steps": self.steps[:10], "turns": self.turns[:10], "fits": self.fits}


async def run(
    seconds: float, marks: int, *, browser: str | None = None, tell: Tell = lambda text: None
) -> Report:
    """Measure. Raises `ConfigError` without a browser, and what the service's start raises."""
    executable, api = browser_path(browser), playwright_api()
    with tempfile.TemporaryDirectory(prefix="drw-") as name:
        folder = Path(name)
        watched = folder / "loop.json"
        tell("Starting the service …")
        commands = (("-m", "bench.loop_watch", str(watched)), ("-m", "teleconsult", "serve", "--role", "sfu"))
        async with AsyncExitStack() as stack:
            service = await stack.enter_async_context(room_service(folder, [FEED], commands=commands))
            await stack.enter_async_context(edge_agent(folder, service, Wanted(small=True)))
            playwright = await stack.enter_async_context(api.async_playwright())
            launched = await playwright.chromium.launch(
                executable_path=executable, headless=True, args=list(ARGUMENTS)
            )
            stack.push_async_callback(launched.close)
            page = await _enter(launched, service)
            found = await _measure(page, service, seconds, marks, tell)
        return _report(found, json.loads(watched.read_text()))


async def _enter(browser: Any, service: RoomService) -> Any:
    context = await browser.new_context(viewport=WINDOW)
    await context.add_init_script(TIMED)
    page = await context.new_page()
    await join_room(page, service)
    await page.locator(f'[data-testid="feed-{FEED}"][data-status="live"]').wait_for(timeout=SEE_WITHIN_MS)
    await page.get_by_test_id("draw-open").click()
    await page.get_by_test_id("tool-pen").click()
    return page


async def _measure(page: Any, service: RoomService, seconds: float, marks: int, tell: Tell) -> dict[str, Any]:
    async with aiohttp.ClientSession(service.base_url) as session, AsyncExitStack() as stack:
        others = [
            await stack.enter_async_context(Drawer(session, service, number, FEED))
            for number in range(OTHERS)
        ]
        tell(f"Drawing {marks} marks …")
        await asyncio.gather(*(other.put(share) for other, share in zip(others, _shares(marks), strict=True)))
        await page.wait_for_function(
            "([feed, count]) => window.teleconsult.drawings()[feed]?.marks.length >= count",
            arg=[FEED, marks],
        )
        tell("Nobody draws …")
        before = await _timed(page, min(seconds, BEFORE_S))
        drawing = [asyncio.create_task(other.draw(SETTLING_S + seconds)) for other in others]
        drawing.append(asyncio.create_task(_draw(page, SETTLING_S + seconds)))
        await asyncio.sleep(SETTLING_S)
        tell(f"Five people draw for {seconds:.0f} s …")
        machine, from_ms = MachineTime.now(), time.time() * 1e3
        timed = await _timed(page, seconds)
        to_ms = time.time() * 1e3
        await asyncio.gather(*drawing)
        return {
            "before": before, "timed": timed, "from_ms": from_ms, "to_ms": to_ms,
            "marks": marks, "seconds": seconds,
            "refused": sum(len(other.refused) for other in others),
            "idle": MachineTime.now().percent_since(machine)[0], "load": os.getloadavg()[0],
        }  # fmt: skip


async def _timed(page: Any, seconds: float) -> dict[str, list[float]]:
    """The page's frames of so long."""
    await page.evaluate("() => Object.assign(window.timed, { on: true, frames: [], spent: [] })")
    await asyncio.sleep(seconds)
    found: dict[str, list[float]] = await page.evaluate(
        "() => { window.timed.on = false; return window.timed; }"
    )
    return found


async def _draw(page: Any, seconds: float) -> None:
    """With the mouse, to and fro; each stroke is taken back."""
    box = await page.get_by_test_id(f"drawing-{FEED}").bounding_box()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        x, y = box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"]
        await page.mouse.move(x, y)
        await page.mouse.down()
        for step in range(100):
            await page.mouse.move(x + step * 0.003 * box["width"], y + 80 * ((step // 20) % 2))
            await asyncio.sleep(MOVE_EVERY_S)
        await page.mouse.up()
        await page.keyboard.press("z")


def _shares(marks: int) -> list[int]:
    return [marks // OTHERS + (number < marks % OTHERS) for number in range(OTHERS)]


def _report(found: dict[str, Any], loop: dict[str, list[tuple[float, float]]]) -> Report:
    timed = found["timed"]
    rate, late = cadence(timed["frames"])
    return Report(
        marks=found["marks"],
        seconds=found["seconds"],
        frames_before=round(cadence(found["before"]["frames"])[0], 1),
        frames=round(rate, 1),
        late=late,
        drawn=len(timed["spent"]),
        draw=Spread.of(timed["spent"]),
        steps=within_ms(loop["steps"], found["from_ms"], found["to_ms"]),
        turns=within_ms(loop["turns"], found["from_ms"], found["to_ms"]),
        refused=found["refused"],
        idle_percent=found["idle"],
        load=found["load"],
    )


def cadence(times_ms: Sequence[float]) -> tuple[float, int]:
    """Frames a second, and how many came later than one frame after the one before."""
    if len(times_ms) < 2:
        return 0.0, 0
    gaps = [after - before for before, after in pairwise(times_ms)]
    return 1000 * len(gaps) / (times_ms[-1] - times_ms[0]), sum(gap > SAME_LOOK_MS for gap in gaps)


def table(report: Report) -> Table:
    """For people."""
    found = Table("what", "measured", "target", title=f"Five people drawing among {report.marks} marks")
    found.add_row("the page's frames a second while nobody draws", f"{report.frames_before:.1f}", "")
    found.add_row("the page's frames a second", f"{report.frames:.1f}", "60")
    found.add_row("frames left out before another", str(report.late), "")
    found.add_row("frames with drawing in them", str(report.drawn), "")
    if report.draw is not None:
        spread = f"{report.draw.p50:.1f} / {report.draw.p95:.1f} / {report.draw.max:.1f}"
        found.add_row("its work in such a frame, ms: median / 95 % / longest", spread, "16.7")
    found.add_row("the longest step of the server's loop, ms", f"{max(report.steps, default=0.0):.1f}", "5")
    found.add_row("everything in one turn of it, at most, ms", f"{max(report.turns, default=0.0):.1f}", "")
    found.add_row("operations refused", str(report.refused), "0")
    found.add_row("the machine was idle", f"{report.idle_percent:.0f} %", "")
    return found
