"""Sound of an exported film: all tracks added at their capture times."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
import numpy.typing as npt

from archive.export_order import Part, in_order

SAMPLE_RATE: Final = 48_000
BLOCK_SAMPLES: Final = 1_024
"""What the encoder takes at once."""
US_PER_S: Final = 1_000_000
Samples = npt.NDArray[np.float32]
"""Shape (n, 2)."""


class Sound:
    """One track. Times count from `begin_us` of the timeline."""

    def __init__(self, parts: Sequence[Part], begin_us: int) -> None:
        origin = begin_us * SAMPLE_RATE // US_PER_S
        self._chunks = ((start - origin, chunk) for _, (start, chunk) in in_order(parts, _decode))
        self._next: tuple[int, Samples] | None = next(self._chunks, None)

    def add_to(self, block: Samples, begin: int) -> None:
        """Add what sounds between samples `begin` and `begin` + the block's length."""
        end = begin + len(block)
        while self._next is not None and self._next[0] < end:
            start, chunk = self._next
            offset = max(0, begin - start)
            part = chunk[offset : offset + end - max(start, begin)]
            at = max(start, begin) - begin
            block[at : at + len(part)] += part
            if start + len(chunk) > end:
                return
            self._next = next(self._chunks, None)


class Mixer:
    """All tracks together; too loud is cut off, not wrapped round."""

    def __init__(self, sounds: Sequence[Sound]) -> None:
        self._sounds = sounds

    def blocks(self, samples: int) -> Iterator[Samples]:
        """Blocks until `samples` are through; nothing at all where there is no sound."""
        if not self._sounds:
            return
        for begin in range(0, samples, BLOCK_SAMPLES):
            block = np.zeros((BLOCK_SAMPLES, 2), dtype=np.float32)
            for sound in self._sounds:
                sound.add_to(block, begin)
            yield np.clip(block, -1.0, 1.0, out=block)


def _decode(path: Path) -> Iterator[tuple[int, tuple[int, Samples]]]:
    """When, and (sample of the timeline, samples). What cannot be decoded is silent."""
    resampler = av.AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
    with contextlib.suppress(av.error.FFmpegError), av.open(str(path)) as reading:
        for frame in reading.decode(audio=0):
            if frame.pts is None or frame.time_base is None:
                continue
            at = frame.pts * frame.time_base
            parts = [part.to_ndarray().reshape(-1, 2) for part in resampler.resample(frame)]
            if parts:
                yield int(at * US_PER_S), (int(at * SAMPLE_RATE), np.concatenate(parts))
