"""Pure: somebody in a room, or at its door."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from core import messages
from core.ids import new_id
from core.messages import Model, Participant, ShownView
from core.tokens import Grants, RoomClaims
from signaling.subscription import Subscription

MAX_MEMBERS: Final = 100
MAX_MEMBERS_PER_SUBJECT: Final = 8
PEOPLE: Final = frozenset({"specialist", "site"})
"""Roles whose tokens expire and are renewed; services and devices are revoked instead."""

Outgoing = tuple[str, Model]
"""A participant id and a message for it."""


@dataclass(slots=True)
class Member:
    """Somebody with a WebSocket, or who had one a moment ago.

    `connected`: the WebSocket is there. `present`: shown to the others. `left_ns`: when the WebSocket went.
    `waiting`: not admitted yet. `org`: id of the organisation the token names; guests have none.
    """

    participant: Participant
    subject: str
    session_id: str | None
    grants: Grants
    resume_token: str
    org: str = ""
    waiting: bool = False
    connected: bool = True
    present: bool = True
    left_ns: int = 0
    publish_id: str | None = None
    subscription: Subscription = field(default_factory=Subscription)
    shown: tuple[ShownView, ...] | None = None
    """What it shows, as it said last; None before. It outlives every connection of the seat."""
    drew_on: set[str] = field(default_factory=set)
    """Feeds: what is written into the audit trail once."""
    media_reset: messages.MediaReset | None = None
    """Happened while the WebSocket was away: told on resuming."""

    @property
    def id(self) -> str:
        return self.participant.participant_id


def participant_of(claims: RoomClaims) -> Participant:
    """A new seat of whoever bears the token, as the others will see it."""
    return Participant(
        participant_id=new_id("p"),
        name=claims.name,
        role=claims.role,
        organisation=claims.org_name,
        person=claims.sub,
        guest=is_guest(claims),
        host=claims.grants.host,
    )


def is_guest(claims: RoomClaims) -> bool:
    """True for people whose tokens name no organisation: they came by an invitation."""
    return claims.role in PEOPLE and not claims.org
