"""Which of a growing run of numbers have been used: the heart of replay protection and of the nonce rule."""

from __future__ import annotations

from typing import Final

WINDOW: Final = 2048
"""How far behind the highest number one may still come."""


class IndexWindow:
    """Numbers (never wrapping, from 0) of which each may be used once, in about rising order.

    All up to `top` count as used, but for holes less than `WINDOW` behind it; what precedes the first number
    is such a hole. While numbers come in order only `top` moves, and a caller in a hurry may move it by one
    itself.
    """

    __slots__ = ("_base", "_holes", "top")

    def __init__(self, first: int) -> None:
        """`first` is used."""
        self.top = first
        self._base = max(0, first - WINDOW)
        self._holes = (1 << (first - self._base)) - 1
        """Bit i: number `_base` + i is unused."""

    def nearest(self, sequence_number: int) -> int:
        """The number nearest to `top` whose low 16 bits are `sequence_number`; may be negative."""
        top = self.top
        return top + ((sequence_number - top + 0x8000) & 0xFFFF) - 0x8000

    def is_free(self, index: int) -> bool:
        """True when `index` may be used; never for one that is negative or too old to tell."""
        if index > self.top:
            return True
        if index < self._base or index <= self.top - WINDOW:
            return False
        return bool(self._holes >> (index - self._base) & 1)

    def take(self, index: int) -> None:
        """Use a number for which `is_free` is true."""
        if index <= self.top:
            self._holes &= ~(1 << (index - self._base))
            return
        if index > self.top + 1:
            self._leave_holes(index)
        self.top = index

    def _leave_holes(self, index: int) -> None:
        base = max(self._base, index - WINDOW)
        self._holes >>= base - self._base
        self._base = base
        start = max(self.top + 1, base)
        self._holes |= ((1 << (index - start)) - 1) << (start - base)
