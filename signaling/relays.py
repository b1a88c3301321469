"""Pure: the TURN servers clients are told of, each client with credentials of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.config import Settings
from core.messages import IceServer
from core.turn import ice_servers


@dataclass(frozen=True, slots=True)
class Relays:
    """`ttl_s`: how long credentials can begin a connection; one that has begun goes on after it."""

    urls: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    ttl_s: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Relays:
        return cls(tuple(settings.turn_urls), settings.turn_secret or "", settings.turn_ttl_s)

    def servers(self, subject: str, now_us: int) -> list[IceServer]:
        """`subject`: the participant's or connection's id; the TURN server's log shows it."""
        return ice_servers(self.urls, self.secret, subject, now_us // 1_000_000 + self.ttl_s)
