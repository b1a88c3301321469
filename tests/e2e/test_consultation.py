"""What a specialist gets: live pictures, at once, encrypted, and voices both ways."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.browser import join, stats, wait_for
from tests.support.demo import Demo
from tests.support.hostile import Strangers

pytestmark = pytest.mark.browser

FEEDS = ("ultrasound", "theatre")
GCM = {"AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM", "SRTP_AEAD_AES_128_GCM"}
FIRST_PICTURE_MS = 1000
FRAMES_PER_S = 25.0
SIZES = {"theatre": (1920, 1080), "ultrasound": (640, 360)}
"""The first feed by name is in focus; the other one stands beside it."""


def both_live(report: dict[str, Any]) -> bool:
    return all(report["feeds"].get(name, {}).get("framesDecoded", 0) > 0 for name in FEEDS)


def specialist(demo: Demo, context: BrowserContext, user: str = "specialist") -> Page:
    page = context.new_page()
    join(page, demo.base_url, demo.user(user))
    wait_for(page, both_live, 15, "both feeds show a picture")
    return page


def frame_rates(page: Page, seconds: float) -> dict[str, float]:
    before = stats(page)["feeds"]
    started = page.evaluate("performance.now()")
    page.wait_for_timeout(seconds * 1000)
    after = stats(page)["feeds"]
    took_s = (page.evaluate("performance.now()") - started) / 1000
    return {name: (after[name]["framesDecoded"] - before[name]["framesDecoded"]) / took_s for name in FEEDS}


def frame_rates_at_best(page: Page, seconds: float, wanted: dict[str, float]) -> dict[str, float]:
    """The first of up to three windows that reaches `wanted`, else the last: forgives a noisy neighbour."""
    rates: dict[str, float] = {}
    for _ in range(3):
        rates = frame_rates(page, seconds)
        if all(rates[name] >= wanted[name] for name in FEEDS):
            break
    return rates


def test_the_feed_in_focus_moves_at_1080p_and_the_one_beside_it_in_its_size_soon_and_encrypted(
    demo: Demo, person: BrowserContext
) -> None:
    page = specialist(demo, person)
    rates = frame_rates_at_best(page, 8, dict.fromkeys(FEEDS, FRAMES_PER_S))
    report = stats(page)
    print(f"frames/s {rates}", *(report["feeds"][name] for name in FEEDS), sep="\n")
    for name in FEEDS:
        feed = report["feeds"][name]
        assert (feed["frameWidth"], feed["frameHeight"]) == SIZES[name], feed
        assert rates[name] >= FRAMES_PER_S, (name, rates)
        assert feed["firstFrameMs"] <= FIRST_PICTURE_MS, feed
        assert feed["srtpCipher"] in GCM, feed


def test_two_people_hear_each_other(demo: Demo, person: BrowserContext, other_person: BrowserContext) -> None:
    pages = [specialist(demo, person), specialist(demo, other_person, "site")]
    for page in pages:
        page.get_by_test_id("mic").click()
    for page in pages:
        first = wait_for(page, lambda report: list(report["audio"].values()), 15, "somebody's sound arrives")
        assert len(first) == 1
        wait_for(
            page,
            lambda report: sum(audio["totalAudioEnergy"] for audio in report["audio"].values()) > 0.001,
            15,
            "the far end is heard",
        )


def test_nonsense_from_strangers_disturbs_nobody(demo: Demo, person: BrowserContext) -> None:
    page = specialist(demo, person)
    frame_rates(page, 1)
    undisturbed = frame_rates(page, 6)
    before = stats(page)["feeds"]
    with Strangers(("127.0.0.1", demo.udp_port), rate_per_s=10_000) as strangers:
        rates = frame_rates_at_best(page, 6, {name: rate * 0.9 for name, rate in undisturbed.items()})
    after = stats(page)["feeds"]
    assert strangers.sent > 50_000
    print(f"frames/s undisturbed {undisturbed}, among strangers {rates}")
    for name in FEEDS:
        assert after[name]["packetsLost"] == before[name]["packetsLost"]
        # 30 on a quiet machine, both times; sending the nonsense costs the machine something, too
        assert rates[name] >= 0.75 * undisturbed[name], (rates, undisturbed)


def test_pictures_return_by_themselves_when_the_media_worker_is_killed(
    demo: Demo, person: BrowserContext
) -> None:
    page = specialist(demo, person)
    demo.wait_for_spare()
    demo.kill_role("sfu")
    killed = page.evaluate("performance.now()")
    wait_for(page, lambda report: not both_live(report), 10, "the page notices")
    wait_for(page, both_live, 10, "pictures return")
    took_ms = page.evaluate("performance.now()") - killed
    print(f"pictures were back {took_ms:.0f} ms after kill -9 of the media worker")
    assert took_ms <= 3000, took_ms
    assert all(rate > 0 for rate in frame_rates(page, 2).values())
