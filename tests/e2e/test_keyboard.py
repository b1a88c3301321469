"""A whole consultation by keyboard alone, with the focus always in sight."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser import not_see, see, wait_for
from tests.support.demo import Demo
from tests.support.keyboard import Keyboard
from tests.support.rest import Rest
from tests.support.seat import Seat
from tests.support.stage import both_live

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SOON_MS = 20_000
LIVE_WITHIN_S = 30


@pytest.fixture(scope="module")
def demo(small_demo: Demo) -> Demo:
    return small_demo


def signs_in(page: Page, keys: Keyboard, demo: Demo) -> None:
    username, password = demo.user("site")
    page.goto(demo.base_url)
    see(page, "username")
    keys.type("username", username)
    keys.type("password", password)
    keys.press("Enter")
    see(page, "new-consultation")


def opens_a_form(page: Page, keys: Keyboard) -> None:
    keys.choose("new-consultation")
    see(page, "form")
    page.get_by_test_id("invited").wait_for()
    keys.choose("open-consultation")
    see(page, "problem-name")
    expect(page.locator(":focus")).to_have_attribute("data-testid", "patient-name")
    keys.type("patient-name", "赵小红")
    keys.type("exam-number", "US-20888")
    keys.go_to("patient-sex")
    keys.press("ArrowDown")
    keys.type("patient-age", "41")
    expect(page.get_by_test_id("masked-header")).to_contain_text("赵*红")
    keys.type("question", "Is it a cyst?")
    keys.tick("consent-consult")
    keys.type("record-reason", "Not wanted")
    keys.choose("open-consultation")
    see(page, "prejoin")


def enters_the_demo_talking(page: Page, keys: Keyboard) -> None:
    keys.choose("prejoin-back")
    see(page, "join-demo")
    keys.choose("join-demo")
    see(page, "enter")
    keys.tick("prejoin-mic")
    expect(page.get_by_test_id("prejoin-mic")).to_have_attribute("aria-pressed", "true", timeout=SOON_MS)
    keys.choose("enter")
    wait_for(page, both_live, LIVE_WITHIN_S, "both feeds")
    expect(page.get_by_test_id("mic")).to_have_attribute("data-on", "true", timeout=SOON_MS)


def talks_writes_and_looks_closely(page: Page, keys: Keyboard) -> None:
    page.locator("body").press("Space")
    expect(page.get_by_test_id("mic")).to_have_attribute("data-on", "false", timeout=SOON_MS)
    keys.press("c")
    expect(page.get_by_test_id("chat-input")).to_be_focused(timeout=SOON_MS)
    page.keyboard.insert_text("By keyboard 用键盘")
    keys.press("Enter")
    expect(page.get_by_test_id("chat-entry").last).to_contain_text("By keyboard 用键盘", timeout=SOON_MS)
    keys.press("Escape")
    not_see(page, "chat-panel")
    keys.press("2")
    second = page.locator('[data-focused="true"]').get_attribute("data-feed")
    keys.press("1")
    expect(page.locator('[data-focused="true"]')).not_to_have_attribute("data-feed", second or "")
    keys.press("+")
    see(page, "zoom-factor")
    keys.press("0")
    keys.press("w")
    expect(page.locator('[data-focused="true"]')).to_have_count(0)
    keys.press("w", "?")
    see(page, "keys-dialog")
    keys.press("Escape")
    not_see(page, "keys-dialog")


def admits_and_pauses(page: Page, keys: Keyboard, demo: Demo) -> None:
    site = Rest.signed_in(demo.base_url, demo.user("site"))
    token = {"token": site.invite("Dr Guest 客")["url"].rsplit("/", 1)[1]}
    redeemed = Rest(demo.base_url).expect(200, "POST", "/api/v1/invitations/redeem", token)
    guest = Rest(demo.base_url, redeemed["access_token"])
    with Seat(demo.base_url, "demo", guest.room_token()) as seat:
        see(page, "admit")
        keys.choose("admit")
        seat.wait_for("welcome")
        keys.press("Shift+P")
        see(page, "paused-banner")
        assert seat.wait_for("paused_changed")["paused"]
        keys.press("Shift+P")
        not_see(page, "paused-banner")


def ends_it(page: Page, keys: Keyboard) -> None:
    keys.choose("end")
    see(page, "confirm")
    expect(page.get_by_test_id("cancel")).to_be_focused()
    keys.choose("confirm")
    see(page, "room-ended")
    keys.choose("back-to-list")
    see(page, "new-consultation")


def test_a_whole_consultation_by_keyboard_alone(demo: Demo, person: BrowserContext) -> None:
    page = person.new_page()
    keys = Keyboard(page)
    signs_in(page, keys, demo)
    opens_a_form(page, keys)
    enters_the_demo_talking(page, keys)
    talks_writes_and_looks_closely(page, keys)
    admits_and_pauses(page, keys, demo)
    ends_it(page, keys)
    assert not keys.unseen, f"the focus could not be seen at {sorted(set(keys.unseen))}"
