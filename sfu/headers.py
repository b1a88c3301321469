"""Pure: outgoing RTP headers (RFC 3550 §5.1), the costly part made once for all consumers alike.

Per consumer only payload type, sequence number, timestamp, SSRC and the transport-wide number are packed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from rtp.extensions import (
    ABS_SEND_TIME,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
    ExtensionMap,
    ExtensionTemplate,
)
from rtp.packet import RtpPacket

HOP_BY_HOP: Final = frozenset({TRANSPORT_CC, ABS_SEND_TIME, MID, RID, REPAIRED_RID, PLAYOUT_DELAY})
"""They describe one hop: never copied. All others, known or not, survive."""

_VERSION_2: Final = 0x80
_HAS_EXTENSION: Final = 0x10


class PlanKey(NamedTuple):
    """What makes two consumers' headers alike. `constant`: (id, value) of ours in every packet."""

    table: tuple[tuple[int, int], ...]
    number_id: int | None
    constant: tuple[tuple[int, bytes], ...]


class Prepared(NamedTuple):
    """What all consumers of one plan share of one packet.

    With a transport-wide number: `pack(first, marker|pt, seq, ts, ssrc, prefix, number) + tail`; without, the
    same less `number`.
    """

    sequence_number: int
    timestamp: int
    pack: Callable[..., bytes]
    first: int
    marker: int
    prefix: bytes
    tail: bytes
    payload: bytes


class PreparedBatch(NamedTuple):
    """`payloads` and their `octets` in one go: needed once per consumer, made once per batch."""

    items: Sequence[Prepared]
    payloads: Sequence[bytes]
    octets: int


def prepared_batch(items: Sequence[Prepared]) -> PreparedBatch:
    """The items with what is derived from them."""
    payloads = [item.payload for item in items]
    return PreparedBatch(items, payloads, sum(map(len, payloads)))


class HeaderPlan:
    """Builds the shared part for one `PlanKey`, once per batch."""

    __slots__ = ("_batch", "_prepared", "_template", "key")

    def __init__(self, key: PlanKey) -> None:
        self.key = key
        self._template = ExtensionTemplate(
            dict(key.table), transport_cc_id=key.number_id, constant=key.constant
        )
        self._batch: Sequence[RtpPacket] | None = None
        self._prepared = prepared_batch(())

    def prepare_batch(self, batch: Sequence[RtpPacket]) -> PreparedBatch:
        """`prepare` of every packet; the same object again when asked for the same batch object."""
        if batch is not self._batch:
            self._prepared = prepared_batch([self.prepare(packet) for packet in batch])
            self._batch = batch
        return self._prepared

    def prepare(self, packet: RtpPacket) -> Prepared:
        """The shared part of one packet's header. Raises `ProtocolError` for a malformed extension block."""
        prefix, tail = self._template.render(packet.extension_profile, packet.extension)
        first = _VERSION_2 | (_HAS_EXTENSION if prefix else 0)
        if csrcs := packet.csrcs:
            first |= len(csrcs)
            prefix = struct.pack(f"!{len(csrcs)}I", *csrcs) + prefix
        return Prepared(
            packet.sequence_number,
            packet.timestamp,
            _packer(len(prefix), self.key.number_id is not None),
            first,
            0x80 if packet.marker else 0,
            prefix,
            tail,
            packet.payload,
        )


def plain_headers(
    items: Sequence[Prepared], payload_type: int, ssrc: int, sequence_move: int, timestamp_move: int
) -> list[bytes]:
    """Headers of one consumer's packets, all of whose numbers and timestamps move alike."""
    return [
        pack(
            first,
            marker | payload_type,
            (sequence + sequence_move) & 0xFFFF,
            (timestamp + timestamp_move) & 0xFFFFFFFF,
            ssrc,
            prefix,
        )
        + tail
        for sequence, timestamp, pack, first, marker, prefix, tail, _ in items
    ]


def numbered_headers(
    items: Sequence[Prepared],
    payload_type: int,
    ssrc: int,
    sequence_move: int,
    timestamp_move: int,
    first_number: int,
) -> list[bytes]:
    """The same with transport-wide numbers from `first_number` on."""
    return [
        pack(
            first,
            marker | payload_type,
            (sequence + sequence_move) & 0xFFFF,
            (timestamp + timestamp_move) & 0xFFFFFFFF,
            ssrc,
            prefix,
            number & 0xFFFF,
        )
        + tail
        for number, (sequence, timestamp, pack, first, marker, prefix, tail, _) in enumerate(
            items, first_number
        )
    ]


@lru_cache(maxsize=1024)
def _packer(prefix_bytes: int, numbered: bool) -> Callable[..., bytes]:
    return struct.Struct(f"!BBHII{prefix_bytes}s{'H' if numbered else ''}").pack


def plan_key(source: ExtensionMap, target: ExtensionMap, constant: Sequence[tuple[str, bytes]]) -> PlanKey:
    """How headers change between a producer's and a consumer's negotiated ids.

    `constant`: (URI, value) we put into every packet, as far as the consumer negotiated the URI.
    """
    ours = [(target.id_of(uri), value) for uri, value in constant]
    return PlanKey(
        tuple(sorted(source.table_to(target, leave_out=HOP_BY_HOP).items())),
        target.id_of(TRANSPORT_CC),
        tuple((number, value) for number, value in ours if number is not None),
    )
