"""The one module that touches private names of aiortc and aioice.

`PRIVATE_NAMES` lists them; tests/transport/test_private_names.py has one contract test per name, so that an
upgrade which changes one fails there and not in a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from aioice import Candidate as AioiceCandidate
from aioice import Connection
from aioice.ice import StunProtocol
from aiortc import RTCCertificate, RTCDtlsTransport
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    SRTPProtectionProfile,
    State,
)
from OpenSSL import SSL

from rtp.sdp import Candidate, IceParameters
from rtp.srtp import SrtpKeys, SrtpProfile, dtls_exporter_bytes, keys_from_dtls
from transport.api import host_candidate
from transport.udp import UdpPort

DTLS_DATAGRAM_BYTES: Final = 1_200
"""Handshake flights are cut so that they pass every path."""
MAX_QUEUED_DATAGRAMS: Final = 64
"""DTLS datagrams waiting for aiortc; the newest is dropped, as DTLS retransmits."""

_PROFILES: Final[dict[SrtpProfile, SRTPProtectionProfile]] = {
    SrtpProfile.AEAD_AES_256_GCM: SRTP_AEAD_AES_256_GCM,
    SrtpProfile.AEAD_AES_128_GCM: SRTP_AEAD_AES_128_GCM,
    SrtpProfile.AES_CM_128_HMAC_SHA1_80: SRTP_AES128_CM_SHA1_80,
}


class DatagramPipe:
    """Plays aiortc's ICE transport for DTLS: datagrams in by `feed`, out by `send`."""

    state = "completed"

    def __init__(self, role: str, send: Callable[[bytes], None]) -> None:
        self.role = role
        self.dropped = 0
        self._out = send
        self._in: asyncio.Queue[bytes] = asyncio.Queue(MAX_QUEUED_DATAGRAMS)

    def feed(self, datagram: bytes) -> None:
        try:
            self._in.put_nowait(datagram)
        except asyncio.QueueFull:
            self.dropped += 1

    async def _recv(self) -> bytes:
        return await self._in.get()

    async def _send(self, datagram: bytes) -> None:
        self._out(datagram)


class KeyExporter(RTCDtlsTransport):
    """aiortc's DTLS transport that hands out the SRTP keys instead of using them."""

    def __init__(
        self, pipe: DatagramPipe, certificate: RTCCertificate, role: str, profiles: Sequence[SrtpProfile]
    ) -> None:
        super().__init__(pipe, [certificate])  # type: ignore[arg-type]  # the pipe plays the ICE transport
        self._set_role(role)
        self._srtp_profiles = [_PROFILES[profile] for profile in profiles]
        self.keys: tuple[SrtpKeys, SrtpKeys] | None = None
        """(what we send with, what we receive with), once the handshake is done."""

    async def _do_handshake(self) -> None:
        connection: Any = self._ssl
        connection.set_ciphertext_mtu(DTLS_DATAGRAM_BYTES)
        await super()._do_handshake()

    async def _write_ssl(self) -> None:
        """Send all of OpenSSL's output, cut at records: a flight may be longer than one datagram."""
        for datagram in cut_records(self._read_bio(), DTLS_DATAGRAM_BYTES):
            await self.transport._send(datagram)

    def _read_bio(self) -> bytes:
        connection: Any = self._ssl
        output = bytearray()
        while True:
            try:
                output += connection.bio_read(65_536)
            except SSL.Error:
                return bytes(output)

    def _setup_srtp(self) -> None:
        connection: Any = self._ssl
        try:
            profile = SrtpProfile(connection.get_selected_srtp_profile().decode())
        except ValueError:
            self._set_state(State.FAILED)
            return
        material = connection.export_keying_material(b"EXTRACTOR-dtls_srtp", dtls_exporter_bytes(profile))
        self.keys = keys_from_dtls(profile, material, is_client=self._role == "client")


def cut_records(stream: bytes, limit_bytes: int) -> list[bytes]:
    """Cut concatenated DTLS records (RFC 6347 §4.1) into datagrams of whole records, ≤ `limit_bytes` where
    possible.
    """
    datagrams: list[bytes] = []
    start = position = 0
    while position < len(stream):
        end = _record_end(stream, position)
        if end - start > limit_bytes and position > start:
            datagrams.append(stream[start:position])
            start = position
        position = end
    if start < len(stream):
        datagrams.append(stream[start:])
    return datagrams


def _record_end(stream: bytes, position: int) -> int:
    """DTLS 1.3's short headers (RFC 9147 §4) may omit the length: then the record reaches to the end."""
    if stream[position] >= 32 or len(stream) < position + 13:
        return len(stream)
    return min(len(stream), position + 13 + int.from_bytes(stream[position + 11 : position + 13], "big"))


class PortTransport(asyncio.DatagramTransport):
    """Shows one `UdpPort` to aioice as the asyncio transport it expects."""

    def __init__(self, port: UdpPort) -> None:
        super().__init__()
        self.port = port
        self._protocol: StunProtocol | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.port.address if name == "sockname" else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, StunProtocol)
        self._protocol = protocol

    def sendto(self, data: Any, addr: Any = None) -> None:
        self.port.send((bytes(data),), addr)

    def is_closing(self) -> bool:
        return self._protocol is None

    def close(self) -> None:
        self.port.close()
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            asyncio.get_running_loop().call_soon(protocol.connection_lost, None)


class PortConnection(Connection):
    """aioice's full ICE agent over `UdpPort`s, so that nothing reaches it unchecked.

    `open_port(address, deliver)` binds a port on a local address; `deliver(datagram, source)` hands aioice a
    STUN datagram that came to it. Only host candidates are gathered. The keeping alive of a nominated pair
    is left to `transport.path_check`, which is quicker and does not give up.
    """

    def __init__(self, *, controlling: bool, open_port: OpenPort) -> None:
        super().__init__(ice_controlling=controlling)
        self._open_port = open_port

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[AioiceCandidate]:
        """Called by aioice's `gather_candidates` with the interfaces' addresses."""
        return [candidate for address in addresses if (candidate := self._add_port(address)) is not None]

    async def gather_also(self, addresses: Sequence[str]) -> None:
        """Add local addresses that aioice does not look for, as loopback."""
        self._local_candidates += await self.get_component_candidates(1, list(addresses))

    async def query_consent(self) -> None:
        """Not aioice's way: it closes the sockets after half a minute without answers."""

    async def connect_to(
        self, remote: IceParameters, candidates: Sequence[Candidate]
    ) -> tuple[UdpPort, tuple[str, int]]:
        """Check all pairs and return the nominated one. Raises `ConnectionError`.

        A lite peer is not treated as such: nominating with the first check saves a round trip, and ours
        follows
        the best of several nominations.
        """
        self.remote_username, self.remote_password = remote.ufrag, remote.pwd
        for found in candidates:
            await self.add_remote_candidate(
                AioiceCandidate(
                    found.foundation, 1, "udp", found.priority, found.address, found.port, found.type
                )
            )
        await self.add_remote_candidate(None)
        await self.connect()
        return self._nominated_pair()

    def _nominated_pair(self) -> tuple[UdpPort, tuple[str, int]]:
        pair = self._nominated.get(1)
        if pair is None or not isinstance(pair.protocol.transport, PortTransport):
            raise ConnectionError("no pair is nominated")
        return pair.protocol.transport.port, pair.remote_addr

    def _add_port(self, address: str) -> AioiceCandidate | None:
        protocol = StunProtocol(self)
        try:
            port = self._open_port(address, protocol.datagram_received)
        except OSError:
            return None
        transport = PortTransport(port)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        found = host_candidate(address, port.address[1], preference=65535 - len(self._protocols))
        protocol.local_candidate = AioiceCandidate(
            found.foundation, 1, "udp", found.priority, found.address, found.port, found.type
        )
        self._protocols.append(protocol)
        return protocol.local_candidate


OpenPort = Callable[[str, Callable[[bytes, tuple[Any, ...]], None]], UdpPort]
