"""The directory of several signaling processes, in Redis (`redis_url`).

What this process knows itself, it also keeps in memory. When Redis is gone, it goes on with that, says so
once, and tells Redis everything again when it is back: no call ends because of it. What a killed process left
in Redis expires.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.directory import Directory, MemoryDirectory
from core.errors import ConfigError, Unavailable
from core.messages import Participant

log = structlog.get_logger()

KEPT_MS: Final = 30_000
"""How long what a process said stays true without being repeated."""
REPEAT_S: Final = 10.0
AGAIN_S: Final = 1.0
"""How often a Redis that is gone is tried."""
CALL_WITHIN_S: Final = 2.0
PREFIX: Final = "{teleconsult}:"
"""The braces keep all keys on one node of a Redis cluster."""
PLACED: Final = PREFIX + "placed"
DEADLINES: Final = PREFIX + "deadlines"
SEQUENCE: Final = PREFIX + "sequence"

_NOW: Final = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
_FORGET: Final = """
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('HDEL', KEYS[1], gone); redis.call('ZREM', KEYS[2], gone)
end
"""
_PLACE: Final = (
    _NOW
    + _FORGET
    + """
local room, kept = ARGV[1], tonumber(ARGV[2])
local placed = redis.call('HGET', KEYS[1], room)
local load, usable = {}, false
for i = 3, #ARGV do load[ARGV[i]] = 0; usable = usable or ARGV[i] == placed end
if not usable then
  for _, worker in ipairs(redis.call('HVALS', KEYS[1])) do
    if load[worker] then load[worker] = load[worker] + 1 end
  end
  placed = ARGV[3]
  for i = 4, #ARGV do if load[ARGV[i]] < load[placed] then placed = ARGV[i] end end
end
redis.call('HSET', KEYS[1], room, placed)
redis.call('ZADD', KEYS[2], now + kept, room)
return placed
"""
)
_KEEP: Final = (
    _NOW
    + """
local room, worker, kept = ARGV[1], ARGV[2], tonumber(ARGV[3])
redis.call('HSETNX', KEYS[1], room, worker)
local placed = redis.call('HGET', KEYS[1], room)
if placed == worker then redis.call('ZADD', KEYS[2], now + kept, room) end
return placed
"""
)
_FORGET_ALL: Final = _NOW + _FORGET + "return redis.call('HGETALL', KEYS[1])"
_ENTER: Final = (
    _NOW
    + """
local before = redis.call('HGET', KEYS[1], ARGV[1])
local number = before and cjson.decode(before)[1] or redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode({number, now + tonumber(ARGV[2]), ARGV[3]}))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
)
_PRESENT: Final = (
    _NOW
    + """
local found = {}
local entries = redis.call('HGETALL', KEYS[1])
for i = 1, #entries, 2 do
  local entry = cjson.decode(entries[i + 1])
  if entry[2] > now then found[#found + 1] = entry
  else redis.call('HDEL', KEYS[1], entries[i]) end
end
table.sort(found, function(a, b) return a[1] < b[1] end)
for i, entry in ipairs(found) do found[i] = entry[3] end
return found
"""
)

T = TypeVar("T")


def directory_for(redis_url: str | None, ca: Path | None = None) -> Directory:
    """In memory without a URL, else in Redis; `ca`: PEM file of the authority of a rediss:// server.

    Raises `ConfigError`.
    """
    if redis_url is None:
        return MemoryDirectory()
    more: dict[str, Any] = (
        {"ssl_ca_certs": str(ca)} if ca is not None and redis_url.startswith("rediss:") else {}
    )
    try:
        redis = Redis.from_url(
            redis_url,
            decode_responses=True,
            socket_timeout=CALL_WITHIN_S,
            socket_connect_timeout=CALL_WITHIN_S,
            retry=Retry(NoBackoff(), 1),  # a connection that Redis closed meanwhile
            **more,
        )
    except ValueError:
        raise ConfigError(
            "redis_url is no URL of a Redis server: redis://HOST:PORT/DB, unix:///path"
        ) from None
    return RedisDirectory(redis)


class RedisDirectory:
    """`Directory` over one Redis server. `run` keeps what is shared fresh; nothing waits for Redis long."""

    def __init__(self, redis: Redis, *, kept_ms: int = KEPT_MS, repeat_s: float = REPEAT_S) -> None:
        self._redis = redis
        self._kept_ms, self._repeat_s = kept_ms, repeat_s
        self._own = MemoryDirectory()
        self._own_rooms: set[str] = set()
        self._own_people: set[str] = set()
        self._reachable: bool | None = None

    @property
    def reachable(self) -> bool:
        return self._reachable is not False

    async def place_room(self, room: str, workers: Sequence[str]) -> str:
        if not workers:
            raise Unavailable("no media server is connected; try again in a moment", code="no_worker")
        shared = await self._ask(
            lambda: self._run(_PLACE, (PLACED, DEADLINES), room, self._kept_ms, *workers)
        )
        # What Redis decided is remembered; without it we decide by what we remember.
        placed = await self._own.place_room(room, workers if shared is None else [shared])
        self._own_rooms.add(room)
        return placed

    async def release_room(self, room: str) -> None:
        await self._own.release_room(room)
        self._own_rooms.discard(room)
        await self._ask(lambda: self._release(room))

    async def worker_of(self, room: str) -> str | None:
        placed = await self._ask(self._placed)
        return await self._own.worker_of(room) if placed is None else placed.get(room)

    async def rooms_of(self, worker: str) -> frozenset[str]:
        placed = await self._ask(self._placed)
        if placed is None:
            return await self._own.rooms_of(worker)
        return frozenset(room for room, holder in placed.items() if holder == worker)

    async def enter(self, room: str, participant: Participant) -> None:
        await self._own.enter(room, participant)
        self._own_people.add(room)
        await self._ask(lambda: self._enter(room, participant))

    async def leave(self, room: str, participant_id: str) -> None:
        await self._own.leave(room, participant_id)
        if not await self._own.present(room):
            self._own_people.discard(room)
        await self._ask(lambda: _awaited(self._redis.hdel(_people(room), participant_id)))

    async def present(self, room: str) -> tuple[Participant, ...]:
        found = await self._ask(lambda: self._run(_PRESENT, (_people(room),)))
        if found is None:
            return await self._own.present(room)
        return tuple(Participant.model_validate_json(text) for text in found)

    async def run(self) -> None:
        """Until cancelled: repeat what is ours, and notice when Redis goes and comes back."""
        while True:
            if await self._repeat() and self._reachable is not True:
                log.info("directory.redis_connected")
                self._reachable = True
            await asyncio.sleep(self._repeat_s if self._reachable else min(AGAIN_S, self._repeat_s))

    async def close(self) -> None:
        """Nothing of ours stays behind, if Redis can be told."""
        for room in list(self._own_rooms):
            await self.release_room(room)
        for room in list(self._own_people):
            for participant in await self._own.present(room):
                await self.leave(room, participant.participant_id)
        await self._redis.aclose()

    # --- Redis ---------------------------------------------------------------------------

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T | None:
        """What Redis answers; None without it. A Redis that is gone is not waited for: `run` tries it."""
        if self._reachable is False:
            return None
        try:
            return await call()
        except (RedisError, OSError, TimeoutError) as error:
            self._lost(error)
            return None

    def _lost(self, error: Exception) -> None:
        if self._reachable is not False:
            log.error(
                "directory.redis_lost", error=type(error).__name__, effect="rooms go on in this process only"
            )
        self._reachable = False

    async def _repeat(self) -> bool:
        """Tell Redis what is ours. False when it cannot be reached."""
        try:
            await _awaited(self._redis.ping())
            for room in list(self._own_rooms):
                await self._keep(room)
            for room in list(self._own_people):
                for participant in await self._own.present(room):
                    await self._enter(room, participant)
        except (RedisError, OSError, TimeoutError) as error:
            self._lost(error)
            return False
        return True

    async def _keep(self, room: str) -> None:
        worker = await self._own.worker_of(room)
        if worker is None:
            return
        placed = await self._run(_KEEP, (PLACED, DEADLINES), room, worker, self._kept_ms)
        if placed != worker:  # placed twice while Redis was gone; our members' media stays where it is
            log.warning("directory.placed_twice", room=room, here=worker, there=placed)

    async def _enter(self, room: str, participant: Participant) -> None:
        text = participant.model_dump_json()
        await self._run(_ENTER, (_people(room), SEQUENCE), participant.participant_id, self._kept_ms, text)

    async def _release(self, room: str) -> None:
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hdel(PLACED, room)
            pipeline.zrem(DEADLINES, room)
            await _awaited(pipeline.execute())

    async def _placed(self) -> dict[str, str]:
        pairs = await self._run(_FORGET_ALL, (PLACED, DEADLINES))
        return dict(zip(pairs[::2], pairs[1::2], strict=True))

    async def _run(self, script: str, keys: Sequence[str], *arguments: str | int) -> Any:
        return await _awaited(self._redis.eval(script, len(keys), *keys, *map(str, arguments)))


async def _awaited(answer: Any) -> Any:
    """In a task of its own: redis-py may swallow a cancellation while it connects; ours gets through."""
    asking = asyncio.ensure_future(answer)
    try:
        return await asyncio.shield(asking)
    except asyncio.CancelledError:
        asking.cancel()
        raise


def _people(room: str) -> str:
    return f"{PREFIX}present:{room}"
