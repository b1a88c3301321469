"""The description of the API: valid, complete, and about this application."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from core.invitations import InvitationState
from signaling import openapi_zh
from signaling.app import OPERATIONS
from signaling.declared import declared_operations
from signaling.openapi import describe, problem_codes
from tests.signaling.conftest import World

DECLARED: Final = declared_operations(Path("none"))
ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe(DECLARED, "1.0")


def described(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


async def test_every_route_is_declared_and_every_declaration_has_a_route(world: World) -> None:
    routed = {
        (route.method, route.resource.canonical)
        for route in world.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    canonical = {key: re.sub(r"{(\w+):.*}$", r"{\1}", key) for key in (one.path for one in DECLARED)}
    assert routed == {(one.method, canonical[one.path]) for one in DECLARED}
    assert {one.key for one in world.app[OPERATIONS]} == {one.key for one in DECLARED}


async def test_the_document_that_is_served_is_valid_openapi_3_1(world: World) -> None:
    async with world.session.get("/openapi.json") as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        served = await response.json()
    assert served["openapi"].startswith("3.1")
    validate(served, cls=OpenAPIV31SpecValidator)


def test_everything_but_the_web_client_is_described(document: dict[str, Any]) -> None:
    paths = {(method, path) for method, path, _ in described(document)}
    assert paths == {(one.method, one.path) for one in DECLARED if one.described}
    assert [one.name for one in DECLARED if not one.described] == ["web_client"]
    for wanted in ("/ws", "/whip/{room}/{feed}", "/whep/{room}/{feed}", "/healthz", "/readyz", "/metrics"):
        assert wanted in document["paths"]


def test_every_operation_stands_under_a_title(document: dict[str, Any]) -> None:
    titled = {tag["name"] for tag in document["tags"]}
    assert {tag for _, _, one in described(document) for tag in one["tags"]} == titled


def test_operations_have_names_of_their_own_and_sentences_about_them(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in described(document)]
    assert len(names) == len(set(names))
    for _, path, operation in described(document):
        assert operation["summary"], path
        assert operation["description"], path


def test_everything_is_said_in_chinese_too(document: dict[str, Any]) -> None:
    """`signaling/openapi_zh.py` has the words."""
    named = [operation for _, _, operation in described(document)]
    missing = [one["operationId"] for one in named if not _chinese(one.get("x-summary-zh", ""))]
    assert missing == []
    assert all(_chinese(one["x-description-zh"]) for one in (*named, *document["tags"], document["info"]))
    assert set(openapi_zh.SUMMARIES) == {one["operationId"] for one in named}, "none is left over"


def _chinese(text: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in text)


def test_what_needs_a_token_says_which_and_what_does_not_says_nothing(document: dict[str, Any]) -> None:
    for _, path, operation in described(document):
        schemes = [name for requirement in operation["security"] for name in requirement]
        who = operation["x-who"]
        assert schemes == {"anyone": [], "room": ["roomToken"]}.get(str(who), ["accessToken"]), path


def test_every_problem_is_a_problem_document_that_names_its_codes(document: dict[str, Any]) -> None:
    for one in DECLARED:
        if one.described:
            responses = document["paths"][one.path][one.method.lower()]["responses"]
            assert "default" in responses
            for status, codes in problem_codes(one).items():
                schema = responses[str(status)]["content"]["application/problem+json"]["schema"]
                assert schema["allOf"][1]["properties"]["code"]["enum"] == codes


def test_bodies_are_closed_so_that_a_misspelt_field_is_refused(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for _, path, operation in described(document):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert schemas[name]["additionalProperties"] is False, path


WITH_BODIES: Final = [one for one in DECLARED if isinstance(one.request, type)]


@pytest.mark.parametrize("one", WITH_BODIES, ids=lambda one: one.name)
def test_request_models_refuse_values_of_another_type(one: Any) -> None:
    assert one.request.model_config["strict"] is True


def test_only_the_form_takes_a_patient_s_name_and_no_answer_has_a_field_for_it(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"].items()
    assert [name for name, schema in schemas if "patient" in schema["properties"]] == ["NewConsultation"]


def test_declared_codes_are_codes_that_some_line_of_the_service_gives() -> None:
    # The recorder's refusals are passed on to a box as they are.
    sources = [path for folder in ("signaling", "core", "recorder") for path in (ROOT / folder).glob("*.py")]
    lines = re.sub(r'\(\d{3}, "\w+"\)', "", "\n".join(path.read_text() for path in sources))
    made = [f"invitation_{state}" for state in get_args(InvitationState)]
    for one in DECLARED:
        for _, code in one.codes:
            assert f'"{code}"' in lines or code in made, (one.name, code)
