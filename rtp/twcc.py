"""Transport-wide congestion feedback: numbers, what the receiver notes; `SendLog`: what the sender learns
(draft-holmer-rmcat-transport-wide-cc-extensions-01)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from rtp.rtcp import TransportFeedback
from rtp.send_log import MAX_LOGGED, PacketResult, RunResult, SendLog
from rtp.sequence import SequenceUnwrapper
from rtp.twcc_codec import DELTA_NS, MAX_DELTA, MIN_DELTA, REFERENCE_NS

__all__ = [
    "MAX_ARRIVALS_PER_FEEDBACK",
    "MAX_LOGGED",
    "MAX_PENDING",
    "MAX_STATUSES_PER_FEEDBACK",
    "FeedbackBuilder",
    "PacketResult",
    "RunResult",
    "SendLog",
    "TransportSequence",
]

MAX_PENDING: Final = 4096
"""Arrivals noted between two feedbacks; of more, the oldest eighth is dropped (their sender takes them for
unreported).
"""
MAX_ARRIVALS_PER_FEEDBACK: Final = 256
MAX_STATUSES_PER_FEEDBACK: Final = 1500
"""With the bound on arrivals this keeps one feedback under 1,000 bytes."""
_UNITS_PER_REFERENCE: Final = REFERENCE_NS // DELTA_NS
_REFERENCE_CYCLE: Final = 1 << 24


class TransportSequence:
    """Hands out the transport-wide numbers of one transport; all its streams share one."""

    __slots__ = ("_next",)

    def __init__(self, first: int = 0) -> None:
        self._next = first & 0xFFFF

    def next(self) -> int:
        """The number for the next packet, 0…65535."""
        number = self._next
        self._next = (number + 1) & 0xFFFF
        return number


class FeedbackBuilder:
    """Receiver: arrivals in, feedback out. Each feedback goes on where the last one ended."""

    __slots__ = ("_count", "_next", "_pending", "_sender_ssrc", "_unwrapper", "media_ssrc")

    def __init__(self, sender_ssrc: int, media_ssrc: int = 0) -> None:
        self._sender_ssrc = sender_ssrc
        self.media_ssrc = media_ssrc
        """Any stream of the sender's. libwebrtc, for one, ignores feedback that names none."""
        self._unwrapper = SequenceUnwrapper()
        self._pending: dict[int, int] = {}
        self._next: int | None = None
        """The first number no feedback has told of."""
        self._count = 0

    def received(self, number: int, arrival_ns: int) -> None:
        """A packet with transport-wide `number` came at `arrival_ns` (any clock, always the same)."""
        pending = self._pending
        pending.setdefault(self._unwrapper.unwrap(number), arrival_ns)
        if len(pending) > MAX_PENDING:
            self._trim()

    def received_run(self, first: int, count: int, arrival_ns: int) -> None:
        """As `received` for successive numbers that came at once."""
        unwrapper = self._unwrapper
        start = unwrapper.unwrap(first)
        unwrapper.highest = max(start + count - 1, unwrapper.highest or start)
        pending = self._pending
        for number in range(start, start + count):
            pending.setdefault(number, arrival_ns)
        self._trim()

    def _trim(self) -> None:
        pending = self._pending
        while len(pending) > MAX_PENDING:
            for oldest in list(islice(pending, MAX_PENDING // 8)):
                del pending[oldest]

    def build(self) -> list[TransportFeedback]:
        """Feedback on everything since the last call, in order; empty when nothing arrived.

        Numbers that are missing between the last feedback and the newest arrival are reported lost. What came
        after it was reported lost is reported again, now with its time. A hole of more than
        `MAX_STATUSES_PER_FEEDBACK` numbers is skipped: the sender finds it by itself.
        """
        if not self._pending:
            return []
        numbers = sorted(self._pending)
        pending, self._pending = self._pending, {}
        feedbacks: list[TransportFeedback] = []
        base = numbers[0] if self._next is None else min(self._next, numbers[0])
        position = 0
        while position < len(numbers):
            if numbers[position] - base >= MAX_STATUSES_PER_FEEDBACK:
                base = numbers[position]
            deltas, reference, used = _collect(numbers, position, base, pending)
            feedbacks.append(self._feedback(base, reference, deltas))
            base += len(deltas)
            position += used
        self._next = base if self._next is None else max(base, self._next)
        return feedbacks

    def _feedback(self, base: int, reference: int, deltas: list[int | None]) -> TransportFeedback:
        count = self._count
        self._count = (count + 1) & 0xFF
        half = _REFERENCE_CYCLE // 2
        signed = (reference + half) % _REFERENCE_CYCLE - half
        return TransportFeedback(
            self._sender_ssrc, self.media_ssrc, base & 0xFFFF, signed, count, tuple(deltas)
        )


def _collect(
    numbers: Sequence[int], start: int, base: int, arrivals: dict[int, int]
) -> tuple[list[int | None], int, int]:
    """What one feedback from `base` on holds of `numbers[start:]` → (deltas, reference time, how many)."""
    reference = arrivals[numbers[start]] // REFERENCE_NS
    previous = reference * _UNITS_PER_REFERENCE
    deltas: list[int | None] = []
    position = start
    while position < len(numbers) and position - start < MAX_ARRIVALS_PER_FEEDBACK:
        number = numbers[position]
        units = arrivals[number] // DELTA_NS
        if number - base >= MAX_STATUSES_PER_FEEDBACK or not MIN_DELTA <= units - previous <= MAX_DELTA:
            break
        deltas += [None] * (number - base - len(deltas))
        deltas.append(units - previous)
        previous = units
        position += 1
    return deltas, reference, position - start
