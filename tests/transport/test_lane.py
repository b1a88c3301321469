"""The compiled engine does what the Python does: the same bytes, in the same order, to the same place."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import SystemClock
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpReceiver, SrtpSender
from rtp.srtp_keys import derive_rtp_keys
from transport.lane import MAX_JOBS, FanOut, Lane, path_head
from transport.native.batch import NativeBatch
from transport.native.engine import Engine, load_engine
from transport.udp import Address, Local, UdpPort

PROFILES = [SrtpProfile.AEAD_AES_256_GCM, SrtpProfile.AEAD_AES_128_GCM]
SSRC = 0xDEADBEEF
PAYLOAD_TYPE = 102


def engine() -> Engine:
    found = load_engine()
    assert found is not None, "scripts/build-engine builds it"
    return found


def keys(profile: SrtpProfile = PROFILES[0]) -> SrtpKeys:
    return SrtpKeys(profile, bytes(range(profile.key_bytes)), bytes(range(50, 50 + profile.salt_bytes)))


def header(sequence: int, timestamp: int, ssrc: int, number: int, marker: bool, tail: bytes) -> bytes:
    second = PAYLOAD_TYPE | (0x80 if marker else 0)
    words = (3 + len(tail)) // 4
    return (
        struct.pack("!BBHIIHHBH", 0x90, second, sequence, timestamp, ssrc, 0xBEDE, words, 0x31, number) + tail
    )


class Reader:
    """A subscriber's socket."""

    def __init__(self, family: socket.AddressFamily, host: str) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)

    def read(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(1 << 16))
            except BlockingIOError:
                return found


@contextmanager
def way(
    host: str = "127.0.0.1", profile: SrtpProfile = PROFILES[0]
) -> Iterator[tuple[FanOut, Lane, Reader, UdpPort]]:
    """A port, a lane of it, and where it leads."""
    loop = asyncio.new_event_loop()
    reader = Reader(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    port = UdpPort.bind(host, 0, lambda *_: None, SystemClock())

    async def start() -> None:
        port.start()

    loop.run_until_complete(start())
    fan_out = FanOut(engine(), port)
    lane = fan_out.lane()
    session = derive_rtp_keys(keys(profile))
    lane.set_key(session.encryption, session.salt)
    lane.lead_to((reader.socket.getsockname(), None))
    try:
        yield fan_out, lane, reader, port
    finally:
        port.close()
        reader.socket.close()
        loop.close()


PACKETS = st.lists(
    st.tuples(st.integers(0, 1400), st.sampled_from([b"\0", b"\0\0\0\0\0", b"\x51abcdef\0"]), st.booleans()),
    min_size=1,
    max_size=150,
)


@given(
    packets=PACKETS,
    first=st.sampled_from([0, 1, 65_530, 0x1_FFF0, (1 << 40) + 5]),
    move=st.integers(0, 0xFFFFFFFF),
    number=st.integers(0, 0xFFFF),
    profile=st.sampled_from(PROFILES),
)
def test_the_engine_sends_byte_for_byte_what_python_seals(
    packets: list[tuple[int, bytes, bool]], first: int, move: int, number: int, profile: SrtpProfile
) -> None:
    sealer = SrtpSender(keys(profile))
    _set_next(sealer, first)
    timestamps = [90_000 * i & 0xFFFFFFFF for i in range(len(packets))]
    payloads = [bytes([i & 255]) * size for i, (size, _, _) in enumerate(packets)]
    templates = [
        header(0, at, 0, 0, marker, tail) for at, (_, tail, marker) in zip(timestamps, packets, strict=True)
    ]
    wanted = [
        sealer.seal(
            header((first + i) & 0xFFFF, (at + move) & 0xFFFFFFFF, SSRC, (number + i) & 0xFFFF, marker, tail),
            payload,
        )
        for i, (at, (_, tail, marker), payload) in enumerate(zip(timestamps, packets, payloads, strict=True))
    ]
    with way(profile=profile) as (fan_out, lane, reader, port):
        fan_out.add(
            NativeBatch(templates, payloads, [17] * len(packets)),
            lane, first, SSRC, move, 0, len(packets), number, PAYLOAD_TYPE,
        )  # fmt: skip
        fan_out.run()
        assert reader.read() == wanted
        assert port.counters.datagrams_out == len(wanted)
        assert port.counters.calls_out <= len(wanted)


def _set_next(sealer: SrtpSender, index: int) -> None:
    """Let the stream's next index be this one."""
    sealer.seal(header((index - 1) & 0xFFFF, 0, SSRC, 0, False, b"\0"), b"")
    sealer._windows[SSRC].top = index - 1


def test_datagrams_of_one_size_leave_in_one_call() -> None:
    with way() as (fan_out, lane, reader, port):
        batch = NativeBatch([header(0, 0, 0, 0, False, b"\0")] * 40, [bytes(1150)] * 40, [17] * 40)
        fan_out.add(batch, lane, 7, SSRC, 0, 0, 40, 0, PAYLOAD_TYPE)
        fan_out.run()
        assert len(reader.read()) == 40
        assert port.counters.calls_out == 1


def test_what_many_are_sent_arrives_at_each_in_order() -> None:
    with way() as (fan_out, lane, reader, _), way() as (_, _, other, _):
        second = fan_out.lane()
        session = derive_rtp_keys(keys())
        second.set_key(session.encryption, session.salt)
        second.lead_to((other.socket.getsockname(), None))
        batch = NativeBatch([header(0, 0, 0, 0, False, b"\0")], [b"media"], [17])
        for index in range(MAX_JOBS + 10):  # more than are collected at once
            for each in (lane, second):
                fan_out.add(batch, each, 100 + index, SSRC, 0, 0, 1, index, PAYLOAD_TYPE)
        fan_out.run()
        receivers = SrtpReceiver(keys()), SrtpReceiver(keys())
        for receiver, socket_ in zip(receivers, (reader, other), strict=True):
            packets = [receiver.open_packet(datagram, 0) for datagram in socket_.read()]
            assert [packet.sequence_number for packet in packets] == list(range(100, 110 + MAX_JOBS))
            assert {packet.payload for packet in packets} == {b"media"}


def test_ipv6_is_reached_too() -> None:
    with way("::1") as (fan_out, lane, reader, _):
        fan_out.add(
            NativeBatch([header(0, 0, 0, 0, False, b"\0")], [b"media"], [17]),
            lane, 9, SSRC, 0, 0, 1, 0, PAYLOAD_TYPE,
        )  # fmt: skip
        fan_out.run()
        assert SrtpReceiver(keys()).open_packet(reader.read()[0], 0).payload == b"media"


def test_an_answer_leaves_from_the_address_that_was_called() -> None:
    called: list[tuple[Address, Local]] = []
    loop = asyncio.new_event_loop()
    arrived = asyncio.Event()

    def receive(_: object, address: Address, local: Local, arrival_ns: int) -> None:
        called.append((address, local))
        arrived.set()

    async def run() -> None:
        port = UdpPort.bind("0.0.0.0", 0, receive, SystemClock())
        port.start()
        reader = Reader(socket.AF_INET, "127.0.0.1")
        reader.socket.sendto(b"hello", ("127.0.0.7", port.address[1]))
        await asyncio.wait_for(arrived.wait(), 5)
        fan_out = FanOut(engine(), port)
        lane = fan_out.lane()
        session = derive_rtp_keys(keys())
        lane.set_key(session.encryption, session.salt)
        lane.lead_to(called[0])
        fan_out.add(
            NativeBatch([header(0, 0, 0, 0, False, b"\0")] * 3, [b"media"] * 3, [17] * 3),
            lane, 9, SSRC, 0, 0, 3, 0, PAYLOAD_TYPE,
        )  # fmt: skip
        fan_out.run()
        for _ in range(3):
            _, source = await asyncio.get_running_loop().sock_recvfrom(reader.socket, 2000)
            assert source == ("127.0.0.7", port.address[1])
        port.close()
        reader.socket.close()

    loop.run_until_complete(run())
    loop.close()


def test_where_the_kernel_refuses_segments_they_are_sent_one_by_one() -> None:
    with way() as (fan_out, lane, reader, port):
        batch = NativeBatch([header(0, 0, 0, 0, False, b"\0")] * 3, [bytes(20_000)] * 3, [17] * 3)
        big = NativeBatch([header(0, 0, 0, 0, False, b"\0")] * 2, [bytes(64_900)] * 2, [17] * 2)
        fan_out.add(batch, lane, 7, SSRC, 0, 0, 3, 0, PAYLOAD_TYPE)
        fan_out.add(big, lane, 10, SSRC, 0, 0, 2, 3, PAYLOAD_TYPE)
        fan_out.run()
        assert [len(datagram) for datagram in reader.read()] == [20_036] * 3 + [64_936] * 2
        assert port.counters.datagrams_out == 5
        assert port.counters.send_errors == 0


def test_a_lane_is_open_only_with_a_key_and_a_place() -> None:
    with way() as (fan_out, lane, reader, _):
        assert lane.is_open
        lane.lead_to(None)
        assert not lane.is_open
        lane.lead_to((reader.socket.getsockname(), None))
        assert lane.is_open
        lane.drop_key()
        assert not lane.is_open
        assert not fan_out.lane().is_open


def test_what_waits_leaves_before_its_key_or_place_goes() -> None:
    with way() as (fan_out, lane, reader, _):
        batch = NativeBatch([header(0, 0, 0, 0, False, b"\0")], [b"media"], [17])
        fan_out.add(batch, lane, 7, SSRC, 0, 0, 1, 0, PAYLOAD_TYPE)
        lane.drop_key()
        assert len(reader.read()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "fe80::1%lo", "::ffff:127.0.0.1"])
def test_socket_addresses_are_spelled_as_the_kernel_wants_them(host: str) -> None:
    address = (host, 4660) if ":" not in host else (host, 4660, 0, 3)
    head = path_head(address, None)
    raw = ctypes.string_at(ctypes.addressof(head), head.address_bytes)
    family = socket.AF_INET if ":" not in host else socket.AF_INET6
    assert raw[:4] == struct.pack("@H", family) + b"\x12\x34"
    assert len(raw) == (16 if family == socket.AF_INET else 28)
