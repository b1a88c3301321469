"""Wrong and hostile input, by browser and by program: a clear answer, and nobody else disturbed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.test_consultation import FEEDS, frame_rates, frame_rates_at_best, specialist
from tests.support.browser import enter, open_panel, say, see, sign_in, stats
from tests.support.demo import Demo
from tests.support.flood import Flood
from tests.support.rest import Rest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SOON_MS = 20_000
UPLOAD_BYTES = 100_000_000
SCRIPT = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
FLOOD_CODES = {4429, 1009}


@pytest.fixture(scope="module")
def demo(small_demo: Demo) -> Demo:
    return small_demo


def test_a_form_full_of_nonsense_is_explained_field_by_field_and_loses_nothing(
    demo: Demo, person: BrowserContext
) -> None:
    page = person.new_page()
    sign_in(page, demo.base_url, demo.user("site"))
    page.get_by_test_id("new-consultation").click()
    nonsense = {
        "patient-name": "!!! --- ???",
        "patient-age": "9.5",
        "exam-number": " ",
        "question": SCRIPT * 5,
    }
    for testid, text in nonsense.items():
        page.get_by_test_id(testid).fill(text)
    page.get_by_test_id("open-consultation").click()
    for field in ("name", "age", "sex", "examNumber", "consentConsult", "recordReason"):
        see(page, f"problem-{field}")
    for testid, text in nonsense.items():
        expect(page.get_by_test_id(testid)).to_have_value(text[:2000])
    assert page.get_by_test_id("form").is_visible(), "nothing was sent"
    page.reload()
    expect(page.get_by_test_id("question")).to_have_value(nonsense["question"][:2000], timeout=SOON_MS)
    assert page.evaluate("window.hacked") is None


def test_a_script_in_a_name_a_message_or_a_files_name_is_only_text(
    demo: Demo, person: BrowserContext, other_person: BrowserContext
) -> None:
    page = specialist(demo, person)
    url = Rest.signed_in(demo.base_url, demo.user("site")).invite("a guest", lobby=False)["url"]
    guest = other_person.new_page()
    guest.goto(url)
    guest.get_by_test_id("guest-name").fill(SCRIPT[:100])
    guest.get_by_test_id("invite-enter").click()
    enter(guest)
    see(guest, "room")
    open_panel(guest, "chat")
    hostile = {"name": "<script>window.hacked=1<.html", "mimeType": "text/html", "buffer": SCRIPT.encode()}
    guest.get_by_test_id("chat-file").set_input_files([hostile])
    say(guest, SCRIPT)
    open_panel(page, "chat")
    entry = page.get_by_test_id("chat-entry").last
    expect(entry).to_contain_text(SCRIPT, timeout=SOON_MS)
    expect(entry).to_contain_text("<img src=x", timeout=SOON_MS)
    open_panel(page, "people")
    expect(page.get_by_test_id("people")).to_contain_text("<img src=x", timeout=SOON_MS)
    for each in (page, guest):
        assert each.evaluate("window.hacked") is None
        assert each.locator('img[src="x"]').count() == 0


def test_an_upload_of_100_megabytes_is_refused_in_words_and_pictures_go_on(
    demo: Demo, person: BrowserContext, tmp_path: Path
) -> None:
    page = specialist(demo, person)
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(UPLOAD_BYTES)
    open_panel(page, "chat")
    page.get_by_test_id("chat-file").set_input_files(large)
    expect(page.get_by_test_id("file-refused")).to_contain_text("large.bin", timeout=SOON_MS)
    caller = Rest.signed_in(demo.base_url, demo.user("specialist2"))
    program = Rest(demo.base_url, caller.room_token())
    before = moving(page)
    refused = refusal_of_a_large_body(program)
    assert refused in (413, None), "refused, or cut off while sending"
    assert moving(page) > before, "pictures go on"
    say(page, "Still here")
    expect(page.get_by_test_id("chat-entry").last).to_contain_text("Still here", timeout=SOON_MS)


def refusal_of_a_large_body(program: Rest) -> int | None:
    """The status; None when the server ended the connection before all was sent."""
    headers = {"Content-Type": "application/octet-stream", "X-File-Name": "large.bin"}
    try:
        return program.call("POST", "/api/v1/rooms/demo/files", bytes(UPLOAD_BYTES), headers).status
    except (BrokenPipeError, ConnectionResetError):
        return None


def moving(page: Page) -> int:
    page.wait_for_timeout(500)
    return sum(stats(page)["feeds"][name]["framesDecoded"] for name in FEEDS)


def test_a_flood_from_one_seat_ends_that_seat_and_costs_the_others_no_picture(
    demo: Demo, person: BrowserContext
) -> None:
    page = specialist(demo, person)
    frame_rates(page, 1)
    undisturbed = frame_rates(page, 5)
    token = Rest.signed_in(demo.base_url, demo.user("specialist2")).room_token()
    with Flood(demo.base_url, "demo", token) as flood:
        rates = frame_rates_at_best(page, 5, {name: rate * 0.9 for name, rate in undisturbed.items()})
    print(f"frames/s undisturbed {undisturbed}, in a flood of {flood.said} messages {rates}; {flood.closed}")
    assert flood.said > 1000
    assert FLOOD_CODES & set(flood.closed), flood.closed
    for name in FEEDS:
        # 30 on a quiet machine, both times; saying so much costs the machine something, too
        assert rates[name] >= 0.75 * undisturbed[name], (rates, undisturbed)
    say(page, "Unimpressed")
    expect(page.get_by_test_id("chat-entry").last).to_contain_text("Unimpressed", timeout=SOON_MS)
