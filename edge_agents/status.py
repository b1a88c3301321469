"""How the box is, for whoever stands beside it: the status page and `edge status`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.annotations import Part
from core.control import ControlWay
from core.device_health import DeviceHealth, Trouble

BoxState = Literal["starting", "idle", "attending", "unreachable", "revoked", "unknown", "disabled", "fixed"]
"""idle: enrolled, and no consultation wants it. attending: in one. unknown: the server does not know its key.
fixed: not enrolled, with a token for one room."""


class RingStatus(Part):
    """What is kept for after an outage. `oldest_s`: how long ago the oldest of it was captured. `keeps`: what
    is encoded now is kept. `delivered`: pieces the archive took, since the start.
    """

    keeps: bool
    held_bytes: int
    oldest_s: int | None = None
    waiting_bytes: int = 0
    delivered: int = 0


class ControlStatus(Part):
    """A device's console that somebody may control once it is confirmed here (granted), or does (active).

    `left_s`: of that stage. `code`: what a host in the room types to confirm it; empty: not that way, or not
    now. `minutes`: from the confirmation on. `wrong_badge`: one was shown that this box does not know.
    """

    feed: str
    control_id: str
    stage: Literal["granted", "active"]
    name: str
    organisation: str = ""
    minutes: int
    left_s: int
    ways: tuple[ControlWay, ...]
    code: str = Field(default="", repr=False)
    tries_left: int = 3
    wrong_badge: bool = False


class BoxStatus(Part):
    """`name`, `device_id`: as enrolled; empty: it is not. `in_room`: its seat there is taken."""

    state: BoxState
    server: str
    device_id: str = ""
    name: str = ""
    room: str = ""
    in_room: bool = False
    health: DeviceHealth
    ring: RingStatus | None = None
    controls: list[ControlStatus] = Field(default=[])
    troubles: list[Trouble] = Field(default=[])
    log_level: str = "info"
