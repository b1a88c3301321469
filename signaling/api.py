"""How an operation of the HTTP API is declared. Everything about it comes from this one declaration:

the route, who may call it (`signaling/access.py`), the check of its body, its answer, its description in
`/openapi.json`, and what the tests try with it. A route that is not declared fails a test.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel

from core.consultations import Consultation
from core.tokens import AccessClaims, RoomClaims
from signaling.access import Caller
from signaling.context import CONTEXT, Context

Scope = Literal["none", "self", "part", "host", "own"]
"""`self`: concerns the caller only. `part`: the caller takes part in the consultation the path names, else
404. `host`: is of the site that opened it; others who take part get 403. `own`: of the organisation that
opened it, in any role; others who take part get 403."""
Grant = Literal["subscribe", "chat", "record", "host", "publish"]
Method = Literal["GET", "POST", "PATCH", "DELETE", "OPTIONS"]

PEOPLE: Final[tuple[Caller, ...]] = ("specialist", "site", "auditor", "admin")
MEMBERS: Final[tuple[Caller, ...]] = ("specialist", "site")


@dataclass(frozen=True)
class Raw:
    """A body that is not a model as JSON: its media type, and what it holds."""

    media_type: str
    description: str


@dataclass(frozen=True)
class Operation:
    """One operation.

    `name`: in the audit trail and, as operationId, in the description. `who`: kinds of signed-in callers;
    `anyone`: no sign-in; `room`: bearers of a room token for the `{room}` of the path, who need one of
    `grants` if any are named. `handler` takes a `Call`, and the checked body if `request` is a model; it
    returns what `response` says (a value, or a finished response). `own`: the handler is aiohttp's kind and
    checks for itself what the declaration says. `codes`: its own problems, besides those that follow from
    `who`, `scope` and `request`; `role_code` is told to the other roles. `head`: HEAD works as well.
    `described`: it is part of the public description.
    """

    method: Method
    path: str
    handler: Callable[..., Awaitable[Any]]
    name: str
    summary: str
    who: tuple[Caller, ...] | Literal["anyone", "room"]
    tag: str = "consultations"
    scope: Scope = "none"
    grants: tuple[Grant, ...] = ()
    request: type[BaseModel] | Raw | None = None
    query: type[BaseModel] | None = None
    response: Any = None
    status: int = 200
    codes: tuple[tuple[int, str], ...] = ()
    role_code: str = "role_may_not"
    own: bool = False
    head: bool = True
    described: bool = True

    @property
    def key(self) -> str:
        """What a person calls it, such as `GET /api/v1/me`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Call:
    """One request that was let through: who calls, and about which consultation."""

    request: web.Request
    operation: Operation
    claims: AccessClaims | RoomClaims | None
    consultation_or_none: Consultation | None
    query: Any = None

    @property
    def context(self) -> Context:
        return self.request.app[CONTEXT]

    @property
    def caller(self) -> AccessClaims:
        """Who signed in."""
        assert isinstance(self.claims, AccessClaims), "this operation is not for people who signed in"
        return self.claims

    @property
    def bearer(self) -> RoomClaims:
        """Whose room token it is."""
        assert isinstance(self.claims, RoomClaims), "this operation does not take a room token"
        return self.claims

    @property
    def consultation(self) -> Consultation:
        """The one the path names (`{consultation_id}` or `{room}`)."""
        assert self.consultation_or_none is not None, "this operation is not about one consultation"
        return self.consultation_or_none

    def path(self, name: str) -> str:
        """A part of the path, as the client wrote it: anything may be in it."""
        return self.request.match_info[name]
