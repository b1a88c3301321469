"""Loss that we cause, told from loss that is there anyway (instead of draft-ietf-rmcat-gcc-02 §6's fixed 2 %
and 10 %).

A radio link loses packets whatever we send; a policer or a short queue loses what is too much. Each excess of
loss lowers the rate by the excess; when the loss then stays as it was though less is sent, it is not ours and
is taken for inherent until it goes away.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

from rtp.congestion.units import MS_NS, bits_per_second

WINDOW_NS: Final = 250 * MS_NS
MIN_PACKETS: Final = 20
TOLERATED: Final = 0.02
DEVIATIONS: Final = 2.0
MAX_INHERENT: Final = 0.3
FORGET: Final = 0.3
MILD: Final = 0.12
BINDING: Final = 0.8
"""Where less than this part of the rate is sent, lowering the rate changes nothing that is sent, so it would
prove nothing either: mild loss, with no queue, is taken for the path's.
"""
PROOF_FALL: Final = 0.7
"""The rate must have fallen by this part of what was asked before the loss that remains proves anything."""
PROOF_LOSS: Final = 0.6


class LossControl:
    """Counts packets by windows of their send time."""

    __slots__ = (
        "_asked",
        "_bytes",
        "_end_ns",
        "_ignore_ns",
        "_lost",
        "_packets",
        "_start_ns",
        "_trial",
        "inherent",
        "loss",
    )

    def __init__(self) -> None:
        self.loss = 0.0
        """Of the last window, 0…1."""
        self.inherent = 0.0
        self._trial: tuple[float, float] | None = None
        """Loss and sent rate before the last fall."""
        self._asked = 0.0
        self._ignore_ns = 0
        self._open(0)

    def _open(self, start_ns: int) -> None:
        self._start_ns = self._end_ns = start_ns
        self._packets = self._lost = self._bytes = 0

    @property
    def excessive(self) -> bool:
        """Whether more was lost lately than is lost anyway."""
        return self.loss > self.inherent + TOLERATED

    def add(self, last_sent_ns: int, packets: int, lost: int, size_bytes: int) -> bool:
        """Count one feedback; whether it completes a window."""
        if last_sent_ns <= self._ignore_ns:
            return False
        if not self._packets:
            self._open(self._end_ns if 0 < last_sent_ns - self._end_ns < WINDOW_NS else last_sent_ns)
        self._packets += packets
        self._lost += lost
        self._bytes += size_bytes
        self._end_ns = max(self._end_ns, last_sent_ns)
        return self._packets >= MIN_PACKETS and self._end_ns - self._start_ns >= WINDOW_NS

    def excess(self, *, now_ns: int, settle_ns: int, queued: bool, rate_bps: float) -> float:
        """Close the window: which share of its packets was lost through us, 0 for none.

        `rate_bps`: what might have been sent. `settle_ns`: how long after `now_ns` packets still go out at
        the old rate. `queued`: a queue stands, which the delay tells better.
        """
        loss, packets = self._lost / self._packets, self._packets
        sent_bps = bits_per_second(self._bytes, self._end_ns - self._start_ns)
        self._open(self._end_ns)
        self.loss = loss
        if not queued:
            self._learn(loss, sent_bps)
            if sent_bps < BINDING * rate_bps and loss < MILD:
                self.inherent = max(self.inherent, loss)
        if loss < self.inherent:
            self.inherent += (loss - self.inherent) * FORGET
        expected = max(self.inherent, TOLERATED)
        excess = loss - self.inherent
        if excess <= TOLERATED + DEVIATIONS * sqrt(expected * (1 - expected) / packets):
            return 0.0
        self._trial = (loss, sent_bps)
        self._asked = excess
        self._ignore_ns = now_ns + settle_ns
        return excess

    def _learn(self, loss: float, sent_bps: float) -> None:
        if self._trial is None:
            return
        before_loss, before_bps = self._trial
        if sent_bps > before_bps * (1 - PROOF_FALL * min(self._asked, 0.5)):
            return
        self._trial = None
        if loss > before_loss * PROOF_LOSS:
            self.inherent = min(max(self.inherent, loss), MAX_INHERENT)
