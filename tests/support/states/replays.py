"""The auditor's pages, over the archive of the consultation that goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyrage
from playwright.sync_api import Page, expect

from tests.support.browser import see
from tests.support.states.cast import Cast, State

PASSPHRASE = "a long enough passphrase"
WITHIN_MS = 30_000


def replay_states(cast: Cast) -> Iterator[State]:
    yield from _own_key(cast)
    yield from _foreign_key(cast)


def _own_key(cast: Cast) -> Iterator[State]:
    page = cast.signed_in("auditor")
    see(page, "key-import")
    see(page, "archive-list")
    yield State("replay-import", page)
    page.get_by_test_id("key-passphrase").fill("short")
    page.get_by_test_id("key-import-do").click()
    expect(page.get_by_test_id("key-problem")).not_to_be_empty()
    yield State("replay-import-wrong", page)
    import_key(page, Path(cast.demo.info["archive_identity"]))
    yield State("replay-choose", page)
    first_archive(page)
    see(page, "replay-stage", WITHIN_MS)
    verified(page)
    page.locator('.replay-picture[data-state="shown"]').first.wait_for(timeout=WITHIN_MS)
    yield State("replay-stage", page)
    page.get_by_test_id("verify-panel").locator("summary").click()
    page.locator(".replay-picture button").first.click()
    yield State("replay-enlarged", page)
    page.get_by_test_id("key-lock").click()
    see(page, "key-unlock")
    page.get_by_test_id("key-passphrase").fill("not the passphrase")
    page.get_by_test_id("key-unlock-do").click()
    expect(page.get_by_test_id("key-problem")).not_to_be_empty(timeout=WITHIN_MS)
    page.get_by_test_id("key-forget").click()
    yield State("replay-locked", page)


def _foreign_key(cast: Cast) -> Iterator[State]:
    """A key that is none of the custodians': nothing is shown, but it can be verified."""
    stranger = cast.demo.data_dir / "stranger.agekey"
    stranger.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    page = cast.signed_in("auditor")
    import_key(page, stranger)
    first_archive(page)
    see(page, "replay-wrong-key", WITHIN_MS)
    verified(page)
    yield State("replay-wrong-key", page)


def import_key(page: Page, identity: Path) -> None:
    see(page, "key-import")
    page.get_by_test_id("key-identity").set_input_files(identity)
    page.get_by_test_id("key-passphrase").fill(PASSPHRASE)
    page.get_by_test_id("key-again").fill(PASSPHRASE)
    page.get_by_test_id("key-import-do").click()
    see(page, "key-unlocked", WITHIN_MS)


def first_archive(page: Page) -> None:
    page.get_by_test_id("archive-list").locator("a").first.click()


def verified(page: Page) -> None:
    expect(page.get_by_test_id("verify-report")).to_have_attribute(
        "data-verdict", "intact", timeout=WITHIN_MS
    )
