"""An enrolled box asks, now and then, which consultation wants it, and is there while one does."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from core.clock import NS_PER_S, Clock
from core.device_access import Assignment, DeviceAnswer
from core.device_health import DeviceHealth, LogLevel
from core.errors import TeleconsultError, Unavailable
from edge_agents.backoff import Backoff
from edge_agents.server_access import Refused, ServerAccess

log = structlog.get_logger()

IDLE_S: Final = 3.0
"""How soon a box begins after its site attached it."""
ATTENDING_S: Final = 15.0
REFUSED_S: Final = 60.0
DISABLED_S: Final = 15.0
STUCK_AFTER_S: Final = 180.0
_SPREAD: Final = 0.25
"""Of a wait, either way: boxes that were started together do not ask together for ever."""
State = Literal["starting", "idle", "attending", "unreachable", "revoked", "unknown", "disabled"]
"""unknown: the server has no such box, or another key for it."""
SHUT_OUT: Final[dict[str, State]] = {
    "device_revoked": "revoked",
    "wrong_signature": "unknown",
    "device_disabled": "disabled",
}


@dataclass(frozen=True)
class Host:
    """Whoever runs the pictures. `begin`: room, consultation, and how to get its newest token. `end`: returns
    once it is over.
    """

    begin: Callable[[str, str, Callable[[], str]], Awaitable[None]]
    end: Callable[[], Awaitable[None]]
    health: Callable[[], DeviceHealth | None]
    log_wanted: Callable[[LogLevel | None, int], None]


class Attendance:
    """`run` until cancelled."""

    def __init__(self, access: ServerAccess, host: Host, clock: Clock) -> None:
        self.state: State = "starting"
        self._access, self._host, self._clock = access, host, clock
        self._assignment: Assignment | None = None
        self._backoff = Backoff()
        self._ask_now = asyncio.Event()
        self._turned_ns = clock.monotonic_ns()

    @property
    def room(self) -> str:
        """Where the box is, or is wanted; empty: nowhere."""
        return "" if self._assignment is None else self._assignment.room

    @property
    def is_stuck(self) -> bool:
        """True when nothing has been asked or waited for in far too long."""
        return self._clock.monotonic_ns() - self._turned_ns > STUCK_AFTER_S * NS_PER_S

    def ask_soon(self) -> None:
        """Something in the room says that it may be over."""
        self._ask_now.set()

    def recall(self, room: str, consultation_id: str) -> None:
        """Where a process of this box was that died a moment ago: `run` begins there without asking."""
        self._assignment = Assignment(
            room=room, consultation_id=consultation_id, token="", expires_in=0, feeds=[]
        )

    async def run(self) -> None:
        try:
            if (recalled := self._assignment) is not None:
                await self._host.begin(recalled.room, recalled.consultation_id, self._token)
            while True:
                wait_s = await self._turn()
                self._turned_ns = self._clock.monotonic_ns()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._ask_now.wait()
                        await asyncio.sleep(_spread(1.0))
                self._ask_now.clear()
        finally:
            await self._host.end()

    async def _turn(self) -> float:
        """Ask once; for how many seconds to wait."""
        try:
            answer = await self._access.ask(self._host.health())
        except Refused as error:
            return await self._refused(error)
        except TeleconsultError as error:
            self._say("unreachable", reason=str(error))
            return self._backoff.next_delay_s(random.random())  # noqa: S311 - spreads load, hides nothing
        self._backoff.reset()
        await self._follow(answer)
        return _spread(IDLE_S if self._assignment is None else self._attending_s())

    def _attending_s(self) -> float:
        """Often enough that the token never gets old."""
        assert self._assignment is not None
        return min(ATTENDING_S, self._assignment.expires_in / 3)

    async def _follow(self, answer: DeviceAnswer) -> None:
        self._host.log_wanted(answer.log_level, answer.log_for_s)
        before, self._assignment = self._assignment, answer.assignment
        now = answer.assignment
        if now is None:
            self._say("idle")
            if before is not None:
                await self._host.end()
            return
        self._say("attending")
        if before is None or before.consultation_id != now.consultation_id:
            if before is not None:
                await self._host.end()
            await self._host.begin(now.room, now.consultation_id, self._token)

    def _token(self) -> str:
        """The newest: asked for at every request. Raises `Unavailable` before there is one."""
        if self._assignment is None or not self._assignment.token:
            raise Unavailable("the service has not answered this box yet")
        return self._assignment.token

    async def _refused(self, error: Refused) -> float:
        state = SHUT_OUT.get(error.code)
        if state is None:  # such as a challenge of a server that was restarted meanwhile
            log.warning("box_refused", code=error.code)
            return max(float(error.retry_after_s), self._backoff.next_delay_s(random.random()))  # noqa: S311 - as above
        self._say(state, reason=str(error))
        if self._assignment is not None:
            self._assignment = None
            await self._host.end()
        return _spread(DISABLED_S if state == "disabled" else REFUSED_S)

    def _say(self, state: State, **more: str) -> None:
        if state != self.state:
            self.state = state
            say = log.info if state in ("idle", "attending") else log.warning
            say("box_state", state=state, **more)


def _spread(seconds: float) -> float:
    return seconds * (1 + _SPREAD * (2 * random.random() - 1))  # noqa: S311 - spreads load, hides nothing
