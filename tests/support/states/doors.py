"""Ways into a room: invitation, the page before the room, the lobby."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.browser import choose, enter, see
from tests.support.stage import seconds_until
from tests.support.states.cast import Cast, State

NO_DEVICES = """
MediaDevices.prototype.getUserMedia = () =>
  Promise.reject(new DOMException("Permission denied", "NotAllowedError"));
"""
"""As a browser answers whose user clicked *Block*: headless Chromium cannot be clicked there."""


def door_states(cast: Cast) -> Iterator[State]:
    yield from _before_the_room(cast)
    yield from _by_link(cast)


def _before_the_room(cast: Cast) -> Iterator[State]:
    page = cast.signed_in("specialist")
    page.get_by_test_id("join-demo").click()
    see(page, "enter")
    yield State("prejoin-plain", page)
    choose(page, "prejoin-mic", True)
    choose(page, "prejoin-camera", True)
    seconds_until(
        lambda: page.evaluate("document.querySelector('video')?.videoWidth ?? 0"), 20, "own picture", page
    )
    yield State("prejoin-devices", page)
    page = cast.signed_in("specialist2", script=NO_DEVICES)
    page.get_by_test_id("join-demo").click()
    page.get_by_test_id("prejoin-mic").click()
    see(page, "microphone-problem")
    page.get_by_test_id("prejoin-camera").click()
    see(page, "camera-problem")
    yield State("prejoin-denied", page)
    page = cast.signed_in("specialist")
    page.goto(f"{cast.demo.base_url}/#/room/no-such-room")
    see(page, "not-open")
    yield State("prejoin-notopen", page)


def _by_link(cast: Cast) -> Iterator[State]:
    url = cast.site().invite("Dr Guest 客")["url"]
    page = cast.page()
    page.goto(url)
    see(page, "invite-enter")
    yield State("invite-fresh", page)
    page.get_by_test_id("guest-name").fill("Dr Guest 客")
    page.get_by_test_id("invite-enter").click()
    enter(page)
    see(page, "waiting")
    yield State("lobby-waiting", page)
    page.get_by_test_id("leave").click()
    see(page, "goodbye")
    yield State("invite-left", page)
    late = cast.page()
    late.goto(url)
    late.get_by_test_id("invite-enter").click()
    late.locator('[data-testid="invite-page"][data-refusal="used"]').wait_for()
    yield State("invite-used", late)
    late.goto("about:blank")
    late.goto(f"{cast.demo.base_url}/#/invite/")
    late.locator('[data-testid="invite-page"][data-refusal="incomplete"]').wait_for()
    yield State("invite-incomplete", late)
