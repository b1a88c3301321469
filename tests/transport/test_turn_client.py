"""The TURN client without a network: what it repeats, renews, believes, and gives up."""

from __future__ import annotations

import hashlib
import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import NS_PER_S
from transport.stun import REQUESTED_ADDRESS_FAMILY, Class, Message, Method, parse_any
from transport.turn import REFRESH_NS, RETRANSMIT_NS, TurnClient

PEER = ("192.0.2.7", 8443)
KEY = hashlib.md5(b"user:realm:pass", usedforsecurity=False).digest()


class Bench:
    """A client, a clock, and a server's answers by hand."""

    def __init__(self, *peers: tuple[str, int], reliable: bool = False) -> None:
        numbers = itertools.count()
        self.now_ns = 1
        self.client = TurnClient(
            "user", "pass", peers or (PEER,), reliable=reliable, now_ns=1,
            new_id=lambda: next(numbers).to_bytes(12, "big"),
        )  # fmt: skip

    def requests(self, after_s: float = 0.0) -> list[Message]:
        self.now_ns += int(after_s * NS_PER_S)
        return [parse_any(wire) for wire in self.client.poll(self.now_ns)]

    def answer(
        self, request: Message, kind: Class = Class.RESPONSE, key: bytes | None = KEY, **given: Any
    ) -> None:
        message = Message(request.message_method, kind, request.transaction_id)
        message.attributes |= {name.replace("_", "-"): value for name, value in given.items()}
        if key is not None:
            message.add_message_integrity(key)
        self.client.receive(bytes(message), self.now_ns)

    def challenge(self, *requests: Message, code: int = 401, nonce: bytes = b"n1") -> None:
        (request,) = requests
        self.answer(request, Class.ERROR, None, ERROR_CODE=(code, "no"), REALM="realm", NONCE=nonce)

    def allocate(self) -> list[Message]:
        """Up to the requests for channels."""
        self.challenge(*self.requests())
        (asked,) = self.requests()
        self.answer(asked, XOR_RELAYED_ADDRESS=("198.51.100.1", 50_000), LIFETIME=600)
        return self.requests()

    def ready(self) -> None:
        for bind in self.allocate():
            self.answer(bind)


def test_it_authenticates_allocates_and_binds_a_channel_to_every_peer() -> None:
    bench = Bench(PEER, ("192.0.2.8", 8443))
    binds = bench.allocate()
    assert bench.client.bound == []
    assert [bind.message_method for bind in binds] == [Method.CHANNEL_BIND] * 2
    assert all(bind.check_message_integrity(KEY) for bind in binds)
    bench.answer(binds[0])
    assert bench.client.state == "ready"
    assert bench.client.bound == [PEER]
    assert bench.client.wrap([b"abc"], PEER) == [b"\x40\x00\x00\x03abc"]
    assert bench.client.wrap([b"abc"], ("192.0.2.8", 8443)) == [], "not yet"
    assert bench.client.receive(b"\x40\x00\x00\x02xyz", bench.now_ns) == (PEER, b"xy")


def test_over_udp_a_request_is_repeated_as_it_was_and_then_given_up() -> None:
    bench = Bench()
    (first,) = bench.requests()
    for pause_ns in RETRANSMIT_NS[:-1]:
        assert bench.requests(pause_ns / NS_PER_S / 2) == []
        (again,) = bench.requests(pause_ns / NS_PER_S / 2)
        assert again.transaction_id == first.transaction_id
    assert bench.requests(RETRANSMIT_NS[-1] / NS_PER_S) == []
    assert (bench.client.state, bench.client.failure) == ("failed", "timeout")


def test_over_a_stream_nothing_is_repeated_but_it_is_given_up_too() -> None:
    bench = Bench(reliable=True)
    assert len(bench.requests()) == 1
    for _ in range(10):
        assert bench.requests(1.0) == []
    assert bench.client.state == "failed"


def test_allocation_and_channels_are_renewed_in_time() -> None:
    bench = Bench()
    bench.ready()
    assert bench.requests(REFRESH_NS / NS_PER_S - 1) == []
    renewed = bench.requests(2.0)
    assert {request.message_method for request in renewed} == {Method.REFRESH, Method.CHANNEL_BIND}


def test_a_stale_nonce_is_replaced_and_the_request_repeated() -> None:
    bench = Bench()
    bench.ready()
    refresh, bind = bench.requests(REFRESH_NS / NS_PER_S + 1)
    bench.answer(bind)
    bench.challenge(refresh, code=438, nonce=b"n2")
    (again,) = bench.requests()
    assert again.attributes["NONCE"] == b"n2"
    assert again.transaction_id != refresh.transaction_id
    assert bench.client.state == "ready"


def test_a_server_that_always_calls_the_nonce_stale_is_given_up() -> None:
    bench = Bench()
    for _ in range(10):
        for request in bench.requests():
            bench.challenge(request, code=438)
    assert bench.client.state == "failed"


@pytest.mark.parametrize("code", [401, 403, 437, 441, 486, 508])
def test_a_refusal_ends_it(code: int) -> None:
    bench = Bench()
    bench.challenge(*bench.requests())
    bench.challenge(*bench.requests(), code=code)
    assert (bench.client.state, bench.client.failure) == ("failed", str(code))


def test_a_peer_the_server_forbids_costs_the_others_nothing() -> None:
    bench = Bench(PEER, ("127.0.0.1", 1))
    allowed, forbidden = bench.allocate()
    bench.answer(forbidden, Class.ERROR, ERROR_CODE=(403, "Forbidden IP"))
    bench.answer(allowed)
    assert bench.client.state == "ready"


@pytest.mark.parametrize("key", [None, b"x" * 16])
def test_a_success_nobody_signed_is_not_believed(key: bytes | None) -> None:
    bench = Bench()
    bench.challenge(*bench.requests())
    (asked,) = bench.requests()
    bench.answer(asked, Class.RESPONSE, key, XOR_RELAYED_ADDRESS=("203.0.113.66", 1))
    assert bench.client.relayed is None


def test_for_ipv6_peers_an_ipv6_relay_is_asked_for() -> None:
    bench = Bench(("2001:db8::7", 8443), PEER)
    wire = bench.client.poll(1)[0]
    assert b"\x00\x17\x00\x04\x02\x00\x00\x00" in wire, REQUESTED_ADDRESS_FAMILY


def test_giving_it_back_asks_for_a_lifetime_of_nothing() -> None:
    bench = Bench()
    bench.ready()
    (wire,) = bench.client.goodbye()
    assert parse_any(wire).attributes["LIFETIME"] == 0
    assert bench.client.goodbye() == [] or bench.client.state == "failed"


@given(st.binary(max_size=1_400), st.booleans())
def test_no_bytes_from_the_server_raise(data: bytes, as_stun: bool) -> None:
    bench = Bench()
    bench.ready()
    if as_stun:
        data = b"\x01\x03" + len(data).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + random.randbytes(12) + data
    bench.client.receive(data, bench.now_ns)
    assert bench.client.state == "ready"
