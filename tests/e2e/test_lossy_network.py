"""5 % of all datagrams lost, both ways and on both sides of the media server: pictures go on, repaired."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.e2e.test_consultation import FEEDS, frame_rates, frame_rates_at_best, specialist
from tests.support.browser import stats, wait_for
from tests.support.demo import Demo, free_udp_port
from tests.support.link import Impairment
from tests.support.proxy_thread import ProxyThread

pytestmark = pytest.mark.browser

LOSS = 0.05


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, ProxyThread]]:
    """Everyone, the capture box and the recorder too, reaches the media server through the proxy."""
    port = free_udp_port()
    with ProxyThread(("127.0.0.1", port), seed=5) as proxy:
        announce = f"{proxy.address[0]}:{proxy.address[1]}"
        demo = Demo.start(tmp_path_factory.mktemp("lossy"), "--announce", announce, udp_port=port)
        try:
            yield demo, proxy
        finally:
            demo.stop()


def repaired_upstream(worker: dict[str, Any]) -> int:
    """Packets the media server asked the capture box for again, and got."""
    tracks = [track for session in worker["sessions"] for track in session["tracks"]]
    layers = [layer for track in tracks if isinstance(track, dict) for layer in track["layers"]]
    return sum(layer["repaired"] for layer in layers)


def resent_downstream(worker: dict[str, Any]) -> int:
    """Packets sent to viewers once more, because they asked."""
    return sum(session.get("resent", 0) for session in worker["sessions"])


def test_pictures_go_on_repaired_both_ways_at_five_percent_loss(
    lossy: tuple[Demo, ProxyThread], person: BrowserContext
) -> None:
    demo, proxy = lossy
    page = specialist(demo, person)
    frame_rates(page, 2)
    undisturbed = frame_rates(page, 5)
    worker_before = demo.worker_stats()
    proxy.set(Impairment(loss=LOSS))
    rates = frame_rates_at_best(page, 10, {name: rate * 0.9 for name, rate in undisturbed.items()})
    proxy.set(Impairment())
    worker_after = demo.worker_stats()
    print(f"frames/s without loss {undisturbed}, with {LOSS:.0%} each way {rates}")
    for name in FEEDS:
        # other work on the machine moves this more than the loss does; without repair next to nothing is left
        assert rates[name] >= 0.75 * undisturbed[name], (name, rates, undisturbed)
    assert repaired_upstream(worker_after) - repaired_upstream(worker_before) > 50
    assert resent_downstream(worker_after) - resent_downstream(worker_before) > 50


def test_a_cut_of_two_seconds_heals_without_a_reload(
    lossy: tuple[Demo, ProxyThread], person: BrowserContext
) -> None:
    demo, proxy = lossy
    page = specialist(demo, person)
    proxy.set(Impairment(cut=True))
    page.wait_for_timeout(2000)
    before = {name: feed["framesDecoded"] for name, feed in stats(page)["feeds"].items()}
    proxy.set(Impairment())
    wait_for(
        page,
        lambda report: all(report["feeds"][name]["framesDecoded"] > before[name] + 10 for name in FEEDS),
        5,
        "pictures move again after the cut",
    )
