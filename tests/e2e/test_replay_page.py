"""The courtroom: one HTML file opened from the disk, the archive beside it, no service, no network."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from typer.testing import CliRunner

from archive.cli import app
from archive.keys import create_identity
from archive.opening import current_ledger
from archive.shred import Copies, carry_out, record
from archive.shred_request import new_request
from archive.store_base import LocalFolder
from core.clock import SystemClock
from tests.annotation.test_film import FRAME_US, FRAMED_US, PLACE
from tests.annotation.test_film import lines as drawn_lines
from tests.archive import support as archives
from tests.e2e.test_replay import READ_CODES, pictures_off, seek, until_shown
from tests.recorder.support import EPOCH_US
from tests.support.browser import see
from tests.support.coded_archive import CHAT, TRACKS, Coded, coded_archive
from tests.support.firefox import firefox
from tests.support.replay_ink import INK
from tests.support.stage import new_person

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SECONDS = 12
SEE_WITHIN_MS = 30_000
NAME = "Judge Li 李法官"
IN_STEP = 0.95
"""Of the pictures: on a busy machine one or the other comes late."""


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Coded:
    return coded_archive(tmp_path_factory.mktemp("courtroom"), SECONDS, drawn_lines())


@pytest.fixture(scope="module")
def page_file(coded: Coded) -> Path:
    out = coded.root.parent / "replay.html"
    made = CliRunner().invoke(
        app, ["replay-page", str(out), "--archive", str(coded.root), "--sign", str(coded.signing_key)]
    )
    assert made.exit_code == 0, made.output
    return out


class Room:
    """The page in a browser of its own, and everything it asked of any network."""

    def __init__(self, context: BrowserContext, file: Path) -> None:
        self.page = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        context.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.add_init_script(READ_CODES)
        self.page.goto(file.as_uri())

    def choose(self, folder: Path) -> None:
        see(self.page, "folder-panel")
        self.page.get_by_test_id("folder-input").set_input_files(folder)

    def give_key(
        self, file: Path | None, *, pasted: str = "", passphrase: str = "", name: str = NAME
    ) -> None:
        see(self.page, "viewer-form", SEE_WITHIN_MS)
        self.page.get_by_test_id("viewer-name").fill(name)
        if file is not None:
            self.page.get_by_test_id("viewer-identity").set_input_files(file)
        if pasted:
            self.page.get_by_test_id("viewer-paste").click()
            self.page.get_by_test_id("viewer-pasted").fill(pasted)
        self.page.get_by_test_id("viewer-passphrase").fill(passphrase)
        self.page.get_by_test_id("viewer-open").click()

    def expect_verdict(self, verdict: str) -> None:
        found = self.page.get_by_test_id("verify-report")
        expect(found).to_have_attribute("data-verdict", verdict, timeout=SEE_WITHIN_MS)

    def expect_problem(self, problem: str) -> None:
        told = self.page.get_by_test_id("folder-problem")
        expect(told).to_have_attribute("data-problem", problem, timeout=SEE_WITHIN_MS)
        expect(told).not_to_be_empty()


@pytest.fixture(scope="module")
def opened(browser: Browser, coded: Coded, page_file: Path) -> Iterator[Room]:
    """The untouched archive, with the key given."""
    person = new_person(browser)
    room = Room(person, page_file)
    room.choose(coded.root)
    room.give_key(coded.identity)
    see(room.page, "replay-stage", SEE_WITHIN_MS)
    yield room
    person.close()


@pytest.fixture
def room(person: BrowserContext, page_file: Path) -> Room:
    return Room(person, page_file)


def copy(coded: Coded, target: Path) -> Path:
    """A copy of the consultation's folder to do something to."""
    return Path(shutil.copytree(coded.folder, target / coded.folder.name))


# --- an untouched archive ---------------------------------------------------------------------


def test_an_untouched_archive_is_called_intact_and_is_the_one_the_page_was_made_for(
    coded: Coded, opened: Room
) -> None:
    opened.expect_verdict("intact")
    expect(opened.page.get_by_test_id("verify-report")).to_contain_text(archives.keys().signer.public)
    expect(opened.page.get_by_test_id("page-mark")).to_have_attribute("data-mark", "matches")
    expect(opened.page.get_by_test_id("verify-report")).to_have_attribute("data-log", "agrees")


def test_a_still_picture_is_the_one_of_that_moment_on_both_tracks(coded: Coded, opened: Room) -> None:
    times = {track: coded.frame_times_us(track) for track in TRACKS}
    for place in (0.15, 0.9, 0.4, 0.65):
        seek(opened.page, place)
        at = until_shown(opened.page, TRACKS)["positionUs"]
        opened.page.wait_for_timeout(
            100
        )  # one more picture of the page, so that what is decoded is on screen
        codes = opened.page.evaluate("(tracks) => window.codes(tracks)", TRACKS)
        off = [pictures_off(times[track], code, at) for track, code in zip(TRACKS, codes, strict=True)]
        assert off == [0, 0], (place, codes, at)


def test_while_playing_both_tracks_stay_within_a_frame_of_the_timeline(coded: Coded, opened: Room) -> None:
    seek(opened.page, 0.1)
    until_shown(opened.page, TRACKS)
    opened.page.get_by_test_id("replay-play").click()
    opened.page.wait_for_timeout(2_000)
    samples = opened.page.evaluate("([tracks, ms]) => window.sampleCodes(tracks, ms)", [list(TRACKS), 4_000])
    opened.page.get_by_test_id("replay-play").click()
    for track, found in samples.items():
        assert len(found) > 20, (track, len(found))
        offs = [pictures_off(coded.frame_times_us(track), one["code"], one["at"]) for one in found]
        assert sum(abs(off) <= 1 for off in offs) / len(offs) >= IN_STEP, (track, offs)


def test_the_keys_step_by_one_picture(coded: Coded, opened: Room) -> None:
    seek(opened.page, 0.5)
    before = until_shown(opened.page, TRACKS)["tracks"][TRACKS[0]]["shownUs"]
    for key, direction in ((".", 1), (",", -1)):
        opened.page.keyboard.press(key)
        after = until_another(opened.page, before)
        assert (after - before) * direction == pytest.approx(1_000_000 / 30, abs=2), key
        before = after


def until_another(page: Page, before_us: float) -> float:
    deadline = time.monotonic() + SEE_WITHIN_MS / 1000
    while (
        now := page.evaluate("window.teleconsultReplay.report()")["tracks"][TRACKS[0]]["shownUs"]
    ) == before_us:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
    return float(now)


def test_a_mark_is_on_the_frame_it_was_drawn_on(coded: Coded, opened: Room) -> None:
    page = opened.page
    listed = page.locator('[data-testid="event"][data-type="mark_drawn"]')
    expect(listed).to_have_count(2, timeout=SEE_WITHIN_MS)
    listed.first.click()  # leads to its frame
    until_shown(page, TRACKS)
    for _ in range(3):
        step(page, ",")
    seen = {}
    for _ in range(7):
        (code,) = page.evaluate("(tracks) => window.codes(tracks)", TRACKS[:1])
        frame = round((code + EPOCH_US - FRAMED_US) / FRAME_US)
        seen[frame] = page.evaluate(INK, [TRACKS[0], *PLACE])
        step(page, ".")
    assert seen == {frame: abs(frame) <= 1 for frame in range(-3, 4)}


def step(page: Page, key: str) -> None:
    before = page.evaluate("window.teleconsultReplay.report()")["tracks"][TRACKS[0]]["shownUs"]
    page.keyboard.press(key)
    until_another(page, before)
    page.wait_for_timeout(100)  # one more picture of the page


def test_what_was_said_is_in_the_list_and_the_viewers_name_is_on_every_picture(opened: Room) -> None:
    chat = opened.page.locator('[data-testid="event"][data-type="chat_added"]')
    expect(chat).to_contain_text(CHAT, timeout=SEE_WITHIN_MS)
    marks = opened.page.get_by_test_id("watermark")
    assert marks.count() == len(TRACKS)
    for mark in marks.all():
        expect(mark).to_contain_text(NAME)


def test_both_languages_are_there_with_a_switch(opened: Room) -> None:
    expect(opened.page.locator("h1").first).to_have_text("Replay without a service")
    opened.page.get_by_test_id("language").click()
    expect(opened.page.locator("h1").first).to_have_text("离线回放")
    expect(opened.page.get_by_test_id("verdict")).to_contain_text("完整")
    opened.page.get_by_test_id("language").click()
    expect(opened.page.locator("html")).to_have_attribute("lang", "en")


def test_nothing_was_asked_of_any_network_and_nothing_was_kept(opened: Room, page_file: Path) -> None:
    asked = [url for url in opened.requests if not url.startswith(("blob:", "data:"))]
    assert asked == [page_file.as_uri()]
    assert opened.complaints == []
    kept = "Object.keys(localStorage).length + Object.keys(sessionStorage).length + document.cookie.length"
    assert opened.page.evaluate(kept) == 0


def test_the_policy_stops_whatever_would_send_something_all_the_same(room: Room) -> None:
    sent = """async () => {
      const tries = [
        () => fetch("http://127.0.0.1:9/"),
        () => new Promise((done, fail) => {
          const picture = new Image();
          picture.onload = done; picture.onerror = fail; picture.src = "http://127.0.0.1:9/x.png";
        }),
        () => new Promise((done, fail) => {
          const script = document.createElement("script");
          script.onload = done; script.onerror = fail; script.src = "http://127.0.0.1:9/x.js";
          document.head.append(script);
        }),
      ];
      const refused = [];
      document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
      for (const one of tries) await one().catch(() => null);
      return refused;
    }"""
    assert room.page.evaluate(sent) == ["connect-src", "img-src", "script-src-elem"]


def test_the_key_is_forgotten_when_it_is_locked(coded: Coded, room: Room) -> None:
    room.choose(coded.root)
    room.give_key(coded.identity)
    see(room.page, "replay-stage", SEE_WITHIN_MS)
    room.page.get_by_test_id("viewer-lock").click()
    see(room.page, "viewer-form")
    expect(room.page.get_by_test_id("replay-stage")).to_have_count(0)


# --- what was done to it ----------------------------------------------------------------------


def flip(folder: Path) -> None:
    piece = folder / "tracks" / TRACKS[0] / "000" / "000005.m4s.age"
    content = piece.read_bytes()
    piece.write_bytes(content[:300] + bytes([content[300] ^ 1]) + content[301:])


def remove_a_piece(folder: Path) -> None:
    (folder / "tracks" / TRACKS[0] / "000" / "000005.m4s.age").unlink()


def cut(folder: Path) -> None:
    """As an archive that is still open would look."""
    lines = (folder / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "manifest.jsonl").write_bytes(b"".join(lines[:20]))
    (folder / "closed.json").unlink()


def cut_cleanly(folder: Path) -> None:
    """Everything that came later is gone, too: only somebody who knew it then can tell."""
    cut(folder)
    named = (folder / "manifest.jsonl").read_text()
    for path in folder.glob("*/**/*.age"):
        if str(path.relative_to(folder)) not in named:
            path.unlink()


def edit_an_entry(folder: Path) -> None:
    manifest = folder / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes().replace(b'"uncertainty_us":1000', b'"uncertainty_us":1001', 1))


@pytest.mark.parametrize(
    ("tamper", "verdict", "concerned"),
    [
        (flip, "altered", "000005.m4s.age"),
        (remove_a_piece, "missing", "000005.m4s.age"),
        (cut, "truncated", ""),
        (cut_cleanly, "truncated", "42 entries"),
        (edit_an_entry, "altered", ""),
    ],
)
def test_a_tampered_copy_is_called_what_it_is(
    coded: Coded,
    room: Room,
    tmp_path: Path,
    tamper: Callable[[Path], None],
    verdict: str,
    concerned: str,
) -> None:
    folder = copy(coded, tmp_path)
    tamper(folder)
    room.choose(folder)
    room.expect_verdict(verdict)
    expect(room.page.get_by_test_id("verify-report")).to_contain_text(concerned)
    expect(room.page.get_by_test_id("verdict")).to_have_attribute("data-verdict", verdict)


def test_a_log_that_was_changed_or_cut_is_found(coded: Coded, room: Room, tmp_path: Path) -> None:
    root = Path(shutil.copytree(coded.root, tmp_path / "archive"))
    entries = root / "log" / "entries.jsonl"
    whole = entries.read_bytes()
    for content, verdict in (
        (whole.replace(b"patient_agreed", b"site_decided"), "altered"),
        (b"".join(whole.splitlines(keepends=True)[:2]), "truncated"),
    ):
        entries.write_bytes(content)
        room.choose(root)
        room.expect_verdict(verdict)
        room.page.get_by_test_id("folder-another").click()


def test_another_archive_with_the_same_name_is_not_the_one_the_page_was_made_for(
    room: Room, tmp_path: Path
) -> None:
    room.choose(archives.write(tmp_path, salt="forged"))
    room.expect_verdict("altered")
    see(room.page, "notice-differs")


def test_another_consultation_is_checked_but_the_page_does_not_vouch_for_it(
    room: Room, tmp_path: Path
) -> None:
    room.choose(archives.write(tmp_path, "con_other"))
    room.expect_verdict("intact")
    expect(room.page.get_by_test_id("page-mark")).to_have_attribute("data-mark", "none")


def test_a_shredded_archive_says_so_and_why(coded: Coded, room: Room, tmp_path: Path) -> None:
    folder = LocalFolder(copy(coded, tmp_path))
    copies = Copies(folder, None)
    request = new_request(
        current_ledger(folder), "shred", folder.name, "term is over", objects="kept", policy=None
    )
    request.add_signed_in("u_1", 1)
    request.add_signed_in("u_2", 2)
    record(copies, request, archives.keys().signer, SystemClock())
    carry_out(copies)
    room.choose(Path(folder.place))
    room.expect_verdict("shredded")
    shown = room.page.get_by_test_id("shredded")
    expect(shown).to_contain_text("term is over", timeout=SEE_WITHIN_MS)
    expect(shown).to_contain_text("signature of a trusted archive")
    expect(room.page.get_by_test_id("viewer-form")).to_have_count(0)


# --- what people do wrong ---------------------------------------------------------------------


def test_a_wrong_folder_is_told_from_an_empty_one(room: Room, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.txt").write_text("sand")
    room.choose(tmp_path / "holiday")
    room.expect_problem("wrong")
    expect(room.page.get_by_test_id("folder-problem")).to_contain_text("manifest.jsonl")


def test_a_folder_without_its_manifest_or_its_key_says_which_file_is_missing(
    coded: Coded, room: Room, tmp_path: Path
) -> None:
    folder = copy(coded, tmp_path)
    (folder / "session.key.age").unlink()
    room.choose(folder)
    see(room.page, "notice-noKeyFile", SEE_WITHIN_MS)
    room.expect_verdict("missing")
    (folder / "manifest.jsonl").unlink()
    room.page.get_by_test_id("folder-another").click()
    room.choose(folder)
    see(room.page, "notice-noManifest", SEE_WITHIN_MS)
    room.expect_verdict("missing")


def test_of_several_consultations_one_is_chosen(coded: Coded, room: Room, tmp_path: Path) -> None:
    copy(coded, tmp_path)
    archives.write(tmp_path, "con_other")
    room.choose(tmp_path)
    places = room.page.get_by_test_id("folder-places")
    expect(places.get_by_role("button")).to_have_count(2, timeout=SEE_WITHIN_MS)
    places.get_by_text("con_other").click()
    room.expect_verdict("intact")


def test_a_key_that_does_not_fit_is_answered_with_whose_would(
    coded: Coded, room: Room, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.agekey"
    create_identity(stranger)
    room.choose(coded.root)
    room.give_key(stranger)
    told = room.page.get_by_test_id("replay-wrong-key")
    expect(told).to_contain_text("王医生", timeout=SEE_WITHIN_MS)


def test_a_key_under_a_passphrase_is_opened_here(coded: Coded, room: Room, tmp_path: Path) -> None:
    protected = tmp_path / "protected.age"
    protected.write_bytes(pyrage.passphrase.encrypt(coded.identity.read_bytes(), "correct horse"))
    room.choose(coded.root)
    problem = room.page.get_by_test_id("viewer-problem")
    room.give_key(protected)
    expect(problem).to_have_attribute("data-problem", "protected-identity", timeout=SEE_WITHIN_MS)
    room.give_key(protected, passphrase="wrong horse")
    expect(problem).to_have_attribute("data-problem", "wrong-passphrase", timeout=SEE_WITHIN_MS)
    room.give_key(protected, passphrase="correct horse")
    see(room.page, "replay-stage", SEE_WITHIN_MS)


def test_a_key_can_be_pasted_and_a_name_is_needed(coded: Coded, room: Room) -> None:
    room.choose(coded.root)
    problem = room.page.get_by_test_id("viewer-problem")
    room.give_key(None)
    expect(problem).to_have_attribute("data-problem", "noKey", timeout=SEE_WITHIN_MS)
    room.give_key(None, pasted=coded.identity.read_text(), name=" ")
    expect(problem).to_have_attribute("data-problem", "noName")
    room.page.get_by_test_id("viewer-name").fill(NAME)
    room.page.get_by_test_id("viewer-open").click()
    see(room.page, "replay-stage", SEE_WITHIN_MS)


def test_a_folder_that_is_dropped_is_taken_and_a_file_is_not(coded: Coded, room: Room) -> None:
    drop(room.page, coded.identity)
    room.expect_problem("file")
    drop(room.page, coded.root)
    room.expect_verdict("intact")


def drop(page: Page, path: Path) -> None:
    """As a person does, from outside the browser."""
    session = page.context.new_cdp_session(page)
    data: dict[str, Any] = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})
    session.detach()


# --- Firefox ----------------------------------------------------------------------------------

GIVE_FOLDER = """
(files) => {
  const chosen = new DataTransfer();
  for (const [path, content] of Object.entries(files)) {
    const bytes = Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
    const file = new File([bytes], path.split("/").at(-1));
    Object.defineProperty(file, "webkitRelativePath", { value: path });
    chosen.items.add(file);
  }
  const input = document.querySelector('[data-testid="folder-input"]');
  Object.defineProperty(input, "files", { value: chosen.files });
  input.dispatchEvent(new Event("change", { bubbles: true }));
}
"""
"""Its driver cannot choose a folder: this does what the browser does once one is chosen."""


def test_firefox_verifies_it_too_and_says_which_pictures_it_cannot_play(tmp_path: Path) -> None:
    coded = coded_archive(tmp_path, 2)
    out = tmp_path / "replay.html"
    options = ["--archive", str(coded.root), "--sign", str(coded.signing_key)]
    assert CliRunner().invoke(app, ["replay-page", str(out), *options]).exit_code == 0
    inside = [path for path in coded.root.rglob("*") if path.is_file()]
    files = {str(path.relative_to(tmp_path)): base64.b64encode(path.read_bytes()).decode() for path in inside}
    with firefox() as fox:
        page = fox.open()
        page.goto(out.as_uri())
        page.see("folder-panel")
        page.evaluate(f"({GIVE_FOLDER})({json.dumps(files)})")
        page.wait_until(lambda one: one.evaluate(VERDICT) == "intact", 60, "Firefox calls it intact")
        page.fill("viewer-name", NAME)
        page.click("viewer-paste")
        page.fill("viewer-pasted", coded.identity.read_text())
        page.click("viewer-open")
        page.see("replay-stage", 60)
        if not page.evaluate(PLAYS_H264):
            page.see("opened-codec")
            assert "H264" in page.texts("opened-codec")[0]


VERDICT = """document.querySelector('[data-testid="verify-report"]')?.dataset.verdict"""
PLAYS_H264 = """MediaSource.isTypeSupported('video/mp4; codecs="avc1.42e01f"')"""
