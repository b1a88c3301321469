"""Several pieces of input in one fuzz input: a flag byte, two bytes of length, that many bytes; again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_RECORDS = 512


def split(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(flags, piece) until the data ends; the last piece may be cut short."""
    position = 0
    for _ in range(MAX_RECORDS):
        if position + 3 > len(data):
            return
        size = data[position + 1] << 8 | data[position + 2]
        yield data[position], data[position + 3 : position + 3 + size]
        position += 3 + size


def join(pieces: Iterable[tuple[int, bytes]]) -> bytes:
    """Inverse of `split`."""
    return b"".join(bytes((flags,)) + len(piece).to_bytes(2, "big") + piece for flags, piece in pieces)
