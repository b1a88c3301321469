"""The administrator's capture boxes: a box is added, enrolled with the code on the page, and shut out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from playwright.sync_api import Page, expect

from tests.support.browser import see
from tests.support.states.cast import Cast, State

WITHIN_MS = 20_000


def box_states(cast: Cast) -> Iterator[State]:
    page = cast.signed_in("admin")
    see(page, "box-add")
    yield State("boxes-list", page)
    name = f"Theatre {cast.language}"
    page.get_by_test_id("box-name").fill(name)
    page.get_by_test_id("box-feeds").fill("scope, room")
    page.get_by_test_id("box-add").click()
    see(page, "code")
    page.wait_for_function("document.querySelector('[data-testid=code-picture]').naturalWidth > 0")
    yield State("boxes-code", page)
    _enrol(cast, page)
    box = page.locator("li.card", has_text=name)
    box.get_by_test_id("box-revoke").click(timeout=WITHIN_MS)
    see(page, "confirm")
    yield State("boxes-shutting-out", page)
    page.get_by_test_id("confirm").click()
    expect(box.get_by_test_id("box-revoke")).to_have_count(0, timeout=WITHIN_MS)
    yield State("boxes-shut-out", page)


def _enrol(cast: Cast, page: Page) -> None:
    """What the page says, typed on a box."""
    command = (page.get_by_test_id("code").text_content() or "").split()
    assert command[:3] == ["teleconsult", "edge", "enroll"]
    place = cast.demo.data_dir / f"box-{cast.language}" / "edge.toml"
    place.parent.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", *command, "--config", str(place)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (place.parent / "box.json").stat().st_mode & 0o777 == 0o600
