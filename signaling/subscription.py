"""Pure: one client's subscribe connection. One offer is outstanding at most; later changes go into the next.

| state      | meaning                                     | leaves by                          |
|------------|---------------------------------------------|------------------------------------|
| `off`      | not asked for, or lost                      | `subscribe`                        |
| `stable`   | the client has answered the last offer      | a change: `step` gives `Ask`       |
| `asking`   | the worker is making an offer               | `offered`, `failed`, `lost`        |
| `offered`  | the client has the offer                    | `answered`                         |
| `answering`| the worker is taking the answer             | `accepted`, `refused`, `lost`      |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.messages import Codec

SubscriptionState = Literal["off", "stable", "asking", "offered", "answering"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the worker for an offer. `transport_id` None: make a new transport."""

    transport_id: str | None
    track_ids: tuple[str, ...]
    codecs: tuple[Codec, ...]
    restart_ice: bool


@dataclass(frozen=True, slots=True)
class Accept:
    """Give the worker the client's answer."""

    transport_id: str
    sdp: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete a transport that a fresh one replaces."""

    transport_id: str


Step = Ask | Accept | Discard


class Subscription:
    """See the module's table. The driver performs each `step()` and reports how it went."""

    def __init__(self) -> None:
        self.state: SubscriptionState = "off"
        self.transport_id: str | None = None
        self.revision = -1
        self._codecs: tuple[Codec, ...] = ()
        self._wanted: tuple[str, ...] = ()
        self._given: tuple[str, ...] | None = None
        self._restart_ice = False
        self._asked_restart = False
        self._answer: str | None = None
        self._discard: list[str] = []

    def subscribe(self, codecs: Sequence[Codec]) -> None:
        """A fresh connection from here on; a transport there was is discarded."""
        self.lost(discard=True)
        self.state = "stable"
        self._codecs = tuple(codecs)

    def want(self, track_ids: Sequence[str]) -> None:
        """The tracks this client shall have."""
        self._wanted = tuple(track_ids)

    def restart_ice(self) -> bool:
        """The next offer carries new ICE credentials. False when there is no connection to restart."""
        if self.transport_id is None:
            return False
        self._restart_ice = True
        return True

    def answered(self, revision: int, sdp: str) -> bool:
        """The client's answer; False when it answers another offer than the outstanding one."""
        if self.state != "offered" or revision != self.revision:
            return False
        self._answer = sdp
        return True

    def step(self) -> Step | None:
        """What the driver shall do now, if anything."""
        if self._discard:
            return Discard(self._discard.pop())
        if self.state == "offered" and self._answer is not None and self.transport_id is not None:
            self.state = "answering"
            return Accept(self.transport_id, self._answer)
        if self.state == "offered" and self._restart_ice:
            return self._ask()  # the outstanding offer may never be answered on a dead network path
        if self.state == "stable" and (self._given != self._wanted or self._restart_ice):
            return self._ask()
        return None

    def offered(self, transport_id: str, revision: int) -> bool:
        """The worker made an offer; False when the connection was lost or replaced meanwhile."""
        if self.state != "asking" or self.transport_id not in (None, transport_id):
            return False
        self.transport_id, self.revision = transport_id, revision
        self.state = "offered"
        return True

    def accepted(self) -> None:
        """The worker took the answer."""
        if self.state == "answering":
            self.state, self._answer = "stable", None

    def refused(self) -> None:
        """The worker refused the answer: the client may send a better one."""
        if self.state == "answering":
            self.state, self._answer = "offered", None

    def failed(self) -> None:
        """The worker could not be asked: the same step comes again."""
        if self.state == "asking":
            self.state, self._given = "stable", None
            self._restart_ice = self._asked_restart
        elif self.state == "answering":
            self.state = "offered"

    def lost(self, *, discard: bool = False) -> bool:
        """The transport is gone, or (`discard`) shall go. Returns whether there was a subscription."""
        was_on = self.state != "off"
        if discard and self.transport_id is not None:
            self._discard.append(self.transport_id)
        self.state = "off"
        self.transport_id, self.revision = None, -1
        self._given, self._answer, self._restart_ice = None, None, False
        return was_on

    def _ask(self) -> Ask:
        ask = Ask(self.transport_id, self._wanted, self._codecs, self._restart_ice)
        self.state = "asking"
        self._asked_restart = self._restart_ice
        self._given, self._answer, self._restart_ice = self._wanted, None, False
        return ask
