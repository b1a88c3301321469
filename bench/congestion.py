"""What estimating costs: CPU time of `BandwidthEstimator.on_results` per packet result, with
feedback as the SFU gets it.

`python -m bench.congestion [--json]`
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from rich.console import Console
from rich.table import Table

from rtp.congestion import BandwidthEstimator
from rtp.twcc import PacketResult

FEEDBACK_NS: Final = 80_000_000
PACKETS: Final = 36
ROUNDS: Final = 40
FEEDBACKS: Final = 100
REFERENCE_BYTES: Final = 1_150
LOST_EVERY: Final = 50


@dataclass(frozen=True)
class Row:
    """Microseconds of CPU time, median and best of the rounds."""

    packets_per_frame: int
    loss_percent: float
    per_packet_us: float
    best_per_packet_us: float
    reference_us: float
    """One AESGCM.encrypt of 1,150 bytes meanwhile: tells how noisy the machine was."""


def feedback(index: int, per_frame: int, lose: bool) -> list[PacketResult]:
    """36 packets sent in frames over 80 ms, on a path that keeps up."""
    results = []
    for position in range(PACKETS):
        frame, within = divmod(position, per_frame)
        sent_ns = index * FEEDBACK_NS + frame * FEEDBACK_NS * per_frame // PACKETS
        number = index * PACKETS + position
        arrival_ns = None if lose and number % LOST_EVERY == 0 else sent_ns + 20_000_000 + within * 250_000
        results.append(PacketResult(number & 0xFFFF, 1_150, sent_ns, arrival_ns))
    return results


def measure(per_frame: int, lose: bool) -> Row:
    """Run `ROUNDS` × `FEEDBACKS` through one estimator, with the reference in between."""
    estimator = BandwidthEstimator(start_bps=4_000_000, min_bps=100_000, max_bps=30_000_000)
    cipher, nonce, data = AESGCM(bytes(16)), bytes(12), bytes(REFERENCE_BYTES)
    times_us: list[float] = []
    references_us: list[float] = []
    for turn in range(ROUNDS):
        feedbacks = [feedback(turn * FEEDBACKS + index, per_frame, lose) for index in range(FEEDBACKS)]

        def estimate(turn: int = turn, feedbacks: list[list[PacketResult]] = feedbacks) -> None:
            for index, results in enumerate(feedbacks, turn * FEEDBACKS + 1):
                estimator.on_results(results, index * FEEDBACK_NS + 20_000_000)

        def encrypt() -> None:
            for _ in range(FEEDBACKS):
                cipher.encrypt(nonce, data, None)

        times_us.append(cpu_us(estimate) / FEEDBACKS / PACKETS)
        references_us.append(cpu_us(encrypt) / FEEDBACKS)
    return Row(per_frame, 100 / LOST_EVERY * lose, median(times_us), min(times_us), median(references_us))


def cpu_us(work: Callable[[], None]) -> float:
    """CPU time of this thread for `work`."""
    before_ns = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - before_ns) / 1_000


def main() -> None:
    """Print the table, or JSON."""
    rows = [measure(per_frame, lose) for per_frame in (18, 12, 6, 1) for lose in (False, True)]
    if "--json" in sys.argv[1:]:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = Table("packets per frame", "loss", "µs per packet (median)", "best", "AES-GCM of 1,150 bytes, µs")
    for row in rows:
        table.add_row(
            str(row.packets_per_frame),
            f"{row.loss_percent:.0f} %",
            f"{row.per_packet_us:.2f}",
            f"{row.best_per_packet_us:.2f}",
            f"{row.reference_us:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
