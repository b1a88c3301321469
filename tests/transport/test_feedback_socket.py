"""Transport-wide feedback and lone receiver reports wait on a socket of their own; nothing else does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest

from core.clock import SystemClock
from transport.feedback_socket import feedback_socket
from transport.udp import CALM_S, Address, Local, UdpPort

PADDED_FEEDBACK = b"\xaf\xcd\x00\x05" + bytes(20)
FEEDBACK = b"\x8f\xcd\x00\x05" + bytes(20)
INDEX_BYTES, GCM_TAG_BYTES, SHA1_TAG_BYTES = 4, 16, 10


def report(blocks: int, behind: int, tag_bytes: int = GCM_TAG_BYTES) -> bytes:
    """A sealed receiver report with so many bytes of other packets behind it."""
    size = 4 + 24 * blocks
    head = bytes((0x80 | blocks, 0xC9)) + (size // 4).to_bytes(2, "big")
    return head + bytes(size + behind + INDEX_BYTES + tag_bytes)


NACK_BYTES, PLI_BYTES, NAME_BYTES = 16, 12, 16
LONE_REPORTS = tuple(
    report(blocks, 0, tag) for blocks in (0, 1, 2, 31) for tag in (GCM_TAG_BYTES, SHA1_TAG_BYTES)
)
OTHERS = (
    b"\x80\x60" + bytes(20),  # media
    *(
        report(blocks, behind, tag)
        for blocks in (0, 1, 2, 31)
        for tag in (GCM_TAG_BYTES, SHA1_TAG_BYTES)
        for behind in (NACK_BYTES, PLI_BYTES, NAME_BYTES + PLI_BYTES)
    ),
    b"\x81\xc8\x00\x0c" + bytes(48),  # a sender report
    b"\x81\xcd\x00\x03" + bytes(12),  # a NACK
    b"\x8f\xce\x00\x05" + bytes(20),  # REMB
    b"\x00\x01" + bytes(18),  # STUN
    b"\x16\xfe" + bytes(30),  # DTLS
    b"\x8f",
    b"",
)


def waiting(sock: socket.socket) -> list[bytes]:
    sock.setblocking(False)
    found: list[bytes] = []
    while True:
        try:
            found.append(sock.recv(1_000))
        except BlockingIOError:
            return found


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_only_feedback_and_lone_reports_come_to_their_socket(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.socket(family, socket.SOCK_DGRAM) as main,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tx,
    ):
        if family == socket.AF_INET6:
            main.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        main.bind((host, 0))
        feedback = feedback_socket(main)
        assert feedback is not None
        with feedback:
            for datagram in (*OTHERS, FEEDBACK, PADDED_FEEDBACK, *LONE_REPORTS):
                tx.sendto(datagram, ("127.0.0.1", main.getsockname()[1]))
            assert waiting(main) == list(OTHERS)
            assert waiting(feedback) == [FEEDBACK, PADDED_FEEDBACK, *LONE_REPORTS]
            with socket.socket(family, socket.SOCK_DGRAM) as other, pytest.raises(OSError, match="in use"):
                other.bind((host, main.getsockname()[1]))


class Ports:
    """A calm port, and what it took, in batches."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = [[]]
        self.news = asyncio.Event()
        self.port = UdpPort.bind("127.0.0.1", 0, self._received, SystemClock())
        self.port.on_batch_end = self._batch_ended
        self.port.calm()
        self.port.start()
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def _received(self, datagrams: Sequence[bytes], address: Address, local: Local, arrival_ns: int) -> None:
        self.batches[-1] += datagrams

    def _batch_ended(self) -> None:
        self.batches.append([])
        self.news.set()

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.peer.sendto(datagram, self.port.address)

    async def taken(self, count: int) -> None:
        async with asyncio.timeout(10):
            while sum(map(len, self.batches)) < count:
                self.news.clear()
                await self.news.wait()

    def close(self) -> None:
        self.port.close()
        self.peer.close()


async def test_feedback_is_read_together_with_what_was_sent_meanwhile_and_again_after_silence() -> None:
    ports = Ports()
    try:
        for _ in range(3):
            ports.send(FEEDBACK)
            await ports.taken(1)
            begin = asyncio.get_running_loop().time()
            ports.send(FEEDBACK, FEEDBACK)
            await ports.taken(3)
            assert asyncio.get_running_loop().time() - begin >= CALM_S / 2
            assert [FEEDBACK, FEEDBACK] in ports.batches
            ports.batches = [[]]
            async with asyncio.timeout(10):
                while ports.port.waits_for_media:
                    await asyncio.sleep(CALM_S)
    finally:
        ports.close()


async def test_media_takes_waiting_feedback_along() -> None:
    ports = Ports()
    try:
        ports.send(FEEDBACK)
        await ports.taken(1)
        ports.send(FEEDBACK, OTHERS[0])
        await ports.taken(3)
        assert [batch for batch in ports.batches if batch] == [[FEEDBACK], [OTHERS[0]], [FEEDBACK]]
    finally:
        ports.close()


async def test_a_port_closed_by_what_it_received_reads_no_more() -> None:
    ports = Ports()
    ports.port.on_batch_end = ports.close
    ports.send(FEEDBACK)
    async with asyncio.timeout(10):
        while not sum(map(len, ports.batches)):
            await asyncio.sleep(0)
    await asyncio.sleep(2 * CALM_S)
    assert not ports.port.waits_for_media
