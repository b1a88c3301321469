"""5 % of all datagrams lost, both ways and on both sides of the media server: pictures go on, repaired."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.e2e.test_consultation import FEEDS, frame_rates, specialist
from tests.support.browser import stats
from tests.support.demo import Demo, free_udp_port
from tests.support.link import Impairment
from tests.support.proxy_thread import ProxyThread

pytestmark = pytest.mark.browser

LOSS = 0.05
FRAMES_PER_S = 25
LONGEST_GAP_MS = 500


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


def test_pictures_go_on_at_five_percent_loss(lossy: tuple[Demo, ProxyThread], person: BrowserContext) -> None:
    demo, proxy = lossy
    page = specialist(demo, person)
    frame_rates(page, 2)
    before, worker_before = stats(page)["feeds"], demo.worker_stats()
    undisturbed = frame_rates(page, 5)
    proxy.set(Impairment(loss=LOSS))
    rates = frame_rates(page, 10)
    proxy.set(Impairment())
    after, worker_after = stats(page)["feeds"], demo.worker_stats()
    print(undisturbed, rates, before, after, worker_before, worker_after)
    for name in FEEDS:
        assert rates[name] >= 0.9 * undisturbed[name], (name, rates, undisturbed)
