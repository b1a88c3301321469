"""What one receive call brought of one peer, cut into datagrams only where somebody looks at one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload


class Coalesced(Sequence[bytes]):
    """Datagrams of `segment` bytes, the last perhaps shorter, end to end in a buffer that is soon written to
    again (UDP_GRO).

    `address` is the buffer's, for the engine, which opens them where they are.
    """

    __slots__ = ("_count", "_view", "address", "segment", "size_bytes")

    def __init__(self, view: memoryview, address: int, segment: int) -> None:
        self._view = view
        self.address = address
        self.segment = segment
        self.size_bytes = len(view)
        self._count = -(-self.size_bytes // segment)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self._cut(number) for number in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError("there are fewer datagrams")
        return self._cut(index % self._count)

    def _cut(self, number: int) -> bytes:
        start = number * self.segment
        return bytes(self._view[start : min(start + self.segment, self.size_bytes)])
