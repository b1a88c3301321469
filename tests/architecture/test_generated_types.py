"""The TypeScript message types are what `npm run types` makes of `core/messages.py`, unedited.

Works without Node: the generated file carries the hash of the schema it was made from and of its own text.
`npm run types:check` (part of `make check`) generates again and compares every byte.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from core.messages import messages_json_schema

GENERATED = Path(__file__).parents[2] / "web_client" / "src" / "protocol" / "messages.ts"
HEADER_LINES = 4


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def stated(kind: str) -> str:
    found = re.search(rf"^// {kind} sha256: ([0-9a-f]{{64}})$", GENERATED.read_text("utf-8"), re.MULTILINE)
    assert found, f"{GENERATED.name} has no `{kind} sha256` line; run `npm run types` in web_client"
    return found[1]


def test_the_typescript_types_were_generated_from_the_present_messages() -> None:
    schema = json.dumps(messages_json_schema(), sort_keys=True, separators=(",", ":"))

    assert stated("schema") == sha256(schema), "core/messages.py changed: run `npm run types` in web_client"


def test_the_generated_types_were_not_edited_by_hand() -> None:
    content = "".join(GENERATED.read_text("utf-8").splitlines(keepends=True)[HEADER_LINES:])

    assert stated("content") == sha256(content), "edit core/messages.py, then `npm run types` in web_client"


def test_every_message_has_its_typescript_type() -> None:
    text = GENERATED.read_text("utf-8")
    models = set(messages_json_schema()["$defs"]) - {"_All"}

    assert {name for name in models if f"export interface {name} {{" in text} == models
