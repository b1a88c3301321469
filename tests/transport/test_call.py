"""Server and client transport over real loopback UDP."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
import uvloop

from rtp.packet import RtpPacket
from rtp.rtcp import ReceiverReport, build_compound
from rtp.srtp import SrtpProfile
from tests.transport.support import DEADLINE_S, RecordingSink, call, connect, opened, seal_batch
from transport.api import DtlsRole
from transport.client import ClientTransport

PROFILES = list(SrtpProfile)
REPORT = build_compound([ReceiverReport(ssrc=0x1234)])
PACKETS = 10_000
BATCH = 15


async def exchange() -> None:
    async with call() as made:
        made.client.send(seal_batch(made.client, 1, 5, b"up"))
        made.server.send(seal_batch(made.server, 1, 5, b"down"))
        await made.server_sink.until(lambda: len(made.server_sink.packets) == 5)
        await made.client_sink.until(lambda: len(made.client_sink.packets) == 5)


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("profile", PROFILES)
async def test_media_flows_both_ways_with_every_profile_and_role(
    profile: SrtpProfile, role: DtlsRole
) -> None:
    async with call(server_role=role, server_profiles=[profile]) as made:
        assert made.server.srtp_profile == made.client.srtp_profile == profile.value
        made.client.send(seal_batch(made.client, 1, 5, b"up"))
        made.server.send(seal_batch(made.server, 1, 5, b"down"))
        await made.server_sink.until(lambda: len(made.server_sink.packets) == 5)
        await made.client_sink.until(lambda: len(made.client_sink.packets) == 5)
        assert [packet.sequence_number for packet in made.server_sink.packets] == [1, 2, 3, 4, 5]
        assert {packet.payload for packet in made.client_sink.packets} == {b"down"}
        assert all(packet.arrival_ns > 1_600_000_000_000_000_000 for packet in made.server_sink.packets)


async def test_reports_pass_encrypted_and_authenticated() -> None:
    async with call() as made:
        made.client.send_rtcp(REPORT)
        made.server.send_rtcp(REPORT)
        await made.server_sink.until(lambda: made.server_sink.rtcp == [REPORT])
        await made.client_sink.until(lambda: made.client_sink.rtcp == [REPORT])


@pytest.mark.parametrize("role", ["server", "client"])
async def test_the_strongest_common_cipher_is_chosen(role: DtlsRole) -> None:
    async with call(server_role=role) as made:
        assert made.client.srtp_profile == "SRTP_AEAD_AES_256_GCM"
    weak = [SrtpProfile.AES_CM_128_HMAC_SHA1_80]
    async with call(server_role=role, client_profiles=weak) as made:
        assert made.server.srtp_profile == "SRTP_AES128_CM_SHA1_80"


async def test_ten_thousand_packets_each_way_arrive_in_order_or_are_counted() -> None:
    async with call() as made:
        for first in range(0, PACKETS, BATCH):
            count = min(BATCH, PACKETS - first)
            made.client.send(seal_batch(made.client, first, count, bytes(1000)))
            made.server.send(seal_batch(made.server, first, count, bytes(1000)))
            if first % (20 * BATCH) == 0:
                await asyncio.sleep(0)  # both ends share one loop: let it read
        for sink, sender in (
            (made.server_sink, made.client),
            (made.client_sink, made.server),
        ):
            await sink.has_packets(PACKETS)
            numbers = [packet.sequence_number for packet in sink.packets]
            assert sorted(numbers) == list(range(PACKETS)), sender
            overtaken = sum(after < before for before, after in pairwise(numbers))
            assert overtaken <= 1, "a path may change once, on a machine that is late with its checks"
        assert made.endpoint.port.counters.dropped_full == 0


def test_it_runs_on_uvloop_as_the_worker_does() -> None:
    uvloop.run(exchange())


async def test_two_clients_share_one_port_and_hear_only_their_own() -> None:
    async with opened() as endpoint:
        first, second = await connect(endpoint, "a"), await connect(endpoint, "b")
        first.server.send(seal_batch(first.server, 1, 1, b"first"))
        second.server.send(seal_batch(second.server, 1, 1, b"second"))
        await first.client_sink.until(lambda: bool(first.client_sink.packets))
        await second.client_sink.until(lambda: bool(second.client_sink.packets))
        assert [packet.payload for packet in first.client_sink.packets] == [b"first"]
        assert [packet.payload for packet in second.client_sink.packets] == [b"second"]
        await first.client.close()
        await second.client.close()


async def test_a_server_on_all_addresses_is_reached() -> None:
    async with opened("0.0.0.0") as endpoint:
        assert all(found.address != "0.0.0.0" for found in endpoint.candidates)
        made = await connect(endpoint, "a")
        await made.client.close()


async def test_checks_measure_the_round_trip() -> None:
    async with call() as made:
        async with asyncio.timeout(DEADLINE_S):
            while made.client.rtt_ns is None:
                await asyncio.sleep(0.01)
        assert 0 < made.client.rtt_ns < 1_000_000_000


async def test_a_goodbye_of_either_side_reaches_the_other() -> None:
    async with call() as made:
        await made.client.close()
        await made.server_sink.until(lambda: made.server.state == "closed")
        assert made.server.close_reason == "peer_closed"
        assert made.client_sink.states[-1] == "closed"
    async with call() as made:
        made.server.close("room_ended")
        await made.client_sink.until(lambda: made.client.state == "closed")
        assert made.client.close_reason == "peer_closed"
        assert made.server_sink.states == ["connected", "closed"]


async def test_nothing_reaches_the_sink_or_the_wire_after_close() -> None:
    async with call() as made:
        late = seal_batch(made.client, 1, 1, b"late")
        made.server.close("room_ended")
        made.client.send(late)
        made.server.send_rtcp(REPORT)
        assert made.server.sealer is None
        await made.client_sink.until(lambda: made.client.state == "closed")
        assert made.server_sink.packets == []


async def test_an_owner_that_raises_disturbs_neither_its_transport_nor_others() -> None:
    class Raising(RecordingSink):
        def rtp_received(self, packet: RtpPacket) -> None:
            super().rtp_received(packet)
            raise RuntimeError("a bug in the router")

        def state_changed(self, state: object) -> None:
            raise RuntimeError("another")

    async with opened() as endpoint:
        sink = Raising()
        server = endpoint.create_transport("t", sink)
        client_sink = RecordingSink()
        client = ClientTransport(client_sink, clock=endpoint.clock)
        await client.gather()
        server.start(client.local, [client.fingerprint], "server")
        await client.connect(server.local, [server.fingerprint], endpoint.candidates, "client")
        for number in range(3):
            client.send(seal_batch(client, number, 1, b"x"))
        await sink.until(lambda: len(sink.packets) == 3)
        assert server.media.counters.sink_errors == 3
        server.send(seal_batch(server, 1, 1, b"y"))
        await client_sink.until(lambda: len(client_sink.packets) == 1)
        await client.close()
