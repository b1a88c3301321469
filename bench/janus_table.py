"""What `bench.janus` found, for people and for programs. Pure but for `describe_machine`."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from rich.table import Table

from bench.proc import cpu_model

LEAST_IDLE_PERCENT: Final = 5.0
"""With less, processes wait for each other: a server of one thread falls behind, and its batches grow."""
MOST_UNDELIVERED_PERCENT: Final = 10.0
FEEDBACK_PER_S: Final = 10
"""What each subscriber gives; with less than `LEAST_FEEDBACK` of it the server had less to do."""
LEAST_FEEDBACK: Final = 0.8


@dataclass(frozen=True)
class Run:
    """One server, one number of subscribers, one round. CPU is the server's user + system time."""

    server: str
    subscribers: int
    round: int
    seconds: float
    sent_per_s: float
    delivered_per_s: float
    """Media packets that reached subscribers, all together."""
    cpu_us_per_packet: float
    """Per packet delivered."""
    cpu_user_us_per_packet: float
    cpu_percent: float
    """Of one core."""
    loss_percent: float
    """Missing between the first and the last number that came."""
    undelivered_percent: float
    """Of what was sent during the run, not there yet at its end: a share of a frame, or the server lags."""
    memory_per_subscriber_kb: float
    transit_p50_us: int
    """Publisher's frame sent → in the subscriber's kernel, by the stamp in packets that are opened."""
    transit_p99_us: int
    publisher_cpu_percent: float
    publisher_late_ms: float
    """The latest frame behind its time."""
    receiver_cpu_percent: float
    """Of one core, the busiest process of subscribers."""
    receiver_overflowed: int
    """Datagrams the generator's own sockets lost."""
    idle_percent: float
    """Of all cores together, during the run."""
    steal_percent: float
    reference_us: float
    """CPU time of one AESGCM.encrypt of 1,150 bytes meanwhile: tells how slow the machine was."""
    srtp_profile: str
    verified_packets: int
    rejected_packets: int
    viewer_feedback: int
    """Transport-wide feedback messages subscribers gave to the server."""
    publisher_feedback: int
    """Transport-wide feedback messages the server gave to the publisher."""


@dataclass(frozen=True)
class Summary:
    """One server at one number of subscribers: medians of its rounds, but the worst where that says more."""

    server: str
    subscribers: int
    rounds: int
    cpu_us_per_packet: float
    cpu_percent: float
    delivered_per_s: float
    worst_loss_percent: float
    memory_per_subscriber_kb: float
    transit_p50_us: float
    transit_p99_us: float
    worst_publisher_cpu_percent: float
    worst_receiver_cpu_percent: float
    least_idle_percent: float
    srtp_profiles: list[str]


@dataclass(frozen=True)
class Ratio:
    """This project's CPU per packet over Janus', per round and their median."""

    subscribers: int
    per_round: list[float]
    median: float


def ratios(runs: Sequence[Run]) -> list[Ratio]:
    """Of each number of subscribers, from the rounds both servers have done."""
    costs = {(run.subscribers, run.round, run.server): run.cpu_us_per_packet for run in runs}
    found = []
    for count in dict.fromkeys(run.subscribers for run in runs):
        rounds = sorted({number for subscribers, number, _ in costs if subscribers == count})
        pairs = [(costs.get((count, n, "teleconsult")), costs.get((count, n, "janus"))) for n in rounds]
        per_round = [ours / theirs for ours, theirs in pairs if ours is not None and theirs]
        if per_round:
            found.append(Ratio(count, per_round, median(per_round)))
    return found


def summaries(runs: Sequence[Run]) -> list[Summary]:
    """One per number of subscribers and server, in the order they were first run."""
    groups: dict[tuple[int, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.subscribers, run.server), []).append(run)
    return [_summary(group) for group in groups.values()]


def _summary(group: Sequence[Run]) -> Summary:
    def middle(value: Callable[[Run], float]) -> float:
        return median(value(run) for run in group)

    return Summary(
        server=group[0].server,
        subscribers=group[0].subscribers,
        rounds=len(group),
        cpu_us_per_packet=middle(lambda run: run.cpu_us_per_packet),
        cpu_percent=middle(lambda run: run.cpu_percent),
        delivered_per_s=middle(lambda run: run.delivered_per_s),
        worst_loss_percent=max(run.loss_percent for run in group),
        memory_per_subscriber_kb=middle(lambda run: run.memory_per_subscriber_kb),
        transit_p50_us=middle(lambda run: run.transit_p50_us),
        transit_p99_us=middle(lambda run: run.transit_p99_us),
        worst_publisher_cpu_percent=max(run.publisher_cpu_percent for run in group),
        worst_receiver_cpu_percent=max(run.receiver_cpu_percent for run in group),
        least_idle_percent=min(run.idle_percent for run in group),
        srtp_profiles=sorted({run.srtp_profile for run in group}),
    )


COLUMNS: Final[tuple[tuple[str, Callable[[Summary], str]], ...]] = (
    ("viewers", lambda row: str(row.subscribers)),
    ("server", lambda row: row.server),
    ("packets/s", lambda row: f"{row.delivered_per_s:,.0f}"),
    ("µs/packet", lambda row: f"{row.cpu_us_per_packet:.2f}"),
    ("CPU %", lambda row: f"{row.cpu_percent:.1f}"),
    ("loss %", lambda row: f"{row.worst_loss_percent:.3f}"),
    ("kB/viewer", lambda row: f"{row.memory_per_subscriber_kb:.0f}"),
    ("p50 ms", lambda row: f"{row.transit_p50_us / 1_000:.1f}"),
    ("p99 ms", lambda row: f"{row.transit_p99_us / 1_000:.1f}"),
    ("publisher %", lambda row: f"{row.worst_publisher_cpu_percent:.0f}"),
    ("receivers %", lambda row: f"{row.worst_receiver_cpu_percent:.0f}"),
    ("idle %", lambda row: f"{row.least_idle_percent:.0f}"),
)
LEGEND: Final = (
    "µs/packet: the server's CPU time over packets delivered. "
    "CPU %, publisher % and receivers %: of one core. idle %: of the whole machine, at worst. "
    "p50, p99 ms: from the publisher's sending to the viewer's kernel."
)


def table(runs: Sequence[Run]) -> Table:
    """One row per number of subscribers and server; the ratio stands in our rows."""
    profiles = ", ".join(sorted({run.srtp_profile for run in runs}))
    shown = Table(title=f"Against Janus: 1080p-like H.264, {profiles}, medians of {_rounds(runs)} rounds")
    for name, _ in COLUMNS:
        shown.add_column(name, justify="right")
    shown.add_column("ratio", justify="right")
    by_count = {ratio.subscribers: ratio for ratio in ratios(runs)}
    for row in summaries(runs):
        ratio = by_count.get(row.subscribers) if row.server == "teleconsult" else None
        shown.add_row(*(render(row) for _, render in COLUMNS), f"{ratio.median:.2f}" if ratio else "")
    return shown


def _rounds(runs: Sequence[Run]) -> int:
    return max((run.round for run in runs), default=0)


def doubts(runs: Sequence[Run]) -> list[str]:
    """Runs in which the machine, and not a server, was measured."""
    found = []
    for run in runs:
        lagging = run.undelivered_percent > MOST_UNDELIVERED_PERCENT
        feedback_percent = 100 * run.viewer_feedback / (FEEDBACK_PER_S * run.subscribers * run.seconds)
        sparse = feedback_percent < 100 * LEAST_FEEDBACK
        if run.idle_percent < LEAST_IDLE_PERCENT or lagging or sparse:
            found.append(
                f"Not to be trusted: {run.subscribers} viewers, {run.server}, round {run.round}: "
                f"machine {run.idle_percent:.0f} % idle, {run.undelivered_percent:.0f} % not there at last, "
                f"{feedback_percent:.0f} % of the feedback given."
            )
    return found


def headroom(runs: Sequence[Run]) -> str:
    """Why these figures are the servers' and not the generator's, or what speaks against it."""
    busiest = max(max(run.publisher_cpu_percent, run.receiver_cpu_percent) for run in runs)
    late_ms = max(run.publisher_late_ms for run in runs)
    overflowed = sum(run.receiver_overflowed for run in runs)
    lost = max(run.loss_percent for run in runs)
    idle = min(run.idle_percent for run in runs)
    return (
        f"Load generator: busiest process {busiest:.0f} % of a core, "
        f"its sockets lost {overflowed} datagrams, "
        f"latest frame {late_ms:.0f} ms behind its time, worst loss {lost:.3f} %, "
        f"machine never less than {idle:.0f} % idle."
    )


def as_json(runs: Sequence[Run], janus_version: str) -> dict[str, Any]:
    """Everything: the machine, every run, summaries, ratios."""
    return {
        "machine": describe_machine(),
        "janus": janus_version,
        "doubts": doubts(runs),
        "ratios": [asdict(ratio) for ratio in ratios(runs)],
        "summaries": [asdict(summary) for summary in summaries(runs)],
        "runs": [asdict(run) for run in runs],
    }


def describe_machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "cores": os.cpu_count(),
        "cpu": cpu_model(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
    }
