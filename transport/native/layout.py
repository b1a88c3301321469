"""A `tc_batch` of the engine's, made without it."""

from __future__ import annotations

import ctypes
import struct
from array import array
from collections.abc import Sequence
from typing import Final

_HEAD: Final = struct.Struct("@PPPPPI4x")
"""`tc_batch`: where headers, payloads, the ends of both and the places of numbers are; and how many."""


def lay_out(
    headers: Sequence[bytes], payloads: Sequence[bytes], number_at: Sequence[int] | None
) -> tuple[bytearray, int]:
    """(memory, never to be resized; the address of the `tc_batch` in it)."""
    count = len(headers)
    places = array("h", number_at if number_at is not None else [-1] * count)
    ends = array("I", _ends(headers) + _ends(payloads))
    memory = bytearray().join((bytes(_HEAD.size), ends, places, *headers, *payloads))
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    ends_at = address + _HEAD.size
    half_bytes = (count + 1) * ends.itemsize
    places_at = ends_at + 2 * half_bytes
    headers_at = places_at + count * places.itemsize
    payloads_at = headers_at + ends[count]
    _HEAD.pack_into(memory, 0, headers_at, payloads_at, ends_at, ends_at + half_bytes, places_at, count)
    return memory, address


def _ends(parts: Sequence[bytes]) -> list[int]:
    """Where each begins, laid end to end, and where the last one ends."""
    end, ends = 0, [0]
    for part in parts:
        end += len(part)
        ends.append(end)
    return ends
