"""Server and client transport over real loopback UDP."""

from __future__ import annotations

import pytest

from rtp.srtp import SrtpProfile
from tests.transport.support import call, seal_batch
from transport.api import DtlsRole

PROFILES = list(SrtpProfile)


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
