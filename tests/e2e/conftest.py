"""One running demo and one Chromium for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.support.browser import chromium
from tests.support.demo import Demo
from tests.support.stage import new_person


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo.start(tmp_path_factory.mktemp("demo"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """With pictures that several browsers on one small machine can decode."""
    running = Demo.start(tmp_path_factory.mktemp("demo"), "--small")
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


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
