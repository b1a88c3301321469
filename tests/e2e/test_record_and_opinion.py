"""A specialist writes the opinion, the site stops recording and goes on, files go out from the on-site page.

The archive and its log of that very run say so.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.accessibility import NARROW_PX, sideways, violations
from tests.support.browser import enter, join, join_on_site, not_see, open_panel, see
from tests.support.demo import Demo
from tests.support.pictures import png
from tests.support.recorded import Recorded, end, unwrapped
from tests.support.rest import Rest
from tests.support.stage import new_person

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

SOON_MS = 30_000
OPINION = "Mild mitral regurgitation.\n轻度二尖瓣关闭不全。"
SHOTS = os.environ.get("TELECONSULT_TEST_SHOTS")
"""A directory for pictures of what is looked at."""


@pytest.fixture(scope="module")
def run(small_demo: Demo, browser: Browser) -> Iterator[tuple[Demo, Page, Page]]:
    """The demo, a specialist, and the site on its own page."""
    with contextlib.ExitStack() as stack:
        specialist, site = (
            stack.enter_context(contextlib.closing(new_person(browser))).new_page() for _ in range(2)
        )
        join(specialist, small_demo.base_url, small_demo.user("specialist"))
        join_on_site(site, small_demo.base_url, small_demo.user("site"))
        for page in (specialist, site):
            _recording(page, "recording")
        yield small_demo, specialist, site


def _recording(page: Page, state: str) -> None:
    expect(page.get_by_test_id("recording")).to_have_attribute("data-state", state, timeout=SOON_MS)


def _look(page: Page, name: str) -> list[str]:
    """What is wrong with the page as it is, at a desk and on a telephone, in both languages."""
    problems: list[str] = []
    for width, height in ((1440, 900), (390, 844), (NARROW_PX, 740)):
        page.set_viewport_size({"width": width, "height": height})
        problems += [f"{name} {width}: {found}" for found in (*violations(page), *sideways(page))]
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png")
    page.set_viewport_size({"width": 1440, "height": 900})
    return problems


def _in_both_languages(page: Page, name: str) -> list[str]:
    problems = _look(page, f"{name}-a")
    page.get_by_test_id("language").click()
    problems += _look(page, f"{name}-b")
    page.get_by_test_id("language").click()
    return problems


def test_a_draft_outlives_a_reload_and_is_filed_after_one_question(run: tuple[Demo, Page, Page]) -> None:
    _, page, site = run
    page.keyboard.press("o")
    see(page, "opinion-panel")
    page.get_by_test_id("opinion-input").fill(OPINION)
    page.reload()
    enter(page)
    see(page, "show-opinion")
    page.get_by_test_id("show-opinion").click()
    expect(page.get_by_test_id("opinion-input")).to_have_value(OPINION, timeout=SOON_MS)
    assert _in_both_languages(page, "draft") == []
    page.get_by_test_id("opinion-file").click()
    see(page, "ask")
    assert _look(page, "ask-opinion") == []
    page.get_by_test_id("confirm").click()
    for seen in (page, site):
        expect(seen.get_by_test_id("opinion")).to_contain_text("轻度二尖瓣关闭不全", timeout=SOON_MS)
        expect(seen.get_by_test_id("opinion").locator("textarea, input")).to_have_count(0)
    expect(page.get_by_test_id("opinion-input")).to_have_value("")
    assert _in_both_languages(page, "filed") == []
    page.reload()
    enter(page)
    page.get_by_test_id("show-opinion").click()
    expect(page.get_by_test_id("opinion")).to_have_count(1, timeout=SOON_MS)
    not_see(site, "opinion-input")


def test_files_go_out_from_the_on_site_page(run: tuple[Demo, Page, Page]) -> None:
    _, page, site = run
    site.get_by_test_id("site-file").set_input_files(
        {"name": "probe.png", "mimeType": "image/png", "buffer": png(64, 48)}
    )
    assert _in_both_languages(site, "onsite-file") == []
    site.get_by_test_id("site-send").click()
    not_see(site, "site-send")
    open_panel(page, "chat")
    expect(page.get_by_test_id("chat-entry").last.locator("img")).to_have_count(1, timeout=SOON_MS)


def test_the_site_stops_recording_and_goes_on_and_everybody_sees_it(run: tuple[Demo, Page, Page]) -> None:
    demo, page, site = run
    not_see(page, "record-toggle")
    site.get_by_test_id("record-toggle").click()
    see(site, "ask-record")
    assert _in_both_languages_dialog(site) == []
    site.get_by_test_id("cancel").click()
    _recording(site, "recording")
    site.get_by_test_id("record-toggle").click()
    site.get_by_test_id("confirm").click()
    for seen in (page, site):
        _recording(seen, "off")
        expect(seen.get_by_test_id("recording")).to_contain_text("Nurse Li")
    assert _in_both_languages(site, "onsite-stopped") == []
    assert _in_both_languages(page, "room-stopped") == []
    see(site, "record-toggle")
    site.get_by_test_id("record-toggle").click()
    site.get_by_test_id("confirm").click()
    for seen in (page, site):
        _recording(seen, "recording")
    expect(site.get_by_test_id("record-toggle")).to_have_attribute("data-record", "true")
    assert demo.process.poll() is None


def _in_both_languages_dialog(page: Page) -> list[str]:
    """A modal dialog keeps the language's button from being pressed: as it is, in this language."""
    return _look(page, "ask-record")


def test_the_archive_of_this_run_has_the_opinion_and_the_log_knows_when_it_was_stopped(
    run: tuple[Demo, Page, Page],
) -> None:
    demo, page, _ = run
    page.wait_for_timeout(1_500)  # something is recorded after the stop, too
    wanted = Rest.signed_in(demo.base_url, demo.user("site")).consultation()["consultation_id"]
    found = Recorded(demo, wanted)
    end(found)
    events = _events(found)
    written = [event for event in events if event["type"] == "opinion_written"]
    assert [event["opinion"]["text"] for event in written] == [OPINION]
    changes = [(event["record"], event["by"]) for event in events if event["type"] == "record_changed"]
    assert changes[0][0] is False
    assert changes[0][1].startswith("Nurse Li")
    gaps = [entry for entry in found.entries() if entry.get("reason") == "recording_stopped"]
    assert gaps
    assert gaps[-1]["end_us"] > gaps[0]["begin_us"]
    report = _verify(demo)
    (finding,) = [one for one in report["log"]["consultations"] if one["consultation"] == found.consultation]
    assert (report["exit_code"], finding["reason"]) == (0, "")
    (stop,) = finding["stops"]
    assert stop["end_us"] is not None
    assert stop["end_us"] > stop["begin_us"]
    assert finding["unconfirmed_stops"] == []


def _events(found: Recorded) -> list[dict[str, Any]]:
    identity = unwrapped(found)
    lines = []
    for entry in found.entries():
        if entry["kind"] == "events":
            clear = pyrage.decrypt((found.folder / entry["object"]).read_bytes(), [identity])
            lines += [json.loads(line) for line in clear.splitlines()]
    return lines


def _verify(demo: Demo) -> Any:
    command = [sys.executable, "-m", "teleconsult", "archive", "verify", demo.info["archive_dir"]]
    done = subprocess.run([*command, "--log", "--json"], capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)
