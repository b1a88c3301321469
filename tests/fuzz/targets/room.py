"""Text on the room WebSocket, at both ends."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from pydantic import ValidationError

from core.errors import Forbidden
from core.messages import Model, parse_client_message, parse_server_message
from signaling import permissions
from signaling.conversation import _first_mistake, _type_of
from signaling.grants import room_grants
from tests.fuzz.targets.descriptions import text_of

GRANTS: Final = room_grants("specialist")
MAX_REFUSAL_CHARS: Final = 400


def room_messages(data: bytes) -> None:
    """What is taken can be written and is the same; what is refused is refused in a few words."""
    text = text_of(data)
    try:
        message = parse_client_message(text)
    except ValidationError as error:
        about, why = _type_of(error), _first_mistake(error)
        assert len(why) <= MAX_REFUSAL_CHARS
        assert about is None or len(about) <= MAX_REFUSAL_CHARS
    else:
        assert parse_client_message(message.model_dump_json()) == message
        _check(message)
    with suppress(ValidationError):
        told = parse_server_message(text)
        assert parse_server_message(told.model_dump_json()) == told


def _check(message: Model) -> None:
    for waiting in (False, True):
        with suppress(Forbidden):
            permissions.check(message, GRANTS, waiting=waiting)
