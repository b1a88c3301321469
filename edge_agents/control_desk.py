"""Pure: remote control of one device at its box. Nothing is pressed that was not confirmed beside the box.

Time, messages and touches in; answers for the room and reports for the device out. The box decides: before
its own confirmation, after its own clock says that the time is up, for another control or from anybody but
whose it is, nothing is pressed; whenever a control ends, for whatever reason, everything is let go of first.
What was let go of while it goes on is pressed again only by pressing it again.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from core.clock import NS_PER_S
from core.control import (
    ANSWER_WITHIN_S,
    RELEASE_AFTER_S,
    SILENT_AFTER_S,
    Control,
    ControlEnd,
    ControlWay,
    Pressed,
)
from core.messages import ControlAnswer
from edge_agents.hid_reports import Hands, HidDevice, HidReport, PointerState, Screen
from edge_agents.status import ControlStatus

CODE_TRIES: Final = 3
BADGE_TRIES: Final = 5
"""More than of codes: a scanner reads whatever is held before it."""
CODE_RESTS_S: Final = 60
"""After three wrong codes, in however many controls, none is shown and none is right for so long: a code
cannot be found by being granted again and again."""
_RELEASE_AFTER_NS: Final = int(RELEASE_AFTER_S * NS_PER_S)
_SILENT_AFTER_NS: Final = int(SILENT_AFTER_S * NS_PER_S)
_NS_PER_MINUTE: Final = 60 * NS_PER_S


class LetGo(NamedTuple):
    """Whatever still waits to be written is dropped, then this is written: everything up."""

    reports: tuple[HidReport, ...]


Outcome = ControlAnswer | HidReport | LetGo


@dataclass(frozen=True)
class Terms:
    """How this box lets a feed's device be controlled. `badges`: SHA-256, hex, of what a badge says."""

    feed: str
    ways: tuple[ControlWay, ...]
    max_minutes: int
    devices: frozenset[HidDevice]
    badges: frozenset[str] = frozenset()


@dataclass
class _Held:
    control: Control
    until_ns: int
    code: str = field(repr=False)
    active: bool = False
    badges_left: int = BADGE_TRIES
    heard_ns: int = 0
    """When whoever controls last gave a sign of life."""


class ControlDesk:
    """`now_ns` is monotonic everywhere. Call `tick` at least every 100 ms while something is held."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._hands = Hands(terms.devices)
        self._held: _Held | None = None
        self._paused = False
        self._codes_wrong = 0
        """Since one was confirmed here, or since codes rested last: a new grant brings no new tries."""
        self._codes_rest_until_ns = 0

    @property
    def holds(self) -> bool:
        """A control waits here, or is active."""
        return self._held is not None

    # from the room

    def granted(self, control: Control, code: str, now_ns: int) -> list[Outcome]:
        """A host allowed it: from now on it can be confirmed here. `code`: six random digits.

        Told again of the same one, nothing changes: neither its code nor its time. While codes rest, a box
        that takes nothing else refuses.
        """
        if self._is(control.control_id) or control.stage != "granted" or not control.minutes:
            return []
        letting_go = self._drop()
        if self._paused:
            return [*letting_go, _ended(control.control_id, "paused")]
        if self._terms.ways == ("code",) and self._codes_rest(now_ns):
            return [*letting_go, _ended(control.control_id, "wrong_code")]
        asked = "code" in self._terms.ways
        self._held = _Held(control, now_ns + ANSWER_WITHIN_S * NS_PER_S, code if asked else "")
        return letting_go

    def over(self, control_id: str) -> list[Outcome]:
        """The room says so."""
        return self._drop() if self._is(control_id) else []

    def lost(self) -> list[Outcome]:
        """The room is out of reach: what it granted counts no more."""
        return self._drop()

    def paused(self, paused: bool) -> list[Outcome]:
        """During a privacy pause nobody outside sees what they would press."""
        self._paused = paused
        return self._end("paused") if paused else []

    def code_typed(self, control_id: str, code: str, now_ns: int) -> list[Outcome]:
        """By a host, in the room. While codes rest, and where none is taken, it is wrong and costs no try."""
        outcomes, held = self.tick(now_ns), self._waiting(control_id)
        if held is None:
            return outcomes
        wrong = ControlAnswer(control_id=control_id, answer="wrong_code")
        if not held.code or self._codes_rest(now_ns):
            return [*outcomes, wrong]
        if hmac.compare_digest(held.code.encode(), code.encode()):
            return outcomes + self._confirm(held, "code", now_ns)
        self._codes_wrong += 1
        if self._codes_wrong < CODE_TRIES:
            return [*outcomes, wrong]
        self._codes_wrong, self._codes_rest_until_ns = 0, now_ns + CODE_RESTS_S * NS_PER_S
        return outcomes + self._end("wrong_code")

    def pressed(
        self, control_id: str, participant_id: str, pressed: Pressed, screen: Screen | None, now_ns: int
    ) -> list[Outcome]:
        """`screen` None: the device's picture is not to be seen, so nobody presses anything."""
        outcomes, held = self.tick(now_ns), self._held
        if held is None or not held.active or not self._is(control_id):
            return outcomes
        if participant_id != held.control.participant_id:
            return outcomes
        held.heard_ns = now_ns
        pointer = pressed.pointer
        if screen is None:
            return outcomes + _up(self._hands.hold_off_all(pressed.keys, pointer.buttons if pointer else 0))
        at = None if pointer is None else PointerState(*screen.place(pointer.x, pointer.y), pointer.buttons)
        return outcomes + list[Outcome](self._hands.press(pressed.keys, at, pressed.wheel))

    # from whoever stands beside the box

    def touched(self, control_id: str, now_ns: int) -> list[Outcome]:
        """Allow it."""
        outcomes, held = self.tick(now_ns), self._waiting(control_id)
        if held is None or "touch" not in self._terms.ways:
            return outcomes
        return outcomes + self._confirm(held, "touch", now_ns)

    def badge_shown(self, control_id: str, text: str, now_ns: int) -> list[Outcome]:
        """What the scanner read."""
        outcomes, held = self.tick(now_ns), self._waiting(control_id)
        if held is None or "badge" not in self._terms.ways:
            return outcomes
        found = hashlib.sha256(text.strip().encode()).hexdigest()
        known = [hmac.compare_digest(found, badge) for badge in self._terms.badges]
        if any(known):
            return outcomes + self._confirm(held, "badge", now_ns)
        held.badges_left -= 1
        return outcomes if held.badges_left > 0 else outcomes + self._end("not_confirmed")

    def stopped(self, control_id: str) -> list[Outcome]:
        """Refused, or stopped, at the box."""
        return self._end("stopped_at_box") if self._is(control_id) else []

    # by itself

    def failed(self) -> list[Outcome]:
        """The gadget does not take what is pressed."""
        return self._end("device_failed")

    def tick(self, now_ns: int) -> list[Outcome]:
        """What time brings."""
        held = self._held
        if held is None:
            return []
        if now_ns >= held.until_ns:
            return self._end("expired" if held.active else "not_confirmed")
        if held.active and now_ns - held.heard_ns >= _SILENT_AFTER_NS:
            return self._end("silent")
        if held.active and now_ns - held.heard_ns >= _RELEASE_AFTER_NS:
            return _up(self._hands.hold_off())
        return []

    def status(self, now_ns: int) -> ControlStatus | None:
        """For whoever stands beside the box, with the code."""
        held = self._held
        if held is None:
            return None
        return ControlStatus(
            feed=self._terms.feed,
            control_id=held.control.control_id,
            stage="active" if held.active else "granted",
            name=held.control.name,
            organisation=held.control.organisation,
            minutes=self._minutes(held),
            left_s=max(0, -((now_ns - held.until_ns) // NS_PER_S)),
            ways=self._terms.ways,
            code="" if held.active or self._codes_rest(now_ns) else held.code,
            tries_left=CODE_TRIES - self._codes_wrong,
            wrong_badge=held.badges_left < BADGE_TRIES,
        )

    def _confirm(self, held: _Held, way: ControlWay, now_ns: int) -> list[Outcome]:
        self._codes_wrong = 0
        held.active, held.heard_ns = True, now_ns
        held.until_ns = now_ns + self._minutes(held) * _NS_PER_MINUTE
        return [ControlAnswer(control_id=held.control.control_id, answer="confirmed", way=way)]

    def _codes_rest(self, now_ns: int) -> bool:
        return now_ns < self._codes_rest_until_ns

    def _minutes(self, held: _Held) -> int:
        return min(held.control.minutes, self._terms.max_minutes)

    def _is(self, control_id: str) -> bool:
        return self._held is not None and self._held.control.control_id == control_id

    def _waiting(self, control_id: str) -> _Held | None:
        held = self._held
        return held if held is not None and self._is(control_id) and not held.active else None

    def _end(self, reason: ControlEnd) -> list[Outcome]:
        held = self._held
        return [] if held is None else [*self._drop(), _ended(held.control.control_id, reason)]

    def _drop(self) -> list[Outcome]:
        """Before it was confirmed nothing was pressed, and not even a key that is up is told the device."""
        held, self._held = self._held, None
        return [] if held is None or not held.active else _up(self._hands.let_go())


def _up(reports: tuple[HidReport, ...]) -> list[Outcome]:
    return [LetGo(reports)] if reports else []


def _ended(control_id: str, reason: ControlEnd) -> ControlAnswer:
    return ControlAnswer(control_id=control_id, answer="ended", reason=reason)
