"""What the engine reads of a socket, beside what Python's own `socket` says of it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.coalesced import Coalesced
from transport.native.engine import load_engine
from transport.native.receiver import (
    MAX_ADDRESSES_REMEMBERED,
    SLOTS,
    NativeReceiver,
    socket_address,
)

HOSTS = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@contextlib.contextmanager
def bound(family: int, host: str) -> Iterator[tuple[socket.socket, NativeReceiver]]:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind((host, 0))
        engine = load_engine()
        assert engine is not None, "scripts/build-engine builds it"
        yield sock, NativeReceiver(engine, sock)


@pytest.mark.parametrize(("family", "host"), HOSTS)
def test_more_than_fits_into_one_reading_comes_with_the_next(family: int, host: str) -> None:
    with bound(family, host) as (sock, receiver), socket.socket(family, socket.SOCK_DGRAM) as peer:
        address = address_of(peer, sock)
        sent = [bytes([index]) * index for index in range(2 * SLOTS + 3)]
        for datagram in sent:
            peer.sendto(datagram, sock.getsockname())
        read, readings = [], 0
        while len(read) < len(sent):
            waiting = receiver.read()
            assert receiver.more == (len(waiting) == SLOTS)
            read += [bytes(one.view) for one in waiting]
            assert {one.address for one in waiting} == {address}
            readings += 1
        assert read == sent
        assert readings == 3
        assert receiver.read() == []
        assert not receiver.more


def address_of(peer: socket.socket, sock: socket.socket) -> tuple[object, ...]:
    """As `recvfrom` gives it."""
    peer.sendto(b"who am I?", sock.getsockname())
    address: tuple[object, ...] = sock.recvfrom(100)[1]
    return address


def test_what_became_of_an_earlier_send_is_an_error_and_the_next_reading_goes_on() -> None:
    with bound(*HOSTS[0]) as (sock, receiver), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        place = gone.getsockname()
        sock.connect(place)
        gone.close()
        sock.send(b"to nobody")
        with pytest.raises(ConnectionRefusedError):
            receiver.read()
        assert receiver.read() == []


def test_as_many_addresses_as_come_do_not_fill_the_memory() -> None:
    with bound(*HOSTS[0]) as (_, receiver):
        for number in range(MAX_ADDRESSES_REMEMBERED + 10):
            raw = ipv4(port=number + 1)
            assert receiver._remember(raw, len(raw)) == ("192.0.2.9", number + 1)
        assert len(receiver._addresses) <= MAX_ADDRESSES_REMEMBERED


def ipv4(port: int) -> bytes:
    return socket.AF_INET.to_bytes(2, "little") + port.to_bytes(2, "big") + bytes((192, 0, 2, 9)) + bytes(8)


@pytest.mark.parametrize("raw", [b"\x01\x00/run/x", ipv4(1)[:7], b"\x0a\x00" + bytes(10)])
def test_what_is_no_address_of_the_internet_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="no address"):
        socket_address(raw)


@given(st.binary(min_size=2, max_size=400), st.integers(1, 200), st.integers(-5, 405), st.integers(-5, 405))
def test_datagrams_that_lie_end_to_end_are_as_if_cut(
    data: bytes, segment: int, start: int, stop: int
) -> None:
    cut = [data[at : at + segment] for at in range(0, len(data), segment)]
    whole = Coalesced(memoryview(data), 0, segment)
    assert list(whole) == cut
    assert len(whole) == len(cut)
    assert list(whole[start:stop]) == cut[start:stop]
    assert (whole[0], whole[-1]) == (cut[0], cut[-1])
    with pytest.raises(IndexError):
        whole[len(cut)]
