"""What the benches' publishers send: H.264 as packets look that carry it, without any encoder's cost."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

STAMP_BYTES: Final = 8
"""Each payload of `SizedPictures` ends with the Unix time in ns at which its frame was sent."""
_FU_A: Final = 0x7C
_KEY, _OTHER = 5, 1
"""Types of NAL units (H.264 §7.4.1)."""
_FIRST_SLICE: Final = b"\x88"


class Pictures(Protocol):
    """One feed's. `rids`: of its encodings, best first; none: it has one encoding, named \"\"."""

    @property
    def fps(self) -> int: ...

    @property
    def rids(self) -> tuple[str, ...]: ...

    @property
    def profile_level_id(self) -> str: ...

    def next(
        self, *, keyframe_wanted: bool, unix_ns: int, first_less: int = 0
    ) -> Mapping[str, Sequence[bytes]]:
        """RTP payloads of the next frame, by encoding. `first_less`: see `rtp.payload.h264.packetize`."""


class SizedPictures:
    """Sizes and times of a camera's: frames vary, each is one burst, a keyframe is several times as large."""

    FPS: Final = 30
    KEYFRAME_EVERY: Final = 60
    KEYFRAME_FACTOR: Final = 6.0
    MAX_PAYLOAD_BYTES: Final = 1_150

    def __init__(self, bitrate_bps: int, seed: int) -> None:
        self.fps, self.rids, self.profile_level_id = self.FPS, tuple[str, ...](), "640028"
        self._chance = random.Random(seed)
        frames_per_keyframe = self.KEYFRAME_EVERY - 1 + self.KEYFRAME_FACTOR
        self._frame_bytes = bitrate_bps / 8 / self.FPS * self.KEYFRAME_EVERY / frames_per_keyframe
        self._noise = secrets.token_bytes(1 << 20)
        self._number = 0

    def next(
        self, *, keyframe_wanted: bool, unix_ns: int, first_less: int = 0
    ) -> Mapping[str, Sequence[bytes]]:
        keyframe = keyframe_wanted or self._number % self.KEYFRAME_EVERY == 0
        self._number += 1
        factor = self.KEYFRAME_FACTOR if keyframe else self._chance.lognormvariate(-0.03, 0.25)
        size = int(self._frame_bytes * factor)
        count = max(2, -(-size // self.MAX_PAYLOAD_BYTES))
        part = size // count - 2 - STAMP_BYTES
        offset = self._chance.randrange(len(self._noise) - size - 8)
        stamp = unix_ns.to_bytes(STAMP_BYTES, "big")
        pieces = (
            self._noise[start : start + part] + stamp for start in range(offset, offset + count * part, part)
        )
        return {"": fragments(list(pieces), keyframe=keyframe, first_less=first_less)}


class LayeredPictures:
    """A full and a small encoding of few packets: for many feeds, for hours."""

    FPS: Final = 25
    PACKETS: Final = {"f": 3, "q": 1}
    """Of one frame, by encoding; a keyframe has three times as many."""
    PAYLOAD_BYTES: Final = 900
    KEYFRAME_EVERY: Final = 250

    def __init__(self) -> None:
        self.fps, self.rids, self.profile_level_id = self.FPS, tuple(self.PACKETS), "42e01f"
        self._number = 0

    def next(
        self, *, keyframe_wanted: bool, unix_ns: int, first_less: int = 0
    ) -> Mapping[str, Sequence[bytes]]:
        keyframe = keyframe_wanted or self._number % self.KEYFRAME_EVERY == 0
        self._number += 1
        return {
            rid: fragments(
                [secrets.token_bytes(self.PAYLOAD_BYTES) for _ in range(count * (3 if keyframe else 1))],
                keyframe=keyframe,
                first_less=first_less,
            )
            for rid, count in self.PACKETS.items()
        }


def fragments(pieces: Sequence[bytes], *, keyframe: bool, first_less: int = 0) -> list[bytes]:
    """One NAL unit that begins a picture, in as many packets as there are pieces (RFC 6184 §5.8). The first
    payload is `first_less` bytes shorter than a piece makes it, as an edge agent's.
    """
    kind = _KEY if keyframe else _OTHER
    if len(pieces) == 1:
        return [bytes((0x60 | kind,)) + _FIRST_SLICE + pieces[0]]
    last = len(pieces) - 1
    return [
        bytes((_FU_A, (0x80 if at == 0 else 0x40 if at == last else 0) | kind))
        + (_FIRST_SLICE + piece[len(_FIRST_SLICE) + first_less :] if at == 0 else piece)
        for at, piece in enumerate(pieces)
    ]
