"""Packets that many subscribers get, laid out as the engine reads them."""

from __future__ import annotations

from transport.native.engine import load_engine
from transport.native.layout import lay_out


class NativeBatch:
    """`tc_batch` with what it points to: header templates (sequence number and SSRC of no meaning, timestamp
    the source's), payloads, and where the transport-wide numbers stand (`None`: without).
    """

    __slots__ = ("_memory", "address")

    def __init__(self, headers: list[bytes], payloads: list[bytes], number_at: list[int] | None) -> None:
        engine = load_engine()
        found = (lay_out if engine is None else engine.lay_out)(headers, payloads, number_at)
        self._memory: bytearray = found[0]  # never resized: it stays where it is
        self.address: int = found[1]
