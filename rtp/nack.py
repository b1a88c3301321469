"""Which packets to ask for again, and when (RFC 4585 §6.2.1)."""

from __future__ import annotations

from typing import Final

from rtp.sequence import seq_delta

MIN_RETRY_NS: Final = 20_000_000
DEFAULT_RTT_NS: Final = 100_000_000
"""Assumed until a round trip has been measured."""
MAX_TRIES: Final = 10
MAX_MISSING: Final = 1000
"""More packets missing at once than this are not worth asking for: a keyframe is cheaper."""
MAX_PER_REQUEST: Final = 200
"""Numbers in one answer of `due`: at worst 800 bytes of NACK. The others follow with the next one."""
_MAX_REORDER_DELAY_NS: Final = 20_000_000
_REORDER_SLACK_NS: Final = 1_000_000


class _Missing:
    __slots__ = ("asked_ns", "noticed_ns", "tries")

    def __init__(self, now_ns: int) -> None:
        self.noticed_ns = now_ns
        self.asked_ns = 0
        self.tries = 0


class NackGenerator:
    """Watches the sequence numbers of one stream.

    A gap is asked for at once on a path that keeps order; where packets were seen to overtake each other,
    only after about as long as that took (at most 20 ms). Retries come every max(20 ms, 1.25 RTT), at most 10
    of them, until the packet would be older than `max_age_ns`. `needs_keyframe` is set when packets were
    given up or a jump was too large to repair; the owner clears it. All times are monotonic nanoseconds.
    """

    __slots__ = (
        "_highest",
        "_max_age_ns",
        "_missing",
        "_reorder_delay_ns",
        "_wake_ns",
        "answered",
        "given_up",
        "needs_keyframe",
        "rtt_ns",
    )

    def __init__(self, max_age_ns: int = 1_000_000_000, *, rtt_ns: int = DEFAULT_RTT_NS) -> None:
        self._max_age_ns = max_age_ns
        self._highest: int | None = None
        self._missing: dict[int, _Missing] = {}
        self._reorder_delay_ns = 0
        self._wake_ns = 0
        """Before this time `due` has nothing to do; meaningless while nothing is missing."""
        self.rtt_ns = rtt_ns
        self.answered = 0
        """Packets that came as themselves after they were asked for: from senders without RTX, repairs."""
        self.given_up = 0
        self.needs_keyframe = False

    def received(self, sequence_number: int, now_ns: int, *, repaired: bool = False) -> None:
        """A packet of that number is here; `repaired`: it came as a retransmission, so it says nothing of
        order.
        """
        highest = self._highest
        if highest is not None and (highest + 1) & 0xFFFF == sequence_number:
            self._highest = sequence_number
            return
        if highest is None:
            self._highest = sequence_number
            return
        delta = seq_delta(sequence_number, highest)
        if delta > 0:
            self._notice_gap(highest, delta, now_ns)
            self._highest = sequence_number
        elif (missing := self._missing.pop(sequence_number, None)) and not repaired:
            self.answered += missing.tries > 0
            self._learn_reordering(missing, now_ns)

    def follows(self, sequence_number: int) -> bool:
        """True when it is the number after the newest."""
        return self._highest is not None and (self._highest + 1) & 0xFFFF == sequence_number

    def received_run(self, last: int) -> None:
        """As `received` for packets of successive numbers up to `last`, the first of which `follows`."""
        self._highest = last

    def _notice_gap(self, highest: int, delta: int, now_ns: int) -> None:
        self._reorder_delay_ns -= self._reorder_delay_ns >> 6
        if delta - 1 + len(self._missing) > MAX_MISSING:
            self._give_up(len(self._missing) + delta - 1)
            self._missing.clear()
            return
        if delta > 1:
            wake_ns = now_ns + self._reorder_delay_ns
            self._wake_ns = min(self._wake_ns, wake_ns) if self._missing else wake_ns
        for step in range(1, delta):
            self._missing[(highest + step) & 0xFFFF] = _Missing(now_ns)

    def _learn_reordering(self, missing: _Missing, now_ns: int) -> None:
        """An original that comes sooner than any answer could was overtaken, not lost."""
        took_ns = now_ns - missing.noticed_ns
        if missing.tries == 0 or now_ns - missing.asked_ns < self.rtt_ns // 2:
            wanted = min(_MAX_REORDER_DELAY_NS, took_ns + _REORDER_SLACK_NS)
            self._reorder_delay_ns = max(self._reorder_delay_ns, wanted)

    def _give_up(self, count: int) -> None:
        self.given_up += count
        self.needs_keyframe = True

    def forget_before(self, sequence_number: int) -> None:
        """A keyframe begins here: what came before it need not be repaired."""
        for number in [n for n in self._missing if seq_delta(n, sequence_number) < 0]:
            del self._missing[number]

    def due(self, now_ns: int) -> list[int]:
        """Numbers to ask for now, oldest first, at most `MAX_PER_REQUEST`; they count as asked for."""
        if not self._missing or now_ns < self._wake_ns:
            return []
        retry_ns = self._retry_ns()
        asked: list[int] = []
        given_up: list[int] = []
        for number, missing in self._missing.items():
            if now_ns - missing.noticed_ns > self._max_age_ns:
                given_up.append(number)
            elif now_ns < self._due_at(missing, retry_ns):
                continue
            elif missing.tries >= MAX_TRIES:
                given_up.append(number)
            elif len(asked) < MAX_PER_REQUEST:
                missing.asked_ns = now_ns
                missing.tries += 1
                asked.append(number)
        for number in given_up:
            del self._missing[number]
        if given_up:
            self._give_up(len(given_up))
        self._wake_ns = min((self._due_at(m, retry_ns) for m in self._missing.values()), default=0)
        return asked

    def _retry_ns(self) -> int:
        return max(MIN_RETRY_NS, self.rtt_ns * 5 // 4)

    def _due_at(self, missing: _Missing, retry_ns: int) -> int:
        if missing.tries == 0:
            return missing.noticed_ns + self._reorder_delay_ns
        return missing.asked_ns + retry_ns

    def next_due_ns(self) -> int | None:
        """When `due` will next have something to do; None while nothing is missing."""
        return self._wake_ns if self._missing else None

    def __len__(self) -> int:
        """How many packets are missing."""
        return len(self._missing)
