"""What went out under which transport-wide number, matched with the feedback that comes back
(draft-holmer-rmcat-transport-wide-cc-extensions-01).

Kept per run of packets sent at once, not per packet: it is written for every packet to every subscriber.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, repeat
from operator import attrgetter
from typing import Final, NamedTuple, cast

from rtp.rtcp import TransportFeedback
from rtp.sequence import SequenceUnwrapper
from rtp.twcc_codec import DELTA_NS, REFERENCE_NS

MAX_LOGGED: Final = 8192
"""Sent packets remembered; of more, the oldest runs are forgotten, about an eighth of all."""
_UNITS_PER_REFERENCE: Final = REFERENCE_NS // DELTA_NS
_REFERENCE_CYCLE: Final = 1 << 24
_IN_FLIGHT, _LOST, _RECEIVED = 0, 1, 2


class PacketResult(NamedTuple):
    """What became of one sent packet. `arrival_ns` is in the receiver's clock (only differences mean
    anything), None when the packet was reported lost.
    """

    number: int
    size_bytes: int
    sent_ns: int
    arrival_ns: int | None


class RunResult(NamedTuple):
    """Packets sent at once, all of which came. `arrivals`: by the receiver's clock, units of `DELTA_NS`."""

    sent_ns: int
    size_bytes: int
    sizes_bytes: Sequence[int]
    arrivals: Sequence[int]


_result: Final = partial(cast("Callable[..., PacketResult]", tuple.__new__), PacketResult)
"""`PacketResult._make` without its Python frame."""


class _Run:
    """Packets `first` … `end` − 1 (unwrapped), sent at once. `fates`: one byte each, None while nothing is
    known of any.
    """

    __slots__ = ("end", "fates", "first", "sent_ns", "size_bytes", "sizes_bytes")

    def __init__(self, first: int, sizes_bytes: Sequence[int], size_bytes: int, sent_ns: int) -> None:
        self.first = first
        self.end = first + len(sizes_bytes)
        self.sizes_bytes = sizes_bytes
        self.size_bytes = size_bytes
        self.sent_ns = sent_ns
        self.fates: bytearray | None = None

    def in_flight_bytes(self) -> int:
        """Of what nothing is known."""
        if self.fates is None:
            return self.size_bytes
        return sum(size for size, fate in zip(self.sizes_bytes, self.fates, strict=True) if not fate)


_first: Final = attrgetter("first")


class SendLog:
    """A packet is reported lost at most once and received at most once; one that was reported lost may still
    turn out to be received. `in_flight_bytes` counts what no feedback has told of yet.
    """

    __slots__ = ("_logged", "_reference", "_runs", "_unwrapper", "in_flight_bytes")

    def __init__(self) -> None:
        self._unwrapper = SequenceUnwrapper()
        self._runs: list[_Run] = []
        """By number; those whose packets all have come are taken out."""
        self._logged = 0
        """Packets in `_runs`."""
        self._reference: int | None = None
        self.in_flight_bytes = 0

    @property
    def remembered(self) -> int:
        """Packets of all runs held."""
        return self._logged

    def sent(self, number: int, size_bytes: int, now_ns: int) -> None:
        """Remember a packet. Numbers must be handed out in rising order (`TransportSequence`)."""
        self.sent_run(number, (size_bytes,), now_ns)

    def sent_run(
        self, first_number: int, sizes_bytes: Sequence[int], now_ns: int, size_bytes: int | None = None
    ) -> None:
        """Remember packets of successive numbers, sent at once. `sizes_bytes` must not change afterwards:
        runs may share it. `size_bytes`: its sum, where the caller knows it.
        """
        count = len(sizes_bytes)
        if not count:
            return
        unwrapper = self._unwrapper
        first = unwrapper.unwrap(first_number)
        unwrapper.highest = max(first + count - 1, unwrapper.highest or 0)
        if size_bytes is None:
            size_bytes = sum(sizes_bytes)
        self._runs.append(_Run(first, sizes_bytes, size_bytes, now_ns))
        self.in_flight_bytes += size_bytes
        self._logged += count
        if self._logged > MAX_LOGGED:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        forgotten, target = 0, MAX_LOGGED - MAX_LOGGED // 8
        for run in self._runs:
            if self._logged <= target:
                break
            self._logged -= run.end - run.first
            self.in_flight_bytes -= run.in_flight_bytes()
            forgotten += 1
        del self._runs[:forgotten]

    def on_feedback(self, feedback: TransportFeedback) -> list[PacketResult]:
        """What this feedback tells us for the first time, in order of numbers; unknown numbers are passed
        over.
        """
        results: list[PacketResult] = []
        self._match(feedback, results)
        return results

    def match_runs(self, feedback: TransportFeedback) -> list[RunResult] | None:
        """As `on_feedback`, by runs, where everything it tells of came and is news: the usual case, and for
        a fraction of the price. None for others; then nothing has happened.
        """
        deltas = feedback.deltas
        if None in deltas:
            return None
        base = self._unwrapper.peek(feedback.base_sequence)
        end, runs = base + len(deltas), self._runs
        start = stop = max(0, bisect_right(runs, base, key=_first) - 1)
        for run in runs[start:]:
            if run.first >= end:
                break
            stop += 1
            low, high = max(0, base - run.first), min(end, run.end) - run.first
            if low < high and run.fates is not None and run.fates.count(_IN_FLIGHT, low, high) != high - low:
                return None
        units = self._unwrapped_reference(feedback.reference_time) * _UNITS_PER_REFERENCE
        moments = list(accumulate(cast("Sequence[int]", deltas), initial=units))
        results: list[RunResult] = []
        left = [run for run in runs[start:stop] if self._is_left(run, base, end, moments, results)]
        runs[start:stop] = left
        return results

    def _is_left(
        self, run: _Run, base: int, end: int, moments: Sequence[int], results: list[RunResult]
    ) -> bool:
        """Notes that those of the run between `base` and `end` came; False when that were all of it."""
        low, high = max(base, run.first), min(end, run.end)
        if low >= high:
            return True
        arrivals = moments[low - base + 1 : high - base + 1]
        count = run.end - run.first
        if high - low == count:
            self._logged -= count
            self.in_flight_bytes -= run.size_bytes
            results.append(RunResult(run.sent_ns, run.size_bytes, run.sizes_bytes, arrivals))
            return False
        sizes_bytes = run.sizes_bytes[low - run.first : high - run.first]
        size_bytes = sum(sizes_bytes)
        self.in_flight_bytes -= size_bytes
        results.append(RunResult(run.sent_ns, size_bytes, sizes_bytes, arrivals))
        if run.fates is None:
            run.fates = bytearray(count)
        run.fates[low - run.first : high - run.first] = bytes((_RECEIVED,)) * (high - low)
        if run.fates.count(_RECEIVED) < count:
            return True
        self._logged -= count
        return False

    def count_feedback(self, feedback: TransportFeedback) -> tuple[int, int]:
        """As `on_feedback`, for whoever only wants to know how many were received, and how many lost."""
        return self._match(feedback, None)

    def _match(self, feedback: TransportFeedback, results: list[PacketResult] | None) -> tuple[int, int]:
        """(newly received, newly lost)."""
        units = self._unwrapped_reference(feedback.reference_time) * _UNITS_PER_REFERENCE
        deltas = feedback.deltas
        base = self._unwrapper.peek(feedback.base_sequence)
        end = base + len(deltas)
        all_came = None not in deltas
        arrivals_ns: Sequence[int | None] = ()
        if results is not None:
            arrivals_ns = _arrivals_ns(deltas, units)
        runs = self._runs
        start = stop = max(0, bisect_right(runs, base, key=_first) - 1)
        received = lost = 0
        left: list[_Run] = []
        for run in runs[start:]:
            if run.first >= end:
                break
            stop += 1
            low, high = max(base, run.first), min(end, run.end)
            if low >= high:
                left.append(run)
                continue
            if all_came and run.fates is None:
                received += high - low
                if results is not None:
                    _tell(run, low, high, arrivals_ns[low - base : high - base], results)
                if high - low == run.end - run.first:
                    self._logged -= high - low
                    self.in_flight_bytes -= run.size_bytes
                    continue
                self._note_part(run, low, high)
            else:
                part = self._note_each(run, low, deltas[low - base : high - base])
                received += part.count(_RECEIVED)
                lost += part.count(_LOST)
                if results is not None:
                    _tell_some(run, low, part, arrivals_ns[low - base : high - base], results)
                assert run.fates is not None
                if run.fates.count(_RECEIVED) == run.end - run.first:
                    self._logged -= run.end - run.first
                    continue
            left.append(run)
        runs[start:stop] = left
        return received, lost

    def _note_part(self, run: _Run, low: int, high: int) -> None:
        """All of `low` … `high` − 1 came, of a run nothing was known of."""
        count, start, stop = run.end - run.first, low - run.first, high - run.first
        run.fates = bytearray(count)
        run.fates[start:stop] = bytes((_RECEIVED,)) * (stop - start)
        self.in_flight_bytes -= sum(run.sizes_bytes[start:stop])

    def _note_each(self, run: _Run, low: int, deltas: Sequence[int | None]) -> bytearray:
        """The fates that are news, by packet from `low` on; `_IN_FLIGHT`: no news."""
        if run.fates is None:
            run.fates = bytearray(run.end - run.first)
        fates, news, start = run.fates, bytearray(len(deltas)), low - run.first
        for index, delta in enumerate(deltas):
            before, fate = fates[start + index], _LOST if delta is None else _RECEIVED
            if fate > before:
                fates[start + index] = news[index] = fate
                if before == _IN_FLIGHT:
                    self.in_flight_bytes -= run.sizes_bytes[start + index]
        return news

    def _unwrapped_reference(self, reference: int) -> int:
        """24 bits of 64 ms wrap after 12 days."""
        if self._reference is None:
            self._reference = reference
        half = _REFERENCE_CYCLE // 2
        unwrapped = self._reference + (reference - self._reference + half) % _REFERENCE_CYCLE - half
        self._reference = unwrapped
        return unwrapped


def _arrivals_ns(deltas: Sequence[int | None], units: int) -> Sequence[int | None]:
    if None not in deltas:
        moments = accumulate(cast("Sequence[int]", deltas), initial=units)
        return [moment * DELTA_NS for moment in moments][1:]
    arrivals_ns: list[int | None] = []
    for delta in deltas:
        if delta is None:
            arrivals_ns.append(None)
        else:
            units += delta
            arrivals_ns.append(units * DELTA_NS)
    return arrivals_ns


def _tell(
    run: _Run, low: int, high: int, arrivals_ns: Sequence[int | None], results: list[PacketResult]
) -> None:
    """All of these came: without a loop of ours."""
    numbers = [number & 0xFFFF for number in range(low, high)]
    sizes_bytes = run.sizes_bytes[low - run.first : high - run.first]
    results += map(_result, zip(numbers, sizes_bytes, repeat(run.sent_ns), arrivals_ns, strict=False))


def _tell_some(
    run: _Run, low: int, news: bytearray, arrivals_ns: Sequence[int | None], results: list[PacketResult]
) -> None:
    for index, fate in enumerate(bytes(news)):  # mypyc walks no bytearray
        if fate:
            size_bytes = run.sizes_bytes[low - run.first + index]
            results.append(PacketResult((low + index) & 0xFFFF, size_bytes, run.sent_ns, arrivals_ns[index]))
