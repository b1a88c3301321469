"""Pure: what was written in a room before somebody came."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.messages import ChatEntry, Opinion


@dataclass(frozen=True, slots=True)
class History:
    """For a `welcome`, oldest first."""

    chat: list[ChatEntry] = field(default_factory=list)
    opinions: list[Opinion] = field(default_factory=list)
