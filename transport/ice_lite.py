"""Pure: ICE-lite (RFC 8445 §2.5) for one transport: who may be heard, and where to send.

A lite agent never checks; it answers checks and follows nominations. An address is *validated* once a check
signed with our password came from it. The caller owns sockets, the ufrag table and the clock.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Literal

from core.clock import NS_PER_MS
from rtp.sdp import IceParameters
from transport.stun import (
    BAD_REQUEST,
    BINDING_REQUEST,
    ROLE_CONFLICT,
    UNAUTHENTICATED,
    StunMessage,
    error_response,
    success_response,
)

MAX_PAIRS: Final = 16
"""Sources remembered per transport; the one not heard for longest gives way, never the selected one."""
FRESH_NOMINATION_NS: Final = 1_500 * NS_PER_MS
"""Nominations this close together are one decision of an aggressive peer (Firefox nominates several)."""


@dataclass(slots=True)
class Pair:
    """A validated source. `generation`: of the credentials its latest check used."""

    source: Hashable
    protocol: Literal["udp", "tcp"]
    priority: int
    generation: int
    heard_ns: int
    nominated_ns: int | None = None

    def rank(self) -> tuple[bool, int]:
        return self.protocol == "udp", self.priority


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`accepted`: the source is validated now. `selected`: it was nominated and is the one to send to.
    `dropped`: a source that had to make room.
    """

    reply: bytes
    accepted: bool = False
    selected: bool = False
    dropped: Hashable | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One incoming Binding request. `mapped`: the source as the peer shall learn it."""

    message: StunMessage
    receiver_ufrag: str
    sender_ufrag: str
    source: Hashable
    mapped: tuple[str, int]
    protocol: Literal["udp", "tcp"] = "udp"


class IceLiteAgent:
    """Always the controlled side. Two generations of credentials live while an ICE restart is under way."""

    def __init__(self, local: IceParameters) -> None:
        self.local = local
        self.remote: IceParameters | None = None
        self.selected: Pair | None = None
        self._generation = 0
        self._locals: dict[str, tuple[int, IceParameters]] = {local.ufrag: (0, local)}
        self._remotes: dict[int, IceParameters] = {}
        self._pairs: dict[Hashable, Pair] = {}

    @property
    def ufrags(self) -> list[str]:
        """Local ufrags that are answered at the moment."""
        return list(self._locals)

    def set_remote(self, remote: IceParameters) -> None:
        """The peer's credentials of the current generation: its checks must carry this ufrag from now on."""
        self.remote = self._remotes[self._generation] = remote

    def restart(self, local: IceParameters) -> None:
        """New local credentials. Those in use stay valid until a check with the new ones nominates a pair."""
        in_use = self.selected.generation if self.selected else self._generation
        self._generation += 1
        self._forget_generations(keep=in_use)
        self._locals[local.ufrag] = (self._generation, local)
        self.local = local
        self.remote = None

    def check(self, check: Check, now_ns: int) -> CheckResult:
        """Answer one Binding request (RFC 8445 §7.3). `now_ns` is monotonic."""
        message = check.message
        if message.kind != BINDING_REQUEST or not message.has_integrity():
            return CheckResult(error_response(message.transaction_id, BAD_REQUEST))
        known = self._locals.get(check.receiver_ufrag)
        if known is None or not self._is_peer(known[0], check.sender_ufrag):
            return CheckResult(error_response(message.transaction_id, UNAUTHENTICATED))
        generation, local = known
        if not message.signed_with(local.pwd):
            return CheckResult(error_response(message.transaction_id, UNAUTHENTICATED))
        if "ICE-CONTROLLED" in message.attributes:  # we cannot control: the peer has to (RFC 8445 §7.3.1.1)
            return CheckResult(error_response(message.transaction_id, ROLE_CONFLICT, local.pwd))
        reply = success_response(message.transaction_id, check.mapped, local.pwd)
        dropped = self._learn(check, generation, now_ns)
        selected = "USE-CANDIDATE" in message.attributes and self._nominate(check.source, now_ns)
        return CheckResult(reply, accepted=True, selected=selected, dropped=dropped)

    def knows(self, source: Hashable) -> bool:
        """True for a validated source."""
        return source in self._pairs

    def forget(self, source: Hashable) -> None:
        """Nothing comes from `source` any more: the next nomination decides."""
        if self.selected is not None and self.selected.source == source:
            self.selected = None
        self._pairs.pop(source, None)

    def _is_peer(self, generation: int, ufrag: str) -> bool:
        """A check may come before the answer with the peer's ufrag; our password vouches for it then."""
        remote = self._remotes.get(generation)
        return remote is None or remote.ufrag == ufrag

    def _learn(self, check: Check, generation: int, now_ns: int) -> Hashable | None:
        priority = int(check.message.attributes.get("PRIORITY", 0))
        pair = self._pairs.get(check.source)
        if pair is not None:
            pair.heard_ns, pair.priority = now_ns, priority
            pair.generation = max(generation, pair.generation)
            return None
        dropped = self._make_room() if len(self._pairs) >= MAX_PAIRS else None
        self._pairs[check.source] = Pair(check.source, check.protocol, priority, generation, now_ns)
        return dropped

    def _make_room(self) -> Hashable:
        idle = [pair for pair in self._pairs.values() if pair is not self.selected]
        oldest = min(idle, key=lambda pair: pair.heard_ns)
        del self._pairs[oldest.source]
        return oldest.source

    def _nominate(self, source: Hashable, now_ns: int) -> bool:
        """True when `source` is the selected pair afterwards."""
        pair = self._pairs[source]
        if pair.generation == self._generation:
            self._forget_generations(keep=self._generation)
        if pair is not self.selected and self._beats_selected(pair, now_ns):
            self.selected = pair
        pair.nominated_ns = now_ns
        return pair is self.selected

    def _beats_selected(self, pair: Pair, now_ns: int) -> bool:
        current = self.selected
        if current is None or current.generation != pair.generation:
            return current is None or pair.generation > current.generation
        fresh = current.nominated_ns is not None and now_ns - current.nominated_ns <= FRESH_NOMINATION_NS
        return (
            not fresh or pair.rank() >= current.rank()
        )  # equal: the same interface behind a new NAT binding

    def _forget_generations(self, keep: int) -> None:
        self._locals = {ufrag: known for ufrag, known in self._locals.items() if known[0] == keep}
        self._remotes = {number: known for number, known in self._remotes.items() if number == keep}
