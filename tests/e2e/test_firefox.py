"""One Firefox in a consultation: VP8 both ways; H.264 feeds that it may not decode are explained in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.browser import SEE_WITHIN_MS, join, say, stats, wait_for
from tests.support.demo import Demo
from tests.support.firefox import Firefox, FirefoxPage, firefox
from tests.support.network import Network, own_address
from tests.support.stage import FEEDS, both_live

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LIVE_WITHIN_S = 40
H264 = "RTCRtpReceiver.getCapabilities('video').codecs.some(c => /h264/i.test(c.mimeType))"


@pytest.fixture(scope="module")
def demo(small_demo: Demo) -> Demo:
    return small_demo


@pytest.fixture(scope="module")
def fox() -> Iterator[Firefox]:
    with firefox() as running:
        yield running


@pytest.fixture
def network(demo: Demo) -> Iterator[Network]:
    """Firefox sends no media over loopback."""
    with Network(demo.base_url, demo.udp_port, media_host=own_address()) as network:
        yield network


def through(fox: Firefox, network: Network, demo: Demo) -> FirefoxPage:
    page = fox.open(script=network.script)
    enter_as_firefox(page, network.base_url, demo.user("specialist2"))
    return page


def enter_as_firefox(page: FirefoxPage, base_url: str, credentials: tuple[str, str]) -> None:
    username, password = credentials
    page.goto(base_url)
    page.fill("username", username)
    page.fill("password", password)
    page.click("sign-in")
    page.click("join-demo")
    page.click("enter")
    page.see("room")


def faces(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Cameras of people that move."""
    return [
        shown for name, shown in report["feeds"].items() if name not in FEEDS and shown["framesDecoded"] > 10
    ]


def chromium_site(demo: Demo, context: BrowserContext) -> Page:
    page = context.new_page()
    join(page, demo.base_url, demo.user("site"))
    wait_for(page, both_live, LIVE_WITHIN_S, "the site sees its feeds")
    return page


def test_firefox_and_chromium_see_hear_and_write_to_each_other(
    demo: Demo, person: BrowserContext, fox: Firefox, network: Network
) -> None:
    site, page = chromium_site(demo, person), through(fox, network, demo)
    for source in ("camera", "mic"):
        site.get_by_test_id(source).click()
        page.click(source)
    seen_here = page.wait_until(lambda p: faces(p.stats()), LIVE_WITHIN_S, "Firefox sees the site's camera")
    seen_there = wait_for(site, faces, LIVE_WITHIN_S, "the site sees Firefox's camera")
    assert {face["codec"] for face in seen_here + seen_there} == {"VP8"}
    wait_for(site, heard, 20, "the site hears Firefox")
    page.wait_until(lambda p: heard(p.stats()), 20, "Firefox hears the site")
    say(site, "Hello, fox 你好")
    page.click("show-chat")
    page.wait_until(lambda p: "Hello, fox 你好" in " ".join(p.texts("chat-entry")), 20, "the chat arrives")
    page.fill("chat-input", "Hello, site")
    page.click("chat-send")
    site.get_by_text("Hello, site").first.wait_for(timeout=SEE_WITHIN_MS)
    page.close()


def heard(report: dict[str, Any]) -> bool:
    return any(audio["totalAudioEnergy"] > 0.001 for audio in report["audio"].values())


def test_pictures_that_firefox_cannot_decode_are_explained_and_the_rest_goes_on(
    demo: Demo, person: BrowserContext, fox: Firefox, network: Network
) -> None:
    site, page = chromium_site(demo, person), through(fox, network, demo)
    if page.evaluate(H264):  # a Firefox that has fetched its OpenH264 module
        page.wait_until(lambda p: both_live(p.stats()), LIVE_WITHIN_S, "it decodes, so it shows")
    else:
        page.wait_until(
            lambda p: all(p.stats()["feeds"].get(name, {}).get("state") == "unsupported" for name in FEEDS),
            LIVE_WITHIN_S,
            "both feeds say that they cannot be shown",
        )
        for name in FEEDS:
            (words,) = page.texts(f"feed-{name}")
            assert "H264" in words or "H.264" in words, words
            assert "OpenH264" in words, "what helps in this browser"
    assert both_live(stats(site)), "nobody else is disturbed"
    page.close()
