"""What every handler needs, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import structlog
from aiohttp import web

from core import trail
from core.clock import Clock
from core.config import Settings
from core.consultations import Consultation, consultation_in_room
from core.database import Database
from core.errors import Forbidden, NotFound, Unauthorized
from core.passwords import Passwords
from core.tokens import AccessClaims, Revocations, RoomClaims, Tokens
from signaling.metrics import Metrics
from signaling.room_service import RoomService

log = structlog.get_logger()

TARGET_MAX_CHARS: Final = 200


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
    service_secret: str = field(repr=False)

    async def audit(self, actor: str, action: str, target: str, outcome: str = "ok") -> None:
        """Append to the audit trail and log it. What clients sent is kept readable, and short."""
        target = "".join(char if char.isprintable() else "?" for char in target[:TARGET_MAX_CHARS])
        await trail.record_audit(self.database, actor, action, target, outcome)
        log.info("audit", actor=actor, action=action, target=target, outcome=outcome)

    async def consultation_of(self, claims: RoomClaims, room: str) -> Consultation:
        """The open consultation a room token is for. Raises `Forbidden` or `NotFound`."""
        if claims.room != room:
            raise Forbidden("this token is for another room", code="wrong_room")
        consultation = await consultation_in_room(self.database, room)
        if consultation is None or consultation.consultation_id != claims.con:
            raise NotFound("this consultation is over", code="consultation_closed")
        return consultation


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
