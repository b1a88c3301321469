"""Pure: when a transport is connecting, connected, silent or closed, from what was heard and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.clock import NS_PER_S
from transport.api import TransportState

HANDSHAKE_DEADLINE: Final = "handshake_timeout"
GONE: Final = "silent_too_long"


@dataclass(frozen=True, slots=True)
class LivenessLimits:
    """`half_open_ns`: from creation to connected. The others count from the last authentic datagram."""

    half_open_ns: int = 30 * NS_PER_S
    silent_ns: int = 3 * NS_PER_S
    gone_ns: int = 90 * NS_PER_S
    stop_sending_ns: int = 30 * NS_PER_S
    """Consent to receive from us ends when the peer has said nothing for so long (RFC 7675 §5.1)."""


class Liveness:
    """States of one transport; `tick` is called a few times per second. All times are monotonic ns."""

    def __init__(self, limits: LivenessLimits, now_ns: int) -> None:
        self.state: TransportState = "connecting"
        self.close_reason = ""
        self._limits = limits
        self._created_ns = now_ns
        self._heard_ns = now_ns

    def connected(self, now_ns: int) -> None:
        """The handshake is done."""
        if self.state == "connecting":
            self.state = "connected"
            self._heard_ns = now_ns

    def wait_longer(self, now_ns: int) -> None:
        """The deadline for connecting counts from now."""
        self._created_ns = now_ns

    def heard(self, now_ns: int) -> None:
        """Something authentic came."""
        self._heard_ns = now_ns
        if self.state == "silent":
            self.state = "connected"

    def tick(self, now_ns: int) -> str | None:
        """Let time pass. Returns the reason when the transport has to be closed now."""
        quiet_ns = now_ns - self._heard_ns
        if self.state == "connecting" and now_ns - self._created_ns >= self._limits.half_open_ns:
            return HANDSHAKE_DEADLINE
        if self.state == "connected" and quiet_ns >= self._limits.silent_ns:
            self.state = "silent"
        if self.state == "silent" and quiet_ns >= self._limits.gone_ns:
            return GONE
        return None

    def may_send(self, now_ns: int) -> bool:
        """False once the peer has been quiet so long that it may not want anything any more."""
        return self.state != "silent" or now_ns - self._heard_ns < self._limits.stop_sending_ns

    def close(self, reason: str) -> None:
        """The first reason stays."""
        if self.state != "closed":
            self.state, self.close_reason = "closed", reason
