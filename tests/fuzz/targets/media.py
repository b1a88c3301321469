"""Payload formats: packets of one stream, in order or with gaps, as nobody's encoder would make them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from core.errors import ProtocolError
from rtp.keyframe import is_keyframe
from rtp.payload import AnyDepacketizer, depacketizer_for
from rtp.payload.assembler import MAX_FRAME_BYTES
from rtp.payload.vp8 import read_numbers
from rtp.payload.vp8_continuity import AS_IT_IS, Vp8Continuity
from tests.fuzz import records

MARKER, NEW_FRAME, GAP, DESCRIPTOR = 1, 2, 4, 8
"""Bits of a record's flags. DESCRIPTOR: the payload stands for a dependency descriptor, too."""


def _target(codec: str) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        depacketizer, timestamp = depacketizer_for(codec), 0
        for flags, payload in records.split(data):
            timestamp += 3_000 * bool(flags & NEW_FRAME)
            is_keyframe(codec, payload, payload if flags & DESCRIPTOR else None)
            if flags & GAP:
                depacketizer.gap()
            _push(depacketizer, payload, flags, timestamp)

    return target


def _push(depacketizer: AnyDepacketizer, payload: bytes, flags: int, timestamp: int) -> None:
    with suppress(ProtocolError):
        unit = depacketizer.push(payload, bool(flags & MARKER), timestamp)
        if unit is not None:
            assert unit.timestamp == timestamp
            assert 0 < len(unit.data) <= 2 * MAX_FRAME_BYTES
            assert unit.size is None or all(0 < side <= 1 << 20 for side in unit.size)


h264, vp9 = _target("H264"), _target("VP9")
av1, opus = _target("AV1"), _target("opus")

_vp8_frames = _target("VP8")


def vp8(data: bytes) -> None:
    """Frames, and counters across switches: none is moved where none was."""
    _vp8_frames(data)
    continuity = Vp8Continuity()
    for number, (flags, payload) in enumerate(records.split(data)):
        if flags & GAP:
            continuity.switch()
        found = read_numbers(payload)
        if found is not None:
            offsets = continuity.place(found, number & 0xFFFF)
            moved = offsets.apply(payload, found)
            assert len(moved) == len(payload)
            assert AS_IT_IS.apply(payload, found) == payload
            assert continuity.offsets_at(number & 0xFFFF) == offsets
