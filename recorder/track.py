"""Pure: one received stream → pieces of at most a second on the timeline, cut at any frame.

A generation begins with a keyframe; another size or other parameter sets begin the next one. Times inside a
piece follow the RTP timestamps exactly; every piece takes its start from the newest mapping to capture
time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from archive.entries import Codec
from archive.samples import Sample, TrackFormat
from archive.specs import Span
from core.clock import NS_PER_MS, NS_PER_US
from core.errors import ProtocolError
from recorder.jobs import GapJob, Generation, PieceJob, TrackJob
from recorder.timeline import US_PER_S, Position, Timeline
from rtp.payload import AccessUnit
from rtp.payload.opus import duration_samples
from rtp.sequence import timestamp_delta

PIECE_US: Final = US_PER_S
PIECE_AGE_NS: Final = 1_200 * NS_PER_MS
"""A piece is cut when its first frame has waited this long, even if nothing follows; a little longer than a
piece, so that jitter does not cut streams that flow.
"""
IDLE_US: Final = 300_000
"""A frame counts as still shown when nothing has come for longer than this; less may be jitter."""
HOLD_NS: Final = 500 * NS_PER_MS
"""First frames wait so long for the mapping to capture time, then go by arrival."""
MAX_HELD: Final = 600
"""Frames that wait at most; of more, the mapping is not waited for."""
STILL_US: Final = US_PER_S
"""A track whose last frame is older than this was still already when it was interrupted."""
SETBACK_US: Final = 500_000
"""When a new mapping lies further back than this, times cannot be squeezed: a new generation begins."""
DEFAULT_FRAME_RATE: Final = 30
QUIET_US: Final = US_PER_S
"""So long without a frame is said in the archive."""
NOTHING_CAME: Final = "nothing_came"
"""The publisher sent nothing: muted, a still screen, no signal."""


@dataclass(frozen=True, slots=True)
class TrackSource:
    """Where a stream comes from. `name`: the archive's name of the track."""

    name: str
    feed: str
    input: str
    track_id: str
    codec: Codec
    clock_rate: int


@dataclass(frozen=True, slots=True)
class _Frame:
    unit: AccessUnit
    arrival_us: int
    came_ns: int


class TrackCutter:
    """Push access units, poll for time, finish at the end; each returns jobs for the writer, in order."""

    def __init__(
        self, source: TrackSource, epoch_us: int, reason: str, interrupted: tuple[int, str] | None = None
    ) -> None:
        """`reason`: why the first generation begins. `interrupted`: since when, and why, this track was away:
        the gap is declared when it is back.
        """
        self.source = source
        self.timeline = Timeline(epoch_us, source.clock_rate)
        self.wants_keyframe = source.codec != "opus"
        """True until a keyframe has come that a generation can begin with."""
        self._reason = reason
        self._held: list[_Frame] = []
        self._generation: Generation | None = None
        self._parameter_sets: tuple[bytes, ...] = ()
        self._samples: list[Sample] = []
        self._anchor: tuple[int, int, Position] | None = None
        """RTP timestamp, ticks and position of the first frame of the piece in progress."""
        self._first_came_ns = self._last_came_ns = 0
        self._last_ticks = self._before_ticks = -1
        self._decodable_ticks = 0
        """Where the last piece that begins with a keyframe begins."""
        self._last_rtp: int | None = None
        self._nominal_rtp = source.clock_rate // DEFAULT_FRAME_RATE
        self._previous_end_us = 0
        self._lost: tuple[int, int] | None = None
        self._interrupted = interrupted
        self.end_us: int | None = None
        """Where the last frame ends; None before the first."""

    def set_clock(self, rtp_timestamp: int, capture_time_us: int, uncertainty_us: int) -> list[TrackJob]:
        """The mapping from RTP to capture time, again and again; new ones count from the next piece on."""
        self.timeline.set_clock(rtp_timestamp, capture_time_us, uncertainty_us)
        return self._release()

    def push(self, unit: AccessUnit, arrival_us: int, now_ns: int) -> list[TrackJob]:
        """The next frame, in decoding order. `arrival_us`: Unix time; `now_ns`: monotonic."""
        frame = _Frame(unit, arrival_us, now_ns)
        if not self.timeline.mapped and not self._samples and len(self._held) < MAX_HELD:
            self._held.append(frame)
            return self.poll(now_ns)
        return self._release() + self._take(frame)

    def poll(self, now_ns: int) -> list[TrackJob]:
        """Time passes: give up waiting for the mapping, cut what has waited long enough."""
        jobs: list[TrackJob] = []
        if self._held and now_ns - self._held[0].came_ns >= HOLD_NS:
            jobs += self._release()
        if self._samples and now_ns - self._first_came_ns >= PIECE_AGE_NS:
            shown_us = (now_ns - self._last_came_ns) // NS_PER_US - IDLE_US
            jobs += self._cut(self._ticks_us(self._last_ticks) + max(self._nominal_us, shown_us))
        return jobs

    @property
    def away(self) -> tuple[int, str] | None:
        """Since when, and why, nothing comes: the gap that the next frame declares."""
        return self._interrupted

    def interrupt(self, reason: str, at_us: int) -> list[TrackJob]:
        """Nothing will come from `at_us` on, and that is no loss: cut, and remember why."""
        jobs = self.finish()
        if self._interrupted is None:
            end_us = self.end_us
            recently = end_us is not None and at_us - end_us < STILL_US
            self._interrupted = (end_us if recently and end_us is not None else at_us, reason)
            if end_us is not None and not recently:
                jobs.append(GapJob(self.source.name, Span(end_us, at_us), NOTHING_CAME))
        return jobs

    def settle(self, at_us: int) -> list[TrackJob]:
        """Nothing came until `at_us`, and for now nothing will: declare the gap."""
        if self._interrupted is None:
            return []
        begin_us, reason = self._interrupted
        self._interrupted, self.end_us = None, max(begin_us, at_us)
        return [GapJob(self.source.name, Span(begin_us, self.end_us), reason)]

    def finish(self) -> list[TrackJob]:
        """The stream has ended."""
        jobs = self._release()
        if self._samples:
            jobs += self._cut(None)
        return jobs

    def _release(self) -> list[TrackJob]:
        held, self._held = self._held, []
        jobs: list[TrackJob] = []
        for frame in held:
            jobs += self._take(frame)
        return jobs

    def _take(self, frame: _Frame) -> list[TrackJob]:
        jobs = self._begin_generation(frame) if self._begins(frame.unit) else []
        if self._generation is None:
            return jobs
        self._learn_duration(frame.unit)
        jobs += self._place(frame)
        if frame.unit.after_loss and self._samples:
            self._note_loss()
        return jobs

    # generations

    def _begins(self, unit: AccessUnit) -> bool:
        """True for a frame that must begin a new generation, and can."""
        if self.source.codec == "opus":
            return self._generation is None
        if not unit.keyframe or unit.size is None:
            return False
        if self.source.codec in ("H264", "AV1") and not unit.parameter_sets:
            return False
        generation = self._generation
        if generation is None:
            return True
        same_size = unit.size == (generation.format.width, generation.format.height)
        return not same_size or unit.parameter_sets != self._parameter_sets

    def _begin_generation(self, frame: _Frame) -> list[TrackJob]:
        position = self.timeline.position(frame.unit.timestamp, frame.arrival_us)
        jobs = self._cut(position.us) if self._samples else []
        width, height = frame.unit.size or (0, 0)
        if self._generation is not None:
            changed = (width, height) != (self._generation.format.width, self._generation.format.height)
            self._reason = "size_changed" if changed else "parameters_changed"
        track = TrackFormat(self.source.codec, width, height)
        first = Sample(frame.unit.data, 0, track.timescale // 30, sync=True)
        self._generation = Generation(
            self.source.name,
            track,
            first,
            self._reason,
            feed=self.source.feed,
            input=self.source.input,
            track_id=self.source.track_id,
        )
        self._parameter_sets = frame.unit.parameter_sets
        self.wants_keyframe = False
        return jobs

    def _abandon_generation(self, reason: str) -> list[TrackJob]:
        """Times went back: what comes next cannot follow in the same file."""
        jobs = self.finish()
        self._interrupted = (self._previous_end_us, reason)
        self._generation, self._last_ticks, self._reason = None, -1, reason
        self.wants_keyframe = self.source.codec != "opus"
        return jobs

    # frames

    def _learn_duration(self, unit: AccessUnit) -> None:
        if self.source.codec == "opus":
            try:
                self._nominal_rtp = duration_samples(unit.data)
            except ProtocolError:
                return
        elif self._last_rtp is not None:
            delta = timestamp_delta(unit.timestamp, self._last_rtp)
            if 0 < delta < self.source.clock_rate // 2 and not unit.after_loss:
                self._nominal_rtp = delta
        self._last_rtp = unit.timestamp

    def _place(self, frame: _Frame) -> list[TrackJob]:
        """Add to the piece in progress, or cut and begin the next one."""
        if self._samples and self._fits(frame.unit):
            self._append(frame, self._follow(frame.unit.timestamp))
            return []
        position = self.timeline.position(frame.unit.timestamp, frame.arrival_us)
        jobs = self._cut(None if frame.unit.after_loss else position.us) if self._samples else []
        if self._last_ticks >= 0 and self._ticks_us(self._last_ticks) - position.us > SETBACK_US:
            jobs += self._abandon_generation("clock_changed")
            return jobs + (self._take(frame) if self._begins(frame.unit) else [])
        ticks = max(self._to_ticks(position.us), self._last_ticks + 1)
        self._anchor = (frame.unit.timestamp, ticks, position)
        self._first_came_ns = frame.came_ns
        if frame.unit.keyframe:
            self._decodable_ticks = ticks
        self._append(frame, ticks)
        if self._interrupted is None and not frame.unit.after_loss:
            jobs += self._quiet(position)
        return jobs + self._take_interruption(position)

    def _quiet(self, position: Position) -> list[TrackJob]:
        """The stream goes on after a while without anything, and nothing was lost."""
        end_us = self._previous_end_us
        if not end_us or position.us - end_us <= QUIET_US:
            return []
        return [GapJob(self.source.name, Span(end_us, position.us), NOTHING_CAME)]

    def _append(self, frame: _Frame, ticks: int) -> None:
        self._samples.append(Sample(frame.unit.data, ticks, 0, frame.unit.keyframe))
        self._before_ticks, self._last_ticks, self._last_came_ns = self._last_ticks, ticks, frame.came_ns
        self.end_us = self._ticks_us(ticks) + self._nominal_us

    def _fits(self, unit: AccessUnit) -> bool:
        assert self._generation is not None
        ticks = self._follow(unit.timestamp)
        longest = self._generation.format.timescale * PIECE_US // US_PER_S
        if self._could_start(unit) and ticks - self._decodable_ticks >= longest:
            return False
        end = ticks + self._nominal_ticks - self._samples[0].ticks
        return ticks > self._last_ticks and end <= longest

    def _could_start(self, unit: AccessUnit) -> bool:
        """A piece that begins with this frame can be decoded by itself: a replay looks for such pieces."""
        return unit.keyframe and self.source.codec != "opus"

    def _note_loss(self) -> None:
        """Frames are missing just before the newest one."""
        until_us = self._ticks_us(self._samples[-1].ticks)
        if self._before_ticks >= 0:  # wherever its piece ended: one cut meanwhile held it as a still picture
            begin_us = self._ticks_us(self._before_ticks) + self._nominal_us
        else:
            begin_us = self._previous_end_us or until_us
        self._lost = (self._lost[0] if self._lost else min(begin_us, until_us), until_us)

    # pieces

    def _cut(self, end_us: int | None) -> list[TrackJob]:
        """End the piece in progress; its last frame lasts until `end_us` (None: as frames usually do), as far
        as a piece may reach.
        """
        assert self._generation is not None
        assert self._anchor is not None
        samples, position = self._samples, self._anchor[2]
        self._samples, self._anchor = [], None
        first_us, last_us = self._ticks_us(samples[0].ticks), self._ticks_us(samples[-1].ticks)
        if end_us is None:
            end_us = self._ticks_us(samples[-1].ticks + self._nominal_ticks)
        end_us = max(min(end_us, first_us + PIECE_US), last_us + 1)
        ends = [sample.ticks for sample in samples[1:]]
        ends.append(max(self._to_ticks(end_us), samples[-1].ticks + 1))
        timed = tuple(
            Sample(sample.data, sample.ticks, end - sample.ticks, sample.sync)
            for sample, end in zip(samples, ends, strict=True)
        )
        piece = PieceJob(
            self._generation,
            timed,
            Span(first_us, end_us),
            samples[0].sync,
            position.clock,
            position.uncertainty_us,
        )
        self._previous_end_us = self.end_us = end_us
        return [piece, *self._take_gap()]

    def _take_gap(self) -> list[TrackJob]:
        if self._lost is None:
            return []
        gap = GapJob(self.source.name, Span(*self._lost), "packet_loss")
        self._lost = None
        return [gap]

    def _take_interruption(self, position: Position) -> list[TrackJob]:
        if self._interrupted is None:
            return []
        begin_us, reason = self._interrupted
        self._interrupted = None
        return [GapJob(self.source.name, Span(min(begin_us, position.us), position.us), reason)]

    # units

    def _follow(self, rtp_timestamp: int) -> int:
        """The frame's ticks by the piece's own mapping."""
        assert self._anchor is not None
        assert self._generation is not None
        first, ticks, _ = self._anchor
        delta = timestamp_delta(rtp_timestamp, first)
        return ticks + delta * self._generation.format.timescale // self.source.clock_rate

    @property
    def _nominal_us(self) -> int:
        return self._nominal_rtp * US_PER_S // self.source.clock_rate

    @property
    def _nominal_ticks(self) -> int:
        return self._to_ticks(self._nominal_us)

    def _to_ticks(self, us: int) -> int:
        assert self._generation is not None
        return (us * self._generation.format.timescale + US_PER_S // 2) // US_PER_S

    def _ticks_us(self, ticks: int) -> int:
        if self._generation is None:
            return 0
        return ticks * US_PER_S // self._generation.format.timescale
