"""What belongs to a seat or to the room service besides the pure state: connections, tokens, tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog

from core.clock import NS_PER_S, NS_PER_US
from core.errors import Unavailable
from core.tokens import RoomClaims
from signaling.connection import Connection
from signaling.members import PEOPLE, Member
from signaling.rooms import Room
from signaling.subscriber import Subscriber

log = structlog.get_logger()

TOKEN_GRACE_S: Final = 120
"""A person's WebSocket outlives its token by this at most."""
_US_PER_S: Final = NS_PER_S // NS_PER_US
_T = TypeVar("_T")


@dataclass(slots=True)
class Seat:
    """A member, or somebody who waits to become one, its token, and the WebSocket it came by last."""

    room: Room
    member: Member
    claims: RoomClaims
    connection: Connection

    @property
    def expires_us(self) -> int | None:
        """When the token has to be renewed; None for services and devices."""
        return token_expires_us(self.claims)

    def outlived(self, now_us: int, grace_s: int = TOKEN_GRACE_S) -> bool:
        """True when the token expired more than `grace_s` ago."""
        return outlived(self.claims, now_us, grace_s)


@dataclass(slots=True)
class Attached(Seat):
    """A member's driver-side half."""

    subscriber: Subscriber
    task: asyncio.Task[None] | None = None


def token_expires_us(claims: RoomClaims) -> int | None:
    """Unix microseconds, for people; services and devices are revoked instead."""
    return int(claims.exp * _US_PER_S) if claims.role in PEOPLE else None


def outlived(claims: RoomClaims, now_us: int, grace_s: int = TOKEN_GRACE_S) -> bool:
    """True when a person's token expired more than `grace_s` ago."""
    expires_us = token_expires_us(claims)
    return expires_us is not None and now_us > expires_us + grace_s * _US_PER_S


class Background:
    """Work that nobody waits for, and work that goes on to its end whoever stops waiting for it."""

    def __init__(self) -> None:
        self.group: asyncio.TaskGroup | None = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Failures are logged."""
        assert self.group is not None, "RoomService.run is not running"
        return self.group.create_task(_guarded(work))

    async def finish(self, work: Coroutine[Any, Any, _T], within_s: float) -> _T:
        """The result of `work`. A caller that is cancelled, or gives up waiting, does not end it.

        Raises what `work` raises, `Unavailable` when it takes longer.
        """
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_look)
        self.spawn(_into(done, work))
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(done)
        except TimeoutError:
            raise Unavailable("this takes long and is still being tried", code="still_trying") from None


async def _into(done: asyncio.Future[_T], work: Coroutine[Any, Any, _T]) -> None:
    try:
        result = await work
    except Exception as error:
        done.set_exception(error)
    except BaseException:
        done.cancel()
        raise
    else:
        done.set_result(result)


def _look(done: asyncio.Future[Any]) -> None:
    """Somebody has seen the failure, so that the loop does not complain when the caller is gone."""
    if not done.cancelled() and (error := done.exception()) is not None:
        log.debug("room.work_failed", error=type(error).__name__)


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """One member's failure must not end everyone's service."""
    try:
        await work
    except Exception:
        log.exception("room.task_failed")
