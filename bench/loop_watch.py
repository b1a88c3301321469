"""How long an event loop was kept from everything else, by its own CPU time: a busy machine does not count.

    python -m bench.loop_watch FILE

runs the signalling process (settings from the environment) and writes what kept its loop when it ends. It is
on asyncio's own loop, whose steps can be timed one by one; uvloop, which the service uses, is quicker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from unittest.mock import patch

TICK_S: Final = 0.001
NOTABLE_MS: Final = 1.0
MOST: Final = 100_000


class LoopWatch:
    """(Unix ms, how long in ms), oldest first; those of `NOTABLE_MS` and more.

    `steps`: single callbacks, which nothing can interrupt. `turns`: all that were ready at once; after the
    machine gave the CPU to somebody else that is everything that came meanwhile.
    """

    def __init__(self) -> None:
        self.steps: deque[tuple[float, float]] = deque(maxlen=MOST)
        self.turns: deque[tuple[float, float]] = deque(maxlen=MOST)

    @contextlib.contextmanager
    def timing_steps(self) -> Iterator[None]:
        """Of every loop of asyncio's own in this process."""
        run_step = asyncio.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            began_ns = time.thread_time_ns()
            run_step(handle)
            if (took_ms := (time.thread_time_ns() - began_ns) / 1e6) >= NOTABLE_MS:
                self.steps.append((time.time() * 1e3, round(took_ms, 3)))

        with patch.object(asyncio.Handle, "_run", timed):
            yield

    async def run(self) -> None:
        """Until cancelled. A turn of the loop that is late, and used CPU meanwhile, took so long."""
        while True:
            due_ns, cpu_ns = time.monotonic_ns() + round(TICK_S * 1e9), time.thread_time_ns()
            await asyncio.sleep(TICK_S)
            late_ns, used_ns = time.monotonic_ns() - due_ns, time.thread_time_ns() - cpu_ns
            if (blocked_ms := min(late_ns, used_ns) / 1e6) >= NOTABLE_MS:
                self.turns.append((time.time() * 1e3, round(blocked_ms, 3)))


def within_ms(lengths: list[tuple[float, float]], from_ms: float, to_ms: float) -> list[float]:
    """Those that ended within that time, longest first."""
    return sorted((length for at_ms, length in lengths if from_ms <= at_ms <= to_ms), reverse=True)


async def _serve(watch: LoopWatch) -> None:
    from core.config import load_settings
    from signaling.main import run
    from teleconsult.serve import start_logging, worker_socket

    settings = load_settings(None)
    start_logging(settings, "signaling")
    watching = asyncio.create_task(watch.run())
    try:
        await run(settings, [worker_socket(settings, 1)])
    finally:
        watching.cancel()


def main(file: Path) -> None:
    """Until SIGTERM, as the service itself."""
    watch = LoopWatch()
    try:
        with watch.timing_steps():
            asyncio.run(_serve(watch))
    finally:
        file.write_text(json.dumps({"steps": list(watch.steps), "turns": list(watch.turns)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
