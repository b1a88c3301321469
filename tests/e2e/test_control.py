"""Remote control of a device's console: asked for, allowed, confirmed, pressed, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.accessibility import violations
from tests.support.browser import join, join_on_site, not_see, see, wait_for
from tests.support.console_box import CODE, FEED, ConsoleBox
from tests.support.demo import Demo
from tests.support.stage import new_person

pytestmark = pytest.mark.browser

WITHIN_S: Final = 10
NOTHING: Final[dict[str, Any]] = {"keys": [], "pointer": None, "wheel": 0}
SPOT: Final = """([feed, x, y]) => {
  const video = document.querySelector(`[data-testid="feed-${feed}"] video`);
  const box = video.getBoundingClientRect();
  const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);
  const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
  return [box.left + (box.width - w) / 2 + x * w, box.top + (box.height - h) / 2 + y * h];
}"""
"""Where that place of the picture is: the video stands in the middle of its box, zoomed or not."""


@dataclass
class Scene:
    box: ConsoleBox
    wang: Page
    site: Page

    def allowed(self) -> None:
        """Dr Wang asks, the site allows five minutes."""
        self.wang.get_by_test_id("ask-control").click()
        self.site.get_by_test_id("grant-5").click()
        see(self.site, "control-code")

    def active(self) -> None:
        self.allowed()
        self.box.answer(self.box.granted()["control_id"], "confirmed", way="touch")
        see(self.wang, "use-control")

    def spot(self, x: float, y: float) -> tuple[float, float]:
        left, top = self.wang.evaluate(SPOT, [FEED, x, y])
        return left, top

    def told(self, look: Callable[[dict[str, Any]], Any], what: str, since: int = 0) -> dict[str, Any]:
        """The first state that the box is told from the `since`-th on and that looks so."""
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until:
            for pressed in self.box.pressed[since:]:
                if look(pressed):
                    return pressed
            self.wang.wait_for_timeout(20)
        raise AssertionError(f"{what}: the box was told only {self.box.pressed[since:]}")


@pytest.fixture
def scene(small_demo: Demo, browser: Browser) -> Iterator[Scene]:
    """A specialist who looks at the console, and the people beside it."""
    contexts = [new_person(browser) for _ in range(2)]
    with ConsoleBox(small_demo) as box:
        wang, site = (context.new_page() for context in contexts)
        join(wang, small_demo.base_url, small_demo.user("specialist"))
        join_on_site(site, small_demo.base_url, small_demo.user("site"))
        wait_for(wang, lambda report: report["feeds"].get(FEED, {}).get("framesDecoded"), 20, "a picture")
        wang.locator(f'[data-testid="feed-{FEED}"] .cover').click()
        wang.locator(f'[data-testid="feed-{FEED}"][data-focused="true"]').wait_for()
        try:
            yield Scene(box, wang, site)
        finally:
            for context in contexts:
                context.close()


def test_asked_allowed_confirmed_by_the_code_pressed_and_stopped(scene: Scene) -> None:
    box, wang, site = scene.box, scene.wang, scene.site
    wang.get_by_test_id("ask-control").click()
    expect(wang.get_by_test_id(f"control-{FEED}")).to_contain_text("Waiting for the site to allow it")
    expect(site.get_by_test_id("control-notice-asked")).to_contain_text(f"asks to control {FEED}")
    assert violations(site) == []
    site.get_by_test_id("grant-5").click()
    expect(wang.get_by_test_id(f"control-{FEED}")).to_contain_text("confirmation at the box")

    site.get_by_test_id("control-code").fill("111111")
    site.get_by_test_id("check-code").click()
    checked = box.wait_for("check_code")
    assert checked["code"] == "111111"
    box.answer(checked["control_id"], "wrong_code")
    expect(site.get_by_test_id("control-notice-granted")).to_contain_text("Tries left: 2")
    assert violations(site) == []
    assert box.pressed == []

    site.get_by_test_id("control-code").fill(CODE)
    site.get_by_test_id("check-code").click()
    box.wait(lambda heard: heard["type"] == "check_code" and heard["code"] == CODE, "the right code")
    box.answer(checked["control_id"], "confirmed", way="code")
    expect(wang.get_by_test_id(f"control-{FEED}")).to_contain_text("You control the device")
    expect(site.get_by_test_id("control-notice-active")).to_contain_text(f"controls {FEED}")
    expect(wang.locator(f'[data-testid="control-{FEED}"] [role="timer"]')).to_contain_text("4:5")
    assert violations(wang) == []

    type_and_click(scene)

    site.get_by_test_id("control-notice-active").get_by_test_id("stop-control").click()
    expect(wang.get_by_test_id(f"control-{FEED}")).to_contain_text("Control was stopped")
    not_see(wang, "control-surface")
    told = len(box.pressed)
    wang.mouse.click(*scene.spot(0.5, 0.5))
    wang.keyboard.press("x")
    wang.wait_for_timeout(1_500)
    assert len(box.pressed) == told


def type_and_click(scene: Scene) -> None:
    """Keys as they are, and clicks where they are in the picture; the room takes none of them."""
    box, wang = scene.box, scene.wang
    scene.told(lambda pressed: pressed == NOTHING, "a sign of life before anything is pressed")
    wang.mouse.click(*scene.spot(0.5, 0.5))
    expect(wang.get_by_test_id("control-surface")).to_be_focused()
    wang.wait_for_timeout(200)
    assert all(not (pressed["pointer"] or {}).get("buttons") for pressed in box.pressed)

    since = len(box.pressed)
    wang.keyboard.press("Shift+KeyW")
    wang.keyboard.press("Tab")
    scene.told(lambda pressed: set(pressed["keys"]) == {"ShiftLeft", "KeyW"}, "Shift and W", since)
    scene.told(lambda pressed: pressed["keys"] == ["Tab"], "Tab", since)
    expect(wang.locator('.stage[data-view="focus"]')).to_have_count(1)
    expect(wang.get_by_test_id("control-surface")).to_be_focused()

    since = len(box.pressed)
    wang.mouse.move(*scene.spot(0.25, 0.75))
    wang.mouse.down(button="right")
    wang.mouse.up(button="right")
    wang.mouse.wheel(0, 200)
    down = scene.told(lambda pressed: (pressed["pointer"] or {}).get("buttons") == 2, "a right click", since)
    assert down["pointer"]["x"] == pytest.approx(0.25, abs=0.005)
    assert down["pointer"]["y"] == pytest.approx(0.75, abs=0.005)
    scene.told(lambda pressed: (pressed["pointer"] or {}).get("buttons") == 0, "its release", since)
    scene.told(lambda pressed: pressed["wheel"] < 0, "the wheel, towards the user", since)


def test_the_right_place_of_a_zoomed_picture_is_pressed(scene: Scene) -> None:
    scene.active()
    wang = scene.wang
    for _ in range(4):
        wang.get_by_role("button", name="Zoom in").first.click()
    wang.get_by_test_id("use-control").click()
    since = len(scene.box.pressed)
    wang.mouse.move(*scene.spot(0.4, 0.6))
    wang.mouse.down()
    wang.mouse.up()
    down = scene.told(lambda pressed: (pressed["pointer"] or {}).get("buttons") == 1, "a click", since)
    assert down["pointer"]["x"] == pytest.approx(0.4, abs=0.005)
    assert down["pointer"]["y"] == pytest.approx(0.6, abs=0.005)


def test_whoever_lets_go_leaves_no_key_down(scene: Scene) -> None:
    scene.active()
    box, wang = scene.box, scene.wang
    wang.get_by_test_id("use-control").click()
    wang.keyboard.down("KeyA")
    scene.told(lambda pressed: pressed["keys"] == ["KeyA"], "A")
    since = len(box.pressed)
    wang.keyboard.press("Shift+Escape")
    scene.told(lambda pressed: pressed["keys"] == [], "nothing", since)
    expect(wang.get_by_test_id("use-control")).to_be_focused()
    assert all("Escape" not in pressed["keys"] for pressed in box.pressed)
    wang.keyboard.up("KeyA")

    wang.get_by_test_id("use-control").click()
    wang.keyboard.down("KeyB")
    since = len(box.pressed)
    scene.told(lambda pressed: pressed["keys"] == ["KeyB"], "B, said again as a sign of life", since)
    wang.get_by_test_id("mic").focus()
    since = len(box.pressed)
    scene.told(lambda pressed: pressed["keys"] == [], "nothing", since)
    wang.keyboard.up("KeyB")


def test_a_refusal_and_a_stop_at_the_box_are_said(scene: Scene) -> None:
    wang, site = scene.wang, scene.site
    wang.get_by_test_id("ask-control").click()
    site.get_by_test_id("refuse-control").click()
    expect(wang.get_by_test_id(f"control-{FEED}")).to_contain_text("The site did not allow control.")
    scene.active()
    scene.box.answer(scene.box.granted()["control_id"], "ended", reason="stopped_at_box")
    expect(wang.get_by_test_id(f"control-{FEED}")).to_contain_text("stopped at the box")
    expect(site.get_by_test_id("control-ended")).to_contain_text("stopped at the box")
