"""The handshake: identity, policy, lost flights, and records cut into datagrams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.sdp import Fingerprint
from rtp.srtp import SrtpKeys, SrtpProfile
from tests.transport.support import DEADLINE_S
from transport.aiortc_private import cut_records
from transport.api import DtlsRole
from transport.dtls import ALL_PROFILES, DtlsSession, fingerprint_of, new_certificate


@dataclass
class Side:
    """One end of a handshake over memory; `lose(number)` says which of its datagrams vanish."""

    role: DtlsRole
    profiles: tuple[SrtpProfile, ...] = ALL_PROFILES
    lose: Callable[[int], bool] = lambda number: False
    keys: tuple[SrtpKeys, SrtpKeys] | None = None
    closed: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    certificate: object = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    def on_keys(self, send: SrtpKeys, receive: SrtpKeys) -> None:
        self.keys = (send, receive)
        self.settled.set()

    def on_closed(self, reason: str) -> None:
        self.closed.append(reason)
        self.settled.set()


async def handshake(
    client: Side, server: Side, *, wrong: Side | None = None
) -> tuple[DtlsSession, DtlsSession]:
    """Run one handshake; `wrong`: the side that expects another certificate than it gets."""
    certificates = {id(side): new_certificate() for side in (client, server)}
    sessions: dict[int, DtlsSession] = {}

    def session(side: Side, peer: Side) -> DtlsSession:
        def send(datagram: bytes) -> None:
            side.sent.append(datagram)
            if not side.lose(len(side.sent) - 1):
                asyncio.get_running_loop().call_soon(sessions[id(peer)].feed, datagram)

        expected = fingerprint_of(new_certificate() if side is wrong else certificates[id(peer)])
        return DtlsSession(
            certificates[id(side)],
            side.role,
            [expected],
            send=send,
            on_keys=side.on_keys,
            on_closed=side.on_closed,
            profiles=side.profiles,
        )

    sessions[id(client)], sessions[id(server)] = session(client, server), session(server, client)
    sessions[id(server)].start()
    sessions[id(client)].start()
    return sessions[id(client)], sessions[id(server)]


async def settled(*sides: Side) -> None:
    async with asyncio.timeout(DEADLINE_S):
        for side in sides:
            await side.settled.wait()


async def test_both_sides_end_with_each_others_keys() -> None:
    client, server = Side("client"), Side("server")
    sessions = await handshake(client, server)
    await settled(client, server)
    assert client.keys is not None
    assert server.keys is not None
    assert client.keys == server.keys[::-1]
    assert client.keys[0] != client.keys[1]
    for session in sessions:
        await session.close()


@pytest.mark.parametrize("who", ["client", "server"])
async def test_a_peer_with_another_certificate_gets_no_keys(who: str) -> None:
    client, server = Side("client"), Side("server")
    careful = client if who == "client" else server
    sessions = await handshake(client, server, wrong=careful)
    await settled(careful)
    assert careful.keys is None
    assert careful.closed == ["dtls_failed"]
    for session in sessions:
        await session.close()


async def test_policy_refuses_a_peer_that_only_has_weaker_ciphers() -> None:
    client = Side("client", profiles=(SrtpProfile.AES_CM_128_HMAC_SHA1_80,))
    server = Side("server", profiles=(SrtpProfile.AEAD_AES_256_GCM,))
    sessions = await handshake(client, server)
    await settled(client, server)
    assert client.keys is None
    assert server.keys is None
    for session in sessions:
        await session.close()


@pytest.mark.parametrize("lost", range(2))
@pytest.mark.parametrize("who", ["client", "server"])
async def test_a_lost_flight_is_repeated_before_openssls_first_timer(who: str, lost: int) -> None:
    client, server = Side("client"), Side("server")
    lossy = client if who == "client" else server
    lossy.lose = lambda number: number == lost
    started = asyncio.get_running_loop().time()
    sessions = await handshake(client, server)
    await settled(client, server)
    assert client.keys is not None
    assert server.keys is not None
    assert asyncio.get_running_loop().time() - started < 0.9
    for session in sessions:
        await session.close()


async def test_garbage_in_a_handshake_and_after_it_is_survived() -> None:
    client, server = Side("client"), Side("server")
    sessions = await handshake(client, server)
    noise = [b"\x16\xfe\xfd" + bytes(size) for size in (0, 9, 10, 40, 1400)] + [b"\x17" * 100, b"\x3f"]
    for datagram in noise:
        sessions[1].feed(datagram)
    await settled(client, server)
    for datagram in noise * 5:
        sessions[0].feed(datagram)
    await sessions[1].close()  # its goodbye is still understood
    async with asyncio.timeout(DEADLINE_S):
        while client.closed != ["peer_closed"]:
            await asyncio.sleep(0.005)
    assert server.closed == []
    await sessions[0].close()


async def test_a_flood_of_records_after_the_handshake_costs_little() -> None:
    client, server = Side("client"), Side("server")
    sessions = await handshake(client, server)
    await settled(client, server)
    for _ in range(100):
        for _ in range(100):
            sessions[0].feed(b"\x17\xfe\xfd" + bytes(100))
        await asyncio.sleep(0)
    assert sessions[0].dropped > 9_000
    for session in sessions:
        await session.close()


async def test_a_session_that_is_closed_in_mid_handshake_reports_nothing() -> None:
    client, server = Side("client", lose=lambda number: True), Side("server")
    sessions = await handshake(client, server)
    async with asyncio.timeout(DEADLINE_S):
        while not client.sent:
            await asyncio.sleep(0.005)
    for session in sessions:
        await session.close()
    assert client.closed == server.closed == []


def test_a_fingerprint_is_written_as_sdp_has_it() -> None:
    fingerprint = fingerprint_of(new_certificate())
    assert Fingerprint.parse(fingerprint.text()) == fingerprint
    assert fingerprint.algorithm == "sha-256"


def record(size: int) -> bytes:
    return b"\x16\xfe\xfd" + bytes(8) + size.to_bytes(2, "big") + bytes(size)


@given(st.lists(st.integers(0, 1500), max_size=20))
def test_a_flight_is_cut_between_records_and_nothing_is_lost(sizes: list[int]) -> None:
    flight = b"".join(record(size) for size in sizes)
    datagrams = cut_records(flight, 1200)
    assert b"".join(datagrams) == flight
    for datagram in datagrams:
        assert len(datagram) <= 1200 or len(cut_records(datagram, 1)) == 1


@given(st.binary(max_size=3000))
def test_anything_can_be_cut(stream: bytes) -> None:
    assert b"".join(cut_records(stream, 1200)) == stream
