"""Pure: a TURN client (RFC 8656): one allocation and a channel to each peer. Bytes and time in, bytes out.

Channels alone are used, never Send indications: four bytes more per packet, and batches stay batches.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from core.clock import NS_PER_MS, NS_PER_S
from core.errors import ProtocolError
from transport.stun import IPV6, REQUESTED_ADDRESS_FAMILY, Class, Message, Method, parse_any

TurnState = Literal["allocating", "ready", "failed"]
Peer = tuple[str, int]

LIFETIME_S: Final = 600
REFRESH_NS: Final = 240 * NS_PER_S
"""Well within the life of an allocation (600 s), of a channel (600 s) and of a permission (300 s)."""
RETRANSMIT_NS: Final = (250 * NS_PER_MS, 500 * NS_PER_MS, 1_000 * NS_PER_MS, 2_000 * NS_PER_MS)
"""Until a request is repeated; after the last of them it has failed."""
FIRST_CHANNEL: Final = 0x4000
MAX_PEERS: Final = 16
MAX_RETRIES: Final = 3
"""Of one request with other credentials, when the server says that the nonce is stale."""
UDP: Final = 17 << 24
CHANNEL_HEADER_BYTES: Final = 4

_CHANNEL: Final = struct.Struct("!HH")


@dataclass(slots=True)
class _Request:
    """Something to ask for, now and again. `wire`: the bytes under way."""

    method: Method
    attributes: dict[str, object]
    due_ns: int
    peer: Peer | None = None
    wire: bytes = b""
    transaction_id: bytes = b""
    sent: int = 0
    retries: int = 0


class TurnClient:
    """`peers`: those that shall be reached, of one address family (the first one's). Times: monotonic ns.

    `reliable`: over TCP or TLS, where nothing needs to be repeated. `new_id`: twelve random bytes.
    """

    def __init__(
        self,
        username: str,
        password: str,
        peers: Sequence[Peer],
        *,
        reliable: bool,
        new_id: Callable[[], bytes],
        now_ns: int,
    ) -> None:
        self.state: TurnState = "allocating"
        self.failure = ""
        self.relayed: Peer | None = None
        self._username, self._password = username, password
        self._reliable, self._new_id = reliable, new_id
        self._realm, self._nonce, self._key = "", b"", b""
        ipv6 = bool(peers) and ":" in peers[0][0]
        self._peers = [peer for peer in peers if (":" in peer[0]) == ipv6][:MAX_PEERS]
        self._channels: dict[Peer, int] = {}
        self._by_channel: dict[int, Peer] = {}
        wanted: dict[str, object] = {"LIFETIME": LIFETIME_S, "REQUESTED-TRANSPORT": UDP}
        if ipv6:
            wanted[REQUESTED_ADDRESS_FAMILY] = IPV6
        self._requests = [_Request(Method.ALLOCATE, wanted, now_ns)]

    @property
    def bound(self) -> list[Peer]:
        """Peers that packets reach already."""
        return list(self._channels)

    def poll(self, now_ns: int) -> list[bytes]:
        """What has to be sent to the server now; call it a few times per second."""
        if self.state == "failed":
            return []
        wires = [self._send(request, now_ns) for request in self._requests if request.due_ns <= now_ns]
        return [wire for wire in wires if wire]

    def receive(self, data: bytes, now_ns: int) -> tuple[Peer, bytes] | None:
        """A message from the server: a packet of a peer's, or an answer (None). Nothing malformed raises."""
        if len(data) >= CHANNEL_HEADER_BYTES and data[0] >> 6 == 1:
            channel, length = _CHANNEL.unpack_from(data)
            peer = self._by_channel.get(channel)
            end = CHANNEL_HEADER_BYTES + length
            return None if peer is None or end > len(data) else (peer, data[CHANNEL_HEADER_BYTES:end])
        with contextlib.suppress(ProtocolError):
            self._answered(parse_any(data), now_ns)
        return None

    def wrap(self, datagrams: Sequence[bytes], peer: Peer) -> list[bytes]:
        """Channel data that reaches `peer`; nothing while it has no channel."""
        channel = self._channels.get(peer)
        if channel is None:
            return []
        pack = _CHANNEL.pack
        return [pack(channel, len(datagram)) + datagram for datagram in datagrams]

    def goodbye(self) -> list[bytes]:
        """Ends the allocation (RFC 8656 §7); nobody waits for the answer."""
        if self.relayed is None:
            return []
        self.state = "failed"
        return [self._encode(Method.REFRESH, {"LIFETIME": 0}, self._new_id())]

    # inside

    def _send(self, request: _Request, now_ns: int) -> bytes:
        if request.sent == 0:
            request.transaction_id = self._new_id()
            request.wire = self._encode(request.method, request.attributes, request.transaction_id)
        elif request.sent > len(RETRANSMIT_NS) - 1:
            self._refused(request, "timeout")
            return b""
        request.due_ns = now_ns + RETRANSMIT_NS[request.sent]
        request.sent += 1
        return request.wire if request.sent == 1 or not self._reliable else b""

    def _encode(self, method: Method, attributes: dict[str, object], transaction_id: bytes) -> bytes:
        message = Message(method, Class.REQUEST, transaction_id)
        message.attributes |= attributes
        if self._key:
            message.attributes |= {"USERNAME": self._username, "REALM": self._realm, "NONCE": self._nonce}
            message.add_message_integrity(self._key)
        return bytes(message)

    def _answered(self, message: Message, now_ns: int) -> None:
        for request in self._requests:
            if request.sent and request.transaction_id == message.transaction_id:
                break
        else:
            return
        if message.message_class == Class.ERROR:
            self._error(request, message, now_ns)
        elif message.message_class == Class.RESPONSE and self._is_authentic(message):
            self._granted(request, message, now_ns)

    def _is_authentic(self, message: Message) -> bool:
        return bool(self._key) and message.check_message_integrity(self._key)

    def _error(self, request: _Request, message: Message, now_ns: int) -> None:
        """401 asks for credentials, 438 for the newer nonce (RFC 8489 §9.2.5); the rest is a refusal."""
        code, given = message.error_code or 0, message.attributes
        asks = (code == 401 and not self._key) or code == 438
        if asks and "NONCE" in given and request.retries < MAX_RETRIES:
            self._nonce = given["NONCE"]
            self._realm = given.get("REALM", self._realm)
            secret = f"{self._username}:{self._realm}:{self._password}"
            self._key = hashlib.md5(secret.encode(), usedforsecurity=False).digest()
            request.sent, request.due_ns = 0, now_ns
            request.retries += 1
        else:
            self._refused(request, str(code))

    def _granted(self, request: _Request, message: Message, now_ns: int) -> None:
        request.sent = request.retries = 0
        request.due_ns = now_ns + REFRESH_NS
        if request.method == Method.ALLOCATE:
            self._allocated(request, message, now_ns)
        elif request.peer is not None and request.peer not in self._channels:
            channel = int(str(request.attributes["CHANNEL-NUMBER"]))
            self._channels[request.peer], self._by_channel[channel] = channel, request.peer
            self.state = "ready"

    def _allocated(self, request: _Request, message: Message, now_ns: int) -> None:
        relayed = message.attributes.get("XOR-RELAYED-ADDRESS")
        if relayed is None:
            self._fail("no relayed address")
            return
        self.relayed = relayed
        request.method, request.attributes = Method.REFRESH, {"LIFETIME": LIFETIME_S}
        for number, peer in enumerate(self._peers):
            wanted: dict[str, object] = {"CHANNEL-NUMBER": FIRST_CHANNEL + number, "XOR-PEER-ADDRESS": peer}
            self._requests.append(_Request(Method.CHANNEL_BIND, wanted, now_ns, peer))

    def _refused(self, request: _Request, why: str) -> None:
        """Without an allocation, or with no peer that may be reached, there is nothing left to do."""
        self._requests = [other for other in self._requests if other is not request]
        if request.peer is None:
            self._fail(why)
            return
        channel = self._channels.pop(request.peer, None)
        if channel is not None:
            del self._by_channel[channel]
        if not any(other.peer is not None for other in self._requests):
            self._fail(why)

    def _fail(self, why: str) -> None:
        self.state, self.failure = "failed", why
