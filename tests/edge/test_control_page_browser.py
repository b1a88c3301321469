"""In a real browser: the buttons of remote control get through, and a badge is not torn by the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright, expect

from core.device_health import DeviceHealth
from edge_agents.control import Act
from edge_agents.status import BoxStatus, ControlStatus
from edge_agents.status_page import REFRESH_S, serving_on
from tests.edge.test_control_page import ACTIVE, ASKED, BADGE
from tests.support.browser import CHROMIUM, QUIET

pytestmark = pytest.mark.browser
Acts = list[tuple[Act, str, str, str]]


@asynccontextmanager
async def opened(controls: list[ControlStatus], acts: Acts) -> AsyncIterator[Page]:
    """The page as a display beside the box shows it, by 127.0.0.1 and its port."""

    def look() -> BoxStatus:
        return BoxStatus(state="attending", server="https://c", health=DeviceHealth(), controls=controls)

    async with (
        serving_on(0, look, lambda *acted: acts.append(acted)) as port,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=QUIET)
        try:
            page = await browser.new_page(locale="en", viewport={"width": 1280, "height": 800})
            await page.goto(f"http://127.0.0.1:{port}/")
            yield page
        finally:
            await browser.close()


async def test_allow_and_stop_are_pressed_and_large_enough_for_gloves() -> None:
    controls, acts = [ASKED], Acts()
    async with opened(controls, acts) as page:
        for label in ("Allow", "Refuse"):
            box = await page.get_by_role("button", name=label).bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 64
        controls[:] = [ACTIVE]
        await page.get_by_role("button", name="Allow").click()
        await page.get_by_role("button", name="Stop").click()
        await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    assert [(act, control_id) for act, _, control_id, _ in acts] == [("allow", "c_1"), ("stop", "c_1")]


async def test_a_badge_that_is_typed_while_the_rest_is_loaded_anew_arrives_whole() -> None:
    controls, acts = [BADGE], Acts()
    async with opened(controls, acts) as page:
        frame = page.frame_locator("iframe")
        await expect(frame.get_by_text("1:41")).to_be_visible()
        await page.keyboard.type("DOCTOR")  # into the field that has the focus
        controls[:] = [BADGE.model_copy(update={"left_s": 90})]
        await expect(frame.get_by_text("1:30")).to_be_visible(timeout=3 * REFRESH_S * 1000)
        await page.keyboard.type("-17")
        controls[:] = [ACTIVE]
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    assert acts == [("badge", "ultrasound", "c_1", "DOCTOR-17")]


async def test_refusing_in_the_frame_loads_the_whole_page_anew() -> None:
    controls, acts = [BADGE], Acts()
    async with opened(controls, acts) as page:
        button = page.frame_locator("iframe").get_by_role("button", name="Refuse")
        await button.wait_for()
        controls.clear()
        await button.click()
        await expect(page.locator("iframe")).to_have_count(0)
    assert [act for act, *_ in acts] == ["refuse"]
