"""Glass to glass through a real browser, and how long somebody who joins waits for the first picture.

A private service, the real edge agent with the time-coded test card, headless Chromium with the web client.
All clocks are this machine's.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.latency_figures import Inside, Report, Sample, Spread, matching, spreads
from bench.latency_page import FIRST_FRAMES, STOP, WATCH
from bench.proc import MachineTime
from bench.processes import end
from bench.room_service import ROOM, RoomService, room_service
from bench.signalling import WorkerClient
from core.errors import ConfigError
from sfu.metrics import Histogram

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
WINDOW: Final = {"width": 1920, "height": 1080}
READ_EVERY: Final = 3
"""Frames: reading pixels costs the machine that is measured."""
SETTLING_S: Final = 3.0
SEE_WITHIN_MS: Final = 30_000
LOOK_EVERY_S: Final = 0.05
EDGE_FEED: Final = """\
[[feeds]]
name = "{name}"
profile = "theatre"
source = {{ kind = "testcard" }}
"""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What to measure. `joins` 0: none. `small`: pictures of 640 × 360, for a slow machine."""

    seconds: float = 20.0
    feeds: int = 1
    joins: int = 20
    small: bool = False

    @property
    def names(self) -> list[str]:
        return [f"card-{number}" for number in range(1, self.feeds + 1)]


def browser_path(name: str | None = None) -> str:
    """A Chromium: `name`, or the first that is installed. Raises `ConfigError`."""
    for candidate in (name,) if name else BROWSERS:
        if (found := shutil.which(candidate)) is not None:
            return found
    asked = name or "none of " + ", ".join(BROWSERS)
    raise ConfigError(f"no Chromium to measure with ({asked} found); install one, or name it: --browser PATH")


def playwright_api() -> Any:
    """Playwright, which drives the browser. Raises `ConfigError` when it is not installed."""
    try:
        return importlib.import_module("playwright.async_api")
    except ModuleNotFoundError:
        raise ConfigError(
            "playwright is not installed; it is for development: pip install playwright"
        ) from None


async def run(wanted: Wanted, *, browser: str | None = None, tell: Tell = lambda text: None) -> Report:
    """Measure. Raises `ConfigError` without a browser, and what the service's start raises."""
    executable, api = browser_path(browser), playwright_api()
    with tempfile.TemporaryDirectory(prefix="lat-") as folder:
        tell("Starting the service …")
        async with (
            room_service(Path(folder), wanted.names) as service,
            edge_agent(Path(folder), service, wanted),
            api.async_playwright() as playwright,
        ):
            launched = await playwright.chromium.launch(
                executable_path=executable, headless=True, args=list(ARGUMENTS)
            )
            try:
                return await _measure(wanted, service, launched, tell)
            finally:
                await launched.close()


@contextlib.asynccontextmanager
async def edge_agent(folder: Path, service: RoomService, wanted: Wanted) -> AsyncIterator[None]:
    """The real one, as a process, with a test card per feed."""
    token, config = folder / "edge.token", folder / "edge.toml"
    token.write_text(service.seed.device_token)
    size = "width = 640\nheight = 360\nbitrate_bps = 1_000_000\n" if wanted.small else ""
    head = f'server = "{service.base_url}"\nroom = "{ROOM}"\ntoken_file = "{token}"\n'
    config.write_text(head + "".join(EDGE_FEED.format(name=name) + size for name in wanted.names))
    with (folder / "edge.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "teleconsult", "edge", "run", "--config", str(config)),
            stdin=DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await end(process)


async def _measure(wanted: Wanted, service: RoomService, browser: Any, tell: Tell) -> Report:
    context = await browser.new_context(viewport=WINDOW)
    page = await context.new_page()
    worker = WorkerClient(service.worker_api)
    machine = MachineTime.now()
    try:
        tell("Joining …")
        await join_room(page, service)
        await _first_frames(page, wanted.names)
        await asyncio.sleep(SETTLING_S)
        found, inside = await _watch(page, worker, wanted, tell)
        joins = await _join_again(page, wanted, tell)
    finally:
        await worker.close()
        await context.close()
    samples = [_sample(told) for told in found["samples"]]
    kept = matching(samples)
    return Report(
        feeds=wanted.feeds,
        seconds=wanted.seconds,
        frames=found["frames"],
        unreadable=found["unreadable"],
        moved_on=len(samples) - len(kept),
        **spreads(kept),
        inside=inside,
        joins=Spread.of(joins),
        idle_percent=MachineTime.now().percent_since(machine)[0],
        load=os.getloadavg()[0],
    )


async def join_room(page: Any, service: RoomService) -> None:
    """As a specialist would, with microphone and camera off."""
    username, password = service.seed.users["specialist"]
    await page.goto(service.base_url)
    if not await page.get_by_test_id("username").is_visible():
        await _see(page, "username")
    await page.get_by_test_id("username").fill(username)
    await page.get_by_test_id("password").fill(password)
    await page.get_by_test_id("sign-in").click()
    await page.get_by_test_id(f"join-{ROOM}").click()
    await _see(page, "enter")
    for choice in ("prejoin-mic", "prejoin-camera"):
        toggle = page.get_by_test_id(choice)
        if await toggle.get_attribute("aria-pressed") == "true":
            await toggle.click()
    await page.get_by_test_id("enter").click()


async def _see(page: Any, testid: str) -> None:
    await page.get_by_test_id(testid).first.wait_for(timeout=SEE_WITHIN_MS)


async def _first_frames(page: Any, names: Sequence[str]) -> list[float]:
    """When each feed showed its first frame, in ms from joining. Raises `TimeoutError`."""
    async with asyncio.timeout(SEE_WITHIN_MS / 1e3):
        while True:
            found = await page.evaluate(FIRST_FRAMES, list(names))
            if all(one is not None for one in found):
                return [float(one) for one in found]
            await asyncio.sleep(LOOK_EVERY_S)


async def _watch(
    page: Any, worker: WorkerClient, wanted: Wanted, tell: Tell
) -> tuple[dict[str, Any], Inside]:
    tell(f"Reading the time off the picture for {wanted.seconds:.0f} s …")
    before = (await worker.stats())["inside_us"]["buckets"]
    await page.evaluate(WATCH, {"every": READ_EVERY})
    await asyncio.sleep(wanted.seconds)
    found: dict[str, Any] = await page.evaluate(STOP)
    since = Histogram((await worker.stats())["inside_us"]["buckets"]).since(before)
    p50, p99 = (since.percentile_us(share) for share in (0.5, 0.99))
    return found, Inside(None if p50 is None else p50 / 1e3, None if p99 is None else p99 / 1e3)


async def _join_again(page: Any, wanted: Wanted, tell: Tell) -> list[float]:
    """A reload of the room's page leaves and joins; nobody else watches meanwhile."""
    found: list[float] = []
    for number in range(1, wanted.joins + 1):
        tell(f"Joining, {number} of {wanted.joins} …")
        await page.reload()
        await page.wait_for_function("() => window.teleconsult !== undefined", timeout=SEE_WITHIN_MS)
        found += await _first_frames(page, wanted.names)
    return found


def _sample(told: dict[str, Any]) -> Sample:
    return Sample(
        feed=told["feed"],
        capture_us=told["captureUs"],
        shown_us=told["shownUs"],
        received_us=told["receivedUs"],
        decoding_us=told["decodingUs"],
        rtp_timestamp=told["rtpTimestamp"],
    )
