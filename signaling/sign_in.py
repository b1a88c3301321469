"""How often somebody may try to sign in, and what they need besides a password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from core.clock import NS_PER_S
from core.errors import Forbidden, Unauthorized
from core.people import User, use_totp_step
from signaling.context import Context
from signaling.problems import TooManyAttempts
from signaling.proxies import network_of
from signaling.rate import LoginThrottle
from signaling.totp import matching_step

FREE_PER_PERSON: Final = 5
FREE_PER_ADDRESS: Final = 50
FREE_CODES: Final = 5
"""Wrong codes of one person, from wherever: only who knows the password can try one."""


@dataclass(frozen=True)
class Attempt:
    """Counted as a failure until it is known to be none."""

    person_key: str
    address_key: str


class Throttle:
    """Failures of a person at an address, of an address, and of a person's second factor."""

    def __init__(self) -> None:
        self._per_person = LoginThrottle(FREE_PER_PERSON)
        self._per_address = LoginThrottle(FREE_PER_ADDRESS)
        self._codes = LoginThrottle(FREE_CODES)

    def begin(self, context: Context, request: web.Request, name: str) -> Attempt:
        """Raises `TooManyAttempts`. A header that anyone can write does not count as an address."""
        address = network_of(request.remote)
        attempt = Attempt(f"{address} {name}", address)
        now_ns = context.clock.monotonic_ns()
        wait_s = max(
            self._per_person.wait_s(attempt.person_key, now_ns),
            self._per_address.wait_s(attempt.address_key, now_ns),
        )
        self._check(context, wait_s)
        # Counted before the answer is known, so that attempts made at the same time count as well.
        self._per_person.failed(attempt.person_key, now_ns)
        self._per_address.failed(attempt.address_key, now_ns)
        return attempt

    def admitted(self, attempt: Attempt) -> None:
        """It was no failure, and the person's earlier ones are forgotten."""
        self._per_person.succeeded(attempt.person_key)
        self._per_address.forgiven(attempt.address_key)

    def forgiven(self, attempt: Attempt) -> None:
        """It was no failure, nor a success: the password is right, the second factor has yet to come."""
        self._per_person.forgiven(attempt.person_key)
        self._per_address.forgiven(attempt.address_key)

    def begin_code(self, context: Context, user_id: str) -> None:
        """Before a code is looked at. Raises `TooManyAttempts`."""
        now_ns = context.clock.monotonic_ns()
        self._check(context, self._codes.wait_s(user_id, now_ns))
        self._codes.failed(user_id, now_ns)

    def code_was_right(self, user_id: str) -> None:
        self._codes.succeeded(user_id)

    def _check(self, context: Context, wait_s: int) -> None:
        if wait_s > 0:
            context.metrics.logins.labels("throttled").inc()
            raise TooManyAttempts(wait_s)


async def check_second_factor(
    context: Context, throttle: Throttle, attempt: Attempt, user: User, code: str | None
) -> None:
    """After the right password. Raises `Unauthorized` `totp_required` or `wrong_credentials`, `Forbidden`
    `totp_not_set_up` where the role must have a second factor, `TooManyAttempts`.
    """
    if user.totp_secret is None:
        if user.role in context.settings.totp_roles:
            throttle.forgiven(attempt)
            await context.audit(user.user_id, "login", "", "totp_not_set_up")
            raise Forbidden(
                f"{user.role}s sign in with a second factor, and this account has none; on the server run: "
                f"teleconsult admin user totp {user.username}",
                code="totp_not_set_up",
            )
        return
    if not code:
        throttle.forgiven(attempt)
        raise Unauthorized("type the code of your second factor, too", code="totp_required")
    throttle.begin_code(context, user.user_id)
    if not await _use_code(context, user, user.totp_secret, code):
        context.metrics.logins.labels("denied").inc()
        await context.audit(user.user_id, "login", "", "wrong_code")
        raise Unauthorized("wrong code, or used already; type the next one", code="wrong_credentials")
    throttle.code_was_right(user.user_id)


async def _use_code(context: Context, user: User, secret: str, code: str) -> bool:
    """True once for each code."""
    step = matching_step(secret, code, context.clock.unix_ns() / NS_PER_S)
    return step is not None and await use_totp_step(context.database, user.user_id, step)
