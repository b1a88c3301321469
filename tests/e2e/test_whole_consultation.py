"""One consultation from the first picture to its end: site, two specialists, a late guest, four browsers.

Everyone sees and hears what they should; each step also asserts what somebody must not get.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import (
    SHARE_WHOLE_SCREEN,
    chat_texts,
    chromium,
    enter,
    join,
    not_see,
    open_panel,
    say,
    see,
    sign_in,
    stats,
    wait_for,
)
from tests.support.demo import Demo
from tests.support.pictures import PDF, png
from tests.support.rest import Rest
from tests.support.seat import Seat
from tests.support.stage import FEEDS, both_live, frames, new_person
from tests.support.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

LIVE_WITHIN_S = 40
"""Four browsers decode eight pictures on two cores."""
SOON_MS = 20_000
QUIET_S = 2.0
ALLOWED_IN_THE_LOBBY = {"waiting", "pong", "error"}


class People:
    """Who takes part, each with a page and with what came over its wire."""

    def __init__(self, demo: Demo, browser: Browser, stack: contextlib.ExitStack) -> None:
        self.demo, self.browser = demo, browser
        self.pages: dict[str, Page] = {}
        self.wires: dict[str, Wire] = {}
        for name in ("site", "specialist", "specialist2", "guest"):
            page = stack.enter_context(contextlib.closing(new_person(browser))).new_page()
            self.pages[name], self.wires[name] = page, Wire(page)

    def __getitem__(self, name: str) -> Page:
        return self.pages[name]

    def except_for(self, *names: str) -> list[Page]:
        return [page for name, page in self.pages.items() if name not in names]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(SHARE_WHOLE_SCREEN) as launched:
        yield launched


@pytest.fixture(scope="module")
def people(small_demo: Demo, browser: Browser) -> Iterator[People]:
    with contextlib.ExitStack() as stack:
        yield People(small_demo, browser, stack)


def panel(page: Page, name: str) -> Locator:
    open_panel(page, name)
    return page.get_by_test_id({"chat": "chat-panel", "people": "people"}[name])


def voices(report: dict[str, Any]) -> list[str]:
    """Who is not muted, of those one hears."""
    return [feed for feed, audio in report["audio"].items() if audio["state"] != "muted"]


def subscribers(demo: Demo) -> list[dict[str, Any]]:
    return [s for s in demo.worker_stats()["sessions"] if s["direction"] == "subscribe"]


def packets_out(demo: Demo) -> int:
    return sum(int(session["packets_out"]) for session in subscribers(demo))


def site_and_specialists_join_and_see_both_feeds_and_each_other(people: People) -> None:
    demo = people.demo
    for name in ("site", "specialist", "specialist2"):
        join(people[name], demo.base_url, demo.user(name))
    for name in ("site", "specialist", "specialist2"):
        wait_for(people[name], both_live, LIVE_WITHIN_S, f"{name} sees both feeds")
        for shown in ("Nurse Li", "Dr Wang", "Dr Chen"):
            expect(panel(people[name], "people")).to_contain_text(shown, timeout=SOON_MS)
    assert set(stats(people["specialist"])["feeds"]) == set(FEEDS), "nobody's camera is on"
    for testid in ("pause", "end", "invite"):
        see(people["site"], testid)
        not_see(people["specialist"], testid)
        not_see(people["specialist2"], testid)


def whoever_switches_the_microphone_on_is_heard_by_the_others_only(people: People) -> None:
    for name in ("site", "specialist"):
        people[name].get_by_test_id("mic").click()
    for name, heard in (("site", 1), ("specialist", 1), ("specialist2", 2)):
        wait_for(
            people[name],
            lambda report, heard=heard: (
                len([a for a in report["audio"].values() if a["totalAudioEnergy"] > 0.001]) == heard
            ),
            30,
            f"{name} hears {heard}",
        )
        assert len(voices(stats(people[name]))) == heard, "one's own voice does not come back"


def a_late_guest_waits_in_the_lobby_and_gets_nothing_from_the_room(people: People) -> None:
    site, guest = people["site"], people["guest"]
    site.get_by_test_id("invite").click()
    site.get_by_test_id("invite-name").fill("Dr Guest 客")
    site.get_by_test_id("invite-organisation").fill("County hospital")
    site.get_by_test_id("invite-create").click()
    address = site.get_by_test_id("invite-url")
    address.wait_for()
    url = address.input_value() if address.evaluate("e => e.tagName") == "INPUT" else address.inner_text()
    site.keyboard.press("Escape")
    guest.goto(url)
    guest.get_by_test_id("invite-enter").click()
    enter(guest)
    see(guest, "waiting")
    expect(site.get_by_test_id("lobby-entry")).to_contain_text("Dr Guest", timeout=SOON_MS)
    for name in ("specialist", "specialist2"):
        not_see(people[name], "lobby")
        assert "knock" not in people.wires[name].types
    wire = people.wires["guest"]
    assert wire.types <= ALLOWED_IN_THE_LOBBY, wire.types
    for secret in ("Nurse Li", "Dr Wang", "US-20417", "ultrasound"):
        assert not any(secret in text for text in wire.raw), secret
        assert secret not in guest.inner_text("body"), secret
    assert stats(guest)["feeds"] == {}
    assert "invite" not in guest.url, "the invitation's token does not stay in the address"


def admitted_the_guest_sees_and_hears_and_has_no_hosts_powers(people: People) -> None:
    site, guest = people["site"], people["guest"]
    site.get_by_test_id("admit").click()
    see(guest, "room")
    not_see(site, "lobby")
    wait_for(guest, both_live, LIVE_WITHIN_S, "the guest sees both feeds")
    wait_for(guest, lambda report: len(report["audio"]) == 2, 20, "and hears both who talk")
    expect(panel(people["specialist"], "people")).to_contain_text("Dr Guest", timeout=SOON_MS)
    for testid in ("pause", "end", "invite"):
        not_see(guest, testid)


def chat_with_a_file_and_a_picture_reaches_everybody(people: People) -> None:
    specialist = people["specialist"]
    open_panel(specialist, "chat")
    specialist.get_by_test_id("chat-file").set_input_files(
        [
            {"name": "frame.png", "mimeType": "image/png", "buffer": png()},
            {"name": "report.pdf", "mimeType": "application/pdf", "buffer": PDF},
        ]
    )
    say(specialist, "Tilt the probe 请倾斜探头")
    for page in people.pages.values():
        open_panel(page, "chat")
        entry = page.get_by_test_id("chat-entry").last
        expect(entry).to_contain_text("Tilt the probe 请倾斜探头", timeout=SOON_MS)
        shown = page.get_by_test_id("chat-picture").locator("img")
        expect(shown).to_have_js_property("naturalWidth", 64, timeout=SOON_MS)
    with people["guest"].expect_download() as saving:
        people["guest"].get_by_test_id("chat-save").first.click()
    assert saving.value.path().read_bytes() == PDF
    say(people["guest"], "Thank you")
    expect(specialist.get_by_test_id("chat-entry").last).to_contain_text("Thank you", timeout=SOON_MS)
    assert len(chat_texts(people["site"])) == 2


def a_shared_screen_is_seen_by_the_others_until_it_is_stopped(people: People) -> None:
    sharer = people["specialist2"]
    sharer.get_by_test_id("screen").click()
    see(sharer, "notice-sharing")

    def screens(report: dict[str, Any]) -> list[str]:
        return [f for f, shown in report["feeds"].items() if f.endswith("-screen") and shown["framesDecoded"]]

    for page in people.except_for("specialist2"):
        wait_for(page, screens, 30, "the shared screen is seen")
    sharer.get_by_test_id("stop-sharing").click()
    for page in people.except_for("specialist2"):
        wait_for(page, lambda report: not screens(report), 20, "and gone")


def during_a_privacy_pause_nothing_of_the_site_is_sent_to_anybody(people: People) -> None:
    demo, site = people.demo, people["site"]
    people["specialist"].get_by_test_id("mic").click()
    wait_for(site, lambda report: not voices(report), 10, "the specialist is silent")
    site.get_by_test_id("pause").click()
    for page in people.pages.values():
        expect(page.get_by_test_id("paused")).to_have_count(2, timeout=SOON_MS)
        see(page, "paused-banner")
    before, frozen = packets_out(demo), {name: frames(page) for name, page in people.pages.items()}
    site.wait_for_timeout(QUIET_S * 1000)
    assert packets_out(demo) == before, "the server goes on sending the site's media"
    for name, page in people.pages.items():
        assert frames(page) == frozen[name], f"{name}'s picture moves"
    people["specialist"].get_by_test_id("mic").click()
    wait_for(site, voices, 20, "the site hears its specialists all the same")
    site.get_by_test_id("pause").click()
    for name, page in people.pages.items():
        wait_for(page, both_live, LIVE_WITHIN_S, f"{name} sees again")
        not_see(page, "paused")


def who_leaves_is_gone_for_the_others_and_may_come_back(people: People) -> None:
    leaver = people["specialist2"]
    leaver.get_by_test_id("leave").click()
    see(leaver, "join-demo")
    expect(panel(people["site"], "people")).not_to_contain_text("Dr Chen", timeout=SOON_MS)
    leaver.get_by_test_id("join-demo").click()
    see(leaver, "prejoin")
    enter(leaver)
    wait_for(leaver, both_live, LIVE_WITHIN_S, "pictures are back")
    expect(panel(people["site"], "people")).to_contain_text("Dr Chen", timeout=SOON_MS)
    assert len(chat_texts(leaver)) == 2, "what was written meanwhile is there"


def nobody_else_comes_in(people: People) -> None:
    demo = people.demo
    guest_link = Rest.signed_in(demo.base_url, demo.user("site")).invite("Second guest")
    token = guest_link["url"].rsplit("/", 1)[1]
    redeemed = Rest(demo.base_url).expect(200, "POST", "/api/v1/invitations/redeem", {"token": token})
    guest = Rest(demo.base_url, redeemed["access_token"])
    with Seat(demo.base_url, "demo", guest.room_token()) as seat:
        seat.wait_for("waiting")
        seat.say({"type": "subscribe"})
        assert seat.wait_for("error")["code"] == "not_admitted"
        say(people["site"], "Not for the lobby")
        expect(people["guest"].get_by_test_id("chat-entry").last).to_contain_text("Not for", timeout=SOON_MS)
        assert set(seat.types) <= ALLOWED_IN_THE_LOBBY
        people["site"].get_by_test_id("turn-away").click()
        assert seat.wait_until_closed() == 4403
    for role in ("auditor", "admin"):
        refused = Rest.signed_in(demo.base_url, demo.user(role)).call("POST", "/api/v1/rooms/demo/join")
        assert refused.status == 403, (role, refused.body)
    page = new_person(people.browser).new_page()
    sign_in(page, demo.base_url, demo.user("auditor"))
    see(page, "sign-out")
    assert page.get_by_test_id("join-demo").count() == 0
    page.context.close()


def the_site_ends_it_and_everybody_is_told(people: People) -> None:
    site = people["site"]
    site.get_by_test_id("end").click()
    site.get_by_test_id("confirm").click()
    for name, page in people.pages.items():
        ended = page.locator('[data-testid="room-ended"]')
        expect(ended).to_have_attribute("data-ending", "consultation-ended", timeout=SOON_MS)
        wait_for(page, lambda report: report["receiving"]["state"] in (None, "closed"), 10, f"{name} lets go")
    demo = people.demo
    specialist = Rest.signed_in(demo.base_url, demo.user("specialist"))
    assert specialist.call("POST", "/api/v1/rooms/demo/join").status in (404, 409, 410)
    people["specialist"].get_by_test_id("back-to-list").click()
    see(people["specialist"], "sign-out")
    assert people["specialist"].get_by_test_id("join-demo").count() == 0


STEPS = (
    site_and_specialists_join_and_see_both_feeds_and_each_other,
    whoever_switches_the_microphone_on_is_heard_by_the_others_only,
    a_late_guest_waits_in_the_lobby_and_gets_nothing_from_the_room,
    admitted_the_guest_sees_and_hears_and_has_no_hosts_powers,
    chat_with_a_file_and_a_picture_reaches_everybody,
    a_shared_screen_is_seen_by_the_others_until_it_is_stopped,
    during_a_privacy_pause_nothing_of_the_site_is_sent_to_anybody,
    who_leaves_is_gone_for_the_others_and_may_come_back,
    nobody_else_comes_in,
    the_site_ends_it_and_everybody_is_told,
)


def test_a_whole_consultation_of_site_two_specialists_and_a_late_guest(people: People) -> None:
    for step in STEPS:
        began = time.monotonic()
        step(people)
        print(f"{time.monotonic() - began:5.1f} s  {step.__name__.replace('_', ' ')}")
