"""A peer whose address changes, and strangers who pretend to be one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.clock import SystemClock
from rtp.rtcp import ReceiverReport, build_compound
from tests.support.impairment import ImpairmentProxy
from tests.support.link import Impairment
from tests.transport.support import (
    DEADLINE_S,
    Call,
    FakeClock,
    Stranger,
    call,
    connect,
    opened,
    rtp_header,
    seal_batch,
)
from transport.api import host_candidate
from transport.endpoint import ROAMING_ATTEMPTS_PER_S
from transport.server import AMPLIFICATION, PROVISIONAL_NS
from transport.stun import (
    BAD_REQUEST,
    BINDING_REQUEST,
    error_response,
    is_stun,
    parse_stun,
    success_response,
)

REPORT = build_compound([ReceiverReport(ssrc=0x1234)])


@asynccontextmanager
async def call_through_nat() -> AsyncIterator[tuple[Call, ImpairmentProxy]]:
    async with opened() as endpoint:
        nat = await ImpairmentProxy.open(endpoint.port.address[:2])
        made = await connect(endpoint, "t", through=[host_candidate(*nat.address)])
        try:
            yield made, nat
        finally:
            await made.client.close()
            nat.close()


async def first_packet(made: Call) -> None:
    made.client.send(seal_batch(made.client, 1, 1, b"first"))
    await made.server_sink.until(lambda: bool(made.server_sink.packets))


def sealed(made: Call, number: int, payload: bytes = b"payload") -> bytes:
    return seal_batch(made.client, number, 1, payload)[0]


async def test_a_nat_rebind_moves_the_call_without_renegotiation() -> None:
    async with call_through_nat() as (made, nat):
        await first_packet(made)
        before = made.server.remote_address
        nat.rebind()
        made.client.send(seal_batch(made.client, 2, 3, b"moved"))
        await made.server_sink.until(lambda: made.server.remote_address != before)
        made.server.send(seal_batch(made.server, 1, 1, b"reply"))
        await made.client_sink.until(lambda: bool(made.client_sink.packets))
        assert "silent" not in made.server_sink.states + made.client_sink.states


async def test_a_viewer_that_sends_no_media_is_followed_by_its_checks() -> None:
    async with call_through_nat() as (made, nat):
        before = made.server.remote_address
        nat.rebind()
        async with asyncio.timeout(DEADLINE_S):
            while made.server.remote_address == before:
                await asyncio.sleep(0.01)
        made.server.send(seal_batch(made.server, 1, 1, b"reply"))
        await made.client_sink.until(lambda: bool(made.client_sink.packets))


async def test_newer_media_from_a_new_address_takes_the_flow_at_once_with_limited_replies() -> None:
    async with call() as made:
        await first_packet(made)
        new = Stranger(made.endpoint.port.address)
        new.send(sealed(made, 2, bytes(1000)))
        await made.server_sink.until(lambda: len(made.server_sink.packets) == 2)
        assert made.server.remote_address == new.address
        assert made.endpoint.counters.roamed == 1
        made.server.send(seal_batch(made.server, 1, 10, bytes(1000)))
        allowed = AMPLIFICATION * 1028 // 1028
        await new.until(lambda: sum(not is_stun(datagram) for datagram in new.heard) == allowed)
        assert made.server.counters.limited == 10 - allowed
        new.close()


async def test_a_peer_that_answers_from_its_new_address_gets_everything_before_its_next_check() -> None:
    async with call() as made:
        await first_packet(made)
        remote = made.client.local
        new = Stranger(made.endpoint.port.address)
        new.send(sealed(made, 2))
        await new.until(lambda: any(map(is_stun, new.heard)))
        asked = parse_stun(next(filter(is_stun, new.heard)))
        assert (asked.kind, asked.signed_with(remote.pwd)) == (BINDING_REQUEST, True)
        assert asked.attributes["USERNAME"] == f"{remote.ufrag}:{made.server.local.ufrag}"
        new.send(success_response(asked.transaction_id, ("192.0.2.1", 9), remote.pwd), sealed(made, 3))
        await made.server_sink.has_packets(3)
        assert made.server.is_validated
        made.server.send(seal_batch(made.server, 1, 40, bytes(1000)))
        await new.until(lambda: sum(not is_stun(datagram) for datagram in new.heard) == 40)
        new.close()


@pytest.mark.parametrize("what", ["another password", "another question", "an error", "a request"])
async def test_a_wrong_answer_from_a_new_address_proves_nothing(what: str) -> None:
    async with call() as made:
        await first_packet(made)
        pwd = made.client.local.pwd
        new = Stranger(made.endpoint.port.address)
        new.send(sealed(made, 2))
        await new.until(lambda: any(map(is_stun, new.heard)))
        asked = parse_stun(next(filter(is_stun, new.heard)))
        number, place = asked.transaction_id, ("192.0.2.1", 9)
        answer = {
            "another password": success_response(number, place, "x" * 24),
            "another question": success_response(bytes(12), place, pwd),
            "an error": error_response(number, BAD_REQUEST, pwd),
            "a request": next(filter(is_stun, new.heard)),
        }[what]
        new.send(answer, sealed(made, 3))
        await made.server_sink.has_packets(3)
        assert not made.server.is_validated
        new.close()


async def test_a_report_from_a_new_address_moves_the_flow_too() -> None:
    async with call() as made:
        made.client.send_rtcp(REPORT)
        await made.server_sink.until(lambda: bool(made.server_sink.rtcp))
        new = Stranger(made.endpoint.port.address)
        sealed_report = made.client.media.seal_rtcp(REPORT)
        assert sealed_report is not None
        new.send(sealed_report)
        await made.server_sink.until(lambda: len(made.server_sink.rtcp) == 2)
        assert made.server.remote_address == new.address
        new.close()


async def test_a_check_from_the_new_address_lifts_the_limit() -> None:
    async with call_through_nat() as (made, nat):
        await first_packet(made)
        nat.rebind()
        made.client.send(seal_batch(made.client, 2, 1, b"x"))
        await made.server_sink.until(lambda: len(made.server_sink.packets) == 2)
        async with asyncio.timeout(DEADLINE_S):
            while not made.server.is_validated:  # the client checks every 250 ms
                await asyncio.sleep(0.01)
        made.server.send(seal_batch(made.server, 1, 40, bytes(1000)))
        await made.client_sink.until(lambda: len(made.client_sink.packets) == 40)


@pytest.mark.parametrize("what", ["replayed", "older", "forged", "unknown ssrc", "truncated"])
async def test_media_that_is_not_newer_or_not_authentic_moves_nothing(what: str) -> None:
    async with call() as made:
        early, late = sealed(made, 1), sealed(made, 5)
        never_sent = sealed(made, 3)
        made.client.send([early, late])
        await made.server_sink.until(lambda: len(made.server_sink.packets) == 2)
        before = made.server.remote_address
        forged = bytearray(sealed(made, 6))
        forged[-1] ^= 1
        datagram = {
            "replayed": late,
            "older": never_sent,
            "forged": bytes(forged),
            "unknown ssrc": rtp_header(7, ssrc=0x9999) + bytes(40),
            "truncated": sealed(made, 8)[:20],
        }[what]
        stranger = Stranger(made.endpoint.port.address)
        stranger.send(datagram)
        made.client.send([sealed(made, 9)])
        await made.server_sink.until(lambda: made.server_sink.packets[-1].sequence_number == 9)
        async with asyncio.timeout(DEADLINE_S):
            while made.endpoint.counters.strangers == 0:
                await asyncio.sleep(0.001)
        assert made.server.remote_address == before
        assert stranger.heard == []
        stranger.close()


async def test_a_thief_who_overtakes_a_packet_loses_the_flow_to_the_next_one() -> None:
    async with call() as made:
        await first_packet(made)
        home = made.server.remote_address
        thief = Stranger(made.endpoint.port.address)
        thief.send(sealed(made, 2))
        await made.server_sink.until(lambda: made.server.remote_address == thief.address)
        made.client.send([sealed(made, 3)])
        await made.server_sink.until(lambda: len(made.server_sink.packets) == 3)
        assert made.server.remote_address == home
        thief.close()


@pytest.mark.interpreted
async def test_dtls_from_an_address_that_passed_no_check_is_dropped() -> None:
    async with call() as made:
        await first_packet(made)
        newer, last = sealed(made, 2), sealed(made, 3)
        goodbye = await intercepted_goodbye(made)
        stranger = Stranger(made.endpoint.port.address)
        stranger.send(newer, goodbye, last)
        await made.server_sink.has_packets(3)
        await asyncio.sleep(0)  # the handshake's task would have had its turn
        assert made.server.remote_address == stranger.address
        assert made.server.state == "connected"
        stranger.close()


async def intercepted_goodbye(made: Call) -> bytes:
    """The client's genuine close_notify, kept from the server."""
    sent: list[bytes] = []
    assert made.client.port is not None
    made.client.port.send = lambda datagrams, address, local=None: sent.extend(datagrams)  # type: ignore[method-assign]  # the wire is cut here
    await made.client.close()
    return next(datagram for datagram in sent if 20 <= datagram[0] <= 63)


async def test_a_provisional_address_that_falls_silent_is_given_up() -> None:
    clock = FakeClock()
    async with opened(clock=clock) as endpoint:
        made = await connect(endpoint, "t", clock=SystemClock())
        await first_packet(made)
        home = made.server.remote_address
        new = Stranger(endpoint.port.address)
        new.send(sealed(made, 2))
        await made.server_sink.until(lambda: made.server.remote_address == new.address)
        endpoint.expire()
        clock.advance(PROVISIONAL_NS / 1e9 + 1)
        endpoint.expire()
        assert made.server.remote_address == home
        new.close()
        await made.client.close()


async def test_guesses_at_a_known_ssrc_cost_a_bounded_number_of_decryptions() -> None:
    clock = FakeClock()
    async with opened(clock=clock) as endpoint:
        made = await connect(endpoint, "t", clock=SystemClock())
        await first_packet(made)
        stranger = Stranger(endpoint.port.address)
        guesses = int(3 * ROAMING_ATTEMPTS_PER_S)
        for number in range(guesses):
            stranger.send(rtp_header(number) + bytes(40))
        async with asyncio.timeout(DEADLINE_S):
            while endpoint.counters.strangers < guesses:
                await asyncio.sleep(0.001)
        assert made.server.media.counters.rejected <= ROAMING_ATTEMPTS_PER_S
        stranger.close()
        await made.client.close()


async def test_a_client_goes_silent_and_comes_back_when_the_network_does() -> None:
    async with call_through_nat() as (made, nat):
        nat.set(Impairment(cut=True))
        await made.client_sink.until(lambda: made.client.state == "silent")
        nat.set(Impairment())
        await made.client_sink.until(lambda: made.client.state == "connected")
        made.client.send(seal_batch(made.client, 1, 1, b"back"))
        await made.server_sink.until(lambda: bool(made.server_sink.packets))


@pytest.mark.parametrize("lost", ["the one in use", "all"])
async def test_a_client_whose_interface_is_gone_goes_on_over_another_socket(lost: str) -> None:
    async with call_through_nat() as (made, _):
        await first_packet(made)
        for port in made.client.ports:
            if lost == "all" or port is made.client.port:
                port.close()
        await made.client_sink.until(lambda: made.client.state == "silent")
        await made.client_sink.until(lambda: made.client.state == "connected")
        made.client.send(seal_batch(made.client, 2, 1, b"back"))
        made.server.send(seal_batch(made.server, 1, 1, b"and forth"))
        await made.server_sink.has_packets(2)
        await made.client_sink.has_packets(1)
