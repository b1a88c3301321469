"""Pure: time-based one-time passwords (RFC 6238), six digits every thirty seconds."""

from __future__ import annotations

import hmac
from typing import Final

import pyotp

STEP_S: Final = 30
DRIFT_STEPS: Final = 1
"""A telephone's clock may be half a minute off, either way."""


def matching_step(secret: str, code: str, unix_s: float) -> int | None:
    """The time step whose code that is, the newest of those that count now; None when there is none."""
    now = int(unix_s // STEP_S)
    given = "".join(code.split())
    if not (given.isascii() and given.isdecimal()):
        return None
    totp = pyotp.TOTP(secret, interval=STEP_S)
    for step in range(now + DRIFT_STEPS, now - DRIFT_STEPS - 1, -1):
        if hmac.compare_digest(totp.generate_otp(step), given):
            return step
    return None
