"""Pure: which message needs which grant. The one table; it is asked before any message is handled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core import messages
from core.errors import Forbidden
from core.messages import Model
from core.tokens import Grants


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may send a message; `code` and `text` are what everybody else is answered."""

    allows: Callable[[Grants], bool]
    code: str = "not_granted"
    text: str = "you may not do this here"


_EVERYONE: Final = Rule(lambda grants: True)
_PUBLISHERS: Final = Rule(lambda grants: bool(grants.publish), text="you may not publish here")
_VIEWERS: Final = Rule(lambda grants: grants.subscribe, text="you may not subscribe here")
_CHATTERS: Final = Rule(lambda grants: grants.chat, text="you may not chat here")
_ARTISTS: Final = Rule(lambda grants: grants.annotate, text="you may not draw here")
_WATCHERS: Final = Rule(
    lambda grants: grants.subscribe or bool(grants.publish), text="there is nothing here for you to see"
)
_BOXES: Final = Rule(lambda grants: "device" in grants.publish, text="only a capture box says this")
_HOSTS: Final = Rule(
    lambda grants: grants.host, "not_host", "only the site that opened the consultation does this"
)
_RECORDER: Final = Rule(
    lambda grants: grants.record, "not_recorder", "only the recorder says what is recorded"
)

RULES: Final[dict[type[Model], Rule]] = {
    messages.Hello: _EVERYONE,
    messages.Ping: _EVERYONE,
    messages.Renew: _EVERYONE,
    messages.TakeOver: _EVERYONE,
    messages.Publish: _PUBLISHERS,
    messages.Unpublish: _PUBLISHERS,
    messages.SetMuted: _PUBLISHERS,
    messages.Subscribe: _VIEWERS,
    messages.RestartIce: _VIEWERS,
    messages.Answer: _VIEWERS,
    messages.ReportQuality: _VIEWERS,
    messages.SetView: _VIEWERS,
    messages.Chat: _CHATTERS,
    messages.Annotate: _ARTISTS,
    messages.Point: _ARTISTS,
    messages.SyncAnnotations: _WATCHERS,
    messages.MoveMarks: _BOXES,
    messages.SetSignal: _BOXES,
    messages.OfferControl: _BOXES,
    messages.ControlAnswer: _BOXES,
    messages.AskControl: _ARTISTS,
    messages.GrantControl: _HOSTS,
    messages.ConfirmControl: _HOSTS,
    messages.EndControl: _ARTISTS,
    messages.Press: _ARTISTS,
    messages.ReportHealth: _BOXES,
    messages.Freeze: _ARTISTS,
    messages.Unfreeze: _ARTISTS,
    messages.StillMissing: _BOXES,
    messages.Admit: _HOSTS,
    messages.TurnAway: _HOSTS,
    messages.Remove: _HOSTS,
    messages.SetPaused: _HOSTS,
    messages.SetConsent: _HOSTS,
    messages.SetRecord: _HOSTS,
    messages.WriteOpinion: _CHATTERS,
    messages.SetRecording: _RECORDER,
}
WHILE_WAITING: Final = frozenset({messages.Ping, messages.Renew})


def check(message: Model, grants: Grants, *, waiting: bool) -> None:
    """Raises `Forbidden`: `not_admitted` for somebody in the lobby, else the rule's code."""
    if waiting and type(message) not in WHILE_WAITING:
        raise Forbidden("wait until a host lets you in", code="not_admitted")
    rule = RULES[type(message)]
    if not rule.allows(grants):
        raise Forbidden(rule.text, code=rule.code)
