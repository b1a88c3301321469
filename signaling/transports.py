"""Pure: what a media transport is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from core.messages import LayersWanted
from core.tokens import RoomClaims
from signaling.rooms import Room

Purpose = Literal["publish", "subscribe", "feed", "view"]


@dataclass(frozen=True, slots=True)
class Use:
    """`owner`: participant id (publish, subscribe) or token subject (feed, view). `feed`: of those."""

    room: Room
    purpose: Purpose
    owner: str
    feed: str = ""
    track_ids: frozenset[str] = frozenset()
    """view: the tracks it began with; a WHEP session cannot change them."""
    claims: RoomClaims | None = None
    """feed, view: of the token it was begun with."""
    layers_wanted: dict[str, LayersWanted] = field(default_factory=dict, compare=False)
    """publish, feed: what its publisher was told last, by track id."""
