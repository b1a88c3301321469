"""What every handler needs, in one place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiohttp import web

from archive.checkpoint import VerifierKey
from core import trail
from core.clock import Clock
from core.config import Settings
from core.consultations import Consultation
from core.database import Database
from core.errors import Unauthorized
from core.ids import is_id
from core.passwords import Passwords
from core.tokens import AccessClaims, Revocations, RoomClaims, Tokens
from signaling.access import consultation_of_token, is_waiting
from signaling.annotation_holding import Holding
from signaling.annotation_keeper import DrawingsKeeper
from signaling.backfill import Backfill
from signaling.boxes import Boxes
from signaling.log_service import ArchiveLog
from signaling.members import Member
from signaling.metrics import Metrics
from signaling.rate import Throttle, TokenBucket
from signaling.room_service import RoomService
from signaling.rooms import Room

_log = structlog.get_logger()

TARGET_MAX_CHARS: Final = 200
_TARGET_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_:.-]*")
"""Ids, rooms, feeds, subjects. Anything else could be somebody's name, written into a URL."""
STRANGERS_PER_S: Final = 1.0
STRANGERS_BURST: Final = 100
"""How many refusals of unknown callers, and of each known one, are written down: nobody fills the trail."""


@dataclass(frozen=True)
class Context:
    """The parts of one signaling process."""

    settings: Settings
    database: Database
    clock: Clock
    tokens: Tokens
    revocations: Revocations
    passwords: Passwords
    service: RoomService
    metrics: Metrics
    log: ArchiveLog
    holding: Holding[Member]
    keeper: DrawingsKeeper
    service_secret: str = field(repr=False)
    refusals: Throttle = field(default_factory=lambda: Throttle(STRANGERS_PER_S, STRANGERS_BURST))
    strangers: TokenBucket = field(default_factory=lambda: TokenBucket(STRANGERS_PER_S, STRANGERS_BURST, 0))
    witnesses: Sequence[VerifierKey] = ()
    """Whose cosignatures of the log are taken."""
    opening: set[str] = field(default_factory=set)
    """Consultations whose open leaf is written, but which are not stored yet."""

    boxes: Boxes = field(default_factory=Boxes)
    backfill: Backfill = field(default_factory=Backfill)
    deciding: set[str] = field(default_factory=set)
    """Consultations about which the log says already what is not stored yet."""

    async def audit(self, actor: str, action: str, target: str, outcome: str = "ok") -> None:
        """Append to the audit trail and log it. What is no id, room or feed is not repeated."""
        words = target[:TARGET_MAX_CHARS].split(" ")
        target = " ".join(word if not word or _TARGET_WORD.fullmatch(word) else "?" for word in words)
        await trail.record_audit(self.database, actor, action, target, outcome)
        _log.info("audit", actor=actor, action=action, target=target, outcome=outcome)

    async def note_refusal(self, actor: str, action: str, target: str, code: str) -> None:
        """Write down that somebody known was refused something, unless they are refused all the time."""
        if self.refusals.allows(actor, self.clock.monotonic_ns()):
            await self.audit(actor, action, target, code)
            about = next((word for word in target.split(" ") if is_id(word)), None)
            self.log.note(kind="denied", by=actor, consultation=about, detail=f"{action}.{code}")

    async def consultation_of(self, claims: RoomClaims, room: str) -> Consultation:
        """The open consultation a room token is for. Raises `Forbidden` or `NotFound`."""
        return await consultation_of_token(self.database, claims, room)

    async def live_room(self, claims: RoomClaims, room: str) -> Room:
        """The live room a token is for, made if need be from what is stored at this moment.

        Whoever takes a seat in it without waiting for anything first has one rightly. Raises `Unauthorized`,
        `Forbidden`, `NotFound`.
        """
        while True:
            changes = self.service.changes
            consultation = await self.consultation_of(claims, room)
            await self.log.open_late(consultation)
            await self.keeper.load(consultation.consultation_id)
            self.check_not_revoked(claims)
            if changes == self.service.changes:
                return self.service.room_for(consultation)

    async def at_door(self, claims: RoomClaims, room: str) -> tuple[Room, bool]:
        """As `live_room`; and whether a host has to let them in first, as it is at that moment."""
        while True:
            changes = self.service.changes
            waits = await is_waiting(self.database, claims)
            found = await self.live_room(claims, room)
            if changes == self.service.changes:
                return found, waits

    def check_not_revoked(self, claims: RoomClaims) -> None:
        """Once more, after waiting for something. Raises `Unauthorized`."""
        if self.tokens.is_revoked(claims):
            raise Unauthorized("this token was revoked; sign in again", code="token_revoked")

    def may_note_stranger(self) -> bool:
        """False while callers nobody knows have been refused too often to write each of them down."""
        return self.strangers.take(1, self.clock.monotonic_ns())


CONTEXT: Final = web.AppKey("context", Context)


def bearer(request: web.Request) -> str:
    """The bearer token of a request (RFC 6750 §2.1). Raises `Unauthorized`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("sign in first: this needs a bearer token")
    return token.strip()


def access_claims(request: web.Request) -> AccessClaims:
    """Who calls the REST API. Raises `Unauthorized`."""
    return request.app[CONTEXT].tokens.verify_access(bearer(request))


def room_claims(request: web.Request) -> RoomClaims:
    """Who calls about a room. Raises `Unauthorized`."""
    return request.app[CONTEXT].tokens.verify_room(bearer(request))
