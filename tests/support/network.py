"""One person's network: everything between that person's browser and the demo, TCP and UDP, in our hands."""

from __future__ import annotations

import socket
from typing import Self
from urllib.parse import urlsplit

from tests.support.impairment import ImpairmentProxy
from tests.support.link import Impairment, Link
from tests.support.loop_thread import LoopThread
from tests.support.tcp_proxy import TcpProxy

Address = tuple[str, int]

MEDIA_PATH = """
(() => {
  const native = RTCPeerConnection.prototype.setRemoteDescription;
  const candidate = /^(a=candidate:\\S+ \\d+ udp \\d+) \\S+ \\d+ (typ host)/gim;
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    const udp = description.sdp.replace(/^a=candidate:.* tcptype .*\\r\\n/gim, "");
    const sdp = udp.replace(candidate, "$1 %s %d $2");
    return native.call(this, { type: description.type, sdp });
  };
})();
"""
"""What a router in front of one person would do: that person's media takes another way to the same server,
has no way around it by TCP."""


def own_address() -> str:
    """This machine's address towards others (nothing is sent): Firefox has no media over loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


class Network:
    """`with Network(demo.base_url, demo.udp_port) as network:`; use its `base_url` and `script`."""

    def __init__(self, base_url: str, udp_port: int, *, seed: int = 1, media_host: str = "127.0.0.1") -> None:
        parts = urlsplit(base_url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._server: Address = (parts.hostname, parts.port)
        self._media: Address = (parts.hostname, udp_port)
        self._seed = seed
        self._media_host = media_host
        self._loop = LoopThread()
        self._tcp: TcpProxy
        self._udp: ImpairmentProxy

    def __enter__(self) -> Self:
        self._loop.__enter__()
        self._tcp = self._loop.run(TcpProxy.open(self._server))
        self._udp = self._loop.run(ImpairmentProxy.open(self._media, seed=self._seed, host=self._media_host))
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call(self._udp.close)
        self._loop.run(self._tcp.close())
        self._loop.__exit__()

    @property
    def base_url(self) -> str:
        host, port = self._tcp.address
        return f"http://{host}:{port}"

    @property
    def script(self) -> str:
        """For the browser to run before a page's own scripts, so that its media comes this way."""
        return MEDIA_PATH % self._udp.address

    def cut(self) -> None:
        """Nothing passes any more, in neither direction; nobody is told."""
        self._loop.call(self._tcp.cut)
        self.impair(Impairment(cut=True))

    def restore(self) -> None:
        self.impair(Impairment())
        self._loop.call(self._tcp.restore)

    def impair(self, impairment: Impairment, up: Impairment | None = None) -> None:
        """Media from now on; in both directions, unless the way to the server is given, too."""
        self._loop.call(lambda: self._udp.set(impairment, up))

    def way_down(self, link: Link) -> None:
        """From now on media comes from the server over this link."""
        self._udp.down = link

    def reset(self) -> None:
        """Every TCP connection ends with a reset."""
        self._loop.call(self._tcp.reset)

    def rebind(self) -> None:
        """The NAT forgot everything: TCP is reset and media shows up from another port."""
        self.reset()
        self._loop.call(self._udp.rebind)

    @property
    def passed_datagrams(self) -> tuple[int, int]:
        """To the server, and from it."""
        return self._udp.up.passed, self._udp.down.passed
