"""Recent packets of one stream by sequence number, to be sent again when asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

DEFAULT_DURATION_NS: Final = 2_000_000_000
DEFAULT_MAX_PACKETS: Final = 4096
_LARGEST_MAX_PACKETS: Final = 0x8000


class PacketHistory(Generic[T]):
    """Keeps what was put in the last `duration_ns`, at most `max_packets`; the oldest leave first.

    Time is the time of `put`: a stream that stops keeps its last packets until it goes on. Raises
    `ValueError` for more than 32768 packets, where sequence numbers would become ambiguous.
    """

    __slots__ = ("_duration_ns", "_items", "_max_packets", "_order")

    def __init__(
        self, duration_ns: int = DEFAULT_DURATION_NS, max_packets: int = DEFAULT_MAX_PACKETS
    ) -> None:
        if not 0 < max_packets <= _LARGEST_MAX_PACKETS:
            raise ValueError("a packet history holds 1…32768 packets")
        self._duration_ns = duration_ns
        self._max_packets = max_packets
        self._items: dict[int, T] = {}
        self._order: deque[tuple[int, int]] = deque()

    def put(self, sequence_number: int, packet: T, now_ns: int) -> None:
        """Remember `packet`; one of the same number is replaced and keeps its age."""
        items, order = self._items, self._order
        if sequence_number not in items:
            order.append((now_ns, sequence_number))
        items[sequence_number] = packet
        if order[0][0] < now_ns - self._duration_ns or len(order) > self._max_packets:
            self._trim(now_ns - self._duration_ns)

    def put_run(self, first: int, packets: Sequence[T], now_ns: int) -> None:
        """As `put` for packets of successive numbers from `first` on."""
        items, order = self._items, self._order
        for number, packet in enumerate(packets, first):
            sequence_number = number & 0xFFFF
            if sequence_number not in items:
                order.append((now_ns, sequence_number))
            items[sequence_number] = packet
        self._trim(now_ns - self._duration_ns)

    def _trim(self, oldest_ns: int) -> None:
        items, order = self._items, self._order
        while order and (order[0][0] < oldest_ns or len(order) > self._max_packets):
            del items[order.popleft()[1]]

    def get(self, sequence_number: int) -> T | None:
        """The packet of that number, or None when it is not here (any more)."""
        return self._items.get(sequence_number)

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()
        self._order.clear()

    def __len__(self) -> int:
        return len(self._items)
