"""Pure: what one feed encodes → pieces of at most a second on the consultation's timeline, for the ring.

A generation begins with a keyframe; another picture size or other parameter sets begin the next one. Each
piece takes its place from the newest measure of how far the box's clock is off; inside it frames lie as they
were captured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from archive.entries import Codec
from archive.samples import Sample, TrackFormat

US_PER_S: Final = 1_000_000
PIECE_US: Final = US_PER_S
SETBACK_US: Final = 500_000
"""Frames that lie further back than this begin a new generation: times in a file only grow."""
NOMINAL_US: Final = 33_333


class ClockState(NamedTuple):
    """How far the box's clock is ahead of the server's, and how far that may be wrong."""

    ahead_us: int
    uncertainty_us: int


@dataclass(frozen=True, slots=True)
class Unit:
    """One access unit, or one packet of sound. `captured_us`: Unix time by the box's clock."""

    data: bytes
    captured_us: int
    keyframe: bool
    size: tuple[int, int] = (0, 0)
    parameter_sets: tuple[bytes, ...] = ()


@dataclass(eq=False, slots=True)
class CutGeneration:
    """`first`: the frame its init piece is made of."""

    format: TrackFormat
    first: Sample
    pieces: int = 0


@dataclass(frozen=True, slots=True)
class CutPiece:
    """Frames of one generation, and when they were captured (µs since the consultation's epoch)."""

    generation: CutGeneration
    samples: tuple[Sample, ...]
    begin_us: int
    end_us: int
    uncertainty_us: int

    @property
    def sync(self) -> bool:
        return self.samples[0].sync


class RingCutter:
    """Of one track. `epoch_us`: when the consultation's timeline begins (Unix µs, the server's clock)."""

    def __init__(self, codec: Codec, epoch_us: int) -> None:
        self.needs_keyframe = True
        """True while what comes cannot be decoded, because what it refers to is not kept."""
        self._codec, self._epoch_us = codec, epoch_us
        self._timescale = TrackFormat(codec).timescale
        self._generation: CutGeneration | None = None
        self._sets: tuple[bytes, ...] = ()
        self._clock = ClockState(0, 0)
        self._samples: list[tuple[Unit, int]] = []
        self._begin_us = 0
        self._last_ticks = -1
        self._last_us = self._end_us = 0
        self._nominal_us = NOMINAL_US

    def push(self, unit: Unit, clock: ClockState) -> list[CutPiece]:
        """The next one, in the order of encoding; returns the pieces that are whole now."""
        if self.needs_keyframe and not unit.keyframe:
            return []
        cut: list[CutPiece] = []
        if self._samples and self._ends_piece(unit):
            cut = self._cut(self._us(unit))
        if not self._samples:
            self._clock = self._joined(unit, clock)
        if self._us(unit) < 0:
            return cut
        if self._begins_generation(unit):
            self._begin(unit)
        elif self._is_setback(unit):
            return cut + self.interrupt()
        self.needs_keyframe = False
        self._append(unit)
        return cut

    def flush(self) -> list[CutPiece]:
        """Nothing has come for a while: what waits is a piece."""
        return self._cut(None)

    @property
    def waits(self) -> bool:
        """True while frames wait to become a piece."""
        return bool(self._samples)

    def interrupt(self) -> list[CutPiece]:
        """What comes next does not follow what came: begin with a keyframe again."""
        self.needs_keyframe = self._codec != "opus"
        return self._cut(None)

    def _ends_piece(self, unit: Unit) -> bool:
        if unit.keyframe and self._codec != "opus":
            return True
        at_us = self._us(unit)
        return at_us <= self._last_us or at_us + self._nominal_us - self._begin_us > PIECE_US

    def _begins_generation(self, unit: Unit) -> bool:
        generation = self._generation
        if not unit.keyframe or generation is None or self._is_setback(unit):
            return unit.keyframe
        if self._codec == "opus":
            return False
        known = generation.format
        return unit.size != (known.width, known.height) or unit.parameter_sets != self._sets

    def _joined(self, unit: Unit, clock: ClockState) -> ClockState:
        """The newest measure; but a piece never begins before the end of the one before it: where the clock
        is found a little ahead of what was thought, this piece lies as much later.
        """
        early_us = self._end_us - (unit.captured_us - clock.ahead_us - self._epoch_us)
        if self._generation is None or not 0 < early_us <= SETBACK_US:
            return clock
        return ClockState(clock.ahead_us - early_us, clock.uncertainty_us + early_us)

    def _is_setback(self, unit: Unit) -> bool:
        return self._generation is not None and self._last_us - self._us(unit) > SETBACK_US

    def _begin(self, unit: Unit) -> None:
        width, height = unit.size
        form = TrackFormat(self._codec, width, height)
        first = Sample(unit.data, 0, form.timescale // 30, sync=True)
        self._generation, self._sets, self._last_ticks = CutGeneration(form, first), unit.parameter_sets, -1

    def _append(self, unit: Unit) -> None:
        assert self._generation is not None
        at_us = self._us(unit)
        if 0 < at_us - self._last_us < US_PER_S // 2:
            self._nominal_us = at_us - self._last_us
        ticks = max(self._ticks(at_us), self._last_ticks + 1)
        if not self._samples:
            self._begin_us = ticks * US_PER_S // self._timescale
        self._samples.append((unit, ticks))
        self._last_ticks, self._last_us = ticks, at_us

    def _cut(self, next_us: int | None) -> list[CutPiece]:
        """The last frame lasts until the next one, as far as a piece may reach; else as frames usually do."""
        if not self._samples or self._generation is None:
            return []
        taken, self._samples = self._samples, []
        usual_us = self._last_us + self._nominal_us
        soon = next_us is not None and self._last_us < next_us <= usual_us + self._nominal_us
        end_us = min(next_us if soon and next_us is not None else usual_us, self._begin_us + PIECE_US)
        end_us = max(end_us, self._last_us + 1, self._begin_us + 1)
        self._end_us = end_us
        times = [ticks for _, ticks in taken] + [max(self._ticks(end_us), taken[-1][1] + 1)]
        samples = tuple(
            Sample(unit.data, ticks, times[index + 1] - ticks, unit.keyframe)
            for index, (unit, ticks) in enumerate(taken)
        )
        self._generation.pieces += 1
        return [CutPiece(self._generation, samples, self._begin_us, end_us, self._clock.uncertainty_us)]

    def _us(self, unit: Unit) -> int:
        return unit.captured_us - self._clock.ahead_us - self._epoch_us

    def _ticks(self, at_us: int) -> int:
        return (at_us * self._timescale + US_PER_S // 2) // US_PER_S
