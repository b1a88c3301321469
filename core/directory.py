"""Live state that outlives no restart: which worker holds which room, and who is present where.

One process keeps it in memory; the protocol is asynchronous so that several processes can share it elsewhere.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from core.errors import Unavailable
from core.messages import Participant


class Directory(Protocol):
    """Where rooms and people are."""

    @property
    def reachable(self) -> bool:
        """False while other processes cannot see what is here."""

    async def place_room(self, room: str, workers: Sequence[str]) -> str:
        """The worker holding `room`, placing it first if it is nowhere or its worker is not among `workers`.

        `workers`: the connected ones. Raises `Unavailable` when there are none.
        """

    async def release_room(self, room: str) -> None:
        """Nothing of the room is left on a worker; the next placement is free."""

    async def worker_of(self, room: str) -> str | None:
        """The worker holding `room`, if any."""

    async def rooms_of(self, worker: str) -> frozenset[str]:
        """Rooms placed on `worker`."""

    async def enter(self, room: str, participant: Participant) -> None:
        """Record presence; entering twice replaces."""

    async def leave(self, room: str, participant_id: str) -> None:
        """Remove presence; unknown ids are ignored."""

    async def present(self, room: str) -> tuple[Participant, ...]:
        """Who is there, in order of entering."""

    async def run(self) -> None:
        """Keep what is shared fresh, until cancelled."""

    async def close(self) -> None:
        """Take what is ours away, and let go of connections."""


class MemoryDirectory:
    """The directory of a single signaling process."""

    reachable = True

    def __init__(self) -> None:
        self._worker_of: dict[str, str] = {}
        self._present: defaultdict[str, dict[str, Participant]] = defaultdict(dict)

    async def place_room(self, room: str, workers: Sequence[str]) -> str:
        if not workers:
            raise Unavailable("no media server is connected; try again in a moment", code="no_worker")
        placed = self._worker_of.get(room)
        if placed is None or placed not in workers:
            load = dict.fromkeys(workers, 0)
            for worker in self._worker_of.values():
                load[worker] = load.get(worker, 0) + 1
            placed = min(workers, key=lambda worker: load[worker])
            self._worker_of[room] = placed
        return placed

    async def release_room(self, room: str) -> None:
        self._worker_of.pop(room, None)

    async def worker_of(self, room: str) -> str | None:
        return self._worker_of.get(room)

    async def rooms_of(self, worker: str) -> frozenset[str]:
        return frozenset(room for room, placed in self._worker_of.items() if placed == worker)

    async def enter(self, room: str, participant: Participant) -> None:
        self._present[room][participant.participant_id] = participant

    async def leave(self, room: str, participant_id: str) -> None:
        people = self._present.get(room, {})
        people.pop(participant_id, None)
        if not people:
            self._present.pop(room, None)

    async def present(self, room: str) -> tuple[Participant, ...]:
        return tuple(self._present.get(room, {}).values())

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass
