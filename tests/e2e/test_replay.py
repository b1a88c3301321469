"""An auditor replays a recorded consultation in Chromium: every picture is the one of its moment."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import see, sign_in
from tests.support.demo import Demo
from tests.support.recorded import CODED, Recorded, recorded
from tests.support.rest import Rest
from tests.support.stage import new_person
from tests.support.trail import denied_and_done

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SECONDS = 30.0
PASSPHRASE = "a long enough passphrase"
FRAME_US = 1_000_000 / 30
SEE_WITHIN_MS = 30_000
SEEK_TARGET_MS = 500
CLOCK_KNOWN_US = 3_000_000
KEYFRAMES_WITHIN_US = 13_000_000
"""The recorder asks for one every 10 s; then it has to be made and sent."""
IN_STEP = 0.95
"""Of the pictures: on a busy machine one or the other comes late."""
TRACKS = tuple(CODED.values())
READ_CODES = """
(() => {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const crc16 = (bytes) => {
    let crc = 0xffff;
    for (const byte of bytes) {
      crc ^= byte << 8;
      for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
    }
    return crc;
  };
  // edge_agents/timecode.py: 48 columns x 2 rows of square blocks at the top left.
  const read = (video) => {
    const width = video.videoWidth, block = width / 48, height = Math.ceil(block * 2);
    canvas.width = width;
    canvas.height = height;
    context.drawImage(video, 0, 0, width, height, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const middle = (index) => [Math.round((index + 0.25) * block), Math.round((index + 0.75) * block)];
    const levels = [];
    for (let row = 0; row < 2; row += 1) for (let column = 0; column < 48; column += 1) {
      const [top, bottom] = middle(row), [left, right] = middle(column);
      let sum = 0, count = 0;
      for (let y = top; y < bottom; y += 1) for (let x = left; x < right; x += 1) {
        const at = 4 * (y * width + x);
        sum += data[at] + data[at + 1] + data[at + 2];
        count += 3;
      }
      levels.push(sum / count);
    }
    const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const sync = [..."1110101110010000"].map(Number);
    const white = mean(levels.slice(0, 16).filter((_, at) => sync[at] === 1));
    const black = mean(levels.slice(0, 16).filter((_, at) => sync[at] === 0));
    if (white - black < 48) return null;
    const bits = levels.map((level) => (level > (white + black) / 2 ? 1 : 0));
    if (!sync.every((bit, at) => bits[at] === bit)) return null;
    const bytes = [];
    for (let at = 16; at < 96; at += 8) bytes.push(parseInt(bits.slice(at, at + 8).join(""), 2));
    if (crc16(bytes.slice(0, 8)) !== bytes[8] * 256 + bytes[9]) return null;
    return Number(bytes.slice(0, 8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n));
  };
  const videoOf = (track) => document.querySelector(`[data-testid="replay-${track}"] video`);
  // On the timeline, us.
  window.codes = (tracks) => {
    const { epochUs } = window.teleconsultReplay.report();
    return tracks.map((track) => {
      const code = read(videoOf(track));
      return code === null ? null : code - epochUs;
    });
  };
  // From the press of the button until every track shows the new place, ms.
  window.timeSeek = async (fraction) => {
    const slider = document.querySelector('[data-testid="replay-slider"]');
    const box = slider.getBoundingClientRect();
    const [clientX, clientY] = [box.left + box.width * fraction, box.top + 4];
    const at = { clientX, clientY, pointerId: 1, bubbles: true };
    slider.setPointerCapture = slider.releasePointerCapture = () => undefined;
    const began = performance.now();
    slider.dispatchEvent(new PointerEvent("pointerdown", at));
    const settled = () => {
      const { waiting, tracks } = window.teleconsultReplay.report();
      return !waiting && Object.values(tracks).every(({ state }) => state === "shown" || state === "missing");
    };
    do {
      await new Promise((resolve) => setTimeout(resolve, 4));
      const late = performance.now() - began > 20000;
      if (late) throw new Error(JSON.stringify(window.teleconsultReplay.report()));
    } while (!settled());
    return performance.now() - began;
  };
  // On every picture shown of every track: what it says against where the timeline is when it is shown.
  window.sampleCodes = (tracks, ms) => {
    const samples = Object.fromEntries(tracks.map((track) => [track, []]));
    const { epochUs } = window.teleconsultReplay.report();
    let going = true;
    for (const track of tracks) {
      const video = videoOf(track);
      const note = (now, frame) => {
        if (!going) return;
        const code = read(video);
        const at = window.teleconsultReplay.positionAt(frame.expectedDisplayTime);
        if (code !== null) samples[track].push({ at, code: code - epochUs, nowMs: now });
        video.requestVideoFrameCallback(note);
      };
      video.requestVideoFrameCallback(note);
    }
    return new Promise((resolve) => setTimeout(() => { going = false; resolve(samples); }, ms));
  };
})();
"""


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Recorded]:
    """A consultation that was recorded and is over."""
    with recorded(tmp_path_factory.mktemp("recorded"), browser, SECONDS) as found:
        yield found


@pytest.fixture(scope="module")
def auditor(over: Recorded, browser: Browser) -> Iterator[Page]:
    """The auditor, with the key imported and the consultation open."""
    person = new_person(browser)
    page = person.new_page()
    page.add_init_script(READ_CODES)
    open_replay(page, over)
    yield page
    person.close()


def open_replay(page: Page, over: Recorded) -> None:
    """Sign in, import the key, choose the consultation."""
    sign_in(page, over.demo.base_url, over.demo.user("auditor"))
    import_key(page, over)
    page.get_by_test_id(f"archive-{over.consultation}").click()
    see(page, "replay-stage", SEE_WITHIN_MS)


def import_key(page: Page, over: Recorded) -> None:
    see(page, "key-import")
    page.get_by_test_id("key-identity").set_input_files(over.identity)
    page.get_by_test_id("key-passphrase").fill(PASSPHRASE)
    page.get_by_test_id("key-again").fill(PASSPHRASE)
    page.get_by_test_id("key-import-do").click()
    see(page, "key-unlocked", SEE_WITHIN_MS)


def report(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("() => window.teleconsultReplay.report()")
    return found


def media_state(page: Page) -> object:
    """What the browser says of each element, for whoever reads a failure."""
    return page.evaluate(
        """() => [...document.querySelectorAll('video, audio')].map((one) => ({
            at: one.currentTime, ready: one.readyState, seeking: one.seeking, paused: one.paused,
            network: one.networkState, error: one.error && one.error.message,
            buffered: Array.from({ length: one.buffered.length }, (_, at) =>
                [one.buffered.start(at), one.buffered.end(at)]),
        }))"""
    )


def until_shown(page: Page, tracks: tuple[str, ...] = TRACKS) -> dict[str, Any]:
    """Until every one of them shows the picture of where the timeline stands."""
    deadline = time.monotonic() + SEE_WITHIN_MS / 1000
    while True:
        found = report(page)
        if not found["waiting"] and all(found["tracks"][track]["state"] == "shown" for track in tracks):
            return found
        assert time.monotonic() < deadline, json.dumps([found, media_state(page)])
        page.wait_for_timeout(20)


def seek(page: Page, fraction: float) -> None:
    """As a person does: click into the timeline, above the events' lane."""
    box = page.get_by_test_id("replay-slider").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * fraction, box["y"] + 4)


def common_span(over: Recorded) -> tuple[float, float]:
    """Fractions of the timeline between which both pictures are there, and dated by more than a report or
    two of the publisher's clock, which a machine that just started everything may have delayed by a picture.
    """
    entries = over.entries()
    length = entries[-1]["end_us"]
    pieces = [entry for entry in entries if entry["kind"] == "piece" and entry["track"] in TRACKS]
    by_track = [[one for one in pieces if one["track"] == track] for track in TRACKS]
    begin = max(min(one["begin_us"] for one in some) for some in by_track) + CLOCK_KNOWN_US
    end = min(max(one["end_us"] for one in some) for some in by_track)
    return begin / length, end / length


def places(over: Recorded, count: int) -> list[float]:
    begin, end = common_span(over)
    return [begin + (end - begin) * (one + 0.5) / count for one in range(count)]


def pictures_off(times_us: list[int], code_us: float, at_us: float) -> int:
    """How many pictures what is shown is away from the one of that moment (the last one captured by then)."""
    wanted = max(0, bisect_right(times_us, at_us) - 1)
    after = min(bisect_right(times_us, code_us), len(times_us) - 1)
    shown = min((after - 1, after), key=lambda index: abs(times_us[index] - code_us))
    assert abs(times_us[shown] - code_us) < FRAME_US, "what is shown is none of the archived pictures"
    return shown - wanted


def test_a_still_picture_is_the_one_of_that_moment_on_both_tracks(over: Recorded, auditor: Page) -> None:
    times = {track: over.frame_times_us(track) for track in TRACKS}
    for place in places(over, 6):
        seek(auditor, place)
        at = until_shown(auditor)["positionUs"]
        auditor.wait_for_timeout(100)  # one more picture of the page, so that what is decoded is on screen
        codes = auditor.evaluate("(tracks) => window.codes(tracks)", TRACKS)
        off = [pictures_off(times[track], code, at) for track, code in zip(TRACKS, codes, strict=True)]
        assert off == [0, 0], (place, codes, at)


def test_seeking_shows_the_new_place_soon(over: Recorded, auditor: Page) -> None:
    took = []
    wanted = places(over, 12)
    for place in [one for step in range(3) for one in wanted[step::3]]:
        took.append(auditor.evaluate("(place) => window.timeSeek(place)", place))
        auditor.wait_for_timeout(700)
    took.sort()
    print(f"seek, ms: {', '.join(f'{one:.0f}' for one in took)}")
    assert took[len(took) // 2] <= SEEK_TARGET_MS, took


def test_a_seek_settles_whatever_came_before_it(over: Recorded, auditor: Page) -> None:
    """Seeks that overtake each other: one was once waited for whose pieces had been given up."""
    chance = random.Random(5)
    for _ in range(25):
        auditor.get_by_test_id("replay-speed").select_option(chance.choice(["1", "2", "4", "8"]))
        auditor.get_by_test_id("replay-play").click()
        auditor.wait_for_timeout(chance.choice([100, 400, 1_500]))
        auditor.get_by_test_id("replay-play").click()
        auditor.get_by_test_id("replay-speed").select_option("1")
        for _ in range(chance.choice([1, 3])):
            seek(auditor, chance.choice(places(over, 9)))
            auditor.wait_for_timeout(chance.choice([0, 30, 150]))
        if report(auditor)["playing"]:  # it had reached the end
            auditor.get_by_test_id("replay-play").click()
        until_shown(auditor)


def test_pieces_begin_where_decoding_can(over: Recorded) -> None:
    for track in TRACKS:
        begins = [one for one in over.entries() if one["kind"] == "piece" and one["track"] == track]
        waits = [
            later["begin_us"] - earlier["begin_us"]
            for earlier, later in pairwise(one for one in begins if one["sync"])
        ]
        assert waits, "one keyframe in all: a replay would decode from the beginning"
        assert max(waits) < KEYFRAMES_WITHIN_US


@pytest.mark.parametrize("rate", [1, 2, 0.5, 4, 8])
def test_while_playing_both_tracks_stay_within_a_frame_of_the_timeline(
    over: Recorded, auditor: Page, rate: float
) -> None:
    begin, end = common_span(over)
    seek(auditor, begin + (end - begin) * 0.02)
    until_shown(auditor)
    auditor.get_by_test_id("replay-speed").select_option(str(rate))
    auditor.get_by_test_id("replay-play").click()
    settle_ms, sample_ms = (2_000, 4_000) if rate <= 2 else (800, 15_000 // rate)
    auditor.wait_for_timeout(settle_ms)
    samples = auditor.evaluate("([tracks, ms]) => window.sampleCodes(tracks, ms)", [list(TRACKS), sample_ms])
    assert report(auditor)["playing"]
    auditor.get_by_test_id("replay-play").click()
    auditor.get_by_test_id("replay-speed").select_option("1")
    for track, found in samples.items():
        assert len(found) > (20 if rate <= 2 else 10), (track, len(found))
        times = over.frame_times_us(track)
        offs = [pictures_off(times, one["code"], one["at"]) for one in found]
        late_ms = sorted((one["at"] - one["code"]) / 1000 for one in found)
        what = f"median {late_ms[len(late_ms) // 2]:.1f} ms late, from {late_ms[0]:.1f} to {late_ms[-1]:.1f}"
        near = max(1, rate)  # pictures of the recording for each one that a screen can show
        within = sum(abs(off) <= near for off in offs) / len(offs)
        print(f"{track} at {rate} x: {len(found)} pictures, {what}; within {near} of them: {within:.0%}")
        assert within >= IN_STEP, (track, rate, offs)


def test_the_keys_step_by_one_picture(over: Recorded, auditor: Page) -> None:
    seek(auditor, places(over, 3)[1])
    until_shown(auditor)
    reference = report_reference(auditor)
    times = over.frame_times_us(reference)
    settle(auditor)
    before = shown_picture(auditor, reference, times)
    for key, steps in ((".", (1, 2)), (".", (1, 2)), (",", (-1,))):
        auditor.keyboard.press(key)
        now = until_another(auditor, reference, times, before)
        assert now - before in steps, (key, now - before)
        before = now


def shown_picture(page: Page, track: str, times_us: list[int]) -> int:
    """Which of the archived pictures is on screen."""
    at = report(page)["tracks"][track]["shownUs"]
    return min(range(len(times_us)), key=lambda index: abs(times_us[index] - at))


def until_another(page: Page, track: str, times_us: list[int], before: int) -> int:
    """The picture that comes instead of that one, and stays."""
    deadline = time.monotonic() + SEE_WITHIN_MS / 1000
    while shown_picture(page, track, times_us) == before:
        assert time.monotonic() < deadline, report(page)
        page.wait_for_timeout(20)
    settle(page)
    return shown_picture(page, track, times_us)


def settle(page: Page) -> None:
    """Until nothing has changed on screen for a while."""
    last: list[Any] = []
    while len(last) < 5 or any(one != last[-1] for one in last[-5:]):
        page.wait_for_timeout(60)
        last.append({name: one["shownUs"] for name, one in report(page)["tracks"].items()})
        assert len(last) < 200, last[-1]


def report_reference(page: Page) -> str:
    """The first picture on the wall: the one that steps go by."""
    return str(page.locator(".replay-picture").first.get_attribute("data-testid")).removeprefix("replay-")


def test_space_plays_and_pauses_and_the_slider_moves_by_keys(over: Recorded, auditor: Page) -> None:
    slider = auditor.get_by_test_id("replay-slider")
    slider.focus()
    auditor.keyboard.press("Home")
    assert report(auditor)["positionUs"] == 0
    auditor.keyboard.press("ArrowRight")
    assert report(auditor)["positionUs"] == 5_000_000
    auditor.keyboard.press("Space")
    expect(auditor.get_by_test_id("replay-play")).to_have_attribute("data-playing", "true")
    auditor.keyboard.press("Space")
    expect(auditor.get_by_test_id("replay-play")).to_have_attribute("data-playing", "false")


def test_what_was_said_is_in_the_list_and_leads_to_its_moment(over: Recorded, auditor: Page) -> None:
    chat = auditor.locator('[data-testid="event"][data-type="chat_added"]')
    expect(chat).to_contain_text("The valve 瓣膜 looks tight.", timeout=SEE_WITHIN_MS)
    chat.click()
    said = auditor.get_by_test_id("replay-position").inner_text()
    assert said.split(".")[0] == chat.locator(".replay-mark-time").inner_text()


def test_the_verification_finds_it_intact_and_says_by_whose_key(over: Recorded, auditor: Page) -> None:
    found = auditor.get_by_test_id("verify-report")
    expect(found).to_have_attribute("data-verdict", "intact", timeout=SEE_WITHIN_MS)
    expect(found).to_contain_text(over.entries()[0]["signer"])
    expect(found).to_have_attribute("data-log", "agrees")
    log = auditor.get_by_test_id("verify-log")
    expect(log).to_contain_text(f"It vouches for {len(over.entries())} entries")
    expect(auditor.get_by_test_id("verify-kept")).to_have_attribute("data-heads", "0")


def test_what_the_specialists_browser_saw_is_compared_and_is_a_file_the_command_line_takes(
    over: Recorded, auditor: Page, tmp_path: Path
) -> None:
    assert over.kept_heads
    auditor.evaluate("(text) => localStorage.setItem('teleconsult.heads', text)", over.kept_heads)
    auditor.get_by_test_id("verify-start").click()
    kept = auditor.get_by_test_id("verify-kept")
    expect(kept).to_have_attribute("data-heads", "1", timeout=SEE_WITHIN_MS)
    expect(auditor.get_by_test_id("verify-report")).to_have_attribute("data-verdict", "intact")
    file = tmp_path / "kept.json"
    page = auditor.context.new_page()
    page.goto(auditor.url)
    sign_in_if_asked(page, over)
    with page.expect_download() as download:
        page.get_by_test_id("save-heads").click()
    download.value.save_as(file)
    page.close()
    assert file.read_text() == over.kept_heads
    code, told = verify_with_log(over, "--witness", str(file))
    assert (code, told["log"]["verdict"]) == (0, "intact"), told
    assert told["log"]["witnesses"][0]["heads"] >= 1


def test_an_archive_that_was_cut_and_signed_anew_is_found_with_what_the_browser_kept(
    over: Recorded, auditor: Page
) -> None:
    head = next(head for line in over.kept_heads.splitlines() if (head := json.loads(line)["head"]))
    manifest, closing = over.folder / "manifest.jsonl", over.folder / "closed.json"
    whole, marker = manifest.read_bytes(), closing.read_bytes()
    lines = whole.splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[: head["entries"] - 1]))
    closing.unlink()
    try:
        auditor.get_by_test_id("verify-start").click()
        found = auditor.get_by_test_id("verify-report")
        expect(found).to_have_attribute("data-log", "manifest_cut", timeout=SEE_WITHIN_MS)
    finally:
        manifest.write_bytes(whole)
        closing.write_bytes(marker)
    auditor.get_by_test_id("verify-start").click()  # whole again
    listed = auditor.get_by_test_id(f"archive-{over.consultation}")
    expect(listed).to_contain_text("intact", timeout=SEE_WITHIN_MS)


def sign_in_if_asked(page: Page, over: Recorded) -> None:
    page.locator('[data-testid="save-heads"], [data-testid="username"]').first.wait_for()
    if page.get_by_test_id("username").count() > 0:
        name, password = over.demo.user("auditor")
        page.get_by_test_id("username").fill(name)
        page.get_by_test_id("password").fill(password)
        page.get_by_test_id("sign-in").click()
    see(page, "save-heads", SEE_WITHIN_MS)


def verify_with_log(over: Recorded, *more: str) -> tuple[int, dict[str, Any]]:
    """`archive verify --log` of that consultation: exit code and what it says as JSON."""
    root = over.folder.parent
    command = [sys.executable, "-m", "teleconsult", "archive", "verify", str(over.folder), "--json", "--log"]
    done = subprocess.run([*command, str(root / "log"), *more], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)


def test_every_picture_carries_the_auditors_name(over: Recorded, auditor: Page) -> None:
    name = Rest.signed_in(over.demo.base_url, over.demo.user("auditor")).expect(200, "GET", "/api/v1/me")
    marks = auditor.get_by_test_id("watermark")
    assert marks.count() == auditor.locator(".replay-picture").count() >= 3
    for mark in marks.all():
        expect(mark).to_contain_text(name["display_name"])


def test_a_changed_byte_is_found_here_too_and_is_not_shown(over: Recorded, auditor: Page) -> None:
    piece = over.folder / "tracks" / TRACKS[0] / "000" / "000012.m4s.age"
    content = piece.read_bytes()
    piece.write_bytes(content[:300] + bytes([content[300] ^ 1]) + content[301:])
    try:
        auditor.get_by_test_id("verify-start").click()
        found = auditor.get_by_test_id("verify-report")
        expect(found).to_have_attribute("data-verdict", "altered", timeout=SEE_WITHIN_MS)
        expect(found).to_contain_text("000012.m4s.age")
    finally:
        piece.write_bytes(content)


def test_the_key_stays_in_the_browser_and_needs_its_passphrase_again(over: Recorded, auditor: Page) -> None:
    sent: list[str] = []
    auditor.on("request", lambda request: sent.append(f"{request.url} {request.post_data or ''}"))
    auditor.reload()
    see(auditor, "key-unlock", SEE_WITHIN_MS)
    auditor.get_by_test_id("key-passphrase").fill("not the passphrase")
    auditor.get_by_test_id("key-unlock-do").click()
    expect(auditor.get_by_test_id("key-problem")).not_to_be_empty(timeout=SEE_WITHIN_MS)
    auditor.get_by_test_id("key-passphrase").fill(PASSPHRASE)
    auditor.get_by_test_id("key-unlock-do").click()
    see(auditor, "replay-stage", SEE_WITHIN_MS)
    until_shown(auditor, (report_reference(auditor),))
    lines = Path(over.identity).read_text(encoding="ascii").splitlines()
    secret = next(line for line in lines if line.startswith("AGE-"))
    assert sent
    assert not any(secret in one or PASSPHRASE in one for one in sent)
    host = over.demo.base_url
    assert all(one.startswith((host, "blob:")) for one in sent), sent


def test_who_replayed_is_on_record_and_so_is_who_was_refused(over: Recorded, auditor: Page) -> None:
    demo: Demo = over.demo
    for user, status in (("specialist", 403), ("site", 403), ("admin", 403), ("specialist2", 403)):
        caller = Rest.signed_in(demo.base_url, demo.user(user))
        for path in ("manifest", "key", f"tracks/{TRACKS[0]}/000/000001.m4s.age"):
            answer = caller.call("GET", f"/api/v1/archives/{over.consultation}/{path}")
            assert answer.status == status, (user, path, answer.body)
            assert b"age-encryption.org" not in answer.body
    who = {
        name: Rest.signed_in(demo.base_url, demo.user(name)).expect(200, "GET", "/api/v1/me")["user_id"]
        for name in ("auditor", "specialist", "admin")
    }
    trail = denied_and_done(demo.data_dir, over.consultation)
    assert (who["auditor"], "replay", "ok") in trail
    # A refusal's leaf is written when the disk gets to it: nobody's answer waits for it.
    wanted = {("replay", who["auditor"]), ("denied", who["specialist"])}
    deadline = time.monotonic() + 10
    while not wanted <= (found := accesses(over)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert wanted <= found
    assert (who["specialist"], "archive_piece", "role_may_not") in trail
    assert (who["admin"], "archive_key", "role_may_not") in trail


def accesses(over: Recorded) -> set[tuple[str, str]]:
    """(access, by) of every access leaf about the consultation."""
    whole, _, _ = (over.folder.parent / "log" / "entries.jsonl").read_text().rpartition("\n")
    ours = [
        leaf for leaf in map(json.loads, whole.splitlines()) if leaf.get("consultation") == over.consultation
    ]
    return {(leaf["access"], leaf["by"]) for leaf in ours if "access" in leaf}
