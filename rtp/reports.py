"""Reception statistics and round-trip time as RTCP reports carry them (RFC 3550 §6.4, A.3, A.8)."""

from __future__ import annotations

from typing import Final

from core.clock import NS_PER_S, unix_ns_to_ntp
from rtp.rtcp import ReportBlock
from rtp.sequence import seq_delta, timestamp_delta

_MAX_DROPOUT: Final = 3000
"""A larger jump is a restart of the source, not loss (RFC 3550 A.1)."""
_COMPACT_PER_S: Final = 65536
_MAX_RTT_NS: Final = 10 * NS_PER_S
_SMOOTHING: Final = 8


class ReceptionStats:
    """Loss and jitter of one SSRC."""

    __slots__ = (
        "_arrival_ns",
        "_base",
        "_clock_rate",
        "_expected_prior",
        "_highest",
        "_jitter",
        "_last_sr",
        "_last_sr_ns",
        "_received",
        "_received_prior",
        "_timestamp",
        "_units_per_ns",
        "packets",
        "ssrc",
    )

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.packets = 0
        self._clock_rate = clock_rate
        self._units_per_ns = clock_rate / NS_PER_S
        self._base = self._highest = 0
        self._received = self._received_prior = self._expected_prior = 0
        self._jitter = 0.0
        self._timestamp = 0
        self._arrival_ns = 0
        self._last_sr = 0
        self._last_sr_ns = 0

    @property
    def jitter_ns(self) -> int:
        """Interarrival jitter as time."""
        return int(self._jitter / self._units_per_ns)

    def received(self, sequence_number: int, timestamp: int, arrival_ns: int) -> None:
        """Count a packet that was not repaired. `arrival_ns`: any clock, always the same one."""
        highest = self._highest
        if (highest + 1) & 0xFFFF == sequence_number and self._received:
            self._highest = highest + 1
        else:
            self._out_of_order(sequence_number)
        if timestamp == self._timestamp or not self.packets:
            step = 0
        else:
            step = timestamp_delta(timestamp, self._timestamp)
        if self.packets:
            difference = abs((arrival_ns - self._arrival_ns) * self._units_per_ns - step)
            # A jump of a second or more is a new timestamp base or an outage, neither is jitter.
            if difference < self._clock_rate:
                self._jitter += (difference - self._jitter) / 16
        self._received += 1
        self.packets += 1
        self._timestamp = timestamp
        self._arrival_ns = arrival_ns

    def received_more(self, count: int) -> None:
        """As `received` for so many packets that followed the last one, of its frame and with its arrival."""
        self._highest += count
        self._received += count
        self.packets += count
        self._jitter *= (15 / 16) ** count

    def _out_of_order(self, sequence_number: int) -> None:
        delta = seq_delta(sequence_number, self._highest & 0xFFFF)
        if not self._received or abs(delta) > _MAX_DROPOUT:
            self._restart(sequence_number)
        elif delta > 0:
            self._highest += delta

    def _restart(self, sequence_number: int) -> None:
        self._base = self._highest = sequence_number
        self._received = self._received_prior = self._expected_prior = 0

    def on_sender_report(self, ntp_time: int, now_ns: int) -> None:
        """An SR of this SSRC came at `now_ns` (monotonic)."""
        self._last_sr = ntp_time >> 16 & 0xFFFFFFFF
        self._last_sr_ns = now_ns

    def report_block(self, now_ns: int) -> ReportBlock | None:
        """The block for the next report, None before the first packet; the interval for `fraction_lost`
        restarts.
        """
        if not self._received:
            return None
        expected = self._highest - self._base + 1
        lost_since = expected - self._expected_prior - (self._received - self._received_prior)
        expected_since = expected - self._expected_prior
        self._expected_prior, self._received_prior = expected, self._received
        fraction = min(255, (lost_since << 8) // expected_since) if lost_since > 0 < expected_since else 0
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            cumulative_lost=max(-0x800000, min(0x7FFFFF, expected - self._received)),
            highest_sequence=self._highest & 0xFFFFFFFF,
            jitter=int(self._jitter),
            last_sr=self._last_sr,
            delay_since_last_sr=self._delay_since_last_sr(now_ns),
        )

    def _delay_since_last_sr(self, now_ns: int) -> int:
        if not self._last_sr:
            return 0
        return min(0xFFFFFFFF, max(0, now_ns - self._last_sr_ns) * _COMPACT_PER_S // NS_PER_S)


class RttEstimator:
    """Round-trip time from the report blocks that answer our sender reports (RFC 3550 §6.4.1)."""

    __slots__ = ("latest_ns", "rtt_ns")

    def __init__(self) -> None:
        self.latest_ns: int | None = None
        self.rtt_ns: int | None = None
        """Smoothed by 1/8, as in RFC 6298."""

    def on_report_block(self, block: ReportBlock, now_unix_ns: int) -> int | None:
        """→ this block's round trip, None when it has none. `now_unix_ns`: the clock the SR's NTP time was
        from.
        """
        if not block.last_sr:
            return None
        now = unix_ns_to_ntp(now_unix_ns) >> 16 & 0xFFFFFFFF
        compact = (now - block.last_sr - block.delay_since_last_sr) & 0xFFFFFFFF
        if (
            compact & 0x80000000
        ):  # clocks tick differently by a hair: the answer seems to precede the question
            compact = 0
        rtt_ns = compact * NS_PER_S // _COMPACT_PER_S
        if rtt_ns > _MAX_RTT_NS:
            return None
        self.latest_ns = rtt_ns
        self.rtt_ns = rtt_ns if self.rtt_ns is None else self.rtt_ns + (rtt_ns - self.rtt_ns) // _SMOOTHING
        return rtt_ns
