"""What a viewer on a lossy network sees and hears: repaired, with layers and pacing as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.e2e.test_audio import KEEP_CONNECTIONS, concealed_shares, in_room, sound
from tests.support.browser import launch_beside, stats
from tests.support.demo import Demo
from tests.support.link import Impairment
from tests.support.network import Network
from tests.support.stage import FEEDS, specialist_behind
from tests.support.voice import voice, write_wav

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

DISTANT = Impairment(delay_ms=40)
LOSSY = Impairment(loss=0.05, delay_ms=40)
VERY_LOSSY = Impairment(loss=0.1, delay_ms=40)
"""Both ways."""
SHOWN = 0.97
CONCEALED = 0.1
WINDOWS = 3
WINDOW_S = 10.0


@pytest.fixture
def network(small_demo: Demo) -> Iterator[Network]:
    with Network(small_demo.base_url, small_demo.udp_port, seed=4) as network:
        yield network


@pytest.fixture
def other_network(small_demo: Demo) -> Iterator[Network]:
    with Network(small_demo.base_url, small_demo.udp_port, seed=5) as network:
        yield network


def decoded(page: Page) -> dict[str, int]:
    return {feed: int(shown["framesDecoded"]) for feed, shown in stats(page)["feeds"].items()}


def test_at_five_percent_loss_and_forty_milliseconds_nearly_every_frame_is_shown(
    small_demo: Demo,
    network: Network,
    other_network: Network,
    person: BrowserContext,
    other_person: BrowserContext,
) -> None:
    """Beside a viewer who loses nothing: what the machine cannot decode, neither can."""
    network.impair(DISTANT)
    lossy = specialist_behind(network, small_demo, person)
    whole = specialist_behind(other_network, small_demo, other_person, "specialist2")
    network.impair(LOSSY)
    lossy.wait_for_timeout(3_000)
    shares = shown_shares(lossy, whole)
    feeds = stats(lossy)["feeds"]
    resent = [one["resent"] for one in small_demo.worker_stats()["sessions"] if "budget_bps" in one]
    assert max(resent) > 50
    assert min(shares[-1].values()) >= SHOWN, shares
    assert all(feeds[feed]["lowered"] is None for feed in FEEDS), "loss that is not ours lowers nothing"


def shown_shares(lossy: Page, whole: Page) -> list[dict[str, float]]:
    """By window, until one is good: of the frames that one viewer decoded, how many the other did."""
    shares: list[dict[str, float]] = []
    for _ in range(WINDOWS):
        before = [decoded(page) for page in (lossy, whole)]
        lossy.wait_for_timeout(WINDOW_S * 1000)
        after = [decoded(page) for page in (lossy, whole)]
        shown, all_there_are = (
            {feed: b[feed] - a[feed] for feed in FEEDS} for a, b in zip(before, after, strict=True)
        )
        shares.append({feed: shown[feed] / all_there_are[feed] for feed in FEEDS})
        print(f"{LOSSY.loss:.0%} loss, {LOSSY.delay_ms:.0f} ms: shown {shown} of {all_there_are}")
        if min(shares[-1].values()) >= SHOWN:
            break
    return shares


def test_at_ten_percent_loss_speech_is_whole_and_the_picture_goes_on(
    small_demo: Demo, network: Network, browser: Browser, person: BrowserContext, tmp_path: Path
) -> None:
    wav = write_wav(tmp_path / "voice.wav", voice(12))
    talking = launch_beside(browser, f"--use-file-for-fake-audio-capture={wav}")
    try:
        in_room(talking, small_demo, "specialist2", microphone=True)
        person.add_init_script(KEEP_CONNECTIONS)
        network.impair(DISTANT)
        page = specialist_behind(network, small_demo, person)
        sound(page)
        before = decoded(page)
        page.wait_for_timeout(5_000)
        undisturbed = {feed: (count - before[feed]) / 5 for feed, count in decoded(page).items()}
        network.impair(VERY_LOSSY)
        page.wait_for_timeout(2_000)
        concealed, rates = [], []
        for _ in range(WINDOWS):
            before, began = decoded(page), page.evaluate("performance.now()")
            concealed += concealed_shares([page])
            took_s = (page.evaluate("performance.now()") - began) / 1000
            rates.append({feed: (count - before[feed]) / took_s for feed, count in decoded(page).items()})
    finally:
        talking.close()
    print(f"{VERY_LOSSY.loss:.0%} loss: concealed {concealed}, frames/s {rates}, before {undisturbed}")
    assert min(concealed) < CONCEALED, concealed
    for feed in FEEDS:
        assert max(rate[feed] for rate in rates) >= 0.75 * undisturbed[feed], "the picture goes on"
