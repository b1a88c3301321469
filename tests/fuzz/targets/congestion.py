"""Feedback of a receiver that lies, to the estimator of a sender that believes what it can."""

from __future__ import annotations

import math
from contextlib import suppress

from core.errors import ProtocolError
from rtp.congestion import BandwidthEstimator, Pacer, PacketClass, Prober
from rtp.rtcp import ReceiverReport, Remb, TransportFeedback, parse_compound
from rtp.twcc import SendLog, TransportSequence
from tests.fuzz import records

MIN_BPS, MAX_BPS = 100_000, 20_000_000
PACKET_BYTES = 1_200
MAX_BATCH = 16


def congestion(data: bytes) -> None:
    """Each record: time and packets that were sent (its flags), then RTCP that came."""
    log, numbers, now_ns = SendLog(), TransportSequence(65_500), 10_000_000_000
    estimator = BandwidthEstimator(start_bps=1_000_000, min_bps=MIN_BPS, max_bps=MAX_BPS)
    prober, pacer = Prober(), Pacer[int](estimate_bps=1_000_000)
    for flags, piece in records.split(data):
        now_ns += (flags >> 4) * 11_000_000
        for _ in range(flags % MAX_BATCH):
            log.sent(numbers.next(), PACKET_BYTES, now_ns)
        pacer.push(flags, PACKET_BYTES, PacketClass.VIDEO, now_ns)
        with suppress(ProtocolError):
            _feed(estimator, log, piece, now_ns)
        if not piece:
            estimator.on_silence(now_ns)
        pacer.set_estimate(estimator.estimate_bps)
        pacer.due(now_ns)
        _probe(prober, estimator, now_ns)
        _judge(estimator, log)


def _feed(estimator: BandwidthEstimator, log: SendLog, piece: bytes, now_ns: int) -> None:
    for item in parse_compound(piece):
        if isinstance(item, TransportFeedback):
            estimator.on_results(log.on_feedback(item), now_ns)
        elif isinstance(item, Remb):
            estimator.on_remb(item.bitrate_bps, now_ns)
        elif isinstance(item, ReceiverReport):
            for block in item.reports:
                estimator.set_rtt(block.delay_since_last_sr)
                estimator.on_loss_report(block.fraction_lost / 256, now_ns)


def _probe(prober: Prober, estimator: BandwidthEstimator, now_ns: int) -> None:
    cluster = prober.wanted(
        now_ns, estimate_bps=estimator.estimate_bps, sent_bps=500_000, wanted_bps=4_000_000
    )
    if cluster is not None:
        cluster.sent(now_ns, PACKET_BYTES)
        assert 0 <= cluster.due_bytes(now_ns) <= MAX_BPS
        estimator.on_probe(cluster)


def _judge(estimator: BandwidthEstimator, log: SendLog) -> None:
    assert MIN_BPS <= estimator.estimate_bps <= MAX_BPS
    assert 0 <= estimator.loss <= 1
    assert math.isfinite(estimator.queue_ms)
    assert log.in_flight_bytes >= 0
    assert estimator.usage in ("normal", "overuse", "underuse")
