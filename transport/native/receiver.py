"""Reads what waits at a socket, with the engine: datagrams and what the kernel says of them, in one call."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from typing import Any, Final, TypeAlias

from transport.native.engine import Engine

SLOTS: Final = 8
"""`MAX_RECEIVED`: what one call reads at most."""
SLOT_BYTES: Final = 1 << 16
"""One datagram, or several that the kernel has put together (UDP_GRO), never measure more."""
MAX_ADDRESSES_REMEMBERED: Final = 4096
Address: TypeAlias = tuple[Any, ...]
"""A socket address as Python's `socket` gives it."""
_RECEIVED: Final = struct.Struct("@IIqqHHii28s20s4x")
_IPV4: Final = struct.Struct("!2xH4s")
_IPV6: Final = struct.Struct("!2xHI16s")
_SCOPE: Final = struct.Struct("@I")
_FAMILY: Final = struct.Struct("@H")
_NOTHING: Final = frozenset({-errno.EAGAIN, -errno.EWOULDBLOCK, -errno.EINTR})


class Received:
    """What one receive call brought: what `view` shows, at the address `view_at`; the next reading writes to
    it again.

    `segment`: the size of each datagram but the last, 0 where there is one; `local`: the packet information,
    empty without, of `local_level` and `local_type`; `overflowed`: what the kernel has dropped so far, -1 if
    it does not say.
    """

    __slots__ = (
        "address",
        "arrival_ns",
        "local",
        "local_level",
        "local_type",
        "overflowed",
        "segment",
        "view",
        "view_at",
    )

    def __init__(
        self,
        view: memoryview,
        view_at: int,
        segment: int,
        address: Address,
        arrival_ns: int,
        overflowed: int,
        local_level: int,
        local_type: int,
        local: bytes,
    ) -> None:
        self.view = view
        self.view_at = view_at
        self.segment = segment
        self.address = address
        self.arrival_ns = arrival_ns
        self.overflowed = overflowed
        self.local_level = local_level
        self.local_type = local_type
        self.local = local


class NativeReceiver:
    """One socket's. `more` after a reading: it was full, so something may still wait."""

    __slots__ = ("_addresses", "_at", "_engine", "_fd", "_memory", "_records", "_records_at", "_view", "more")

    def __init__(self, engine: Engine, sock: socket.socket) -> None:
        self._engine = engine
        self._fd = sock.fileno()
        self._memory = bytearray(SLOTS * SLOT_BYTES)
        self._view = memoryview(self._memory)
        self._at = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._records = bytearray(SLOTS * _RECEIVED.size)
        self._records_at = ctypes.addressof(ctypes.c_char.from_buffer(self._records))
        self._addresses: dict[bytes, Address] = {}
        self.more = False

    def read(self) -> list[Received]:
        """What waits. Raises `OSError` for an error of an earlier send that is reported here."""
        count = self._engine.receive(self._fd, self._at, SLOT_BYTES, self._records_at, SLOTS)
        self.more = count == SLOTS
        if count < 0:
            if count in _NOTHING:
                return []
            raise OSError(-count, "receiving failed")
        return [self._received(slot) for slot in range(count)]

    def _received(self, slot: int) -> Received:
        size, segment, arrival_ns, overflowed, address_bytes, local_bytes, level, kind, address, local = (
            _RECEIVED.unpack_from(self._records, slot * _RECEIVED.size)
        )
        start = slot * SLOT_BYTES
        return Received(
            self._view[start : start + size],
            self._at + start,
            segment,
            self._addresses.get(address) or self._remember(address, address_bytes),
            arrival_ns,
            overflowed,
            level,
            kind,
            local[:local_bytes],
        )

    def _remember(self, raw: bytes, size: int) -> Address:
        if len(self._addresses) >= MAX_ADDRESSES_REMEMBERED:
            self._addresses.clear()
        address = self._addresses[raw] = socket_address(raw[:size])
        return address


def socket_address(raw: bytes) -> Address:
    """`sockaddr_in` or `sockaddr_in6` → (host, port) or (host, port, flow, scope). Raises `ValueError` for
    another family.
    """
    (family,) = _FAMILY.unpack_from(raw)
    if family == socket.AF_INET and len(raw) >= _IPV4.size:
        port, host = _IPV4.unpack_from(raw)
        return socket.inet_ntop(socket.AF_INET, host), port
    if family == socket.AF_INET6 and len(raw) >= _IPV6.size + _SCOPE.size:
        port, flow, host = _IPV6.unpack_from(raw)
        (scope,) = _SCOPE.unpack_from(raw, _IPV6.size)
        return socket.inet_ntop(socket.AF_INET6, host), port, flow, scope
    raise ValueError(f"no address of the internet: family {family}")
