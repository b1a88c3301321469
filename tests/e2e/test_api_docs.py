"""`/docs` in Chromium: all the service offers, under the same policy as every page, from no other host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, async_playwright, expect

from signaling.declared import declared_operations
from signaling.problems import CONTENT_SECURITY_POLICY
from tests.signaling.conftest import World, make_world
from tests.support.accessibility import AXE, RUN, TAGS
from tests.support.browser import CHROMIUM, QUIET

DIST: Final = Path(__file__).parents[2] / "web_client" / "dist"
DESCRIBED: Final = [one for one in declared_operations(DIST) if one.described]
NOTE_VIOLATIONS: Final = (
    "window.violations = []; document.addEventListener('securitypolicyviolation',"
    " event => window.violations.push(event.violatedDirective + ' ' + event.blockedURI))"
)

pytestmark = pytest.mark.browser


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with make_world(tmp_path, with_worker=False, web_root=DIST) as made:
        yield made


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = await browser.new_page()
        await page.add_init_script(NOTE_VIOLATIONS)
        yield page
        await browser.close()


async def test_every_operation_is_shown_and_nothing_comes_from_elsewhere(world: World, page: Page) -> None:
    hosts, errors = set(), []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    response = await page.goto(f"{world.base_url}/docs")
    assert response is not None
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    await expect(page.locator("details[id^='op-']")).to_have_count(len(DESCRIBED))
    shown = await page.locator("details[id^='op-'] > summary").all_inner_texts()
    for one in DESCRIBED:
        assert any(one.method in text and one.path in text and one.summary in text for text in shown), one.key
    for details in await page.locator("details.operation > summary").all():
        await details.click()
    assert await page.evaluate("window.violations") == []
    assert hosts == {urlsplit(world.base_url).netloc}
    assert errors == []


async def test_an_operation_tells_what_to_send_and_what_comes_back(world: World, page: Page) -> None:
    await page.goto(f"{world.base_url}/docs#op-open")
    opened = page.locator("#op-open")
    await expect(opened).to_have_attribute("open", "")
    for text in ("consent_record", "already_open", "ConsultationView", "201"):
        await expect(opened).to_contain_text(text)
    await opened.get_by_role("link", name="Patient").click()
    await expect(page.locator("#schema-Patient")).to_have_attribute("open", "")
    await expect(page.locator("#schema-Patient")).to_contain_text("exam_number")


async def test_operations_are_found_by_typing(world: World, page: Page) -> None:
    await page.goto(f"{world.base_url}/docs")
    await page.get_by_label("Find an operation").fill("invitation delete")
    await expect(page.locator("details[id^='op-']:visible")).to_have_count(1)
    await expect(page.locator("#op-revoke_invitation")).to_be_visible()
    await page.get_by_label("Find an operation").fill("no such thing")
    await expect(page.get_by_role("status")).to_contain_text("No operation matches")


@pytest.mark.parametrize("width", [390, 1440])
async def test_the_page_is_accessible_and_fits_every_screen(world: World, page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    await page.goto(f"{world.base_url}/docs#op-open")
    await expect(page.locator("#op-open")).to_have_attribute("open", "")
    await page.evaluate(AXE.read_text())
    violations: list[dict[str, Any]] = await page.evaluate(RUN, TAGS)
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations] == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
