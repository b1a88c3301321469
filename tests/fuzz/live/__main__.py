"""`tests/fuzz/run`: minutes of hostile bytes against a live room; exit code 1 when anything was wrong."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fuzz.live.siege import Outcome, besiege
from tests.fuzz.live.watch import MAX_ANSWER_S, MAX_GAP_S, Figures

TELL_EVERY_S = 10.0


class Progress:
    """A line now and then, on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._told_s = 0.0

    def __call__(self, at_s: float, sent: Counter[str], figures: Figures) -> None:
        if at_s - self._told_s >= TELL_EVERY_S:
            self._told_s = at_s
            wrong = sum(figures.violations.values())
            self._console.print(
                f"{at_s:5.0f} s: {sent.total():,} sent; longest gap {figures.longest_gap_s:.2f} s, "
                f"slowest answer {figures.slowest_worker_s:.2f} s and {figures.slowest_signaling_s:.2f} s; "
                f"{wrong} violations {dict(figures.violations) if wrong else ''}"
            )


def show(outcome: Outcome) -> None:
    """For people."""
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    table = Table(title=f"A live room under attack for {outcome.seconds:.0f} s")
    table.add_column("what")
    table.add_column("", justify="right")
    for name, times in sorted(outcome.sent.items()):
        table.add_row(f"sent: {name}", f"{times:,}")
    figures = outcome.figures
    table.add_section()
    table.add_row("frames at honest viewers", f"{outcome.frames:,}")
    table.add_row("packets of the hostile feed that reached them", f"{outcome.hostile_packets:,}")
    for name, value in outcome.worker.items():
        table.add_row(f"worker: {name}", f"{value:,}")
    table.add_row(f"longest time without a frame (≤ {MAX_GAP_S} s)", f"{figures.longest_gap_s:.2f} s")
    table.add_row(f"slowest answer of the worker (≤ {MAX_ANSWER_S} s)", f"{figures.slowest_worker_s:.2f} s")
    table.add_row("slowest answer of signaling", f"{figures.slowest_signaling_s:.2f} s")
    table.add_row("our own loop late by", f"{figures.own_lag_s:.2f} s")
    for role, one in outcome.memory.items():
        table.add_row(f"memory of {role}", f"{one.median:.0f} MB, {one.growth:+.1f} MB: {one.verdict}")
    console.print(table)
    for what, times in outcome.violations.items():
        console.print(f"VIOLATION: {what} ({times} ×)")
    console.print("nothing was wrong" if not outcome.violations else "")


def main() -> int:
    """Parse the command line and attack."""
    parser = argparse.ArgumentParser(prog="tests/fuzz/run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--factor", type=float, default=1.0, help="of the attackers' rates")
    parser.add_argument("--no-recorder", action="store_true")
    parser.add_argument("--log", type=Path, help="copy the service's log there")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    work = besiege(
        given.minutes * 60,
        seed=given.seed,
        factor=given.factor,
        recorder=not given.no_recorder,
        keep_log=given.log,
        on_second=Progress(),
    )
    outcome = asyncio.run(work)
    if given.json:
        print(json.dumps(outcome.as_json(), indent=2))
    else:
        show(outcome)
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
