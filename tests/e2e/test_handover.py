"""Networks that change in the middle of a call: another address, another interface, none for five seconds.

The browser is Chromium, the box the real edge agent; what is measured is when frames are shown.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.test_layers import face_id
from tests.support.browser import CHROMIUM, FAKE_DEVICES, QUIET, join, wait_for
from tests.support.demo import Demo, free_udp_port
from tests.support.impairment import ImpairmentProxy
from tests.support.link import Impairment
from tests.support.loop_thread import LoopThread
from tests.support.network import Network
from tests.support.shown_frames import Watch
from tests.support.stage import LIVE_WITHIN_S, both_live, is_live, new_person
from tests.support.tcp_proxy import TcpProxy
from tests.support.trust import trusting
from tests.support.two_ways import SERVER, TwoWays

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

BOX_FEED = "box"
BROWSER_WITHIN_S = 2.0
EDGE_WITHIN_S = 1.0
RETURN_WITHIN_S = 1.0
GONE_S = 5.0
SEEN_FOR_S = 4.0
"""After the event; a gap that lasts until then counts, too."""
UNDISTURBED_S = 2.0
GOES = 3
NEGOTIATED = math.inf
"""Instead of a time: there was a new offer, as when the machine itself held everything up for 0.7 s."""


@dataclass
class Room:
    """A demo whose boxes reach the media server through `media`; one has its HTTP through a proxy, too."""

    demo: Demo
    loop: LoopThread
    media: ImpairmentProxy
    tcp: TcpProxy

    def rebind_box(self) -> None:
        self.loop.call(self.media.rebind)

    def cut_box(self) -> None:
        self.loop.call(self.tcp.cut)
        self.loop.call(lambda: self.media.set(Impairment(cut=True)))

    def restore_box(self) -> None:
        self.loop.call(lambda: self.media.set(Impairment()))
        self.loop.call(self.tcp.restore)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder, port = tmp_path_factory.mktemp("handover"), free_udp_port()
    with contextlib.ExitStack() as stack:
        loop = stack.enter_context(LoopThread())
        media = loop.run(ImpairmentProxy.open(("127.0.0.1", port), seed=9))
        stack.callback(loop.call, media.close)
        announce = f"{media.address[0]}:{media.address[1]}"
        demo = Demo.start(folder / "demo", "--small", "--announce", announce, udp_port=port)
        stack.callback(demo.stop)
        tcp = loop.run(TcpProxy.open(("127.0.0.1", int(demo.base_url.rpartition(":")[2]))))
        stack.callback(lambda: loop.run(tcp.close()))
        stack.enter_context(box(demo, folder, f"http://{tcp.address[0]}:{tcp.address[1]}", []))
        yield Room(demo, loop, media, tcp)


@contextlib.contextmanager
def box(
    demo: Demo, folder: Path, server: str, inside: list[str], trust: Path | None = None
) -> Iterator[None]:
    """A capture box beside the demo's own, publishing the test card."""
    token, config = folder / "token", folder / "edge.toml"
    making = ["admin", "token", "whip", "demo", "--feed", BOX_FEED, "--out", str(token)]
    subprocess.run(
        [sys.executable, "-m", "teleconsult", *making, "--data-dir", str(demo.data_dir)], check=True
    )
    tls = "" if trust is None else f'tls_ca = "{trust}"\n'
    config.write_text(
        f'server = "{server}"\nroom = "demo"\ntoken_file = "{token}"\n{tls}'
        f'[[feeds]]\nname = "{BOX_FEED}"\nsource = {{ kind = "testcard" }}\n'
        "width = 640\nheight = 360\nbitrate_bps = 1_000_000\n"
    )
    command = [*inside, sys.executable, "-m", "teleconsult", "edge", "run", "--config", str(config)]
    with (folder / "edge.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@dataclass
class Seen:
    """A page in the room, and its own way to the demo."""

    page: Page
    watch: Watch
    network: Network

    def gap_s(self, feed: str, from_ms: float) -> float:
        """The longest time without a frame around an event."""
        self.page.wait_for_timeout(SEEN_FOR_S * 1000)
        return self.watch.longest_gap_s(feed, from_ms)

    def back_s(self, feed: str, from_ms: float) -> float:
        """From then until the next frame."""
        self.page.wait_for_timeout(SEEN_FOR_S * 1000)
        found = self.watch.first_after_s(feed, from_ms)
        assert found is not None, "no picture came back"
        return found


@pytest.fixture(scope="module")
def seen(room: Room, browser: Browser) -> Iterator[Seen]:
    with Network(room.demo.base_url, room.demo.udp_port) as network:
        page = new_person(browser).new_page()
        watch = Watch(page)
        page.add_init_script(network.script)
        join(page, network.base_url, room.demo.user("specialist"))
        for feed in ("theatre", BOX_FEED):
            wait_for(page, partial(is_live, feed=feed), LIVE_WITHIN_S, f"{feed} shows")
        page.wait_for_timeout(UNDISTURBED_S * 1000)
        yield Seen(page, watch, network)


def at_best(what: str, limit_s: float, measure: Callable[[], float]) -> None:
    """One that is not slower. A busy machine may need a second or a third go; they are all printed."""
    measured = []
    for _ in range(GOES):
        measured.append(measure())
        print(f"{what}: {measured[-1]:.2f} s")
        if measured[-1] <= limit_s:
            return
    raise AssertionError(f"{what}: {measured}, not within {limit_s} s")


def test_a_browser_behind_a_new_nat_binding_sees_on_without_a_new_offer(seen: Seen) -> None:
    connections = seen.watch.connections()

    def rebind() -> float:
        said, at_ms = len(seen.watch.said), seen.watch.now_ms()
        seen.network.rebind()
        gap_s = seen.gap_s("theatre", at_ms)
        return gap_s if seen.watch.negotiated_since(said) == [] else NEGOTIATED

    at_best("browser, NAT rebind, longest time without a frame", BROWSER_WITHIN_S, rebind)
    assert seen.watch.connections() == connections == ["connected"]


def test_a_box_behind_a_new_nat_binding_is_seen_on_without_a_new_offer(seen: Seen, room: Room) -> None:
    before = transports(room.demo)

    def rebind() -> float:
        said, at_ms = len(seen.watch.said), seen.watch.now_ms()
        room.rebind_box()
        gap_s = seen.gap_s(BOX_FEED, at_ms)
        return gap_s if seen.watch.negotiated_since(said) == [] else NEGOTIATED

    at_best("box, NAT rebind, longest time without a frame", EDGE_WITHIN_S, rebind)
    assert transports(room.demo) == before, "a box published anew"


def transports(demo: Demo) -> set[str]:
    """Of boxes."""
    sessions = demo.worker_stats()["sessions"]
    return {session["transport_id"] for session in sessions if session["direction"] == "publish"}


def test_after_five_seconds_without_a_network_a_browser_shows_pictures_within_a_second(seen: Seen) -> None:
    def lose() -> float:
        seen.network.cut()
        seen.page.wait_for_timeout(GONE_S * 1000)
        at_ms = seen.watch.now_ms()
        seen.network.restore()
        back_s = seen.back_s("theatre", at_ms)
        wait_for(seen.page, lambda report: report["link"] == "joined", LIVE_WITHIN_S, "the room is back")
        return back_s

    at_best("browser, 5 s without a network, picture back after", RETURN_WITHIN_S, lose)
    assert len(seen.watch.connections()) == 1, "the connection was made anew"


def test_after_five_seconds_without_a_network_a_box_is_seen_within_a_second(seen: Seen, room: Room) -> None:
    def lose() -> float:
        room.cut_box()
        seen.page.wait_for_timeout(GONE_S * 1000)
        at_ms = seen.watch.now_ms()
        room.restore_box()
        return seen.back_s(BOX_FEED, at_ms)

    at_best("box, 5 s without a network, picture back after", RETURN_WITHIN_S, lose)


# interfaces


@dataclass
class Beyond:
    """A demo in a network of its own, and ways to it that come and go."""

    ways: TwoWays
    demo: Demo
    folder: Path

    @contextlib.contextmanager
    def page(self, beside: Browser, *, far: bool, user: str = "specialist") -> Iterator[tuple[Page, Watch]]:
        """Somebody's browser there, with the feeds shown."""
        browser = beside.browser_type.launch(
            executable_path=self.ways.program(self.folder / "bin", CHROMIUM, far=far),
            headless=True,
            args=[*QUIET, *FAKE_DEVICES],
            env={**os.environ, "HOME": str(self.folder / "home")},
        )
        try:
            page = new_person(browser).new_page()
            watch = Watch(page)
            join(page, self.demo.base_url, self.demo.user(user))
            wait_for(page, both_live, LIVE_WITHIN_S, "both feeds show a picture")
            page.wait_for_timeout(UNDISTURBED_S * 1000)
            yield page, watch
        finally:
            browser.close()


@pytest.fixture(scope="module")
def beyond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beyond]:
    folder = tmp_path_factory.mktemp("beyond")
    with TwoWays() as ways:
        demo = Demo.start(folder / "demo", "--small", "--tls", "--host", SERVER, inside=ways.near())
        try:
            trusting(folder / "home", demo.data_dir / "ca" / "ca.pem")
            yield Beyond(ways, demo, folder)
        finally:
            assert demo.stop() == 0


def test_a_browser_whose_interface_vanishes_goes_on_by_the_other_one(
    beyond: Beyond, browser: Browser
) -> None:
    with both_ways(beyond.ways), beyond.page(browser, far=True) as (page, watch):
        said = len(watch.said)

        def lose() -> float:
            at_ms, name = watch.now_ms(), beyond.ways.present[watch.local_address()]
            beyond.ways.remove(name)
            page.wait_for_timeout(SEEN_FOR_S * 1000)
            gap_s = watch.longest_gap_s("theatre", at_ms)
            beyond.ways.add(name)
            page.wait_for_timeout(UNDISTURBED_S * 1000)
            return gap_s

        at_best("browser, one of two interfaces gone", BROWSER_WITHIN_S, lose)
        assert ("sent", "restart_ice") in watch.negotiated_since(said)
        assert len(watch.connections()) == 1, "the connection was made anew"


def test_somebody_whose_interface_vanishes_is_seen_on_by_the_other_one(
    beyond: Beyond, browser: Browser
) -> None:
    """What it sends, too: by itself Chromium holds on to the way that is gone for 3.5 s."""
    with (
        both_ways(beyond.ways),
        beyond.page(browser, far=True, user="specialist2") as (sender, sending),
        beyond.page(browser, far=False) as (page, watch),
    ):
        sender.get_by_test_id("camera").click()
        face = face_id(page)
        wait_for(page, partial(is_live, feed=face), LIVE_WITHIN_S, "the camera is seen")
        page.wait_for_timeout(UNDISTURBED_S * 1000)

        def lose() -> float:
            at_ms, name = watch.now_ms(), beyond.ways.present[sending.local_address()]
            beyond.ways.remove(name)
            page.wait_for_timeout(SEEN_FOR_S * 1000)
            gap_s = watch.longest_gap_s(face, at_ms)
            beyond.ways.add(name)
            sender.wait_for_timeout(UNDISTURBED_S * 1000)
            return gap_s

        at_best("what a browser sends, one of two interfaces gone", BROWSER_WITHIN_S, lose)
        assert sending.connections() == ["connected"] * 2, "a connection was made anew"


def test_a_browser_whose_interface_is_replaced_goes_on_by_the_new_one(
    beyond: Beyond, browser: Browser
) -> None:
    with one_way(beyond.ways), beyond.page(browser, far=True) as (page, watch):
        said = len(watch.said)

        def replace() -> float:
            at_ms, (name,) = watch.now_ms(), beyond.ways.present.values()
            beyond.ways.remove(name)
            beyond.ways.add("cell" if name == "wifi" else "wifi")
            page.wait_for_timeout(SEEN_FOR_S * 1000)
            return watch.longest_gap_s("theatre", at_ms)

        at_best("browser, its interface replaced by another", BROWSER_WITHIN_S, replace)
        assert ("sent", "restart_ice") in watch.negotiated_since(said)
        assert len(watch.connections()) == 1, "the connection was made anew"


def test_a_box_whose_interface_vanishes_is_seen_on_by_the_other_one(beyond: Beyond, browser: Browser) -> None:
    ca = beyond.demo.data_dir / "ca" / "ca.pem"
    running = box(beyond.demo, beyond.folder, beyond.demo.base_url, beyond.ways.far(), ca)
    with both_ways(beyond.ways), running, beyond.page(browser, far=False) as (page, watch):
        wait_for(page, lambda report: is_live(report, BOX_FEED), LIVE_WITHIN_S, "the box is seen")
        page.wait_for_timeout(UNDISTURBED_S * 1000)

        def lose() -> float:
            at_ms, name = watch.now_ms(), next(iter(beyond.ways.present.values()))
            beyond.ways.remove(name)
            page.wait_for_timeout(SEEN_FOR_S * 1000)
            gap_s = watch.longest_gap_s(BOX_FEED, at_ms)
            beyond.ways.add(name)
            return gap_s

        at_best("box, the interface it uses gone", BROWSER_WITHIN_S, lose)


@contextlib.contextmanager
def one_way(ways: TwoWays) -> Iterator[None]:
    """Whatever is there at the end goes."""
    ways.add("wifi")
    try:
        yield
    finally:
        for name in list(ways.present.values()):
            ways.remove(name)


@contextlib.contextmanager
def both_ways(ways: TwoWays) -> Iterator[None]:
    """`wifi`, which is preferred, and `cell`."""
    with one_way(ways):
        ways.add("cell")
        yield
