"""Turns declared operations into routes: sign-in, role and scope, query and body are checked before a handler
runs, every refusal goes into the audit trail, and what a handler returns becomes the declared answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from core.consultations import Consultation
from core.errors import Forbidden, NotFound, RemoteError, TeleconsultError, Unauthorized
from core.ids import is_id
from core.tokens import AccessClaims, RoomClaims
from signaling.access import (
    caller_of,
    consultation_by_id,
    consultation_by_room,
    is_host,
    is_own,
    is_waiting,
)
from signaling.api import Call, Operation, Raw
from signaling.bodies import read_model
from signaling.context import CONTEXT, Context, access_claims, room_claims

JSON: Final = "application/json"
ABOUT_ONE: Final = ("part", "host", "own")


def add_operations(router: web.UrlDispatcher, operations: Iterable[Operation]) -> None:
    """A route for each."""
    for operation in operations:
        handler = Own(operation).answer if operation.own else Checked(operation).answer
        if operation.method == "GET":
            router.add_get(operation.path, handler, allow_head=operation.head)
        else:
            router.add_route(operation.method, operation.path, handler)


class Checked:
    """The aiohttp handler of one operation."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        answers_json = operation.response is not None and not isinstance(operation.response, Raw)
        self._answer: TypeAdapter[Any] | None = TypeAdapter(operation.response) if answers_json else None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Raises `TeleconsultError`, `ValidationError`: the `problems` middleware tells them."""
        context = request.app[CONTEXT]
        claims: AccessClaims | RoomClaims | None = None
        try:
            claims = _claims(self._operation, request)
            call = await _admit(context, self._operation, request, claims)
            result = await self._handle(call)
        except (Unauthorized, Forbidden, NotFound) as error:
            await _note_denial(context, self._operation, request, claims, error)
            raise
        return self._response(result)

    async def _handle(self, call: Call) -> Any:
        model = self._operation.request
        if model is None or isinstance(model, Raw):
            return await self._operation.handler(call)
        return await self._operation.handler(call, await read_model(call.request, model))

    def _response(self, result: Any) -> web.StreamResponse:
        if isinstance(result, web.StreamResponse):
            return result
        if self._answer is None:
            return web.Response(status=self._operation.status)
        body = self._answer.dump_json(result, warnings="error")
        return web.Response(body=body, status=self._operation.status, content_type=JSON)


class Own:
    """The aiohttp handler of an operation that checks for itself; only unknown callers are noted here."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What the operation's handler answers, or raises."""
        try:
            response: web.StreamResponse = await self._operation.handler(request)
        except Unauthorized as error:
            await _note_denial(request.app[CONTEXT], self._operation, request, None, error)
            raise
        return response


def _claims(operation: Operation, request: web.Request) -> AccessClaims | RoomClaims | None:
    if operation.who == "anyone":
        return None
    return room_claims(request) if operation.who == "room" else access_claims(request)


async def _admit(
    context: Context, operation: Operation, request: web.Request, claims: AccessClaims | RoomClaims | None
) -> Call:
    """Everything that is checked before the body is read."""
    consultation: Consultation | None = None
    if isinstance(claims, RoomClaims):
        consultation = await context.consultation_of(claims, request.match_info["room"])
        await _check_grants(context, operation, claims)
    elif claims is not None:
        consultation = await _check_scope(context, operation, request, claims)
    _check_ids(request)
    query = None if operation.query is None else _query(operation.query, request)
    return Call(request, operation, claims, consultation, query)


async def _check_grants(context: Context, operation: Operation, claims: RoomClaims) -> None:
    """Raises `Forbidden`."""
    if await is_waiting(context.database, claims):
        raise Forbidden("a host has to let you in first", code="not_admitted")
    if operation.grants and not any(getattr(claims.grants, grant) for grant in operation.grants):
        raise Forbidden("this token does not allow that", code="not_granted")


async def _check_scope(
    context: Context, operation: Operation, request: web.Request, claims: AccessClaims
) -> Consultation | None:
    """What the caller may not know of comes first: 404 whatever the role. Raises `NotFound`, `Forbidden`."""
    consultation: Consultation | None = None
    if operation.scope in ABOUT_ONE and "room" in request.match_info:
        consultation = await consultation_by_room(context.database, claims, request.match_info["room"])
    elif operation.scope in ABOUT_ONE and "consultation_id" in request.match_info:
        wanted = request.match_info["consultation_id"]
        consultation = await consultation_by_id(context.database, claims, wanted)
    if caller_of(claims) not in operation.who:
        raise Forbidden(f"the role {claims.role} may not do this", code=operation.role_code)
    if operation.scope == "host" and consultation is not None and not is_host(consultation, claims):
        raise Forbidden("only the site that opened the consultation may do this", code="not_yours")
    if operation.scope == "own" and consultation is not None and not is_own(consultation, claims):
        raise Forbidden("this belongs to the organisation that opened the consultation", code="not_yours")
    return consultation


def _check_ids(request: web.Request) -> None:
    """What cannot be an id names nothing. Raises `NotFound`."""
    for name, value in request.match_info.items():
        if name.endswith("_id") and not is_id(value):
            thing = name.removesuffix("_id")
            raise NotFound(f"there is no such {thing}", code=f"{thing}_not_found")


def _query(model: type[BaseModel], request: web.Request) -> BaseModel:
    """The query's values, each given once. Raises `RemoteError`."""
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(map(str, first["loc"]))[:100]
        raise RemoteError(f"?{name}: {first['msg'][:200]}", code="invalid_query", status=422) from None


async def _note_denial(
    context: Context,
    operation: Operation,
    request: web.Request,
    claims: AccessClaims | RoomClaims | None,
    error: TeleconsultError,
) -> None:
    """Who was refused what. Nobody's own refusals (`anyone`) are written down by their handlers."""
    if operation.who == "anyone":
        return
    target = " ".join(value[:64] for value in request.match_info.values())
    if claims is not None:
        await context.note_refusal(claims.sub, operation.name, target, error.code)
    elif context.may_note_stranger():
        await context.audit("unknown", operation.name, target, error.code)
