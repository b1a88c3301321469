"""The declared operations as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter

from core.messages import Model
from signaling import openapi_zh
from signaling.api import Operation, Raw

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
_SCHEMAS: Final = "#/components/schemas/"
_PARAMETER: Final = re.compile(r"{(\w+)}")
_TITLES: Final = {
    "sign-in": "Signing in and out",
    "people": "Organisations and people",
    "devices": "Capture boxes",
    "consultations": "Consultations",
    "invitations": "Guests by invitation",
    "rooms": "The room: its token, its WebSocket, its files, its stills",
    "media": "Publishing and watching with nothing but HTTP",
    "archive": "The archive, for auditors: ciphertext and proofs",
    "log": "The archive's log: checkpoints, proofs, witnesses",
    "operation": "For operators and tools",
}


class Problem(Model):
    """RFC 9457. `code` is stable; `detail` is one line for a person."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    code: str
    detail: str


def describe(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """The document. Operations that are not `described` are left out."""
    shown = [operation for operation in operations if operation.described]
    references, schemas = _schemas(shown)
    paths: dict[str, dict[str, Any]] = {}
    for operation in shown:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, references)
    used = {operation.tag for operation in shown}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Teleconsult",
            "version": version,
            "description": "Errors are problem documents (RFC 9457) with a stable code.",
            "x-description-zh": openapi_zh.INFO,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": tag, "description": text, "x-description-zh": openapi_zh.TITLES[tag]}
            for tag, text in _TITLES.items()
            if tag in used
        ],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


_SECURITY: Final = {
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`access_token` of a sign-in: ten minutes, then exchange the refresh token",
    },
    "roomToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`token` of `POST /api/v1/rooms/{room}/join`, or a capture box's",
    },
}


def problem_codes(operation: Operation) -> dict[int, list[str]]:
    """All problems it may answer with: its own, and those that follow from its declaration."""
    found: dict[int, list[str]] = {}
    for status, code in (*operation.codes, *_implied(operation)):
        codes = found.setdefault(status, [])
        if code not in codes:
            codes.append(code)
    return dict(sorted(found.items()))


def _implied(operation: Operation) -> list[tuple[int, str]]:
    implied: list[tuple[int, str]] = []
    if operation.who != "anyone":
        implied += [(401, code) for code in ("unauthorized", "token_invalid", "token_expired")]
        implied += [(401, "token_revoked")]
    if operation.who == "room" and not operation.own:
        implied += [(403, code) for code in ("wrong_room", "device_not_attached", "not_admitted")]
        implied += [(404, "consultation_closed")]
    elif operation.who not in ("anyone", "room"):
        implied += [(403, operation.role_code)]
    if operation.grants:
        implied += [(403, "not_granted")]
    if operation.scope in ("part", "host", "own"):
        implied += [(404, "room_not_found" if "{room}" in operation.path else "consultation_not_found")]
    if operation.scope in ("host", "own"):
        implied += [(403, "not_yours")]
    return implied + _implied_by_body(operation)


def _implied_by_body(operation: Operation) -> list[tuple[int, str]]:
    implied = [] if operation.query is None else [(422, "invalid_query")]
    if operation.request is not None:
        implied += [(408, "too_slow"), (413, "too_large"), (415, "unsupported_media_type")]
    if operation.request is not None and not isinstance(operation.request, Raw):
        implied += [(400, "bad_body"), (400, "bad_encoding"), (422, "invalid_body")]
    return implied


# --- one operation -----------------------------------------------------------------------


def _operation(operation: Operation, references: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _who(operation),
        **openapi_zh.extensions(operation),
        "x-who": operation.who if isinstance(operation.who, str) else list(operation.who),
        "x-scope": operation.scope,
        "security": _security(operation),
        "responses": _responses(operation, references),
    }
    if operation.grants:
        described["x-grants"] = list(operation.grants)
    if parameters := _parameters(operation, references):
        described["parameters"] = parameters
    if operation.request is not None:
        described["requestBody"] = {
            "required": True,
            "content": _content(operation.request, references, f"{operation.name}.request"),
        }
    return described


def _who(operation: Operation) -> str:
    if operation.who == "anyone":
        return "Without signing in."
    if operation.who == "room":
        needs = f" that allows {' or '.join(operation.grants)}" if operation.grants else ""
        return f"With a room token of this room{needs}."
    scopes = {
        "none": "",
        "self": " about themselves",
        "part": " who take part in the consultation (404 for others)",
        "host": " of the site that opened the consultation (403 for others who take part, 404 for strangers)",
        "own": " of the organisation that opened it (403 for others who take part, 404 for strangers)",
    }
    return f"For {', '.join(operation.who)}{scopes[operation.scope]}."


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.who == "anyone":
        return []
    return [{"roomToken" if operation.who == "room" else "accessToken": []}]


def _parameters(operation: Operation, references: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(operation.path)
    ]
    if operation.query is not None:
        properties = references[f"{operation.name}.query"]["properties"]
        required = references[f"{operation.name}.query"].get("required", [])
        found += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in properties.items()
        ]
    return found


def _responses(operation: Operation, references: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase}
    if operation.response is not None:
        answer["content"] = _content(operation.response, references, f"{operation.name}.response")
    responses: dict[str, Any] = {str(operation.status): answer}
    for status, codes in problem_codes(operation).items():
        responses[str(status)] = _problem(HTTPStatus(status).phrase, codes)
    responses["default"] = _problem("Any other problem", [])
    return responses


def _problem(title: str, codes: Sequence[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": f"{_SCHEMAS}Problem"}
    if codes:
        schema = {"allOf": [schema, {"properties": {"code": {"enum": list(codes)}}}]}
    described = f"{title}: {', '.join(codes)}" if codes else title
    return {"description": described, "content": {PROBLEM: {"schema": schema}}}


def _content(body: Any, references: dict[str, Any], key: str) -> dict[str, Any]:
    if isinstance(body, Raw):
        return {body.media_type: {"schema": {"description": body.description}}}
    return {JSON: {"schema": references[key]}}


# --- schemas -----------------------------------------------------------------------------


def _schemas(operations: Sequence[Operation]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each body refers to, by `<operation>.request`, `.response`, `.query`; and the named schemas."""
    wanted: list[tuple[str, Literal["validation", "serialization"], TypeAdapter[Any]]] = [
        ("problem", "serialization", TypeAdapter(Problem))
    ]
    for operation in operations:
        if isinstance(operation.request, type) and issubclass(operation.request, BaseModel):
            wanted.append((f"{operation.name}.request", "validation", TypeAdapter(operation.request)))
        if operation.response is not None and not isinstance(operation.response, Raw):
            wanted.append((f"{operation.name}.response", "serialization", TypeAdapter(operation.response)))
    schemas, definitions = TypeAdapter.json_schemas(wanted, ref_template=_SCHEMAS + "{model}")
    references = {key: schema for (key, _mode), schema in schemas.items()}
    for operation in operations:
        if operation.query is not None:
            references[f"{operation.name}.query"] = operation.query.model_json_schema()
    return references, definitions["$defs"]
