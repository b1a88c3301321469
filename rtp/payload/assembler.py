"""What video depacketizers share: frames open and close, losses break them, a broken one never comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from core.errors import ProtocolError

MAX_FRAME_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One frame. `data` has the form its codec's container wants (see each module).

    `after_loss`: at least one frame between the previous access unit and this one was lost, so this one may
    refer to pictures that are missing. `size` (width, height) is given where the frame carries it.
    `parameter_sets`: H.264 SPS and PPS NAL units, or the AV1 sequence header OBU, that came with the frame.
    """

    data: bytes
    timestamp: int
    keyframe: bool
    after_loss: bool = False
    size: tuple[int, int] | None = None
    parameter_sets: tuple[bytes, ...] = ()


class Depacketizer(ABC):
    """Packets of one stream, in sequence order and without duplicates, → access units.

    The caller reports missing packets with `gap()` (`ReorderBuffer` finds them). A frame that lacks a packet,
    or may miss its first one, is dropped and counted; `AccessUnit.after_loss` tells at the next whole frame.
    """

    codec: str

    def __init__(self) -> None:
        self.dropped_frames = 0
        """Frames begun and not delivered. Frames of which no packet came are not known, hence not counted."""
        self._timestamp: int | None = None
        self._broken = False
        self._unsure = False
        self._after_loss = False
        self._bytes = 0

    def gap(self) -> None:
        """Packets are missing between the last one pushed and the next one."""
        self._after_loss = self._unsure = True
        if self._timestamp is not None:
            self._break()

    def push(self, payload: bytes, marker: bool, timestamp: int) -> AccessUnit | None:
        """Take the next packet; return the frame it completes (its marker bit closes it), if any.

        Raises `ProtocolError` for a malformed payload; the frame it belongs to is dropped.
        """
        if not payload:
            return None  # padding only: bandwidth probes
        try:
            if timestamp != self._timestamp:
                self._begin(payload, timestamp)
            return self._take(payload, marker)
        except ProtocolError:
            self._break()
            raise
        finally:
            if marker:
                self._timestamp = None

    def _take(self, payload: bytes, marker: bool) -> AccessUnit | None:
        if self._broken:
            return None
        self._bytes += len(payload)
        if self._bytes > MAX_FRAME_BYTES:
            raise ProtocolError(f"a frame is larger than {MAX_FRAME_BYTES} bytes")
        if not self._add(payload):
            self._break()
        if not marker or self._broken:
            return None
        unit = self._finish(timestamp=self._timestamp or 0, after_loss=self._after_loss)
        if unit is None:
            self._break()
        else:
            self._after_loss = False
        return unit

    def _begin(self, payload: bytes, timestamp: int) -> None:
        if self._timestamp is not None:
            self._break()  # its marker never came
        self._timestamp = timestamp
        self._broken = False
        self._bytes = 0
        self._reset()
        unsure, self._unsure = self._unsure, False
        if unsure and not self._surely_starts(payload):
            self._break()

    def _break(self) -> None:
        if not self._broken:
            self.dropped_frames += 1
        self._broken = self._after_loss = True
        self._reset()

    @abstractmethod
    def _reset(self) -> None:
        """Forget the frame in progress."""

    @abstractmethod
    def _surely_starts(self, payload: bytes) -> bool:
        """True when no earlier packet can belong to this packet's frame."""

    @abstractmethod
    def _add(self, payload: bytes) -> bool:
        """Append a packet's content; False when what should have come before it is missing."""

    @abstractmethod
    def _finish(self, timestamp: int, after_loss: bool) -> AccessUnit | None:
        """The frame; None when its end is missing."""


def join(parts: list[bytes]) -> bytes:
    """Concatenate, without a copy for a single part."""
    return parts[0] if len(parts) == 1 else b"".join(parts)


def equal_fragments(data: bytes, max_bytes: int, first_less: int = 0) -> list[bytes]:
    """Cut into the fewest pieces, all of one size but the last, which may be shorter (for UDP_SEGMENT).

    The first one, too, is `first_less` bytes shorter, for a header that is so much longer than the others'.
    """
    if max_bytes <= first_less:
        raise ValueError("fragments need room for at least one byte")
    count = -(-(len(data) + first_less) // max_bytes) or 1
    size = -(-(len(data) + first_less) // count)
    cuts = [*range(max(1, size - first_less), len(data), size or 1), len(data)]
    return [data[start:end] for start, end in zip((0, *cuts), cuts, strict=False)] if data else []
