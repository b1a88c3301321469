"""Sinks that remember, and two ends connected over real loopback UDP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from core.clock import Clock, SystemClock
from rtp.packet import RtpPacket
from rtp.srtp import SrtpProfile
from transport.api import Candidate, DtlsRole, MediaTransport, TransportState
from transport.client import ClientTransport
from transport.dtls import ALL_PROFILES
from transport.endpoint import MediaEndpoint
from transport.liveness import LivenessLimits
from transport.server import ServerTransport

DEADLINE_S = 20.0


@dataclass
class RecordingSink:
    """Keeps everything and wakes `until`."""

    packets: list[RtpPacket] = field(default_factory=list)
    rtcp: list[bytes] = field(default_factory=list)
    states: list[TransportState] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def rtp_received(self, packet: RtpPacket) -> None:
        self.packets.append(packet)
        self._changed.set()

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        self.rtcp.append(compound)
        self._changed.set()

    def state_changed(self, state: TransportState) -> None:
        self.states.append(state)
        self._changed.set()

    async def has_packets(self, count: int) -> None:
        """Wait until so many RTP packets have come in all."""
        await self.until(lambda: len(self.packets) >= count)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for `condition`, looked at after every event. Raises `TimeoutError`."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@dataclass
class Call:
    """A connected pair."""

    endpoint: MediaEndpoint
    server: ServerTransport
    client: ClientTransport
    server_sink: RecordingSink
    client_sink: RecordingSink


async def connect(
    endpoint: MediaEndpoint,
    name: str,
    *,
    server_role: DtlsRole = "server",
    client_profiles: Sequence[SrtpProfile] = ALL_PROFILES,
    clock: Clock | None = None,
    through: Sequence[Candidate] = (),
) -> Call:
    """Connect one client transport to `endpoint`, both ends up; `through`: candidates instead of its own."""
    server_sink, client_sink = RecordingSink(), RecordingSink()
    server = endpoint.create_transport(name, server_sink)
    client = ClientTransport(
        client_sink, controlling=True, clock=clock or SystemClock(), profiles=client_profiles
    )
    await client.gather()
    server.start(client.local, [client.fingerprint], server_role)
    client_role: DtlsRole = "client" if server_role == "server" else "server"
    candidates = list(through) or endpoint.candidates
    await client.connect(server.local, [server.fingerprint], candidates, client_role)
    await server_sink.until(lambda: server.state == "connected")
    return Call(endpoint, server, client, server_sink, client_sink)


@asynccontextmanager
async def opened(
    host: str = "127.0.0.1",
    *,
    profiles: Sequence[SrtpProfile] = ALL_PROFILES,
    limits: LivenessLimits | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[MediaEndpoint]:
    """An endpoint on an ephemeral port."""
    endpoint = await MediaEndpoint.open(
        host, 0, clock=clock or SystemClock(), profiles=profiles, limits=limits
    )
    try:
        yield endpoint
    finally:
        await endpoint.close()


@asynccontextmanager
async def call(
    *,
    server_role: DtlsRole = "server",
    server_profiles: Sequence[SrtpProfile] = ALL_PROFILES,
    client_profiles: Sequence[SrtpProfile] = ALL_PROFILES,
) -> AsyncIterator[Call]:
    """One connected call on its own endpoint."""
    async with opened(profiles=server_profiles) as endpoint:
        made = await connect(endpoint, "t1", server_role=server_role, client_profiles=client_profiles)
        try:
            yield made
        finally:
            await made.client.close()


def rtp_header(sequence_number: int, ssrc: int = 0x1234, timestamp: int = 0, marker: bool = False) -> bytes:
    """A plain RTP header of payload type 96."""
    return RtpPacket(
        ssrc=ssrc,
        payload_type=96,
        sequence_number=sequence_number & 0xFFFF,
        timestamp=timestamp,
        marker=marker,
    ).header()


def seal_batch(
    transport: MediaTransport, first: int, count: int, payload: bytes, ssrc: int = 0x1234
) -> list[bytes]:
    """`count` sealed packets with consecutive numbers from `first`."""
    assert transport.sealer is not None
    return [transport.sealer.seal(rtp_header(first + offset, ssrc), payload) for offset in range(count)]


class FakeClock:
    """Monotonic time that only the test moves."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns

    def unix_ns(self) -> int:
        return 1_700_000_000_000_000_000 + self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)


class Stranger:
    """A plain UDP socket that is nobody's peer; everything it hears is kept."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self.heard: list[bytes] = []
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()
        return host, port

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self._socket.sendto(datagram, self._target)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def hears(self, datagrams: int) -> None:
        """Wait until so many have come in all."""
        await self.until(lambda: len(self.heard) >= datagrams)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _read(self) -> None:
        self.heard.append(self._socket.recv(65_536))
        self._changed.set()
