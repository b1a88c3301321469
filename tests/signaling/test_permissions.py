"""The table of messages and grants is whole, and says what the contract says."""

from __future__ import annotations

from typing import get_args

import pytest

from core import messages
from core.errors import Forbidden
from core.messages import ClientMessage, Model
from core.tokens import Grants
from signaling.permissions import RULES, WHILE_WAITING, check

ALL: tuple[type[Model], ...] = get_args(get_args(ClientMessage)[0])
EVERYTHING = Grants(
    publish=["device", "microphone", "camera", "screen"],
    subscribe=True,
    record=True,
    chat=True,
    annotate=True,
    host=True,
)


def test_every_message_of_a_client_has_a_rule_and_there_is_no_other() -> None:
    assert set(RULES) == set(ALL)
    assert set(ALL) >= WHILE_WAITING


def test_with_every_grant_everything_may_be_said() -> None:
    for kind in ALL:
        check(kind.model_construct(), EVERYTHING, waiting=False)


def test_without_any_grant_only_what_concerns_the_connection_may_be_said() -> None:
    said = set()
    for kind in ALL:
        try:
            check(kind.model_construct(), Grants(), waiting=False)
            said.add(kind)
        except Forbidden:
            continue
    assert said == {messages.Hello, messages.Ping, messages.Renew, messages.TakeOver}


@pytest.mark.parametrize("kind", sorted(ALL, key=lambda kind: kind.__name__))
def test_who_waits_may_say_next_to_nothing_whatever_the_token_grants(kind: type[Model]) -> None:
    if kind in (messages.Ping, messages.Renew):
        check(kind.model_construct(), EVERYTHING, waiting=True)
        return
    with pytest.raises(Forbidden) as refused:
        check(kind.model_construct(), EVERYTHING, waiting=True)
    assert refused.value.code == "not_admitted"
