"""Runs a target on one input and says what was wrong with it."""

from __future__ import annotations

import time
import traceback

from tests.fuzz.targets import Target

LIMIT_S = 0.05
"""CPU time that no input of up to 64 KB may take, on a machine at full speed."""
ATTEMPTS = 4
"""The first call may warm a cache, and another machine on this one may steal: slow is what is always slow."""
TURNS = 4_000_000
"""Of an empty loop: a third more work than the limit, whatever the machine's clock is just now."""


def fault(target: Target, data: bytes) -> str | None:
    """What happened that must not; None when all is well."""
    spent_s = None
    for _ in range(ATTEMPTS):
        began_s = time.thread_time()
        try:
            target(data)
        except Exception:
            return traceback.format_exc(limit=-6)
        took_s = time.thread_time() - began_s
        spent_s = took_s if spent_s is None else min(spent_s, took_s)
        if spent_s < LIMIT_S or spent_s < _limit_now_s():
            return None
    return f"{len(data)} bytes took more than {LIMIT_S * 1000:.0f} ms"


def _limit_now_s() -> float:
    began_s = time.thread_time()
    for _ in range(TURNS):
        pass
    return time.thread_time() - began_s
