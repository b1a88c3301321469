"""The short way out: runs of packets for many subscribers, sealed and sent by the engine in one call.

A `Lane` is one transport's share of it, open while the engine has the cipher and the peer is where UDP leads.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
from typing import Final

import structlog

from transport.native.batch import NativeBatch
from transport.native.engine import CONTROL_BYTES, Engine, NativeCipher, PathHead, Totals
from transport.segmentation import MAX_RUN_BYTES
from transport.udp import Address, Local, UdpPort

MAX_JOBS: Final = 512
"""Then the engine is called in between."""
_JOB: Final = struct.Struct("@QQQQIIHHHBx")
_IPV4: Final = struct.Struct("!H4s8x")
_IPV6: Final = struct.Struct("!HI16s")
_FAMILY: Final = struct.Struct("@H")
_SCOPE: Final = struct.Struct("@I")
_CONTROL: Final = struct.Struct("@Nii")
_log = structlog.get_logger()


class Lane:
    """One transport's way through the engine. `is_open`: there is a cipher, and a proven UDP path."""

    __slots__ = ("_cipher", "_path", "_place", "cipher_handle", "fan_out", "is_open", "path_address", "spoke")

    def __init__(self, fan_out: FanOut) -> None:
        self.fan_out = fan_out
        self.is_open = False
        self.spoke = False
        """Whether anything was sent since the owner last looked."""
        self.cipher_handle = 0
        self.path_address = 0
        self._cipher: NativeCipher | None = None
        self._path: PathHead | None = None
        self._place: tuple[Address, Local] | None = None

    def set_key(self, key: bytes, salt: bytes) -> None:
        """AES-GCM with this session key and salt (RFC 3711 §4.3)."""
        self._cipher = NativeCipher(self.fan_out.engine, key, salt, encrypts=True)
        self.cipher_handle = self._cipher.handle
        self._settle()

    def drop_key(self) -> None:
        """Nothing may leave here any more; what is waiting leaves first."""
        self.fan_out.run()
        self._cipher, self.cipher_handle = None, 0
        self._settle()

    def lead_to(self, place: tuple[Address, Local] | None) -> None:
        """Where the peer is: (address, where it reached us); None: nowhere the engine can send to."""
        if place == self._place:
            return
        self.fan_out.run()
        self._place = place
        self._path = None if place is None else path_head(*place)
        self.path_address = 0 if self._path is None else ctypes.addressof(self._path)
        self._settle()

    def _settle(self) -> None:
        self.is_open = bool(self.cipher_handle and self.path_address)


class FanOut:
    """Collects jobs while `collecting`, in order; `run` does them."""

    def __init__(self, engine: Engine, port: UdpPort) -> None:
        self.engine = engine
        self.collecting = False
        self.failed = 0
        """Packets that could not be sealed, which should not happen."""
        self._port = port
        self._jobs = bytearray(_JOB.size * MAX_JOBS)
        self._address = ctypes.addressof((ctypes.c_char * len(self._jobs)).from_buffer(self._jobs))
        self._count = 0
        self._batches: list[NativeBatch] = []
        """What the jobs point to."""
        self._totals = Totals()

    def lane(self) -> Lane:
        """For one transport."""
        return Lane(self)

    def add(
        self,
        batch: NativeBatch,
        lane: Lane,
        index: int,
        ssrc: int,
        timestamp_move: int,
        first: int,
        count: int,
        number: int,
        payload_type: int,
    ) -> None:
        """Seal `count` packets of the batch from `first` on, with the indices from `index` on, and send them.
        `number`: the first one's transport-wide number. The lane must be open; the indices must be the
        caller's to use.
        """
        if self._count == MAX_JOBS:
            self.run()
        _JOB.pack_into(
            self._jobs,
            self._count * _JOB.size,
            batch.address,
            lane.cipher_handle,
            lane.path_address,
            index,
            ssrc,
            timestamp_move,
            first,
            count,
            number,
            payload_type,
        )
        self._batches.append(batch)
        self._count += 1
        lane.spoke = True

    def run(self) -> None:
        """Do what was collected."""
        count, self._count = self._count, 0
        if not count:
            return
        failed = self._port.run(self.engine, self._address, count, self._totals)
        if failed:
            self.failed += failed
            _log.error("engine.not_sealed", packets=failed, since_start=self.failed)
        self._batches.clear()


def path_head(address: Address, local: Local) -> PathHead:
    """`tc_path` to a socket address as the kernel gave it, from where it reached us (`Local`)."""
    head = PathHead(max_segment=MAX_RUN_BYTES)
    host = ipaddress.ip_address(str(address[0]).partition("%")[0])
    if host.version == 4:
        raw = _FAMILY.pack(socket.AF_INET) + _IPV4.pack(address[1], host.packed)
    else:
        flow, scope = address[2:4] if len(address) > 3 else (0, 0)
        raw = _FAMILY.pack(socket.AF_INET6) + _IPV6.pack(address[1], flow, host.packed) + _SCOPE.pack(scope)
    ctypes.memmove(head.address, raw, len(raw))
    head.address_bytes = len(raw)
    if local is not None:
        level, kind, data = local
        space = socket.CMSG_SPACE(len(data))
        control = (_CONTROL.pack(socket.CMSG_LEN(len(data)), level, kind) + data).ljust(space, b"\0")
        assert len(control) <= CONTROL_BYTES
        ctypes.memmove(head.control, control, len(control))
        head.control_bytes = len(control)
    return head
