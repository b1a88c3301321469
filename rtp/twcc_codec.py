"""Transport-wide feedback on the wire (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.errors import ProtocolError

DELTA_NS: Final = 250_000
"""Unit of arrival deltas."""
REFERENCE_NS: Final = 64_000_000
"""Unit of the reference time."""
MIN_DELTA: Final = -0x8000
MAX_DELTA: Final = 0x7FFF
MAX_STATUSES: Final = 10_000
"""More than any sender has under way: 20 bytes of runs could otherwise cost us 65,535 steps."""

_MAX_RUN: Final = 0x1FFF
_ONE_CHUNK_BYTES: Final = 10
"""Base, count, reference and the first chunk."""
_LOST, _SMALL, _LARGE = 0, 1, 2
_MAX_SMALL_DELTA: Final = 0xFF


@dataclass(frozen=True, slots=True)
class TransportFeedback:
    """Which transport-wide numbers arrived, and when.

    `deltas[i]` is for number `base_sequence + i`: None when lost, else the arrival time after the previous
    arrival (for the first: after the reference time) in units of 250 µs, −32768 … 32767. `reference_time` is
    signed, 24 bits, in units of 64 ms of the receiver's own clock.
    """

    sender_ssrc: int
    media_ssrc: int
    base_sequence: int
    reference_time: int
    feedback_count: int
    deltas: tuple[int | None, ...]


def parse_transport_feedback(sender: int, media: int, control: bytes) -> TransportFeedback:
    """What follows the two SSRCs → value. Raises `ProtocolError`."""
    if len(control) < 8:
        raise ProtocolError("transport feedback is too short")
    base, count = struct.unpack_from("!HH", control)
    reference = int.from_bytes(control[4:7], "big", signed=True)
    if not 0 < count <= MAX_STATUSES:
        raise ProtocolError("transport feedback is about no packets, or too many")
    deltas = _parse_steady(control, count)
    if deltas is None:
        symbols, position = _parse_chunks(control, count)
        deltas = _parse_deltas(control, position, symbols)
    return TransportFeedback(sender, media, base, reference, control[7], deltas)


def _parse_steady(control: bytes, count: int) -> tuple[int | None, ...] | None:
    """The usual case, all of one run that came with small deltas, at once; None for all others."""
    end = _ONE_CHUNK_BYTES + count
    if len(control) < end:
        return None
    chunk = control[_ONE_CHUNK_BYTES - 2] << 8 | control[_ONE_CHUNK_BYTES - 1]
    if chunk >> 13 != _SMALL or chunk & _MAX_RUN < count:
        return None
    return tuple(control[_ONE_CHUNK_BYTES:end])


def _parse_chunks(control: bytes, count: int) -> tuple[list[int], int]:
    """→ (one symbol per packet, position behind the chunks)."""
    symbols: list[int] = []
    position = 8
    while len(symbols) < count:
        if position + 2 > len(control):
            raise ProtocolError("transport feedback ends inside its chunks")
        chunk = control[position] << 8 | control[position + 1]
        position += 2
        if not chunk & 0x8000:
            run = chunk & _MAX_RUN
            if run == 0:
                raise ProtocolError("transport feedback has an empty run")
            symbols += [chunk >> 13 & 3] * min(run, count - len(symbols))
        elif chunk & 0x4000:
            symbols += [chunk >> shift & 3 for shift in range(12, -2, -2)]
        else:
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)]
    del symbols[count:]
    return symbols, position


def _parse_deltas(control: bytes, position: int, symbols: Sequence[int]) -> tuple[int | None, ...]:
    count = len(symbols)
    if symbols.count(_SMALL) == count and position + count <= len(control):
        return tuple(control[position : position + count])
    deltas: list[int | None] = []
    for symbol in symbols:
        if symbol == _LOST:
            deltas.append(None)
            continue
        if symbol not in (_SMALL, _LARGE):
            raise ProtocolError("transport feedback uses a reserved symbol")
        value = control[position : position + symbol]
        if len(value) < symbol:
            raise ProtocolError("transport feedback ends inside its deltas")
        deltas.append(int.from_bytes(value, "big", signed=symbol == _LARGE))
        position += symbol
    return tuple(deltas)


def build_transport_feedback(packet: TransportFeedback) -> bytes:
    """What follows the two SSRCs, padded to 4 bytes. Raises `ValueError` or `OverflowError` out of range."""
    deltas = packet.deltas
    if not 0 < len(deltas) <= MAX_STATUSES:
        raise ValueError(f"transport feedback is about 1…{MAX_STATUSES} packets")
    symbols = [_symbol(delta) for delta in deltas]
    values = [
        delta.to_bytes(size, "big", signed=size == _LARGE)
        for delta, size in zip(deltas, symbols, strict=True)
        if delta is not None
    ]
    reference = packet.reference_time.to_bytes(3, "big", signed=True)
    head = struct.pack("!HH", packet.base_sequence, len(deltas)) + reference
    body = head + bytes((packet.feedback_count & 0xFF,)) + _build_chunks(symbols) + b"".join(values)
    return body + bytes(-len(body) % 4)


def _symbol(delta: int | None) -> int:
    if delta is None:
        return _LOST
    return _SMALL if 0 <= delta <= _MAX_SMALL_DELTA else _LARGE


def _build_chunks(symbols: Sequence[int]) -> bytes:
    """Greedy: a run where it is longer than the vector that would fit, else one bit per packet, else two."""
    chunks = bytearray()
    position, end = 0, len(symbols)
    while position < end:
        run = _run_length(symbols, position)
        vector = symbols[position : position + 14]
        one_bit = _LARGE not in vector
        if run >= (len(vector) if one_bit else min(7, len(vector))):
            chunk, used = symbols[position] << 13 | run, run
        elif one_bit:
            chunk, used = 0x8000 | _packed(vector, 14, 1), len(vector)
        else:
            vector = vector[:7]
            chunk, used = 0xC000 | _packed(vector, 7, 2), len(vector)
        chunks += chunk.to_bytes(2, "big")
        position += used
    return bytes(chunks)


def _run_length(symbols: Sequence[int], start: int) -> int:
    stop = start + 1
    limit = min(len(symbols), start + _MAX_RUN)
    while stop < limit and symbols[stop] == symbols[start]:
        stop += 1
    return stop - start


def _packed(vector: Sequence[int], slots: int, bits: int) -> int:
    value = 0
    for symbol in vector:
        value = value << bits | symbol
    return value << bits * (slots - len(vector))
