"""Pure: what a latency measurement found, as figures, a table and JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.table import Table

GLASS_TARGET_MS: Final = 120.0
JOIN_TARGET_MS: Final = 400.0
LEAST_IDLE_PERCENT: Final = 15.0
MOVED_ON_US: Final = 10_000
"""A reading whose time code and RTP timestamp disagree by more is of another frame than the one told of."""
LEGEND: Final = (
    "capture → SFU: what is left of capture → received once the time inside the SFU (its own histogram, "
    "of packets) is taken off: drawing, encoding, sending, and both ways through the kernel. "
    "shown: the frame was handed to the compositor (presentationTime)."
)


@dataclass(frozen=True)
class Sample:
    """One frame on screen. Unix µs; `received_us` and `decoding_us` where the browser tells."""

    feed: str
    capture_us: float
    shown_us: float
    received_us: float | None = None
    decoding_us: float | None = None
    rtp_timestamp: int | None = None


@dataclass(frozen=True)
class Spread:
    """Milliseconds."""

    count: int
    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values_ms: Sequence[float]) -> Spread | None:
        """None of nothing. A percentile is the smallest value that so many are not above."""
        if not values_ms:
            return None
        ordered = sorted(values_ms)

        def at(share: float) -> float:
            return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]

        return cls(len(ordered), at(0.5), at(0.95), at(0.99), ordered[-1])


@dataclass(frozen=True)
class Inside:
    """Milliseconds a packet spent in the media worker; None: nothing was counted."""

    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class Report:
    """`moved_on`: readings left out, as the picture was another by then. `idle_percent`: of the machine."""

    feeds: int
    seconds: float
    frames: int
    unreadable: int
    moved_on: int
    glass: Spread | None
    received: Spread | None
    decoding: Spread | None
    after_receiving: Spread | None
    inside: Inside
    joins: Spread | None
    idle_percent: float
    load: float

    @property
    def before_sfu_p50_ms(self) -> float | None:
        """Capture → SFU, at the median."""
        if self.received is None or self.inside.p50 is None:
            return None
        return self.received.p50 - self.inside.p50

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs; spreads in milliseconds."""
        return asdict(self) | {
            "capture_to_sfu_p50_ms": self.before_sfu_p50_ms,
            "targets_ms": {"glass_p95": GLASS_TARGET_MS, "join_p95": JOIN_TARGET_MS},
        }


def matching(samples: Sequence[Sample]) -> list[Sample]:
    """Those whose picture was still the one the browser told of: a late callback reads the next one's time.

    Both clocks are the sender's, so capture time less media time is the same for all frames of a feed.
    """
    found = []
    for feed in dict.fromkeys(sample.feed for sample in samples):
        own = [sample for sample in samples if sample.feed == feed]
        usual = statistics.median(_offset_us(sample, own[0]) for sample in own)
        found += [sample for sample in own if abs(_offset_us(sample, own[0]) - usual) <= MOVED_ON_US]
    return found


def _offset_us(sample: Sample, first: Sample) -> float:
    if sample.rtp_timestamp is None or first.rtp_timestamp is None:
        return 0.0
    ticks = (sample.rtp_timestamp - first.rtp_timestamp + 2**31) % 2**32 - 2**31
    return (sample.capture_us - first.capture_us) - ticks * 1e6 / 90_000


def spreads(samples: Sequence[Sample]) -> dict[str, Spread | None]:
    """The report's four, of frames as `matching` leaves them."""
    told = [sample for sample in samples if sample.received_us is not None]
    return {
        "glass": Spread.of([(sample.shown_us - sample.capture_us) / 1e3 for sample in samples]),
        "received": Spread.of([((sample.received_us or 0) - sample.capture_us) / 1e3 for sample in told]),
        "after_receiving": Spread.of(
            [(sample.shown_us - (sample.received_us or 0)) / 1e3 for sample in told]
        ),
        "decoding": Spread.of(
            [sample.decoding_us / 1e3 for sample in samples if sample.decoding_us is not None]
        ),
    }


def table(report: Report) -> Table:
    """For people."""
    made = Table(
        title=f"{report.feeds} feed(s), {report.seconds:.0f} s, {report.frames} frames", title_justify="left"
    )
    for heading in ("milliseconds", "p50", "p95", "p99", "max", "n", "wanted"):
        made.add_column(heading, justify="left" if heading == "milliseconds" else "right")
    _add(made, "capture → shown (glass to glass)", report.glass, f"p95 ≤ {GLASS_TARGET_MS:.0f}")
    made.add_row("  capture → SFU", _ms(report.before_sfu_p50_ms), "", "", "", "", "")
    made.add_row("  inside the SFU", _ms(report.inside.p50), "", _ms(report.inside.p99), "", "", "")
    _add(made, "  capture → received in the browser", report.received)
    _add(made, "  received → shown", report.after_receiving)
    _add(made, "    of it decoding", report.decoding)
    _add(made, "join → first decoded frame", report.joins, f"p95 ≤ {JOIN_TARGET_MS:.0f}")
    return made


def notes(report: Report) -> list[str]:
    """What has to be said beside the table."""
    found = [
        LEGEND,
        f"Machine: {report.idle_percent:.0f} % idle, load {report.load:.1f}. "
        f"{report.unreadable} pictures could not be read, {report.moved_on} had moved on.",
    ]
    if report.idle_percent < LEAST_IDLE_PERCENT:
        found.append(
            "The machine was busy: encoder and decoder waited for it. Do not judge by these figures."
        )
    return found


def _add(made: Table, name: str, spread: Spread | None, wanted: str = "") -> None:
    values: tuple[str, ...] = ("",) * 5
    if spread is not None:
        values = (*(_ms(one) for one in (spread.p50, spread.p95, spread.p99, spread.max)), str(spread.count))
    made.add_row(name, *values, wanted)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
