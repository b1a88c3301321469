"""The impaired link itself: a test that trusts its instrument is worth nothing."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.support.impairment import ImpairmentProxy
from tests.support.link import Impairment, Link

MS = 1_000_000


def test_loss_is_as_asked_and_the_same_for_the_same_seed() -> None:
    def run(seed: int) -> list[int | None]:
        link = Link(Impairment(loss=0.05), random.Random(seed))
        return [link.arrival_ns(1200, n * MS) for n in range(10_000)]

    lost = run(7).count(None)
    assert 400 < lost < 600
    assert run(7) == run(7) != run(8)


def test_a_slow_link_spaces_datagrams_and_drops_what_does_not_fit_its_queue() -> None:
    link = Link(Impairment(rate_bps=1_000_000, queue_ms=100), random.Random(1))
    out = [link.arrival_ns(1250, 0) for _ in range(30)]  # 10 ms each at 1 Mbit/s
    assert out[:3] == [10 * MS, 20 * MS, 30 * MS]
    assert out.count(None) == 30 - 11


def test_jitter_never_reorders() -> None:
    link = Link(Impairment(delay_ms=20, jitter_ms=30), random.Random(3))
    out = [link.arrival_ns(100, n * MS) for n in range(500)]
    assert out == sorted(o for o in out if o is not None)
    assert min(o - n * MS for n, o in enumerate(out) if o) >= 20 * MS


async def test_the_proxy_passes_cuts_and_rebinds() -> None:
    loop = asyncio.get_running_loop()
    seen: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()

    class Server(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            seen.put_nowait((data, addr))
            transport.sendto(data.upper(), addr)

    class Client(asyncio.DatagramProtocol):
        answers: asyncio.Queue[bytes] = asyncio.Queue()

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.answers.put_nowait(data)

    transport, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    proxy = await ImpairmentProxy.open(transport.get_extra_info("sockname"))
    client_transport, client = await loop.create_datagram_endpoint(Client, remote_addr=proxy.address)
    try:
        client_transport.sendto(b"a")
        assert await asyncio.wait_for(client.answers.get(), 5) == b"A"
        proxy.set(Impairment(cut=True))
        client_transport.sendto(b"b")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.answers.get(), 0.2)
        proxy.set(Impairment())
        proxy.rebind()
        client_transport.sendto(b"c")
        assert await asyncio.wait_for(client.answers.get(), 5) == b"C"
        first, second = seen.get_nowait(), seen.get_nowait()
        assert first[0] == b"a"
        assert second[0] == b"c"
        assert first[1] != second[1]
    finally:
        client_transport.close()
        proxy.close()
        transport.close()
