"""What ends a video call elsewhere, not here: killed processes, a sleeping laptop, a reload, two tabs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.browser import join, launch_beside, not_see, see, stats, wait_for
from tests.support.demo import Demo
from tests.support.processes import descendants, stopped
from tests.support.stage import both_live, frames, moves_on, new_person, seconds_until
from tests.support.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LIVE_WITHIN_S = 30
BACK_WITHIN_S = 40.0
"""A busy machine starts a process slowly."""
ASLEEP_S = 30.0
SOON_MS = 20_000


@pytest.fixture(scope="module")
def demo(small_demo: Demo) -> Demo:
    return small_demo


def in_room(demo: Demo, context: BrowserContext, user: str = "specialist") -> Page:
    page = context.new_page()
    join(page, demo.base_url, demo.user(user))
    wait_for(page, both_live, LIVE_WITHIN_S, "both feeds show a picture")
    return page


def lost(page: Page) -> bool:
    """The page shows that something is missing: the connection, or a picture."""
    report = stats(page)
    return report["link"] != "joined" or not both_live(report)


def recording_is(page: Page, state: str) -> Callable[[], bool]:
    return lambda: page.get_by_test_id("recording").get_attribute("data-state") == state


@pytest.mark.parametrize("role", ["signaling", "edge"])
def test_pictures_return_without_a_reload_when_a_process_is_killed(
    demo: Demo, person: BrowserContext, role: str
) -> None:
    page = in_room(demo, person)
    loaded_at = page.evaluate("performance.timeOrigin")
    demo.wait_for_spare()
    before = frames(page)
    demo.kill_role(role)
    seconds_until(lambda: lost(page), 15, f"the page notices that {role} is gone", page)
    took_s = seconds_until(
        lambda: stats(page)["link"] == "joined" and moves_on(page, before), BACK_WITHIN_S, "healed", page
    )
    print(f"{role} killed: healed {took_s:.1f} s after it was noticed")
    not_see(page, "reconnecting")
    assert page.evaluate("performance.timeOrigin") == loaded_at


def test_a_killed_recorder_is_replaced_and_records_while_pictures_go_on(
    demo: Demo, person: BrowserContext
) -> None:
    page = person.new_page()
    wire = Wire(page)
    join(page, demo.base_url, demo.user("specialist"))
    wait_for(page, both_live, LIVE_WITHIN_S, "both feeds show a picture")
    seconds_until(recording_is(page, "recording"), BACK_WITHIN_S, "recording", page)
    demo.wait_for_spare()
    demo.kill_role("recorder")
    seconds_until(lambda: recorders(wire), BACK_WITHIN_S, "another recorder comes", page)
    seconds_until(recording_is(page, "recording"), BACK_WITHIN_S, "recorded again", page)
    assert both_live(stats(page)), "pictures went on"


def recorders(wire: Wire) -> list[dict[str, Any]]:
    return [m for m in wire.of("participant_joined") if m["participant"]["role"] == "recorder"]


def test_a_laptop_that_slept_for_half_a_minute_shows_pictures_again(demo: Demo, browser: Browser) -> None:
    before = descendants()
    with contextlib.closing(launch_beside(browser)) as laptop:
        page = in_room(demo, new_person(laptop))
        loaded_at = page.evaluate("performance.timeOrigin")
        asleep = [pid for pid in descendants() - before if is_chromium(pid)]
        assert asleep
        shown = frames(page)
        with stopped(asleep):
            time.sleep(ASLEEP_S)  # the time that passes is what is tested
        took_s = seconds_until(
            lambda: stats(page)["link"] == "joined" and moves_on(page, shown), BACK_WITHIN_S, "awake", page
        )
        print(f"pictures were back {took_s:.1f} s after waking up")
        assert page.evaluate("performance.timeOrigin") == loaded_at


def is_chromium(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return "chrom" in comm.read()
    except FileNotFoundError:
        return False


def test_a_reloaded_tab_is_in_the_room_again_without_questions(demo: Demo, person: BrowserContext) -> None:
    page = in_room(demo, person)
    page.reload()
    wait_for(page, both_live, LIVE_WITHIN_S, "pictures after the reload")
    expect(page.get_by_test_id("people-count")).to_contain_text("1", timeout=SOON_MS)


def test_two_tabs_of_one_person_are_one_person_and_either_may_take_over(
    demo: Demo, person: BrowserContext
) -> None:
    first, second = in_room(demo, person), in_room(demo, person)
    for page in (first, second):
        see(page, "notice-other-seat")
        expect(page.get_by_test_id("people-count")).to_contain_text("1", timeout=SOON_MS)
    first.get_by_test_id("keep-both").click()
    not_see(first, "notice-other-seat")
    wait_for(first, both_live, LIVE_WITHIN_S, "both tabs go on")
    second.get_by_test_id("take-over").click()
    expect(first.get_by_test_id("room-ended")).to_have_attribute("data-ending", "taken-over", timeout=SOON_MS)
    not_see(second, "notice-other-seat")
    assert both_live(stats(second))
    first.get_by_test_id("try-again").click()
    wait_for(first, both_live, LIVE_WITHIN_S, "and the first may come back")
