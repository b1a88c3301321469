"""Networks that let nothing through but TCP to a port or two: no UDP, no DNS, no other host.

Browsers and a box join by ICE-TCP, and by nothing but TURN over TLS.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.test_firefox import enter_as_firefox, faces
from tests.support.browser import CHROMIUM, FAKE_DEVICES, QUIET, join, wait_for
from tests.support.certificates import make_authority, write_authority, write_pair
from tests.support.coturn import SECRET, Coturn, coturn
from tests.support.demo import Demo
from tests.support.firefox import firefox
from tests.support.only_tcp import ADDRESS, OnlyTcp
from tests.support.service import until
from tests.support.stage import LIVE_WITHIN_S, both_live, new_person
from tests.support.trust import trusting, trusting_database

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LOOPBACK = "--allow-loopback-in-peer-connection"
"""The network inside has no other interface."""
KEEP_CONNECTIONS = """
(() => {
  const native = window.RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = function (configuration) {
    const made = new native(configuration);
    window.connections.push(made);
    return made;
  };
  window.RTCPeerConnection.prototype = native.prototype;
})();
"""
WAYS = """
async () => {
  const ways = [];
  for (const connection of window.connections) {
    if (connection.connectionState !== "connected") continue;
    const report = await connection.getStats();
    const entries = [...report.values()];
    const transport = entries.find((entry) => entry.type === "transport");
    const selected = entries.find((entry) => entry.type === "candidate-pair" && entry.selected);
    const pair = report.get(transport?.selectedCandidatePairId) ?? selected; // Firefox says it so
    const { candidateType, protocol, relayProtocol } = report.get(pair?.localCandidateId) ?? {};
    ways.push([candidateType, protocol, relayProtocol ?? null]);
  }
  return ways;
}
"""
"""How every connection goes: kind of candidate, its protocol, what carries it to the relay."""

NOT_BY_LOOPBACK = f"""
(() => {{
  const native = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({{ type, sdp }}) {{
    const renamed = sdp.replace(/^a=candidate:.*/gm, (line) => line.replace(" 127.0.0.1 ", " {ADDRESS} "));
    return native.call(this, {{ type, sdp: renamed }});
  }};
}})();
"""
"""What the media server is called in the network inside: Firefox takes loopback for no way at all."""


@dataclass
class Site:
    """A demo with a TURN server beside it, and a home whose browser trusts both."""

    demo: Demo
    home: Path
    turn: Coturn

    @property
    def web_port(self) -> int:
        return int(self.demo.base_url.rpartition(":")[2])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("networks")
    authority = make_authority("TURN authority")
    write_authority(authority, folder / "turn-ca.pem")
    with coturn(folder, write_pair(authority, folder / "tls")) as turn:
        settings = {"TELECONSULT_TURN_URLS": f'["{turn.url("tls")}"]', "TELECONSULT_TURN_SECRET": SECRET}
        demo = Demo.start(folder / "demo", "--tls", "--small", environment=settings)
        try:
            trusting(folder / "home", demo.data_dir / "ca" / "ca.pem", folder / "turn-ca.pem")
            yield Site(demo, folder / "home", turn)
        finally:
            assert demo.stop() == 0


@contextlib.contextmanager
def page_in(site: Site, network: OnlyTcp, beside: Browser) -> Iterator[Page]:
    """A browser in that network."""
    running = beside.browser_type.launch(
        executable_path=network.program(CHROMIUM), headless=True, args=[*QUIET, *FAKE_DEVICES, LOOPBACK],
        env={**os.environ, "HOME": str(site.home)},
    )  # fmt: skip
    try:
        context = running.new_context(permissions=["microphone", "camera"])
        page = context.new_page()
        page.add_init_script(KEEP_CONNECTIONS)
        yield page
    finally:
        running.close()


def sees_and_speaks(page: Page, site: Site) -> list[list[Any]]:
    """Both feeds play, the microphone is published; returns how the two connections go."""
    join(page, site.demo.base_url, site.demo.user("specialist"))
    wait_for(page, both_live, LIVE_WITHIN_S, "both feeds show a picture")
    page.get_by_test_id("mic").click()
    page.wait_for_function(
        "() => window.connections.filter((c) => c.connectionState === 'connected').length === 2",
        timeout=LIVE_WITHIN_S * 1000,
    )
    # The pair in use is told a moment after that.
    page.wait_for_function(
        f"async () => (await ({WAYS})()).every((way) => way[0])", timeout=LIVE_WITHIN_S * 1000
    )
    ways: list[list[Any]] = page.evaluate(WAYS)
    return ways


def test_a_browser_without_udp_sees_and_speaks_by_ice_tcp(
    site: Site, tmp_path: Path, browser: Browser
) -> None:
    ports = [site.web_port, site.demo.udp_port]
    with (
        OnlyTcp(tmp_path / "only", ports) as network,
        page_in(site, network, browser) as page,
    ):
        ways = sees_and_speaks(page, site)
        assert [(protocol, relay) for _, protocol, relay in ways] == [("tcp", None)] * 2


def test_a_browser_with_nothing_but_turn_over_tls_sees_and_speaks(
    site: Site, tmp_path: Path, browser: Browser
) -> None:
    ports = [site.web_port, site.turn.tls_port]
    with (
        OnlyTcp(tmp_path / "only", ports) as network,
        page_in(site, network, browser) as page,
    ):
        ways = sees_and_speaks(page, site)
        assert [(kind, relay) for kind, _, relay in ways] == [("relay", "tls")] * 2


def test_a_firefox_without_udp_sees_and_is_seen_by_ice_tcp(
    site: Site, tmp_path: Path, browser: Browser
) -> None:
    """VP8, as this Firefox decodes no H.264."""
    trusting_database(tmp_path / "profile", site.demo.data_dir / "ca" / "ca.pem")
    ports = [site.web_port, site.demo.udp_port]
    with (
        contextlib.closing(new_person(browser, ignore_https_errors=True)) as person,
        OnlyTcp(tmp_path / "only", ports, interface=True) as network,
        firefox(inside=network.command, profile=tmp_path / "profile") as fox,
    ):
        here = person.new_page()
        join(here, site.demo.base_url, site.demo.user("site"))
        here.get_by_test_id("camera").click()
        page = fox.open(script=NOT_BY_LOOPBACK + KEEP_CONNECTIONS)
        enter_as_firefox(page, site.demo.base_url, site.demo.user("specialist2"))
        page.click("camera")
        page.wait_until(lambda p: faces(p.stats()), LIVE_WITHIN_S, "Firefox sees the site's camera")
        wait_for(here, faces, LIVE_WITHIN_S, "the site sees Firefox's camera")
        ways = page.evaluate(f"({WAYS.strip()})()")
    assert [protocol for _, protocol, _ in ways] == ["tcp"] * 2, ways


@pytest.mark.parametrize("way", ["ice-tcp", "turn"])
def test_a_box_with_nothing_but_tcp_publishes_its_feed(site: Site, tmp_path: Path, way: str) -> None:
    before = {session["transport_id"] for session in site.demo.worker_stats()["sessions"]}

    def arrives() -> bool:
        sessions = site.demo.worker_stats()["sessions"]
        fresh = [session for session in sessions if session["transport_id"] not in before]
        return any(session.get("packets_in", 0) > 200 for session in fresh)

    media = site.demo.udp_port if way == "ice-tcp" else site.turn.tls_port
    with OnlyTcp(tmp_path / "only", [site.web_port, media]) as network:
        config = box_config(site, tmp_path, f"box-{way}")
        run = network.command(sys.executable, "-m", "teleconsult", "edge", "run", "--config", str(config))
        with (tmp_path / "edge.log").open("wb") as log:
            box = subprocess.Popen(run, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until(arrives, "media of the box", within_s=30)
        finally:
            box.terminate()
            box.wait(20)


def box_config(site: Site, folder: Path, feed: str) -> Path:
    """A box of its own, trusting the service's authority and the TURN server's."""
    token, trust, config = folder / "token", folder / "trust.pem", folder / "edge.toml"
    making = ["admin", "token", "whip", "demo", "--feed", feed, "--out", str(token)]
    subprocess.run(
        [sys.executable, "-m", "teleconsult", *making, "--data-dir", str(site.demo.data_dir)], check=True
    )
    authorities = (site.demo.data_dir / "ca" / "ca.pem", site.home.parent / "turn-ca.pem")
    trust.write_bytes(b"".join(path.read_bytes() for path in authorities))
    config.write_text(
        f'server = "{site.demo.base_url}"\nroom = "demo"\ntoken_file = "{token}"\ntls_ca = "{trust}"\n'
        f'[[feeds]]\nname = "{feed}"\nsource = {{ kind = "testcard" }}\n'
        "width = 640\nheight = 360\nbitrate_bps = 1_000_000\n"
    )
    return config
