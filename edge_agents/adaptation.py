"""Pure: what the encoders are asked for when the network carries so much.

The small encoding gets its minimum first, the rest goes to the full one. Where that is too little for the
full picture at acceptable quality, the feed's profile says what gives way: `frame_rate` profiles (ultrasound)
keep every picture and lower its size, `detail` profiles (endoscopy) keep the size and show fewer pictures.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction
from typing import Final

from core.clock import NS_PER_MS, NS_PER_S
from edge_agents.config import PROFILES, FeedConfig
from edge_agents.layers import FULL, SMALL, Encoding, full_plan, scaled

SIZE_STEPS: Final = (Fraction(1), Fraction(2, 3), Fraction(1, 2))
"""1080 → 720 → 540 lines."""
RATE_STEPS: Final = (Fraction(1), Fraction(2, 3), Fraction(1, 2), Fraction(1, 3))
"""30 → 20 → 15 → 10 frames/s."""
SMALLEST_HEIGHT_PX: Final = 240
LOWEST_FPS: Final = 10
ACCEPTABLE_BITS_PER_PIXEL: Final = {"frame_rate": 0.03, "detail": 0.05}
"""Below this the next step looks better: 1.9 Mbit/s for 1080p30 that may soften, 3.1 for one that may not."""
CONFIGURED_SHARE: Final = 0.5
"""Who configures a low bit rate wants that size nevertheless: it counts as acceptable down to this share."""
SMALL_MIN_BPS: Final = 150_000
SMALL_SHARE: Final = 0.1
FULL_MIN_BPS: Final = 200_000
"""With less than this beside the small encoding, the full one rests; alone it goes on with what there is."""
LEAST_BPS: Final = 50_000
UP_MARGIN: Final = 1.25
UP_HOLD_NS: Final = 1 * NS_PER_S
"""So long the better step must fit, with the margin, before it is taken."""
DWELL_NS: Final = 2 * NS_PER_S
"""Between two changes of the step, but for those that go further down."""
LOWER_DWELL_NS: Final = 600 * NS_PER_MS
"""Between two steps down, but for a rate that is far below the present step's need."""
MUCH_TOO_LITTLE: Final = 0.25
ABUNDANT: Final = 2.0
"""With so many times the need of the better step, a quarter of the hold is enough."""
REGRET_NS: Final = 10 * NS_PER_S
"""A step up that has to be taken back so soon doubles the hold of the next one."""
MAX_UP_HOLD_NS: Final = 30 * NS_PER_S
CHANGE_SHARE: Final = 0.03
"""Smaller changes of the bit rate are not worth telling an encoder."""
STEP_CEILING: Final = 1.5
"""A lowered picture's encoder is opened for so many times the rate at which the step above is taken again."""


class Adaptation:
    """One feed's decisions. `decide` is to be called with every new estimate; time only goes forward."""

    def __init__(self, feed: FeedConfig) -> None:
        self._best = full_plan(feed)
        self._steps = _ladder(feed, self._best[FULL])
        self._floors = [_floor_bps(feed, step) for step in self._steps]
        self._step = _StepKeeper([*self._floors[:-1], 0])
        self._full_rests = False
        self._told: dict[str, Encoding] = {}

    @property
    def wanted_bps(self) -> int:
        """What the network would have to carry for everything at its best."""
        return sum(encoding.bitrate_bps for encoding in self._best.values())

    def best(self, wanted: Collection[str]) -> dict[str, Encoding]:
        """What would be sent of the encodings `wanted` if everything fitted."""
        return {rid: encoding for rid, encoding in self._best.items() if rid in wanted}

    @property
    def step(self) -> int:
        """How far the full picture is lowered; 0: not at all."""
        return self._step.index

    def decide(self, budget_bps: int, wanted: Collection[str], now_ns: int) -> dict[str, Encoding]:
        """The plan for a network that carries `budget_bps` of pictures; of those, `wanted` are watched."""
        rids = [rid for rid in self._best if rid in wanted]
        small_bps = self._small_bps(budget_bps, FULL in rids) if SMALL in rids else 0
        full_bps = budget_bps - small_bps
        plan: dict[str, Encoding] = {}
        if FULL in rids and not self._rests(full_bps, SMALL in rids):
            plan[FULL] = self._full(full_bps, now_ns)
        if SMALL in rids:
            plan[SMALL] = _with_rate(self._best[SMALL], small_bps if FULL in plan else budget_bps)
        self._told = {rid: self._settled(rid, encoding) for rid, encoding in plan.items()}
        return dict(self._told)

    def _small_bps(self, budget_bps: int, shared: bool) -> int:
        best_bps = self._best[SMALL].bitrate_bps
        if not shared:
            return min(best_bps, budget_bps)
        return max(min(SMALL_MIN_BPS, budget_bps), min(best_bps, int(budget_bps * SMALL_SHARE)))

    def _rests(self, full_bps: int, has_small: bool) -> bool:
        limit_bps = FULL_MIN_BPS * UP_MARGIN if self._full_rests else FULL_MIN_BPS
        self._full_rests = has_small and full_bps < limit_bps
        return self._full_rests

    def _full(self, full_bps: int, now_ns: int) -> Encoding:
        return _with_rate(self._steps[self._step.choose(full_bps, now_ns)], full_bps)

    def _settled(self, rid: str, encoding: Encoding) -> Encoding:
        """What was told before, when the difference is small and it is not too much."""
        before = self._told.get(rid)
        if before is None or replace(before, bitrate_bps=encoding.bitrate_bps) != encoding:
            return encoding
        spare_bps = encoding.bitrate_bps - before.bitrate_bps
        at_best = encoding.bitrate_bps == self._best[rid].bitrate_bps
        keep = 0 <= spare_bps <= before.bitrate_bps * CHANGE_SHARE and not at_best
        return before if keep else encoding


class _StepKeeper:
    """Which step of a ladder fits, without hurry upwards. `floors_bps`: what each needs, best first."""

    def __init__(self, floors_bps: list[int]) -> None:
        self.index = 0
        self._floors_bps = floors_bps
        self._fits_since_ns: int | None = None
        self._changed_ns: int | None = None
        self._raised_ns: int | None = None
        self._hold_ns = UP_HOLD_NS

    def choose(self, rate_bps: int, now_ns: int) -> int:
        """The step for `rate_bps`."""
        fitting = next(i for i, floor_bps in enumerate(self._floors_bps) if rate_bps >= floor_bps)
        if fitting > self.index:
            self._consider_lowering(fitting, rate_bps, now_ns)
        elif self.index and rate_bps >= self._floors_bps[self.index - 1] * UP_MARGIN:
            self._consider_raising(rate_bps, now_ns)
        else:
            self._fits_since_ns = None
        return self.index

    def _consider_lowering(self, fitting: int, rate_bps: int, now_ns: int) -> None:
        """One step at once; further ones wait a moment: an estimate undershoots while a queue drains."""
        self._fits_since_ns = None
        much_too_little = rate_bps < self._floors_bps[self.index] * MUCH_TOO_LITTLE
        recently = self._changed_ns is not None and now_ns - self._changed_ns < LOWER_DWELL_NS
        if not recently or much_too_little:
            self._lower(self.index + 1 if not much_too_little else fitting, now_ns)

    def _lower(self, index: int, now_ns: int) -> None:
        if self._raised_ns is not None:
            regretted = now_ns - self._raised_ns < REGRET_NS
            self._hold_ns = min(self._hold_ns * 2, MAX_UP_HOLD_NS) if regretted else UP_HOLD_NS
        self.index, self._changed_ns = index, now_ns
        self._fits_since_ns = self._raised_ns = None

    def _consider_raising(self, rate_bps: int, now_ns: int) -> None:
        if self._fits_since_ns is None:
            self._fits_since_ns = now_ns
        recently = self._changed_ns is not None and now_ns - self._changed_ns < DWELL_NS
        abundant = rate_bps >= self._floors_bps[self.index - 1] * ABUNDANT
        hold_ns = self._hold_ns // 4 if abundant else self._hold_ns
        if recently or now_ns - self._fits_since_ns < hold_ns:
            return
        while self.index and rate_bps >= self._floors_bps[self.index - 1] * UP_MARGIN:
            self.index -= 1
        self._changed_ns = self._raised_ns = now_ns
        self._fits_since_ns = None


def _ladder(feed: FeedConfig, full: Encoding) -> list[Encoding]:
    """The full picture and what it may become, best first; each has the ceiling its encoder is opened for."""
    if PROFILES[feed.profile].prefers == "detail":
        rates = sorted({max(1, int(full.fps * step)) for step in RATE_STEPS}, reverse=True)
        return [replace(full, fps=fps) for fps in rates if fps >= min(LOWEST_FPS, full.fps)]
    steps = [full]
    for factor in SIZE_STEPS[1:]:
        width, height = scaled(feed, factor)
        if height >= SMALLEST_HEIGHT_PX:
            ceiling_bps = int(_floor_bps(feed, steps[-1]) * UP_MARGIN * STEP_CEILING)
            ceiling_bps = min(ceiling_bps, full.ceiling_bps)
            steps.append(replace(full, width=width, height=height, ceiling_bps=ceiling_bps))
    return steps


def _floor_bps(feed: FeedConfig, step: Encoding) -> int:
    """The bit rate below which this step is not acceptable."""
    configured = feed.bitrate_bps / (feed.width * feed.height * feed.fps)
    acceptable = ACCEPTABLE_BITS_PER_PIXEL[PROFILES[feed.profile].prefers]
    return int(min(acceptable, configured * CONFIGURED_SHARE) * step.pixels_per_s)


def _with_rate(encoding: Encoding, bitrate_bps: int) -> Encoding:
    at_most_bps = min(encoding.bitrate_bps, encoding.ceiling_bps)
    return replace(encoding, bitrate_bps=max(LEAST_BPS, min(bitrate_bps, at_most_bps)))
