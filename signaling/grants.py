"""Pure: what a role may do in a room. The server checks grants, never roles, once a room token is issued."""

from __future__ import annotations

from typing import Final

from core.errors import Forbidden
from core.messages import Role
from core.tokens import Grants

_PERSON: Final = Grants(publish=["microphone", "camera", "screen"], subscribe=True, chat=True, annotate=True)
_BY_ROLE: Final[dict[Role, Grants]] = {
    "specialist": _PERSON,
    "site": _PERSON,
    "recorder": Grants(subscribe=True, record=True),
}


def room_grants(role: Role, *, host: bool = False, lobby: bool = False) -> Grants:
    """Grants of someone joining by sign-in or invitation. `host`: of the site; `lobby`: has to be let in.

    Raises `Forbidden` for roles that do not enter live rooms. Devices get their room tokens when a
    consultation attaches them (`device_grants`), not by signing in.
    """
    grants = _BY_ROLE.get(role)
    if grants is None:
        raise Forbidden(f"the role {role} does not join live rooms", code="role_may_not_join")
    return grants.model_copy(update={"host": host, "lobby": lobby})


def device_grants(feeds: list[str] | None) -> Grants:
    """A capture box: its own feeds, nothing else."""
    return Grants(publish=["device"], feeds=feeds)


def viewer_grants(view: list[str] | None) -> Grants:
    """Somebody who only watches (WHEP players)."""
    return Grants(subscribe=True, view=view)
