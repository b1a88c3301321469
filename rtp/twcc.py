"""Transport-wide congestion feedback: what the receiver notes and what the sender learns
(draft-holmer-rmcat-transport-wide-cc-extensions-01)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, count, islice, repeat
from typing import Final, NamedTuple, cast

from rtp.rtcp import TransportFeedback
from rtp.sequence import SequenceUnwrapper
from rtp.twcc_codec import DELTA_NS, MAX_DELTA, MIN_DELTA, REFERENCE_NS

MAX_PENDING: Final = 4096
"""Arrivals noted between two feedbacks; of more, the oldest eighth is dropped (their sender takes them for
unreported).
"""
MAX_ARRIVALS_PER_FEEDBACK: Final = 256
MAX_STATUSES_PER_FEEDBACK: Final = 1500
"""With the bound on arrivals this keeps one feedback under 1,000 bytes."""
MAX_LOGGED: Final = 8192
"""Sent packets remembered; of more, the oldest eighth is forgotten."""
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

    __slots__ = ("_count", "_media_ssrc", "_next", "_pending", "_sender_ssrc", "_unwrapper")

    def __init__(self, sender_ssrc: int, media_ssrc: int = 0) -> None:
        self._sender_ssrc = sender_ssrc
        self._media_ssrc = media_ssrc
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
            self._sender_ssrc, self._media_ssrc, base & 0xFFFF, signed, count, tuple(deltas)
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


class PacketResult(NamedTuple):
    """What became of one sent packet. `arrival_ns` is in the receiver's clock (only differences mean
    anything), None when the packet was reported lost.
    """

    number: int
    size_bytes: int
    sent_ns: int
    arrival_ns: int | None


_result: Final = partial(cast("Callable[..., PacketResult]", tuple.__new__), PacketResult)
"""`PacketResult._make` without its Python frame."""


class SendLog:
    """Sender: what went out under which transport-wide number, matched with the feedback that comes back.

    A packet is reported lost at most once and received at most once; one that was reported lost may still
    turn out to be received. `in_flight_bytes` counts what no feedback has told of yet.
    """

    __slots__ = ("_log", "_lost", "_reference", "_unwrapper", "in_flight_bytes")

    def __init__(self) -> None:
        self._unwrapper = SequenceUnwrapper()
        self._log: dict[int, tuple[int, int]] = {}
        """Number → (size, time sent) of what has not been reported received."""
        self._lost: set[int] = set()
        """Those of `_log` that were reported lost."""
        self._reference: int | None = None
        self.in_flight_bytes = 0

    def sent(self, number: int, size_bytes: int, now_ns: int) -> None:
        """Remember a packet. Numbers must be handed out in rising order (`TransportSequence`)."""
        self.sent_run(number, (size_bytes,), now_ns)

    def sent_run(self, first_number: int, sizes_bytes: Sequence[int], now_ns: int) -> None:
        """Remember packets of successive numbers, sent at once."""
        if not sizes_bytes:
            return
        log, unwrapper = self._log, self._unwrapper
        first = unwrapper.unwrap(first_number)
        unwrapper.highest = max(first + len(sizes_bytes) - 1, unwrapper.highest or 0)
        log.update(zip(count(first), zip(sizes_bytes, repeat(now_ns), strict=False), strict=False))
        self.in_flight_bytes += sum(sizes_bytes)
        if len(log) > MAX_LOGGED:
            for oldest in list(islice(log, len(log) - MAX_LOGGED + MAX_LOGGED // 8)):
                self._forget(oldest)

    def _forget(self, number: int) -> None:
        size_bytes, _ = self._log.pop(number)
        if number in self._lost:
            self._lost.remove(number)
        else:
            self.in_flight_bytes -= size_bytes

    def on_feedback(self, feedback: TransportFeedback) -> list[PacketResult]:
        """What this feedback tells us for the first time, in order of numbers; unknown numbers are passed
        over.
        """
        units = self._unwrapped_reference(feedback.reference_time) * _UNITS_PER_REFERENCE
        base = self._unwrapper.peek(feedback.base_sequence)
        deltas = feedback.deltas
        if not self._lost and None not in deltas:
            logged = list(map(self._log.get, range(base, base + len(deltas))))
            if None not in logged:
                return self._all_received(base, cast("Sequence[int]", deltas), units, logged)
        return self._some_received(base, deltas, units)

    def _all_received(
        self, base: int, deltas: Sequence[int], units: int, logged: Sequence[tuple[int, int] | None]
    ) -> list[PacketResult]:
        """The usual case, without a loop of ours: it comes ten times a second from every subscriber."""
        sizes_bytes, sent_ns = zip(*cast("Sequence[tuple[int, int]]", logged), strict=True)
        self.in_flight_bytes -= sum(sizes_bytes)
        deque(map(self._log.pop, range(base, base + len(deltas))), maxlen=0)
        arrivals_ns = [at * DELTA_NS for at in accumulate(deltas, initial=units)][1:]
        numbers = [number & 0xFFFF for number in range(base, base + len(deltas))]
        return list(map(_result, zip(numbers, sizes_bytes, sent_ns, arrivals_ns, strict=True)))

    def _some_received(self, base: int, deltas: Sequence[int | None], units: int) -> list[PacketResult]:
        log, lost = self._log, self._lost
        results: list[PacketResult] = []
        for number, delta in enumerate(deltas, base):
            if delta is None:
                if number in log and number not in lost:
                    lost.add(number)
                    size_bytes, sent_ns = log[number]
                    self.in_flight_bytes -= size_bytes
                    results.append(PacketResult(number & 0xFFFF, size_bytes, sent_ns, None))
                continue
            units += delta
            logged = log.pop(number, None)
            if logged is None:
                continue
            if number in lost:
                lost.remove(number)
            else:
                self.in_flight_bytes -= logged[0]
            results.append(PacketResult(number & 0xFFFF, logged[0], logged[1], units * DELTA_NS))
        return results

    def _unwrapped_reference(self, reference: int) -> int:
        """24 bits of 64 ms wrap after 12 days."""
        if self._reference is None:
            self._reference = reference
        half = _REFERENCE_CYCLE // 2
        unwrapped = self._reference + (reference - self._reference + half) % _REFERENCE_CYCLE - half
        self._reference = unwrapped
        return unwrapped
