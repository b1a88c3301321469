"""Packets that many subscribers get, laid out as the engine reads them."""

from __future__ import annotations

import ctypes
import struct
from array import array
from collections.abc import Sequence
from typing import Final

_HEAD: Final = struct.Struct("@PPPPPI4x")
"""`tc_batch`: where headers, payloads, the ends of both and the places of numbers are; and how many."""


class NativeBatch:
    """`tc_batch` with what it points to: header templates (sequence number and SSRC of no meaning, timestamp
    the source's), payloads, and where the transport-wide numbers stand (`None`: without).
    """

    __slots__ = ("_memory", "address")

    def __init__(
        self, headers: Sequence[bytes], payloads: Sequence[bytes], number_at: Sequence[int] | None
    ) -> None:
        count = len(headers)
        places = array("h", number_at if number_at is not None else [-1] * count)
        ends = array("I", _ends(headers) + _ends(payloads))
        memory = bytearray().join((bytes(_HEAD.size), ends, places, *headers, *payloads))
        self._memory = memory  # never resized: it stays where it is
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        ends_at = address + _HEAD.size
        half_bytes = (count + 1) * ends.itemsize
        places_at = ends_at + 2 * half_bytes
        headers_at = places_at + count * places.itemsize
        payloads_at = headers_at + ends[count]
        _HEAD.pack_into(memory, 0, headers_at, payloads_at, ends_at, ends_at + half_bytes, places_at, count)
        self.address = address


def _ends(parts: Sequence[bytes]) -> list[int]:
    """Where each begins, laid end to end, and where the last one ends."""
    end, ends = 0, [0]
    for part in parts:
        end += len(part)
        ends.append(end)
    return ends
