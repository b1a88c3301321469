"""People of the demo, each with a browser profile and, if wanted, a network of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.support.browser import join, stats, wait_for
from tests.support.demo import Demo
from tests.support.network import Network

FEEDS = ("ultrasound", "theatre")
LIVE_WITHIN_S = 20.0
POLL_S = 0.05


def new_person(browser: Browser, **options: Any) -> BrowserContext:
    """Somebody's browser profile: cookies and storage of their own, devices allowed."""
    size: ViewportSize = {"width": 1440, "height": 900}
    return browser.new_context(**{"viewport": size, "permissions": ["microphone", "camera"]} | options)


def both_live(report: dict[str, Any]) -> bool:
    return all(is_live(report, name) for name in FEEDS)


def is_live(report: dict[str, Any], feed: str) -> bool:
    shown = report["feeds"].get(feed, {})
    return bool(shown.get("framesDecoded", 0)) and shown["state"] == "live"


def specialist_behind(
    network: Network, demo: Demo, context: BrowserContext, user: str = "specialist"
) -> Page:
    """In the room, everything going through that network, both feeds live."""
    page = context.new_page()
    page.add_init_script(network.script)
    join(page, network.base_url, demo.user(user))
    wait_for(page, both_live, LIVE_WITHIN_S, "both feeds show a picture")
    return page


def frames(page: Page) -> dict[str, int]:
    return {name: shown["framesDecoded"] for name, shown in stats(page)["feeds"].items()}


def seconds_until(condition: Callable[[], Any], within_s: float, what: str, page: Page) -> float:
    """How long it took; the browser's events go on meanwhile."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, (
            f"{what}: not within {within_s} s; {stats(page)}; the page says: {page.inner_text('body')}"
        )
        page.wait_for_timeout(POLL_S * 1000)
    return time.monotonic() - began


def moves_on(page: Page, before: dict[str, int]) -> bool:
    """Both feeds are live with frames that were not there `before` (a new connection counts from 0)."""
    report = stats(page)
    now = {name: shown["framesDecoded"] for name, shown in report["feeds"].items()}
    return both_live(report) and all(now[name] != before.get(name) for name in FEEDS)
