"""The media workers' own figures in the metrics of the signaling process: one place to scrape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

COUNTERS: Final = {
    "packets_in": "Packets received from publishers",
    "packets_out": "Packets sent to subscribers",
    "bytes_in": "Payload bytes received from publishers",
    "bytes_out": "Bytes sent to subscribers",
    "nacks_received": "Packets subscribers asked for again",
    "keyframe_requests_received": "Keyframes subscribers asked for",
    "malformed": "Packets dropped because they could not be read",
    "session_errors": "Connections ended by an error of ours",
}
SESSIONS: Final = {"publish": "publishers", "subscribe": "subscribers", "view": "players"}
_LABELS: Final = ["worker"]


class WorkerFigures(Collector):
    """`figures`: what each worker answered last, by its id; set before the metrics are shown."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, Any]] = {}

    def describe(self) -> Iterator[Metric]:
        """Nothing is known before the first worker has answered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Counters, connections and the time packets spend inside, of each worker."""
        for name, text in COUNTERS.items():
            counter = CounterMetricFamily(f"teleconsult_worker_{name}", text, labels=_LABELS)
            for worker, figures in self.figures.items():
                counter.add_metric([worker], figures.get("counters", {}).get(name, 0))
            yield counter
        yield from self._sessions()
        yield self._inside()

    def _sessions(self) -> Iterator[Metric]:
        for direction, name in SESSIONS.items():
            gauge = GaugeMetricFamily(f"teleconsult_worker_{name}", f"Connected {name}", labels=_LABELS)
            for worker, figures in self.figures.items():
                sessions = figures.get("sessions", [])
                gauge.add_metric([worker], sum(one.get("direction") == direction for one in sessions))
            yield gauge

    def _inside(self) -> Metric:
        inside = HistogramMetricFamily(
            "teleconsult_worker_inside_seconds",
            "From a packet's arrival to its last copy sent",
            labels=_LABELS,
        )
        for worker, figures in self.figures.items():
            told = figures.get("inside_us", {})
            steps = zip(told.get("limits", []), told.get("at_most", []), strict=False)
            buckets = [(str(limit / 1e6), float(count)) for limit, count in steps]
            inside.add_metric([worker], [*buckets, ("+Inf", float(told.get("count", 0)))], sum_value=None)
        return inside
