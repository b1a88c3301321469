"""What a viewer sees and hears whose way suddenly carries a fraction of what it did, in simulated time.

    python -m tests.sfu.narrowing [--bps 500000] [--runs 20]

Two pictures, 4.8 Mbit/s and 190 kbit/s, on 20 Mbit/s with a drop-tail queue of 200 ms; somebody's voice goes
the same way. For ten seconds from the moment on when it gets narrow.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from statistics import median, quantiles
from unittest import mock

from tests.sfu import simulcast
from tests.sfu.simulated import Stage
from tests.support.link import Impairment

WIDE = Impairment(rate_bps=20_000_000, delay_ms=20, jitter_ms=5, queue_ms=200)
RATES_BPS = {"f": 4_800_000, "q": 190_000}
VOICE_BYTES = 88
VOICE_S = 0.02
"""A packet of Opus, headers included, and how often."""
WATCHED_S = 10.0
SETTLED_S = (1.0, 2.3, 3.1, 8.0, 8.37)


@dataclass(frozen=True)
class Narrowed:
    """`voice_lost`: share of all, and of what was said after the first second. `freeze_s`: of the picture in
    focus. `late_s`: p95 of how much later than the quickest its frames were shown.
    """

    voice_lost: float
    voice_lost_later: float
    freeze_s: float
    late_s: float


def narrowed(bps: int, seed: int, settled_s: float) -> Narrowed:
    """One run."""
    stage = Stage(seed)
    for track_id in "ab":
        for encoder in stage.camera(track_id, ("f", "q")).encoders.values():
            encoder.keyframe_factor = 4 if encoder.rid == "f" else 8
    stage.run(3)
    viewer = stage.viewer("viewer", WIDE)
    viewer.join("a", "b")
    viewer.show(("a", 1920, 1080, True), ("b", 640, 360, False))
    stage.run(settled_s)
    viewer.link.impairment = replace(WIDE, rate_bps=bps)
    begin_s, came = stage.seconds, []
    while stage.seconds < begin_s + WATCHED_S:
        stage.run(VOICE_S)
        came.append(viewer.link.arrival_ns(VOICE_BYTES, stage.clock.now_ns) is not None)
    later = came[round(1 / VOICE_S) :]
    return Narrowed(
        1 - sum(came) / len(came),
        1 - sum(later) / len(later),
        viewer.longest_freeze_s("a", begin_s, stage.seconds),
        quantiles(viewer.pictures["a"].ages(begin_s), n=20)[-1],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bps", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=20)
    wanted = parser.parse_args()
    with mock.patch.dict(simulcast.RATES_BPS, RATES_BPS):
        runs = [
            narrowed(wanted.bps, 1 + run // len(SETTLED_S), SETTLED_S[run % len(SETTLED_S)])
            for run in range(wanted.runs)
        ]
    print(f"{wanted.runs} runs, median and worst")
    for name, values in (
        ("sound lost, %", [100 * one.voice_lost for one in runs]),
        ("sound lost after the first second, %", [100 * one.voice_lost_later for one in runs]),
        ("longest freeze of the picture in focus, s", [one.freeze_s for one in runs]),
        ("its frames late, p95, s", [one.late_s for one in runs]),
    ):
        print(f"{name}: {median(values):.2f}, {max(values):.2f}")


if __name__ == "__main__":
    main()
