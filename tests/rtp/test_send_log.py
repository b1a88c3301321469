"""The send log, kept by runs, tells what one kept packet by packet would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtp.rtcp import TransportFeedback
from rtp.send_log import PacketResult, SendLog

UNIT_NS = 250_000

runs = st.lists(st.integers(1, 12), min_size=1, max_size=8)
reports = st.lists(
    st.tuples(
        st.integers(-5, 60), st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=30)
    ),
    max_size=12,
)


class Model:
    """One entry per packet."""

    def __init__(self) -> None:
        self.sent: dict[int, tuple[int, int]] = {}
        self.lost: set[int] = set()

    @property
    def in_flight_bytes(self) -> int:
        return sum(size for number, (size, _) in self.sent.items() if number not in self.lost)

    def on_feedback(self, base: int, deltas: list[int | None]) -> list[PacketResult]:
        results, units = [], 0
        for number, delta in enumerate(deltas, base):
            units += delta or 0
            if number not in self.sent or (delta is None and number in self.lost):
                continue
            size, sent_ns = self.sent[number]
            if delta is None:
                self.lost.add(number)
                results.append(PacketResult(number & 0xFFFF, size, sent_ns, None))
            else:
                del self.sent[number]
                self.lost.discard(number)
                results.append(PacketResult(number & 0xFFFF, size, sent_ns, units * UNIT_NS))
        return results


def filled(first: int, lengths: list[int]) -> tuple[SendLog, Model]:
    log, model, number = SendLog(), Model(), first
    for now_ns, length in enumerate(lengths):
        sizes = tuple(100 + index for index in range(length))
        log.sent_run(number & 0xFFFF, sizes, now_ns, sum(sizes))
        model.sent |= {number + index: (size, now_ns) for index, size in enumerate(sizes)}
        number += length
    return log, model


@given(st.sampled_from([0, 700, 65_500, 65_535]), runs, reports)
def test_whatever_is_reported_in_whatever_order_the_results_are_those_of_single_packets(
    first: int, lengths: list[int], told: list[tuple[int, list[int | None]]]
) -> None:
    log, model = filled(first, lengths)
    counting, _ = filled(first, lengths)
    for start, deltas in told:
        feedback = TransportFeedback(1, 2, (first + start) & 0xFFFF, 0, 0, tuple(deltas))
        wanted = model.on_feedback(first + start, deltas)
        assert log.on_feedback(feedback) == wanted
        lost = sum(result.arrival_ns is None for result in wanted)
        assert counting.count_feedback(feedback) == (len(wanted) - lost, lost)
        assert log.in_flight_bytes == counting.in_flight_bytes == model.in_flight_bytes


@given(st.sampled_from([0, 700, 65_500, 65_535]), runs, reports)
def test_what_is_told_by_runs_is_what_packets_would_tell(
    first: int, lengths: list[int], told: list[tuple[int, list[int | None]]]
) -> None:
    by_runs, by_packets = filled(first, lengths)[0], filled(first, lengths)[0]
    for start, deltas in told:
        feedback = TransportFeedback(1, 2, (first + start) & 0xFFFF, 0, 0, tuple(deltas))
        found = by_runs.match_runs(feedback)
        if found is None:
            assert by_runs.on_feedback(feedback) == by_packets.on_feedback(feedback)
        else:
            assert None not in deltas
            wanted = by_packets.on_feedback(feedback)
            assert [
                (size, run.sent_ns, arrival * UNIT_NS)
                for run in found
                for size, arrival in zip(run.sizes_bytes, run.arrivals, strict=True)
            ] == [result[1:] for result in wanted]
            assert [run.size_bytes for run in found] == [sum(run.sizes_bytes) for run in found]
        assert by_runs.in_flight_bytes == by_packets.in_flight_bytes
        assert by_runs.remembered == by_packets.remembered


def test_what_all_came_for_the_first_time_is_told_by_runs() -> None:
    log, _ = filled(65_530, [10] * 5)
    for start in (0, 25):  # in the middle of a run, too
        feedback = TransportFeedback(1, 2, (65_530 + start) & 0xFFFF, 0, 0, (1,) * 25)
        found = log.match_runs(feedback)
        assert found is not None
        assert sum(len(run.arrivals) for run in found) == 25
        assert log.match_runs(feedback) in (None, []), "it is no news any more"


def test_what_has_come_is_not_remembered() -> None:
    log, _ = filled(0, [10] * 5)
    log.on_feedback(TransportFeedback(1, 2, 0, 0, 0, (0,) * 25))
    log.on_feedback(TransportFeedback(1, 2, 25, 0, 1, (0,) * 25))
    assert log.remembered == 0
    assert log.in_flight_bytes == 0
