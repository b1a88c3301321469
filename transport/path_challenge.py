"""Pure: is the peer really at the address its media has begun to come from?

A lite agent never begins checks (RFC 8445 §2.5), and a full one checks a path that works every few seconds at
most: too late when its address has changed. So an address that was followed for its media is asked, as QUIC
does (RFC 9000 §8.2): a Binding request of ours, which any full agent answers.
"""

from __future__ import annotations

from typing import Final

from core.errors import ProtocolError
from rtp.sdp import IceParameters
from transport.stun import BINDING_RESPONSE, check_request, is_stun, parse_stun

MAX_ASKED: Final = 8
"""Datagrams of 100 bytes that somebody may get who never asked for them."""
_PRIORITY: Final = (110 << 24) | (65535 << 8) | 255
"""A peer-reflexive candidate's (RFC 8445 §5.1.2)."""


class PathChallenge:
    """One address is asked until it answers. `transaction_id`: 12 random bytes that went nowhere else."""

    def __init__(
        self, local: IceParameters, remote: IceParameters, transaction_id: bytes, tie_breaker: int
    ) -> None:
        self._left = MAX_ASKED
        self._request = check_request(
            transaction_id,
            f"{remote.ufrag}:{local.ufrag}",
            remote.pwd,
            priority=_PRIORITY,
            tie_breaker=tie_breaker,
            controlling=False,
        )
        self._transaction_id = transaction_id
        self._pwd = remote.pwd

    def ask(self) -> bytes | None:
        """What to send now; None when it was sent often enough."""
        self._left -= 1
        return self._request if self._left >= 0 else None

    def is_answered_by(self, datagram: bytes) -> bool:
        """True for the answer of whoever knows the peer's password."""
        if not is_stun(datagram) or datagram[8:20] != self._transaction_id:
            return False
        try:
            message = parse_stun(datagram)
        except ProtocolError:
            return False
        return message.kind == BINDING_RESPONSE and message.signed_with(self._pwd)
