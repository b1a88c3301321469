"""Pure: packets that wait for their turn: numbered in their stream, not yet sealed.

They get their transport-wide numbers, and are sealed, when they go out: a queue of ours must not look like
one of the network's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from rtp.congestion import Pacer, PacketClass
from sfu.headers import Prepared, PreparedBatch

OVERHEAD_BYTES: Final = 40
"""Header, extensions and SRTP's tag of a packet, about."""


class Sender(Protocol):
    """The consumer whose packet it is."""

    epoch: int
    """Changes when what waits must not be sent any more."""

    @property
    def keeps_ciphertext(self) -> bool:
        """True when it wants to see what went out."""

    def was_sent(self, datagrams: Sequence[bytes], packets: int, octets: int, now_ns: int) -> None:
        """Media, not retransmissions, went out; `datagrams` are empty where nobody keeps them."""


class Held(NamedTuple):
    """`packets` of `batch` from `first` on, that go out together: one, or successive numbers. `move` is
    added to their numbers and timestamps.
    """

    sender: Sender
    epoch: int
    payload_type: int
    ssrc: int
    batch: PreparedBatch
    first: int
    packets: int
    move: tuple[int, int]
    since_ns: int
    is_media: bool
    """False for a retransmission."""

    @property
    def items(self) -> Sequence[Prepared]:
        """Its packets."""
        return self.batch.items[self.first : self.first + self.packets]

    @property
    def size_bytes(self) -> int:
        """About what they will measure."""
        return sum([len(item.payload) for item in self.items]) + OVERHEAD_BYTES * self.packets

    @property
    def numbers(self) -> list[int]:
        """Their sequence numbers."""
        return [(item.sequence_number + self.move[0]) & 0xFFFF for item in self.items]


def take_out(pacer: Pacer[Held], kind: PacketClass, sender: Sender) -> list[Held]:
    """What waits of that sender, in its order; it waits no more."""
    waiting = pacer.drop(kind, lambda _: True)
    for held in waiting:
        if held.sender is not sender:
            pacer.push(held, held.size_bytes, kind, held.since_ns)
    return [held for held in waiting if held.sender is sender]
