"""Datagrams from strangers: empty, oversized, random, truncated and malformed STUN, DTLS, RTP and RTCP."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from typing import Self

MAGIC_COOKIE = 0x2112A442
BURST = 100


def hostile_datagram(chance: random.Random) -> bytes:
    """One datagram that no honest peer would send. Seeded: the same `chance` gives the same ones."""
    kind = chance.randrange(9)
    noise = chance.randbytes(chance.choice([1, 3, 11, 12, 19, 20, 40, 200, 1200]))
    match kind:
        case 0:
            return b""
        case 1:
            return chance.randbytes(chance.choice([1500, 4000, 60_000]))
        case 2:
            return noise
        case 3:  # STUN binding request with a wrong length or attributes cut short
            return struct.pack("!HHI", 1, chance.randrange(0, 2000), MAGIC_COOKIE) + noise
        case 4:  # a well-formed STUN request for nobody
            user = b"\x00\x06\x00\x09abcd:efgh\x00\x00\x00"
            return struct.pack("!HHI", 1, len(user), MAGIC_COOKIE) + chance.randbytes(12) + user
        case 5:  # DTLS handshake record
            return b"\x16\xfe\xfd" + noise
        case 6:  # RTP with an extension or CSRC count that runs past the end
            return bytes([0x90 | chance.randrange(16), chance.randrange(256)]) + noise
        case 7:  # RTCP with a wrong length
            return bytes([0x80 | chance.randrange(32), chance.randrange(192, 224)]) + noise
        case _:  # a STUN success response nobody asked for
            return struct.pack("!HHI", 0x0101, 0, MAGIC_COOKIE) + noise[:12].ljust(12, b"\0")


class Strangers:
    """Sends hostile datagrams at a steady rate from a few sockets until closed. `sent` counts them."""

    def __init__(self, target: tuple[str, int], rate_per_s: int, seed: int = 1) -> None:
        self._target = target
        self._rate = rate_per_s
        self._chance = random.Random(seed)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _send(self) -> None:
        stock = [hostile_datagram(self._chance) for _ in range(2000)]
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
        started = time.monotonic()
        while not self._ended.is_set():
            due = int((time.monotonic() - started) * self._rate)
            for _ in range(min(due - self.sent, BURST)):
                self._send_one(sockets[self.sent % len(sockets)], stock[self.sent % len(stock)])
            self._ended.wait(0.002)
        for sock in sockets:
            sock.close()

    def _send_one(self, sock: socket.socket, datagram: bytes) -> None:
        self.sent += 1
        try:
            sock.sendto(datagram, self._target)
        except OSError:  # a full buffer or an ICMP error is the sender's own affair
            return
