"""Pure: who waits at a room's door. One seat for each person: coming again takes the seat over."""

from __future__ import annotations

from typing import Final

from core.errors import Conflict
from core.messages import Participant
from signaling.members import Member

MAX_WAITING: Final = 20


class Lobby:
    """In order of coming. What the hosts are told follows from what the methods return."""

    def __init__(self) -> None:
        self.seats: dict[str, Member] = {}

    def enter(self, member: Member) -> None:
        """Raises `Conflict` when too many wait."""
        if len(self.seats) >= MAX_WAITING:
            raise Conflict("too many people are waiting; try again later", code="lobby_full")
        self.seats[member.id] = member

    def of(self, subject: str) -> Member | None:
        """The seat of that person."""
        return next((member for member in self.seats.values() if member.subject == subject), None)

    def leave(self, member: Member) -> bool:
        """False when it was not there any more."""
        return self.seats.pop(member.id, None) is not None

    def participants(self) -> list[Participant]:
        """Who waits, longest first."""
        return [member.participant for member in self.seats.values()]
