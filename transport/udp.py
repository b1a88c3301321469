"""One UDP socket with batched system calls: UDP_GRO in, UDP_SEGMENT out, kernel receive stamps, reply
addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import ipaddress
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import structlog

from core.clock import NS_PER_S, Clock
from transport.coalesced import Coalesced
from transport.feedback_socket import feedback_socket
from transport.native.engine import Engine, Totals
from transport.native.receiver import NativeReceiver
from transport.segmentation import MAX_RUN_BYTES, runs

SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104
IP_PKTINFO: Final = 8
IP_MTU_DISCOVER: Final = 10
IP_PMTUDISC_DONT: Final = 0
IPV6_RECVPKTINFO: Final = 49
IPV6_PKTINFO: Final = 50
SO_TIMESTAMPNS: Final = 35
SO_RXQ_OVFL: Final = 40

SOCKET_BUFFER_BYTES: Final = 4 << 20
RECEIVE_BYTES: Final = 1 << 16
ANCILLARY_BYTES: Final = 256
CALLS_PER_DRAIN: Final = 64
DATAGRAMS_PER_DRAIN: Final = 256
"""After so many receive calls or datagrams (about 1 ms of work) the batch is flushed and the loop goes on."""
ROOM_TO_REST_BYTES: Final = 1 << 20
"""As the kernel counts: about 400 datagrams."""
MAX_DESTINATIONS_REMEMBERED: Final = 4096
CALM_S: Final = 0.035
"""So long transport-wide feedback may wait for media to wake us (`UdpPort.calm`): a frame's time at 30/s."""

_SEGMENT_ERRORS: Final = frozenset({errno.EINVAL, errno.EMSGSIZE, errno.EIO, errno.EOPNOTSUPP})
_FULL_ERRORS: Final = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM})

Address: TypeAlias = tuple[Any, ...]
"""A socket address as the kernel gave it: (host, port) or (host, port, flow, scope)."""
Local: TypeAlias = tuple[int, int, bytes] | None
"""The control message that makes a reply leave from the address its request came to; None: the socket's own.
"""
Receiver: TypeAlias = Callable[[Sequence[bytes], Address, Local, int], None]
"""(datagrams, source, where they came to, Unix ns of arrival): all of one call share source and destination.

The sequence is good until the receiver returns; each datagram for as long as it is kept.
"""

_log = structlog.get_logger()


@dataclass(slots=True)
class UdpCounters:
    """Since start. `dropped_full`: the send buffer had no room. `send_errors`: no route, or refused.

    `overflowed`: lost in the kernel because nobody read in time (known when the next datagram is read).
    """

    datagrams_in: int = 0
    datagrams_out: int = 0
    calls_in: int = 0
    calls_out: int = 0
    dropped_full: int = 0
    send_errors: int = 0
    receive_errors: int = 0
    overflowed: int = 0
    segment_fallbacks: int = 0


class UdpPort:
    """A bound, non-blocking UDP socket read by the running event loop.

    `receiver` gets datagrams as they are drained; `on_batch_end` runs once after each drain. Neither may
    end the reader by raising: what escapes them is logged and counted.
    """

    def __init__(self, sock: socket.socket, receiver: Receiver, clock: Clock) -> None:
        self.counters = UdpCounters()
        self.address: Address = sock.getsockname()
        self.is_ipv6 = sock.family == socket.AF_INET6
        self.is_wildcard = ipaddress.ip_address(self.address[0]).is_unspecified
        self.on_batch_end: Callable[[], None] = _nothing
        self._socket = sock
        self._receiver = receiver
        self._clock = clock
        self._feedback: socket.socket | None = None
        self._calm_timer: asyncio.TimerHandle | None = None
        self._rest_s = 0.0
        self._rest_timer: asyncio.TimerHandle | None = None
        self._buffer = bytearray(RECEIVE_BYTES)
        self._view = memoryview(self._buffer)
        self._buffer_at = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer))
        self._overflowed = [0, 0]
        self._locals: dict[bytes, Local] = {}
        self._max_segment: dict[Address, int] = {}
        self._receivers: dict[socket.socket, NativeReceiver] = {}
        """By socket, where the engine reads."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_reading: Callable[[int], object] = int
        """The loop's. What it answers depends on the loop, whatever its type says."""
        self.can_segment = _can_segment(sock)
        self.coalesces = _enable_receive_options(sock)

    @classmethod
    def bind(cls, host: str, port: int, receiver: Receiver, clock: Clock) -> UdpPort:
        """Open a socket on `host` (an IP address; `::` serves IPv4 too). Raises `OSError` when it cannot be
        had.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            wildcard = ipaddress.ip_address(host).is_unspecified
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not wildcard)
            _prepare(sock, wildcard=wildcard)
            sock.bind((host, port))
            return cls(sock, receiver, clock)
        except BaseException:
            sock.close()
            raise

    def start(self) -> None:
        """Read from now on, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._stop_reading = self._loop.remove_reader
        self._loop.add_reader(self._socket.fileno(), self._readable)
        if self._feedback is not None:
            self._loop.add_reader(self._feedback.fileno(), self._feedback_readable)

    def calm(self) -> None:
        """Where the kernel can: transport-wide feedback gets a socket of its own, which is read after
        whatever else comes, and every `CALM_S`. To be called before `start`.
        """
        self._feedback = feedback_socket(self._socket)
        if self._feedback is not None:
            _prepare(self._feedback, wildcard=self.is_wildcard)
            _enable_receive_options(self._feedback)

    def rest(self, seconds: float) -> None:
        """From now on, what comes waits up to so long and is read together: for those who need it whole
        rather than soon. Arrival times are the kernel's. Does nothing where the kernel gives little room.
        """
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= ROOM_TO_REST_BYTES:
            self._rest_s = seconds

    @property
    def waits_for_media(self) -> bool:
        """True while feedback does not wake us, but is looked for whenever something else does."""
        return self._calm_timer is not None

    def close(self) -> None:
        """Stop reading and give the port back. Safe to call twice."""
        for timer in (self._calm_timer, self._rest_timer):
            if timer is not None:
                timer.cancel()
        self._calm_timer = self._rest_timer = None
        for sock in (self._socket, self._feedback):
            if sock is not None and self._loop is not None:
                self._stop_reading(sock.fileno())
            if sock is not None:
                sock.close()
        self._loop = None

    # receiving

    def _readable(self) -> None:
        self._drain(self._socket)
        self._guarded(self.on_batch_end)
        if self._rest_s and self._loop is not None:
            self._stop_reading(self._socket.fileno())
            self._rest_timer = self._loop.call_later(self._rest_s, self._rested)
        if self._calm_timer is not None:
            self._calm_timer.cancel()
            self._read_feedback(ends_batch=False)  # one has just ended

    def _rested(self) -> None:
        """As long as something comes, the socket itself does not wake us."""
        read = self._drain(self._socket)
        if read:
            self._guarded(self.on_batch_end)
        if self._loop is None:
            return
        if read:
            wait_s = 0.0 if read >= CALLS_PER_DRAIN else self._rest_s  # there may be more
            self._rest_timer = self._loop.call_later(wait_s, self._rested)
        else:
            self._loop.add_reader(self._socket.fileno(), self._readable)

    def _feedback_readable(self) -> None:
        """The first after a pause: more will follow, so from now on it is looked for instead."""
        if self._loop is not None and self._feedback is not None:
            self._stop_reading(self._feedback.fileno())
            self._read_feedback()

    def _read_feedback(self, *, ends_batch: bool = True) -> int:
        """How many datagrams were there; looks again before long."""
        read = 0 if self._feedback is None else self._drain(self._feedback)
        if read and ends_batch:
            self._guarded(self.on_batch_end)
        if self._loop is not None:
            self._calm_timer = self._loop.call_later(CALM_S, self._calm_over)
        return read

    def _calm_over(self) -> None:
        """Neither media nor feedback: then either shall wake us."""
        if not self._read_feedback() and self._loop is not None and self._feedback is not None:
            if self._calm_timer is not None:
                self._calm_timer.cancel()
                self._calm_timer = None
            self._loop.add_reader(self._feedback.fileno(), self._feedback_readable)

    def _drain(self, sock: socket.socket) -> int:
        """How many datagrams were read."""
        before = self.counters.datagrams_in
        for _ in range(CALLS_PER_DRAIN):
            if not self._receive_once(sock) or self.counters.datagrams_in - before >= DATAGRAMS_PER_DRAIN:
                break
        return self.counters.datagrams_in - before

    def receive_with(self, engine: Engine) -> None:
        """Read by the engine from now on: what waits in one call."""
        self._receivers = {
            sock: NativeReceiver(engine, sock) for sock in (self._socket, self._feedback) if sock is not None
        }

    def _receive_all(self, sock: socket.socket, receiver: NativeReceiver) -> bool:
        """One call for what waits; False when nothing more does."""
        try:
            waiting = receiver.read()
        except OSError:  # as in `_receive_once`
            self.counters.receive_errors += 1
            return self._loop is not None
        for received in waiting:
            if self._loop is None:
                return False
            if received.overflowed >= 0:
                self._overflowed_by(sock, received.overflowed)
            local, arrival_ns = None, received.arrival_ns
            if received.local:
                local = self._local(received.local_level, received.local_type, received.local)
            self._deliver(
                received.view, received.view_at, received.segment, received.address, local, arrival_ns
            )
        return receiver.more and self._loop is not None

    def _receive_once(self, sock: socket.socket) -> bool:
        """One receive call; False when nothing more is waiting."""
        if self._loop is None:
            return False
        receiver = self._receivers.get(sock)
        if receiver is not None:
            return self._receive_all(sock, receiver)
        try:
            size, ancillary, _, address = sock.recvmsg_into([self._buffer], ANCILLARY_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # an ICMP error of an earlier send, reported here: it concerns one peer, not the port
            self.counters.receive_errors += 1
            return self._loop is not None
        segment, local, arrival_ns = self._ancillary(sock, ancillary)
        self._deliver(self._view[:size], self._buffer_at, segment, address, local, arrival_ns)
        return self._loop is not None

    def _deliver(
        self, view: memoryview, view_at: int, segment: int, address: Address, local: Local, arrival_ns: int
    ) -> None:
        """What one receive call brought."""
        several = segment and len(view) > segment
        datagrams = Coalesced(view, view_at, segment) if several else (bytes(view),)
        self.counters.calls_in += 1
        self.counters.datagrams_in += len(datagrams)
        self._guarded(self._receiver, datagrams, address, local, arrival_ns or self._clock.unix_ns())

    def _ancillary(
        self, sock: socket.socket, messages: Sequence[tuple[int, int, bytes]]
    ) -> tuple[int, Local, int]:
        segment, arrival_ns = 0, 0
        local: Local = None
        for level, kind, data in messages:
            if level == socket.SOL_SOCKET:
                if kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = _TIMESPEC.unpack_from(data)
                    arrival_ns = seconds * NS_PER_S + nanoseconds
                elif kind == SO_RXQ_OVFL:
                    self._overflowed_by(sock, _UINT32.unpack_from(data)[0])
            elif level == SOL_UDP and kind == UDP_GRO:
                (segment,) = _INT.unpack_from(data)
            elif kind in (IP_PKTINFO, IPV6_PKTINFO):
                local = self._local(level, kind, data)
        return segment, local, arrival_ns

    def _overflowed_by(self, sock: socket.socket, datagrams: int) -> None:
        """The kernel counts for each socket since it was opened."""
        self._overflowed[0 if sock is self._socket else 1] = datagrams
        self.counters.overflowed = sum(self._overflowed)

    def _local(self, level: int, kind: int, data: bytes) -> Local:
        known = self._locals.get(data)
        if known is not None:
            return known
        if len(self._locals) >= MAX_DESTINATIONS_REMEMBERED:
            self._locals.clear()
        local = self._locals[data] = _reply_from(level, kind, data)
        return local

    def _guarded(self, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception:
            _log.exception("datagram_handler_failed", port=self.address[1])

    # sending

    def run(self, engine: Engine, jobs: int, count: int, totals: Totals) -> int:
        """Let the engine do `count` jobs (an address of `tc_job`s) on this socket, counting in `totals`. How
        many packets could not be sealed.
        """
        if self._loop is None:
            return 0
        engine.run(self._socket.fileno(), jobs, count, self.can_segment, totals.address)
        counters = self.counters
        datagrams, calls, dropped_full, send_errors, fallbacks, failed = totals.read()
        counters.datagrams_out += datagrams
        counters.calls_out += calls
        counters.dropped_full += dropped_full
        counters.send_errors += send_errors
        counters.segment_fallbacks += fallbacks
        return failed

    def send(self, datagrams: Sequence[bytes], address: Address, local: Local = None) -> None:
        """Send in order. Never blocks and never raises for what one destination or a full buffer does."""
        if self._loop is None:
            return
        if not self.can_segment or len(datagrams) == 1:
            self._send_plain(datagrams, address, local)
            return
        limit = self._max_segment.get(address, MAX_RUN_BYTES)
        for start, end in runs(datagrams, limit):
            if end - start == 1:
                self._send_plain(datagrams[start:end], address, local)
            else:
                self._send_run(datagrams[start:end], address, local)

    def _send_run(self, run: Sequence[bytes], address: Address, local: Local) -> None:
        ancillary = [(SOL_UDP, UDP_SEGMENT, _UINT16.pack(len(run[0])))]
        if local is not None:
            ancillary.append(local)
        try:
            self._socket.sendmsg(run, ancillary, 0, address)
        except OSError as error:
            if error.errno in _SEGMENT_ERRORS:
                self._fall_back(run, address, local)
            else:
                self._count_error(error, len(run))
        else:
            self.counters.calls_out += 1
            self.counters.datagrams_out += len(run)

    def _fall_back(self, run: Sequence[bytes], address: Address, local: Local) -> None:
        """Plain sends; when they work, segments of this size are not tried again towards `address`."""
        self.counters.segment_fallbacks += 1
        if self._send_plain(run, address, local):
            if len(self._max_segment) >= MAX_DESTINATIONS_REMEMBERED:
                self._max_segment.clear()
            self._max_segment[address] = len(run[0]) - 1

    def _send_plain(self, datagrams: Sequence[bytes], address: Address, local: Local) -> int:
        """Number of datagrams the kernel took."""
        taken = 0
        for datagram in datagrams:
            try:
                if local is None:
                    self._socket.sendto(datagram, address)
                else:
                    self._socket.sendmsg([datagram], [local], 0, address)
                taken += 1
            except OSError as error:
                self._count_error(error, 1)
        self.counters.calls_out += taken
        self.counters.datagrams_out += taken
        return taken

    def _count_error(self, error: OSError, datagrams: int) -> None:
        if error.errno in _FULL_ERRORS:
            self.counters.dropped_full += datagrams
        else:
            self.counters.send_errors += datagrams


_TIMESPEC: Final = struct.Struct("@ll")
_INT: Final = struct.Struct("@i")
_UINT32: Final = struct.Struct("@I")
_UINT16: Final = struct.Struct("@H")


def _nothing() -> None:
    """Default of `on_batch_end`."""


def _prepare(sock: socket.socket, *, wildcard: bool) -> None:
    """Buffers, no path-MTU games, and (for a wildcard) which local address a datagram came to."""
    sock.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_BYTES)
    with contextlib.suppress(OSError):  # media packets are small; else fragments beat a black hole
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    if wildcard and sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
    elif wildcard:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def _enable_receive_options(sock: socket.socket) -> bool:
    """Ask for kernel stamps, a count of lost datagrams, and coalescing; True when the kernel coalesces."""
    for option in (SO_TIMESTAMPNS, SO_RXQ_OVFL):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        sock.setsockopt(SOL_UDP, UDP_GRO, 1)
    except OSError:
        return False
    return True


def _can_segment(sock: socket.socket) -> bool:
    try:
        sock.getsockopt(SOL_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return True


def _reply_from(level: int, kind: int, data: bytes) -> Local:
    """Turn a received packet-information message into the one to send with (ip(7), ipv6(7)).

    The interface index is left to routing, but for link-local addresses, which mean nothing without it.
    """
    if kind == IP_PKTINFO:
        _, spec_dst, _ = struct.unpack_from("@i4s4s", data)
        return level, kind, struct.pack("@i4s4s", 0, spec_dst, bytes(4))
    address, interface = struct.unpack_from("@16si", data)
    scope = interface if ipaddress.IPv6Address(address).is_link_local else 0
    return level, kind, struct.pack("@16si", address, scope)
