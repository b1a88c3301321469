"""Every page and state of the web client, brought about for real: for screenshots, axe-core, narrow screens.

Each group is a generator: it yields a `State` whenever a page looks as its name says, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.support.states.boxes import box_states
from tests.support.states.cast import Cast, State
from tests.support.states.control import control_states
from tests.support.states.doors import door_states
from tests.support.states.endings import ending_states
from tests.support.states.onsite import on_site_states
from tests.support.states.pages import page_states
from tests.support.states.replays import replay_states
from tests.support.states.rooms import room_states
from tests.support.states.troubles import trouble_states

Group = Callable[[Cast], Iterator[State]]

GROUPS: dict[str, Group] = {
    "pages": page_states,
    "boxes": box_states,
    "doors": door_states,
    "room": room_states,
    "troubles": trouble_states,
    "onsite": on_site_states,
    "control": control_states,
    "endings": ending_states,
    "replay": replay_states,
}

__all__ = ["GROUPS", "Cast", "Group", "State"]
