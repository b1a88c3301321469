"""What is delivered later, on its way from a box to the recorder: questions that wait for their answers.

The recorder asks for the next question and answers it; nothing is stored here. Leases say which box may
deliver to which consultation; a restart forgets them, and boxes ask for others.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from archive.ring_messages import BackfillAnswer, BackfillQuestion
from core.clock import NS_PER_S, Clock
from core.errors import NotFound, Unavailable
from signaling.rate import Throttle

LEASE_S: Final = 600
MAX_LEASES: Final = 10_000
MAX_WAITING: Final = 64
MAX_WAITING_BYTES: Final = 64 << 20
ANSWER_WITHIN_S: Final = 20.0
NEXT_WITHIN_S: Final = 3.0
RECORDER_GONE_NS: Final = 10 * NS_PER_S
"""A recorder asks again and again; one that has not for so long is away."""
ASKS_PER_S: Final = 5.0
ASKS_BURST: Final = 40


@dataclass(frozen=True, slots=True)
class Lease:
    """One box may deliver to one consultation's archive. `public_key`: as it was registered then."""

    device_id: str
    public_key: str
    feeds: tuple[str, ...]
    consultation_id: str
    until_ns: int


@dataclass(eq=False, slots=True)
class _Waiting:
    question: BackfillQuestion
    body: bytes
    answer: asyncio.Future[BackfillAnswer]


@dataclass
class Backfill:
    """One service's. On the event loop."""

    asks: Throttle = field(default_factory=lambda: Throttle(ASKS_PER_S, ASKS_BURST))
    leases: OrderedDict[str, Lease] = field(default_factory=OrderedDict)
    _queue: deque[_Waiting] = field(default_factory=deque)
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    _came: asyncio.Event = field(default_factory=asyncio.Event)
    _recorder_ns: int | None = None

    def lease(self, made: Lease) -> str:
        """A secret that stands for it."""
        name = secrets.token_urlsafe(32)
        self.leases[name] = made
        while len(self.leases) > MAX_LEASES:
            self.leases.popitem(last=False)
        return name

    def lease_of(self, name: str, now_ns: int) -> Lease | None:
        """None for one that is over, or was never given."""
        found = self.leases.get(name)
        if found is not None and found.until_ns <= now_ns:
            del self.leases[name]
            return None
        return found

    async def ask(self, question: BackfillQuestion, clock: Clock, body: bytes = b"") -> BackfillAnswer:
        """The recorder's answer. Raises `Unavailable` when none comes."""
        now_ns = clock.monotonic_ns()
        if self._recorder_ns is None or now_ns - self._recorder_ns > RECORDER_GONE_NS:
            raise Unavailable("no recorder is there to answer", code="no_recorder")
        held = sum(len(one.body) for one in self._waiting.values())
        if len(self._waiting) >= MAX_WAITING or held + len(body) > MAX_WAITING_BYTES:
            raise Unavailable("too many boxes deliver at once; try again", code="no_recorder")
        waiting = _Waiting(question, body, asyncio.get_running_loop().create_future())
        self._waiting[question.question_id] = waiting
        self._queue.append(waiting)
        self._came.set()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await waiting.answer
        except TimeoutError:
            raise Unavailable("the recorder does not answer", code="no_recorder") from None
        finally:
            del self._waiting[question.question_id]

    async def next(self, clock: Clock) -> BackfillQuestion | None:
        """The oldest question that nobody was given yet; None when none comes soon."""
        self._recorder_ns = clock.monotonic_ns()
        try:
            async with asyncio.timeout(NEXT_WITHIN_S):
                while True:
                    while self._queue:
                        one = self._queue.popleft()
                        if one.question.question_id in self._waiting:
                            return one.question
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return None
        finally:
            self._recorder_ns = clock.monotonic_ns()

    def body(self, question_id: str) -> bytes:
        """What came with a question. Raises `NotFound` when nobody waits for its answer any more."""
        return self._asked(question_id).body

    def answer(self, question_id: str, answer: BackfillAnswer) -> None:
        """Raises as `body`."""
        waiting = self._asked(question_id)
        if not waiting.answer.done():
            waiting.answer.set_result(answer)

    def _asked(self, question_id: str) -> _Waiting:
        found = self._waiting.get(question_id)
        if found is None:
            raise NotFound("nobody waits for this answer any more", code="question_not_found")
        return found
