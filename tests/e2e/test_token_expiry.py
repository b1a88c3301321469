"""Tokens that last 20 seconds: who stays longer notices nothing, also when the network is away meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.support.browser import join, stats, wait_for
from tests.support.demo import Demo
from tests.support.network import Network
from tests.support.stage import both_live, frames, moves_on, seconds_until
from tests.support.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

TOKEN_S = 20
LIVE_WITHIN_S = 30


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    lifetimes = {"TELECONSULT_ACCESS_TOKEN_S": str(TOKEN_S), "TELECONSULT_ROOM_TOKEN_S": str(TOKEN_S)}
    running = Demo.start(tmp_path_factory.mktemp("demo"), "--small", environment=lifetimes)
    try:
        yield running
    finally:
        running.stop()


def test_a_token_that_expires_in_the_room_is_renewed_unnoticed_and_survives_a_cut(
    demo: Demo, person: BrowserContext
) -> None:
    with Network(demo.base_url, demo.udp_port) as network:
        page = person.new_page()
        wire = Wire(page)
        page.add_init_script(network.script)
        join(page, network.base_url, demo.user("specialist"))
        wait_for(page, both_live, LIVE_WITHIN_S, "both feeds show a picture")
        seconds_until(lambda: len(wire.of("renewed")) >= 2, 3 * TOKEN_S, "two renewals", page)
        assert len(wire.of("welcome")) == 1, "the connection never broke"
        assert both_live(stats(page))
        network.cut()
        page.wait_for_timeout((TOKEN_S + 5) * 1000)
        before = frames(page)
        network.restore()
        took_s = seconds_until(
            lambda: stats(page)["link"] == "joined" and moves_on(page, before), 40, "healed", page
        )
        print(f"back {took_s:.1f} s after a cut in which the token expired")
        seats = {welcome["participant"]["participant_id"] for welcome in wire.of("welcome")}
        assert len(seats) == 1, "the same seat"
