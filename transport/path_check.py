"""Pure: the client's connectivity checks on paths in use: round trips, silence, refusal.

Checks carry USE-CANDIDATE, so each one that arrives also tells a lite server where to send. An error
reply cannot be signed by a server that does not know us any more: it is a hint, believed when it repeats and
nothing better comes.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from core.clock import NS_PER_MS
from rtp.sdp import IceParameters
from transport.stun import BINDING_ERROR, BINDING_RESPONSE, StunMessage, check_request

INTERVAL_NS: Final = 250 * NS_PER_MS
CHECKS_UNTIL_SILENT: Final = 4
SILENT_NS: Final = CHECKS_UNTIL_SILENT * INTERVAL_NS
REFUSALS_BELIEVED: Final = 2
REFUSED_AFTER_NS: Final = 500 * NS_PER_MS
MAX_OUTSTANDING: Final = 256
"""Checks waiting for an answer; the oldest is given up."""
_PRFLX_PRIORITY: Final = (110 << 24) | (65535 << 8) | 255


class PathChecker:
    """Round trips and answers over all paths of one transport; paths are opaque. Times: monotonic ns."""

    def __init__(
        self,
        local: IceParameters,
        remote: IceParameters,
        *,
        tie_breaker: int,
        controlling: bool,
        now_ns: int,
        silent_ns: int = SILENT_NS,
    ) -> None:
        self.rtt_ns: int | None = None
        self._username = f"{remote.ufrag}:{local.ufrag}"
        self._pwd = remote.pwd
        self._tie_breaker = tie_breaker
        self._controlling = controlling
        self._silent_ns = silent_ns
        self._outstanding: dict[bytes, tuple[Hashable, int]] = {}
        self._answered_ns = now_ns
        self._refusals = 0

    def request(self, path: Hashable, transaction_id: bytes, now_ns: int, *, nominate: bool = True) -> bytes:
        """The next check for `path`; `transaction_id`: 12 random bytes. `nominate`: and send to me there."""
        while len(self._outstanding) >= MAX_OUTSTANDING:
            del self._outstanding[next(iter(self._outstanding))]
        self._outstanding[transaction_id] = (path, now_ns)
        return check_request(
            transaction_id,
            self._username,
            self._pwd,
            priority=_PRFLX_PRIORITY,
            tie_breaker=self._tie_breaker,
            controlling=self._controlling,
            nominate=nominate,
        )

    def expects(self, transaction_id: bytes) -> bool:
        """True when an answer to this check is awaited."""
        return transaction_id in self._outstanding

    def response(self, message: StunMessage, path: Hashable, now_ns: int) -> bool:
        """An answer that came over `path`. True when it proves that the path works."""
        sent = self._outstanding.get(message.transaction_id)
        if sent is None or sent[0] != path:
            return False
        if message.kind == BINDING_ERROR and not message.has_integrity():
            del self._outstanding[message.transaction_id]
            self._refusals += message.error_code in (400, 401)
            return False
        if message.kind != BINDING_RESPONSE or not message.signed_with(self._pwd):
            return False
        del self._outstanding[message.transaction_id]
        self._measure(now_ns - sent[1])
        self._answered_ns, self._refusals = now_ns, 0
        return True

    def is_silent(self, now_ns: int) -> bool:
        """No check was answered for `silent_ns`."""
        return now_ns - self._answered_ns >= self._silent_ns

    def is_refused(self, now_ns: int) -> bool:
        """The server says that it does not know us (it was restarted, or gave us up)."""
        return self._refusals >= REFUSALS_BELIEVED and now_ns - self._answered_ns >= REFUSED_AFTER_NS

    def quiet_ns(self, now_ns: int) -> int:
        """Time since the last answer."""
        return now_ns - self._answered_ns

    def _measure(self, sample_ns: int) -> None:
        """Smoothed as RFC 6298 §2 does."""
        self.rtt_ns = sample_ns if self.rtt_ns is None else (7 * self.rtt_ns + sample_ns) // 8
