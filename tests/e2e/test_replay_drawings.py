"""What was drawn is replayed on the very frames it was drawn on: read from pixels. Films: `test_film.py`."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from typer.testing import CliRunner

from archive.cli import app
from core.annotations import Add, NewMark, Operation, Place, RemoveMark
from core.messages import Annotate, Model, Point, Unfreeze
from tests.e2e.test_freeze import code_of
from tests.e2e.test_replay import (
    FRAME_US,
    READ_CODES,
    open_replay,
    report,
    report_reference,
    settle,
    until_shown,
)
from tests.e2e.test_replay_page import Room
from tests.support.accessibility import violations
from tests.support.browser import join, see, wait_for
from tests.support.recorded import CODED, Recorded, recorded, until
from tests.support.replay_ink import INK
from tests.support.rest import Rest
from tests.support.seat import Seat
from tests.support.stage import new_person

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

FEED: Final = "theatre"
TRACK: Final = CODED[FEED]
SECONDS: Final = 12.0
PINK: Final = "#ff00ff"
PLACE: Final = (0.5, 0.6)
"""Where the left edge of the rectangle is crossed."""
NOTED_X: Final = 0.35
TOLERANCE_US: Final = 34_000
CLOCKS_US: Final = 8_000
"""Between the time in the picture and the one the archive dates it by."""
BEFORE_US: Final = 250_000
STEPS_MAX: Final = 60
AGO_US: Final = 300_000
PAUSE_S: Final = 1.5
SEE_WITHIN_MS: Final = 30_000

STILL: Final = f"replay-still-{FEED}"
STILL_PNG: Final = """(testid) => {
  const still = document.querySelector(`[data-testid="${testid}"] .replay-still > canvas`);
  return still.toDataURL('image/png').split(',')[1];
}"""


class Drawn:
    """What was drawn, when, by the service's clock (Unix µs)."""

    frame_us: int
    """The frame that the rectangle belongs to."""
    added_us: int
    removed_us: int
    pointed_us: int
    still_id: str
    still_us: int
    """Of the frame that was frozen."""
    frozen_us: int
    noted_us: int
    """When a rectangle was drawn on it."""
    unfrozen_us: int


def rectangle(mark_id: str, x: float, **more: Any) -> Add:
    points = [x, PLACE[1] - 0.1, x + 0.2, PLACE[1] + 0.1]
    fields: dict[str, Any] = {"tool": "rectangle", "colour": PINK, "width": 0.03, "points": points}
    return Add(mark=NewMark(mark_id=mark_id, **(fields | more)))


def now_us() -> int:
    return time.time_ns() // 1_000


def draw(browser: Browser, over: Recorded) -> None:
    """A rectangle on a frame that has passed, one on the screen that is removed again, a pointer, a still."""
    rest = Rest.signed_in(over.demo.base_url, over.demo.user("specialist2"))
    with Seat(over.demo.base_url, "demo", rest.room_token()) as seat:
        seat.wait_for("welcome")
        DRAWN.frame_us = now_us() - AGO_US
        do(seat, "o1", rectangle("framed", PLACE[0], anchor="frame", captured_us=DRAWN.frame_us))
        time.sleep(PAUSE_S)  # so much of the consultation, not a wait for anything
        DRAWN.added_us = do(seat, "o2", rectangle("screen", 0.2))
        time.sleep(PAUSE_S)
        DRAWN.removed_us = do(seat, "o3", RemoveMark(mark_id="screen"))
        DRAWN.pointed_us = now_us()
        say(seat, Point(feed=FEED, at=Place(x=0.3, y=0.3)))
        time.sleep(PAUSE_S)
        say(seat, Point(feed=FEED))
        freeze(seat, over, browser)
    pieces_until(over, now_us() + 1_000_000)


def freeze(seat: Seat, over: Recorded, browser: Browser) -> None:
    """A frame that is seen; a rectangle is drawn on it later, then it is put away."""
    person = new_person(browser)
    page = person.new_page()
    join(page, over.demo.base_url, over.demo.user("specialist2"))
    wait_for(page, lambda report: report["feeds"].get(FEED, {}).get("ageMs"), 15, "its frames are known")
    tile = page.get_by_test_id(f"feed-{FEED}")
    if tile.get_attribute("data-focused") != "true":
        tile.locator(".cover").click()
    page.locator(f'[data-testid="feed-{FEED}"][data-focused="true"]').wait_for()
    page.keyboard.press("f")
    ready = seat.wait(lambda said: said.get("still", {}).get("state") == "ready", "the still's picture")
    person.close()
    still = ready["still"]
    DRAWN.still_id, DRAWN.still_us, DRAWN.frozen_us = still["still_id"], still["captured_us"], now_us()
    time.sleep(PAUSE_S)
    DRAWN.noted_us = do(
        seat, "o4", rectangle("noted", NOTED_X, anchor="frame", captured_us=still["captured_us"])
    )
    time.sleep(PAUSE_S)
    say(seat, Unfreeze(still_id=DRAWN.still_id))
    seat.wait_for("unfrozen")
    DRAWN.unfrozen_us = now_us()
    time.sleep(PAUSE_S)


def say(seat: Seat, message: Model) -> None:
    seat.say(message.model_dump(mode="json"))


def do(seat: Seat, op_id: str, operation: Operation) -> int:
    """When it was done."""
    say(seat, Annotate(op_id=op_id, feed=FEED, operation=operation))

    def mine(message: dict[str, Any]) -> bool:
        return any(change["op_id"] == op_id for change in message.get("changes", []))

    seat.wait(mine, f"{op_id} is done")
    return now_us()


def pieces_until(over: Recorded, unix_us: int) -> None:
    def reached() -> bool:
        entries = over.entries()
        ends = [one["end_us"] for one in entries if one["kind"] == "piece" and one["track"] == TRACK]
        return bool(ends) and max(ends) >= unix_us - entries[0]["epoch_us"]

    until(reached, 60, over.demo)


DRAWN: Final = Drawn()


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Recorded]:
    at_last = partial(draw, browser)
    with recorded(tmp_path_factory.mktemp("recorded"), browser, SECONDS, at_last=at_last) as found:
        yield found


@pytest.fixture(scope="module")
def auditor(over: Recorded, browser: Browser) -> Iterator[Page]:
    person = new_person(browser)
    page = person.new_page()
    page.add_init_script(READ_CODES)
    open_replay(page, over)
    see(page, "event-list", SEE_WITHIN_MS)
    expect(page.locator('[data-testid="event"][data-type="consultation_ended"]')).to_have_count(1)
    yield page
    person.close()


def epoch_us(over: Recorded) -> int:
    return int(over.entries()[0]["epoch_us"])


def go_to(page: Page, over: Recorded, unix_us: int) -> None:
    """A click on the timeline is a few pictures off at most."""
    slider = page.get_by_test_id("replay-slider")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    part = (unix_us - epoch_us(over)) / report(page)["lengthUs"]
    page.mouse.click(box["x"] + box["width"] * part, box["y"] + 4)
    until_shown(page, (TRACK,))
    settle(page)


def step(page: Page, key: str) -> None:
    """One picture of the track that steps go by: its successor may have to be looked for."""
    reference = report_reference(page)
    before = report(page)["tracks"][reference]["shownUs"]
    page.keyboard.press(key)
    deadline = time.monotonic() + SEE_WITHIN_MS / 1000
    while report(page)["tracks"][reference]["shownUs"] == before:
        assert time.monotonic() < deadline, json.dumps(report(page))
        page.wait_for_timeout(20)
    settle(page)


def inked(page: Page, x: float = PLACE[0]) -> bool:
    return bool(page.evaluate(INK, [TRACK, x, PLACE[1]]))


def code_us(page: Page, over: Recorded) -> int:
    (code,) = page.evaluate("(tracks) => window.codes(tracks)", [TRACK])
    return int(code) + epoch_us(over)


def assert_on_its_frame(seen: list[tuple[int, bool]]) -> None:
    """`seen`: what the pictures' time codes say, and whether the rectangle was on them."""
    print([(round((code - DRAWN.frame_us) / 1000), shown) for code, shown in seen])
    on = [code for code, shown in seen if shown]
    assert on, "it was on none"
    assert all(abs(code - DRAWN.frame_us) <= TOLERANCE_US + CLOCKS_US for code in on)
    nearest = min(seen, key=lambda one: abs(one[0] - DRAWN.frame_us))
    assert nearest[1], "it was not on its own frame"
    assert min(code for code, _ in seen) < DRAWN.frame_us - 2 * FRAME_US
    assert max(code for code, _ in seen) > DRAWN.frame_us + 2 * FRAME_US


def test_a_mark_of_a_frame_is_replayed_on_that_frame(over: Recorded, auditor: Page) -> None:
    go_to(auditor, over, DRAWN.frame_us - BEFORE_US)
    seen = []
    while len(seen) < STEPS_MAX and (not seen or seen[-1][0] < DRAWN.frame_us + 4 * FRAME_US):
        seen.append((code_us(auditor, over), inked(auditor)))
        step(auditor, ".")
    assert_on_its_frame(seen)
    back = []
    while len(back) < STEPS_MAX and (not back or back[-1][0] > DRAWN.frame_us - 4 * FRAME_US):
        back.append((code_us(auditor, over), inked(auditor)))
        step(auditor, ",")
    assert_on_its_frame(back)


def test_the_list_leads_to_the_frame_that_was_drawn_on(over: Recorded, auditor: Page) -> None:
    go_to(auditor, over, DRAWN.removed_us)
    auditor.locator('[data-testid="event"][data-type="mark_drawn"]').first.click()
    until_shown(auditor, (TRACK,))
    settle(auditor)
    assert abs(code_us(auditor, over) - DRAWN.frame_us) <= TOLERANCE_US + CLOCKS_US
    assert inked(auditor)


def test_marks_and_pointers_are_there_when_they_were_and_can_be_switched_off(
    over: Recorded, auditor: Page
) -> None:
    drawn = auditor.get_by_test_id(f"replay-drawing-{TRACK}")
    half_us = round(PAUSE_S * 500_000)
    for at_us, there, pointers in (
        (DRAWN.added_us + half_us, True, 0),
        (DRAWN.added_us - half_us, False, 0),
        (DRAWN.removed_us + half_us, False, 1),
        (DRAWN.removed_us - half_us, True, 0),
    ):
        go_to(auditor, over, at_us)
        where = (report(auditor)["positionUs"] + epoch_us(over) - at_us, drawn.get_attribute("data-marks"))
        assert inked(auditor, 0.2) is there, where
        expect(drawn).to_have_attribute("data-pointers", str(pointers))
    auditor.keyboard.press("d")
    expect(drawn).to_have_count(0)
    expect(auditor.get_by_test_id("replay-drawings")).to_have_attribute("aria-pressed", "false")
    auditor.get_by_test_id("replay-drawings").click()
    expect(drawn).to_have_count(1)
    settle(auditor)
    assert inked(auditor, 0.2)


def still_code_us(page: Page) -> int | None:
    """What the time code on the still says."""
    expect(page.get_by_test_id(STILL)).to_have_attribute("data-look", "shown", timeout=SEE_WITHIN_MS)
    return code_of(base64.b64decode(page.evaluate(STILL_PNG, STILL)))


def noted(page: Page, layer: str = "still-drawing") -> bool:
    return bool(page.evaluate(INK, [TRACK, NOTED_X, PLACE[1], layer]))


def check_still(page: Page, over: Recorded) -> None:
    """Before, while it was frozen, after."""
    half_us = round(PAUSE_S * 500_000)
    still = page.get_by_test_id(STILL)
    go_to(page, over, DRAWN.still_us - half_us)
    expect(still).to_have_count(0)
    go_to(page, over, DRAWN.noted_us - half_us)
    code = still_code_us(page)
    assert code is not None
    assert abs(code - DRAWN.still_us) <= TOLERANCE_US + CLOCKS_US, "it is the frame that was frozen"
    assert not noted(page), "it was not drawn yet"
    go_to(page, over, DRAWN.noted_us + half_us)
    assert still_code_us(page) == code, "it stands still"
    page.wait_for_function(INK, arg=[TRACK, NOTED_X, PLACE[1], "still-drawing"])
    assert not inked(page, NOTED_X), "it is on no other frame"
    recorded_us = code_us(page, over)
    assert abs(recorded_us - DRAWN.noted_us - half_us) < AGO_US, "what was recorded goes on beside it"
    boxes = [one.bounding_box() for one in (still, page.locator(f'[data-testid="replay-{TRACK}"] video'))]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["width"] > 2 * boxes[1]["width"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"], "beside it, not on it"
    assert violations(page) == []
    go_to(page, over, DRAWN.unfrozen_us + half_us)
    expect(still).to_have_count(0)


def test_a_frozen_frame_is_replayed_while_it_was_frozen_with_what_was_drawn_on_it(
    over: Recorded, auditor: Page
) -> None:
    check_still(auditor, over)
    go_to(auditor, over, DRAWN.noted_us)
    see(auditor, STILL)
    auditor.get_by_role("button", name="Back to the recorded picture").click()
    expect(auditor.get_by_test_id(STILL)).to_have_count(0)
    auditor.get_by_role("button", name="Show frozen").click()
    assert still_code_us(auditor) is not None


def still_file(over: Recorded, folder: Path) -> Path:
    (entry,) = [one for one in over.entries() if one.get("file_id") == DRAWN.still_id]
    return folder / str(entry["object"])


def test_a_still_that_was_altered_is_not_shown_and_it_is_said(over: Recorded, browser: Browser) -> None:
    file = still_file(over, over.folder)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    person = new_person(browser, locale="zh-CN")
    try:
        page = person.new_page()
        open_replay(page, over)
        see(page, "event-list", SEE_WITHIN_MS)
        go_to(page, over, DRAWN.noted_us)
        expect(page.get_by_test_id(STILL)).to_have_attribute("data-look", "altered", timeout=SEE_WITHIN_MS)
        expect(page.get_by_test_id(STILL)).to_contain_text("篡改")
        assert not page.evaluate(INK, [TRACK, NOTED_X, PLACE[1], "still-drawing"])
    finally:
        file.write_bytes(whole)
        person.close()


def test_the_page_without_a_service_shows_the_still_too_or_says_that_it_is_missing(
    over: Recorded, person: BrowserContext, tmp_path: Path
) -> None:
    """As it is in the archive, and from a copy without it."""
    key = next(over.demo.data_dir.rglob("archive-signing.pem"))
    file, copied = tmp_path / "replay.html", tmp_path / over.consultation
    made = CliRunner().invoke(
        app, ["replay-page", str(file), "--archive", str(over.folder.parent), "--sign", str(key)]
    )
    assert made.exit_code == 0, made.output
    shutil.copytree(over.folder, copied)
    still_file(over, copied).unlink()
    for folder, look in ((over.folder, "shown"), (copied, "missing")):
        room = Room(person, file)
        room.choose(folder)
        room.give_key(Path(over.identity))
        see(room.page, "event-list", SEE_WITHIN_MS)
        if look == "shown":
            check_still(room.page, over)
        else:
            go_to(room.page, over, DRAWN.noted_us)
            still = room.page.get_by_test_id(STILL)
            expect(still).to_have_attribute("data-look", look, timeout=SEE_WITHIN_MS)
            expect(still).to_contain_text("not in the archive")
        assert room.complaints == []
        room.page.close()
