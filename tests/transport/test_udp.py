"""The UDP port on real sockets: batches, reply addresses, stamps, and a kernel that refuses."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from core.clock import SystemClock
from tests.transport.support import DEADLINE_S
from transport import udp
from transport.native.engine import load_engine
from transport.udp import SOL_UDP, UDP_SEGMENT, Address, Local, UdpPort


class Arrivals:
    """What one port received."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self.calls: list[tuple[Address, Local, int]] = []
        self.batches = 0
        self._changed = asyncio.Event()

    def received(self, datagrams: Sequence[bytes], address: Address, local: Local, arrival_ns: int) -> None:
        self.datagrams += datagrams
        self.calls.append((address, local, arrival_ns))
        self._changed.set()

    def batch_ended(self) -> None:
        self.batches += 1
        self._changed.set()

    def has(self, count: int) -> bool:
        return len(self.datagrams) == count

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


reads_by_engine = False
"""Which of the two ways of receiving `port` takes."""


@pytest.fixture(autouse=True, params=["python", "engine"])
def way_of_reading(request: pytest.FixtureRequest) -> None:
    global reads_by_engine
    reads_by_engine = request.param == "engine"


@asynccontextmanager
async def port(host: str = "127.0.0.1") -> AsyncIterator[tuple[UdpPort, Arrivals]]:
    arrivals = Arrivals()
    made = UdpPort.bind(host, 0, arrivals.received, SystemClock())
    made.on_batch_end = arrivals.batch_ended
    if reads_by_engine:
        engine = load_engine()
        assert engine is not None, "scripts/build-engine builds it"
        made.receive_with(engine)
    made.start()
    try:
        yield made, arrivals
    finally:
        made.close()


class ReluctantSocket:
    """A real socket whose kernel refuses some sends."""

    def __init__(self, real: socket.socket, refuse: Callable[[Sequence[bytes], bool], int]) -> None:
        self._real = real
        self._refuse = refuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def sendmsg(
        self, buffers: Sequence[bytes], ancillary: Any = (), flags: int = 0, address: Any = None
    ) -> int:
        segmented = any(item[:2] == (SOL_UDP, UDP_SEGMENT) for item in ancillary)
        self._check(buffers, segmented)
        return self._real.sendmsg(buffers, ancillary, flags, address)

    def sendto(self, datagram: bytes, address: Any) -> int:
        self._check([datagram], False)
        return self._real.sendto(datagram, address)

    def _check(self, buffers: Sequence[bytes], segmented: bool) -> None:
        if number := self._refuse(buffers, segmented):
            raise OSError(number, "refused by the test")


def reluctant(refuse: Callable[[Sequence[bytes], bool], int]) -> UdpPort:
    real = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    real.setblocking(False)
    real.bind(("127.0.0.1", 0))
    wrapped: Any = ReluctantSocket(real, refuse)
    made = UdpPort(wrapped, lambda *_: None, SystemClock())
    made.start()
    return made


FRAME = [bytes([number]) * 1150 for number in range(15)] + [b"rest"]


async def test_a_frame_leaves_in_one_call_and_arrives_as_the_packets_it_was() -> None:
    async with port() as (sender, _), port() as (receiver, arrivals):
        assert sender.can_segment
        assert receiver.coalesces
        sender.send(FRAME, receiver.address)
        await arrivals.until(lambda: len(arrivals.datagrams) == len(FRAME))
        assert arrivals.datagrams == FRAME
        assert sender.counters.calls_out == 1
        assert sender.counters.datagrams_out == receiver.counters.datagrams_in == len(FRAME)
        assert arrivals.batches >= 1


async def test_without_segmentation_every_packet_leaves_by_itself() -> None:
    async with port() as (sender, _), port() as (receiver, arrivals):
        sender.can_segment = False
        sender.send(FRAME, receiver.address)
        await arrivals.until(lambda: len(arrivals.datagrams) == len(FRAME))
        assert arrivals.datagrams == FRAME
        assert sender.counters.calls_out == len(FRAME)


async def test_a_receiver_without_coalescing_gets_the_same_packets() -> None:
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plain.bind(("127.0.0.1", 0))
    plain.settimeout(DEADLINE_S)
    async with port() as (sender, _):
        sender.send(FRAME, plain.getsockname())
        assert [plain.recv(2048) for _ in FRAME] == FRAME
    plain.close()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EMSGSIZE, errno.EIO])
async def test_where_the_route_refuses_segments_packets_leave_plainly_and_it_is_not_asked_again(
    number: int,
) -> None:
    asked: list[int] = []

    def refuse(buffers: Sequence[bytes], segmented: bool) -> int:
        if segmented:
            asked.append(len(buffers[0]))
        return number if segmented and len(buffers[0]) > 1000 else 0

    sender = reluctant(refuse)
    async with port() as (receiver, arrivals):
        for _ in range(3):
            sender.send(FRAME, receiver.address)
        await arrivals.until(lambda: len(arrivals.datagrams) == 3 * len(FRAME))
        assert arrivals.datagrams == FRAME * 3
        assert asked == [1150]
        sender.send([bytes(900)] * 4, receiver.address)
        await arrivals.until(lambda: len(arrivals.datagrams) == 3 * len(FRAME) + 4)
        assert asked == [1150, 900]
    sender.close()


async def test_another_destination_keeps_its_segments() -> None:
    refused: list[bool] = []

    def refuse(buffers: Sequence[bytes], segmented: bool) -> int:
        refused.append(segmented)
        return errno.EINVAL if segmented and len(refused) == 1 else 0

    sender = reluctant(refuse)
    async with port() as (first, _), port() as (second, arrivals):
        sender.send(FRAME, first.address)
        calls = sender.counters.calls_out
        sender.send(FRAME, second.address)
        await arrivals.until(lambda: len(arrivals.datagrams) == len(FRAME))
        assert sender.counters.calls_out == calls + 1
    sender.close()


async def test_an_unreachable_destination_does_not_cost_it_its_segments() -> None:
    sender = reluctant(lambda buffers, segmented: errno.EINVAL)
    async with port() as (receiver, _):
        sender.send(FRAME, receiver.address)
        sender.send(FRAME, receiver.address)
        assert sender.counters.segment_fallbacks == 2
        assert sender.counters.send_errors == 2 * len(FRAME)
    sender.close()


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOBUFS])
async def test_a_full_send_buffer_drops_and_counts_instead_of_blocking(number: int) -> None:
    sender = reluctant(lambda buffers, segmented: number)
    sender.send(FRAME, ("127.0.0.1", 9))
    assert sender.counters.dropped_full == len(FRAME)
    assert sender.counters.datagrams_out == 0
    sender.close()


@pytest.mark.parametrize(
    ("bound", "family", "host"),
    [
        ("0.0.0.0", socket.AF_INET, "127.0.0.2"),
        ("::", socket.AF_INET, "127.0.0.2"),
        ("::", socket.AF_INET6, "::1"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
async def test_a_reply_leaves_from_the_address_the_request_came_to(
    bound: str, family: socket.AddressFamily, host: str, count: int
) -> None:
    async with port(bound) as (server, arrivals):
        peer = socket.socket(family, socket.SOCK_DGRAM)
        peer.settimeout(DEADLINE_S)
        peer.connect((host, server.address[1]))  # a connected socket takes nothing from other addresses
        peer.send(b"request")
        await arrivals.until(lambda: bool(arrivals.calls))
        address, local, _ = arrivals.calls[0]
        assert local is not None
        server.send([b"reply"] * count, address, local)
        assert [peer.recv(100) for _ in range(count)] == [b"reply"] * count
        peer.close()


async def test_arrival_is_the_kernels_stamp_not_the_time_of_reading() -> None:
    # Linux switches stamping on from a work queue, a moment after a machine's first socket asked for it
    # (net_enable_timestamp); a datagram before that is stamped when it is read.
    deadline = time.monotonic() + DEADLINE_S
    stamped = False
    async with port() as (receiver, arrivals):
        while not stamped and time.monotonic() < deadline:
            before, after = await _arrives_while_the_loop_is_busy(receiver, arrivals)
            stamped = before <= arrivals.calls[-1][2] <= after
    assert stamped


async def _arrives_while_the_loop_is_busy(receiver: UdpPort, arrivals: Arrivals) -> tuple[int, int]:
    """Send one datagram and read it 20 ms late; return when it was sent: not before, not after (ns)."""
    known = len(arrivals.calls)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        before = time.time_ns()
        peer.sendto(b"x", receiver.address)
        after = time.time_ns()
    while time.time_ns() < after + 20_000_000:  # as in the middle of a frame
        pass
    await arrivals.until(lambda: len(arrivals.calls) > known)
    return before, after


async def test_empty_and_oversized_datagrams_are_datagrams_like_others() -> None:
    async with port() as (receiver, arrivals):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            for datagram in (b"", bytes(65_507), b"", b"end"):
                peer.sendto(datagram, receiver.address)
        await arrivals.until(lambda: len(arrivals.datagrams) == 4)
        assert [len(datagram) for datagram in arrivals.datagrams] == [0, 65_507, 0, 3]


async def test_a_receiver_that_raises_does_not_stop_the_port() -> None:
    seen: list[bytes] = []
    done = asyncio.Event()

    def received(datagrams: Sequence[bytes], *_: Any) -> None:
        seen.extend(datagrams)
        if len(seen) == 3:
            done.set()
        raise RuntimeError("a bug in the layer above")

    receiver = UdpPort.bind("127.0.0.1", 0, received, SystemClock())
    receiver.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for datagram in (b"1", b"2", b"3"):
            peer.sendto(datagram, receiver.address)
    async with asyncio.timeout(DEADLINE_S):
        await done.wait()
    receiver.close()


async def test_a_peer_that_is_gone_does_not_disturb_the_others() -> None:
    async with port() as (sender, sender_arrivals), port() as (receiver, arrivals):
        gone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        gone.bind(("127.0.0.1", 0))
        address = gone.getsockname()
        gone.close()
        for _ in range(3):
            sender.send(FRAME, address)
            sender.send([b"live"], receiver.address)
        await arrivals.until(lambda: len(arrivals.datagrams) == 3)
        receiver.send([b"back"], sender.address)
        await sender_arrivals.until(lambda: sender_arrivals.datagrams == [b"back"])


async def test_a_flood_leaves_the_event_loop_its_turn() -> None:
    async with port() as (receiver, arrivals):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            for _ in range(500):
                peer.sendto(b"x", receiver.address)
        await arrivals.until(lambda: arrivals.batches == 1)
        assert 0 < len(arrivals.datagrams) < 500
        await arrivals.until(lambda: len(arrivals.datagrams) == 500)


@pytest.mark.interpreted
async def test_a_resting_port_reads_together_what_came_meanwhile_and_goes_on_after_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(udp, "ROOM_TO_REST_BYTES", 1)
    async with port() as (resting, arrivals), port() as (sender, _):
        resting.rest(0.2)
        for number in (1, 2):
            sender.send([b"first"], resting.address)
            await arrivals.until(lambda: arrivals.batches == 1)
            for _ in range(5):
                sender.send([b"more"], resting.address)
            await arrivals.until(lambda: len(arrivals.datagrams) == 6)
            assert arrivals.batches == 2, f"the {number}. time"
            await asyncio.sleep(0.5)  # silence: the next one wakes it again
            arrivals.datagrams, arrivals.batches = [], 0


@pytest.mark.interpreted
async def test_a_port_with_little_room_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "ROOM_TO_REST_BYTES", 1 << 40)
    async with port() as (awake, arrivals), port() as (sender, _):
        awake.rest(1_000.0)
        for number in (1, 2):
            sender.send([b"now"], awake.address)
            await arrivals.until(partial(arrivals.has, number))


async def test_after_close_nothing_is_sent_and_the_port_is_free() -> None:
    async with port() as (closed, _):
        closed.close()
        closed.send([b"x"], ("127.0.0.1", 9))
        again = UdpPort.bind("127.0.0.1", closed.address[1], lambda *_: None, SystemClock())
        again.close()


async def test_a_port_in_use_is_an_error() -> None:
    async with port() as (taken, _):
        with pytest.raises(OSError, match="in use"):
            UdpPort.bind("127.0.0.1", taken.address[1], lambda *_: None, SystemClock())


async def test_what_the_kernel_lost_is_counted() -> None:
    async with port() as (receiver, arrivals):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            for _ in range(3_000):  # more than 4 MB of buffers
                peer.sendto(bytes(8_000), receiver.address)
            await arrivals.until(lambda: receiver.counters.datagrams_in > 0)
            await asyncio.sleep(0)
            peer.sendto(b"last", receiver.address)
        await arrivals.until(lambda: arrivals.datagrams[-1] == b"last")
        assert receiver.counters.overflowed > 0
        assert receiver.counters.overflowed + len(arrivals.datagrams) == 3_001
