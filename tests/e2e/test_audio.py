"""Sound: chosen before joining, repaired on the way, and a word when somebody is not heard."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.support.browser import enter, launch, see, sign_in
from tests.support.demo import Demo, free_udp_port
from tests.support.link import Impairment
from tests.support.proxy_thread import ProxyThread
from tests.support.stage import new_person
from tests.support.voice import silence, voice, write_wav

pytestmark = pytest.mark.browser

LOSS = Impairment(loss=0.05, delay_ms=20)
WINDOW_MS = 8_000
WINDOWS = 3
NOTICE_MS = 20_000

KEEP_CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};"""
ASK_FOR_NO_SOUND_AGAIN = """
{
  const set = RTCPeerConnection.prototype.setLocalDescription;
  RTCPeerConnection.prototype.setLocalDescription = function (description) {
    const sdp = description.sdp.split(/^(?=m=)/m)
      .map((part) => part.startsWith("m=audio") ? part.replace(/^a=rtcp-fb:\\d+ nack\\r\\n/gm, "") : part)
      .join("");
    return set.call(this, { type: description.type, sdp });
  };
}"""
COUNT_CAPTURES = """
window.captures = [];
{
  const get = MediaDevices.prototype.getUserMedia;
  MediaDevices.prototype.getUserMedia = function (wanted) {
    window.captures.push(Object.keys(wanted).join());
    return get.call(this, wanted);
  };
}"""
SOUND = """async () => {
  for (const connection of window.connections)
    for (const entry of (await connection.getStats()).values())
      if (entry.type === "inbound-rtp" && entry.kind === "audio") return entry;
  return null;
}"""

SENT = """() => {
  for (const connection of window.connections)
    for (const sender of connection.getSenders())
      if (sender.track?.kind === "audio" && connection.localDescription) return {
        settings: sender.track.getSettings(),
        bitrate: sender.getParameters().encodings[0].maxBitrate,
        offer: connection.localDescription.sdp.match(/^o=.*$/m)[0],
      };
  return null;
}"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, ProxyThread]]:
    """A demo whose media all pass through a proxy."""
    port = free_udp_port()
    with ProxyThread(("127.0.0.1", port), seed=7) as proxy:
        announce = f"{proxy.address[0]}:{proxy.address[1]}"
        demo = Demo.start(tmp_path_factory.mktemp("audio"), "--announce", announce, udp_port=port)
        try:
            yield demo, proxy
        finally:
            demo.stop()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sounds")
    return {
        "voice": write_wav(folder / "voice.wav", voice(12)),
        "silence": write_wav(folder / "silence.wav", silence(2)),
    }


@contextlib.contextmanager
def browser_hearing(playwright: Playwright, wav: Path, *arguments: str) -> Iterator[Browser]:
    """A Chromium whose microphone hears this, again and again."""
    browser = launch(playwright, f"--use-file-for-fake-audio-capture={wav}", *arguments)
    try:
        yield browser
    finally:
        browser.close()


def before_the_room(browser: Browser, demo: Demo, user: str, *scripts: str) -> Page:
    page = new_person(browser).new_page()
    for script in (KEEP_CONNECTIONS, *scripts):
        page.add_init_script(script)
    sign_in(page, demo.base_url, demo.user(user))
    page.get_by_test_id("join-demo").click()
    see(page, "prejoin")
    return page


def in_room(browser: Browser, demo: Demo, user: str, *scripts: str, microphone: bool = False) -> Page:
    page = before_the_room(browser, demo, user, *scripts)
    enter(page, microphone=microphone)
    see(page, "room")
    return page


def sound(page: Page) -> dict[str, Any]:
    """The browser's statistics of the one voice that arrives."""
    for _ in range(150):
        found: dict[str, Any] | None = page.evaluate(SOUND)
        if found is not None and found["packetsReceived"] > 50:
            return found
        page.wait_for_timeout(100)
    raise AssertionError("no sound arrived within 15 s")


def concealed_shares(pages: list[Page]) -> list[float]:
    """Of each page's sound, the share that was made up instead of received, over one window."""
    before = [sound(page) for page in pages]
    pages[0].wait_for_timeout(WINDOW_MS)
    after = [sound(page) for page in pages]
    return [
        (b["concealedSamples"] - a["concealedSamples"])
        / (b["totalSamplesReceived"] - a["totalSamplesReceived"])
        for a, b in zip(before, after, strict=True)
    ]


def repaired_voice(demo: Demo) -> int:
    """Packets of sound the media server asked a publisher for again, and got."""
    tracks = [track for session in demo.worker_stats()["sessions"] for track in session["tracks"]]
    voices = [track for track in tracks if isinstance(track, dict) and track["codec"] == "opus"]
    return sum(layer["repaired"] for track in voices for layer in track["layers"])


def test_lost_sound_is_asked_for_again_in_both_directions(
    place: tuple[Demo, ProxyThread], playwright: Playwright, sounds: dict[str, Path]
) -> None:
    demo, proxy = place
    with (
        browser_hearing(playwright, sounds["voice"]) as talking,
        browser_hearing(playwright, sounds["silence"]) as listening,
    ):
        in_room(talking, demo, "specialist", microphone=True)
        repaired = in_room(listening, demo, "specialist2")
        plain = in_room(listening, demo, "site", ASK_FOR_NO_SOUND_AGAIN)
        for page in (repaired, plain):
            sound(page)
        proxy.set(LOSS, up=Impairment())
        down = [concealed_shares([repaired, plain]) for _ in range(WINDOWS)]
        asked = sound(repaired).get("nackCount", 0)
        proxy.set(Impairment(), up=LOSS)
        up = [concealed_shares([repaired, plain]) for _ in range(WINDOWS)]
        proxy.set(Impairment())
        with_repair, without = (statistics.median(column) for column in zip(*down, strict=True))
        upstream = statistics.median(share for window in up for share in window)
        print(
            f"concealed at {LOSS.loss:.0%} loss and {LOSS.delay_ms:.0f} ms delay: downlink {with_repair:.2%}"
        )
        print(f"downlink without repair {without:.2%}, uplink with repair {upstream:.2%}")
        print(f"windows: down {down}, up {up}; asked for again {asked}, upstream got {repaired_voice(demo)}")
        assert asked > 10
        assert repaired_voice(demo) > 10
        # a busy machine conceals sound by itself: the best window tells what repair can do
        assert min(window[0] for window in down) < 0.5 * without, (down, without)
        assert min(min(window) for window in up) < 0.5 * without, (up, without)


def test_whoever_speaks_while_muted_is_told_and_can_unmute_there(
    place: tuple[Demo, ProxyThread], playwright: Playwright, sounds: dict[str, Path]
) -> None:
    demo, _ = place
    with browser_hearing(playwright, sounds["voice"]) as browser:
        page = in_room(browser, demo, "specialist", microphone=True)
        expect(page.get_by_test_id("mic")).to_have_attribute("data-phase", "on", timeout=10_000)
        notice = page.get_by_test_id("notice-muted-speaking")
        expect(notice).to_have_count(0)
        page.get_by_test_id("mic").click()
        expect(page.get_by_test_id("mic")).to_have_attribute("data-phase", "muted")
        notice.wait_for(timeout=NOTICE_MS)
        notice.get_by_role("button").click()
        expect(page.get_by_test_id("mic")).to_have_attribute("data-phase", "on")
        expect(notice).to_have_count(0)


def test_a_microphone_that_gives_no_sound_is_noticed(
    place: tuple[Demo, ProxyThread], playwright: Playwright, sounds: dict[str, Path]
) -> None:
    demo, _ = place
    with browser_hearing(playwright, sounds["silence"]) as browser:
        page = in_room(browser, demo, "specialist", microphone=True)
        silent = page.locator('[data-testid="notice-unheard"][data-cause="silent"]')
        silent.wait_for(timeout=NOTICE_MS)
        page.get_by_test_id("mic").click()
        expect(silent).to_have_count(0)


def test_nothing_is_captured_before_it_is_turned_on_and_enter_joins(
    place: tuple[Demo, ProxyThread], playwright: Playwright, sounds: dict[str, Path]
) -> None:
    demo, _ = place
    with browser_hearing(playwright, sounds["voice"]) as browser:
        page = before_the_room(browser, demo, "specialist", COUNT_CAPTURES)
        expect(page.get_by_test_id("enter")).to_be_focused()
        assert page.evaluate("() => window.captures") == []
        page.keyboard.press("Enter")
        see(page, "room")
        assert page.evaluate("() => window.captures") == []
        assert page.get_by_test_id("mic").get_attribute("data-phase") == "off"


def test_the_meter_moves_and_what_was_used_last_time_is_used_again(
    place: tuple[Demo, ProxyThread], playwright: Playwright, sounds: dict[str, Path]
) -> None:
    demo, _ = place
    with browser_hearing(playwright, sounds["voice"]) as browser:
        page = before_the_room(browser, demo, "specialist", COUNT_CAPTURES)
        page.get_by_test_id("prejoin-mic").click()
        page.wait_for_function(
            """() => Number(document.querySelector('[data-testid="mic-meter"]').ariaValueNow) > 20"""
        )
        page.get_by_test_id("audio-profile").select_option("headset")
        page.get_by_test_id("enter").click()
        see(page, "room")
        expect(page.get_by_test_id("mic")).to_have_attribute("data-phase", "on")
        page.get_by_test_id("leave").click()
        page.get_by_test_id("join-demo").click()
        expect(page.get_by_test_id("prejoin-mic")).to_have_attribute("aria-pressed", "true")
        expect(page.get_by_test_id("audio-profile")).to_have_value("headset")


def test_another_microphone_and_another_profile_are_used_at_once_without_negotiating(
    place: tuple[Demo, ProxyThread], playwright: Playwright, sounds: dict[str, Path]
) -> None:
    demo, _ = place
    with browser_hearing(playwright, sounds["voice"]) as browser:
        page = in_room(browser, demo, "specialist", microphone=True)
        page.wait_for_function(f"() => ({SENT})() !== null")
        offer = page.evaluate(SENT)["offer"]
        page.get_by_test_id("settings").click()
        chosen = page.get_by_test_id("mic-select").locator("option").nth(2).get_attribute("value")
        assert chosen
        page.get_by_test_id("mic-select").select_option(chosen)
        page.wait_for_function(f"(id) => ({SENT})()?.settings.deviceId === id", arg=chosen)
        page.get_by_test_id("audio-profile").select_option("music")
        page.wait_for_function(f"() => ({SENT})()?.settings.echoCancellation === false")
        sent = page.evaluate(SENT)
        assert sent["settings"]["deviceId"] == chosen
        assert sent["bitrate"] == 128_000
        assert sent["offer"] == offer


def test_without_permission_the_page_says_so_and_lets_the_person_watch(
    place: tuple[Demo, ProxyThread], playwright: Playwright, sounds: dict[str, Path]
) -> None:
    demo, _ = place
    with browser_hearing(playwright, sounds["voice"], "--use-fake-ui-for-media-stream=deny") as browser:
        page = browser.new_context().new_page()
        sign_in(page, demo.base_url, demo.user("specialist"))
        page.get_by_test_id("join-demo").click()
        page.get_by_test_id("prejoin-mic").click()
        problem = page.get_by_test_id("microphone-problem")
        problem.wait_for()
        assert problem.get_attribute("data-problem") == "blocked"
        page.get_by_test_id("enter").click()
        see(page, "room")
