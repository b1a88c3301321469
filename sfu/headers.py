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
from rtp.packet import HEADER_BYTES, RtpPacket
from sfu.header_block import HeaderBlock, header_block
from transport.native.batch import NativeBatch

HOP_BY_HOP: Final = frozenset({TRANSPORT_CC, ABS_SEND_TIME, MID, RID, REPAIRED_RID, PLAYOUT_DELAY})
"""They describe one hop: never copied. All others, known or not, survive."""

_VERSION_2: Final = 0x80
_HAS_PADDING: Final = 0x20
_HAS_EXTENSION: Final = 0x10
PADDING_BYTES: Final = 255
"""As much as one octet can count."""
MIN_BLOCK: Final = 3
"""Packets from which on it pays to treat them together."""
MAX_EVENING_BYTES: Final = 32
"""A frame's first packet carries its capture time, in up to 20 bytes; encoders cut frames evenly but for some
bytes.
"""
_PADDING: Final = bytes(PADDING_BYTES - 1) + bytes((PADDING_BYTES,))
_EVENING: Final = (b"", *(bytes(size - 1) + bytes((size,)) for size in range(1, MAX_EVENING_BYTES + 1)))
"""Padding of so many bytes (RFC 3550 §5.1)."""


class PlanKey(NamedTuple):
    """What makes two consumers' headers alike. `constant`: (id, value) of ours in every packet."""

    table: tuple[tuple[int, int], ...]
    number_id: int | None
    constant: tuple[tuple[int, bytes], ...]


class Prepared:
    """What all consumers of one plan share of one packet.

    With a transport-wide number: `pack(first, marker|pt, seq, ts, ssrc, prefix, number) + tail`; without, the
    same less `number`.
    """

    __slots__ = ("first", "marker", "pack", "payload", "prefix", "sequence_number", "tail", "timestamp")

    def __init__(
        self,
        sequence_number: int,
        timestamp: int,
        pack: Callable[..., bytes],
        first: int,
        marker: int,
        prefix: bytes,
        tail: bytes,
        payload: bytes,
    ) -> None:
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.pack = pack
        self.first = first
        self.marker = marker
        self.prefix = prefix
        self.tail = tail
        self.payload = payload

    def placed(self, sequence_number: int, timestamp: int) -> Prepared:
        """The same packet with other numbers."""
        return Prepared(
            sequence_number,
            timestamp,
            self.pack,
            self.first,
            self.marker,
            self.prefix,
            self.tail,
            self.payload,
        )

    def with_payload(self, payload: bytes, padding_bytes: int = 0) -> Prepared:
        """Another payload under the same header. `padding_bytes`: so much of its end says nothing."""
        first = self.first | _HAS_PADDING if padding_bytes else self.first
        return Prepared(
            self.sequence_number,
            self.timestamp,
            self.pack,
            first,
            self.marker,
            self.prefix,
            self.tail,
            payload,
        )


class PreparedBatch:
    """What all consumers of one plan share of several packets; what is derived is made once, when needed."""

    __slots__ = (
        "_block",
        "_block_made",
        "_even",
        "_native",
        "_sizes",
        "items",
        "numbered",
        "octets",
        "payloads",
    )

    def __init__(self, items: Sequence[Prepared], numbered: bool) -> None:
        self.items = items
        self._even: PreparedBatch | None = None
        self.numbered = numbered
        """Whether the packets carry transport-wide numbers."""
        self.payloads = [item.payload for item in items]
        self.octets = sum(map(len, self.payloads))
        self._sizes: dict[int, tuple[tuple[int, ...], int]] = {}
        self._block: HeaderBlock | None = None
        self._block_made = False
        self._native: NativeBatch | None = None

    def even(self) -> PreparedBatch:
        """The same packets, padded by a few bytes where that makes them leave in one system call, which takes
        packets of one size; what they say, and `octets`, stay the same.
        """
        if self._even is None:
            self._even = self
            items = _evened(self.items, self.sizes(0)[0])
            if items is not None:
                self._even = PreparedBatch(items, self.numbered)
                self._even._even, self._even.octets = self._even, self.octets
        return self._even

    def native(self) -> NativeBatch:
        """As the engine wants it."""
        if self._native is None:
            zero = (0,) if self.numbered else ()
            headers = [
                item.pack(item.first, item.marker, 0, item.timestamp, 0, item.prefix, *zero) + item.tail
                for item in self.items
            ]
            places = [HEADER_BYTES + len(item.prefix) for item in self.items] if self.numbered else None
            self._native = NativeBatch(headers, self.payloads, places)
        return self._native

    def sizes(self, tag_bytes: int) -> tuple[tuple[int, ...], int]:
        """(the datagrams' sizes, their sum) under a cipher that adds so much."""
        found = self._sizes.get(tag_bytes)
        if found is None:
            sizes = tuple([_header_bytes(item, self.numbered) + len(item.payload) for item in self.items])
            sizes = tuple([size + tag_bytes for size in sizes])
            found = self._sizes[tag_bytes] = sizes, sum(sizes)
        return found

    def headers(
        self, payload_type: int, ssrc: int, sequence_move: int, timestamp_move: int, number: int
    ) -> Sequence[bytes]:
        """Headers of one consumer's packets, all of whose numbers and timestamps move alike. `number`: the
        first one's transport-wide number, where they carry one.
        """
        items = self.items
        if not self._block_made:
            self._block_made = True
            self._block = _block_of(items, self.numbered)
        if self._block is not None:
            first = items[0]
            headers = self._block.headers(
                payload_type,
                ssrc,
                (first.sequence_number + sequence_move) & 0xFFFF,
                (first.timestamp + timestamp_move) & 0xFFFFFFFF,
                number,
            )
            if headers is not None:
                return headers
        if self.numbered:
            return numbered_headers(items, payload_type, ssrc, sequence_move, timestamp_move, number)
        return plain_headers(items, payload_type, ssrc, sequence_move, timestamp_move)


def _evened(items: Sequence[Prepared], sizes: Sequence[int]) -> list[Prepared] | None:
    """All but the last, which may be shorter, as long as the longest (RFC 3550 §5.1: padding); None where
    that changes nothing, or takes more than `MAX_EVENING_BYTES`.
    """
    if len(items) < MIN_BLOCK:
        return None
    longest, shortest = max(sizes), min(sizes[:-1])
    if longest == shortest or longest - shortest > MAX_EVENING_BYTES:
        return None
    evened = [_padded(item, longest - size) for item, size in zip(items[:-1], sizes, strict=False)]
    return [*evened, items[-1]]


def _padded(item: Prepared, padding_bytes: int) -> Prepared:
    if not padding_bytes:
        return item
    return item.with_payload(item.payload + _EVENING[padding_bytes], padding_bytes)


def _header_bytes(item: Prepared, numbered: bool) -> int:
    return HEADER_BYTES + len(item.prefix) + len(item.tail) + (2 if numbered else 0)


def _block_of(items: Sequence[Prepared], numbered: bool) -> HeaderBlock | None:
    """None for what does not fit the form, and for so few packets that it does not pay."""
    if len(items) < MIN_BLOCK:
        return None
    first = items[0]
    sequences = [(item.sequence_number - first.sequence_number) & 0xFFFF for item in items]
    timestamps = [(item.timestamp - first.timestamp) & 0xFFFFFFFF for item in items]
    position = len(first.prefix)
    if numbered and any(len(item.prefix) != position for item in items):
        return None
    headers = [
        item.pack(
            item.first, item.marker, sequence, timestamp, 0, item.prefix, *((index,) if numbered else ())
        )
        + item.tail
        for index, (item, sequence, timestamp) in enumerate(zip(items, sequences, timestamps, strict=True))
    ]
    number_position = HEADER_BYTES + position if numbered else None
    return header_block(headers, number_position, max(sequences), max(timestamps))


class HeaderPlan:
    """Builds the shared part for one `PlanKey`, once per batch."""

    __slots__ = ("_batch", "_prepared", "_template", "key")

    def __init__(self, key: PlanKey) -> None:
        self.key = key
        self._template = ExtensionTemplate(
            dict(key.table), transport_cc_id=key.number_id, constant=key.constant
        )
        self._batch: Sequence[RtpPacket] | None = None
        self._prepared = PreparedBatch((), key.number_id is not None)

    def prepare_batch(self, batch: Sequence[RtpPacket]) -> PreparedBatch:
        """`prepare` of every packet; the same object again when asked for the same batch object."""
        if batch is not self._batch:
            self._prepared = self.prepared(batch)
            self._batch = batch
        return self._prepared

    def prepared(self, packets: Sequence[RtpPacket]) -> PreparedBatch:
        """As `prepare_batch`, for packets that no other consumer is sent just now."""
        return PreparedBatch([self.prepare(packet) for packet in packets], self.key.number_id is not None)

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

    def padding(self, sequence_number: int, timestamp: int) -> Prepared:
        """A packet of nothing but padding (RFC 3550 §5.1)."""
        prefix, tail = self._template.render(None, b"")
        return Prepared(
            sequence_number,
            timestamp,
            _packer(len(prefix), self.key.number_id is not None),
            _VERSION_2 | _HAS_PADDING | (_HAS_EXTENSION if prefix else 0),
            0,
            prefix,
            tail,
            _PADDING,
        )


def plain_headers(
    items: Sequence[Prepared], payload_type: int, ssrc: int, sequence_move: int, timestamp_move: int
) -> list[bytes]:
    """Headers of one consumer's packets, all of whose numbers and timestamps move alike."""
    return [
        item.pack(
            item.first,
            item.marker | payload_type,
            (item.sequence_number + sequence_move) & 0xFFFF,
            (item.timestamp + timestamp_move) & 0xFFFFFFFF,
            ssrc,
            item.prefix,
        )
        + item.tail
        for item in items
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
        item.pack(
            item.first,
            item.marker | payload_type,
            (item.sequence_number + sequence_move) & 0xFFFF,
            (item.timestamp + timestamp_move) & 0xFFFFFFFF,
            ssrc,
            item.prefix,
            number & 0xFFFF,
        )
        + item.tail
        for number, item in enumerate(items, first_number)
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
