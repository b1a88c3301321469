"""One running demo and one Chromium for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize

from tests.support.browser import chromium
from tests.support.demo import Demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo.start(tmp_path_factory.mktemp("demo"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def new_person(browser: Browser) -> BrowserContext:
    """Somebody's browser profile: cookies and storage of their own, devices allowed."""
    size: ViewportSize = {"width": 1440, "height": 900}
    return browser.new_context(viewport=size, permissions=["microphone", "camera"])


@pytest.fixture
def person(browser: Browser) -> Iterator[BrowserContext]:
    context = new_person(browser)
    yield context
    context.close()


@pytest.fixture
def other_person(browser: Browser) -> Iterator[BrowserContext]:
    context = new_person(browser)
    yield context
    context.close()
