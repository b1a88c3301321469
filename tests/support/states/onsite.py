"""The page beside the patient."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.browser import enter, not_see, see
from tests.support.states.cast import Cast, State
from tests.support.states.rooms import with_pictures


def on_site_states(cast: Cast) -> Iterator[State]:
    page = with_pictures(cast.in_room("site", on_site=True))
    expert = cast.in_room("specialist")
    expert.get_by_test_id("camera").click()
    yield State("onsite-plain", page)
    guest = cast.page()
    guest.goto(cast.site().invite("Dr Guest 客")["url"])
    guest.get_by_test_id("invite-enter").click()
    enter(guest)
    see(page, "lobby-entry")
    yield State("onsite-knock", page)
    page.get_by_test_id("turn-away").click()
    page.get_by_test_id("pause").click()
    see(page, "paused-banner")
    yield State("onsite-pause", page)
    page.get_by_test_id("pause").click()
    not_see(page, "paused-banner")
    page.get_by_test_id("end").click()
    see(page, "confirm")
    yield State("onsite-end", page)
    page.get_by_test_id("cancel").click()
