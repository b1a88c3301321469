"""Pure: who may control which console, from asking on. One control for each feed at most.

The box has the last word about whether anything is pressed; this decides what reaches it at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from core.control import ANSWER_WITHIN_S, Control, ControlEnd, ControlWay, Pressed
from core.errors import Conflict, Forbidden, NotFound
from core.ids import new_id
from core.messages import ControlAnswer, ControlChanged, Participant, TrackInfo

_US_PER_S: Final = 1_000_000
_LAPSES: Final[dict[str, ControlEnd]] = {
    "asked": "not_answered",
    "granted": "not_confirmed",
    "active": "expired",
}
Answered = Literal["confirmed", "wrong_code", "ended"]


@dataclass(slots=True)
class Held:
    """A control, who asked (`subject`), whose box it is for, how long that allows at most, and which host
    granted it (empty: none yet).
    """

    control: Control
    subject: str
    box_subject: str
    max_minutes: int
    granted_by: str = ""
    is_checking: bool = False
    """The box was asked about a code and has not answered."""
    pressed: Pressed = field(default_factory=Pressed)
    """As the box was told last."""

    @property
    def lapse(self) -> ControlEnd:
        """Why it ends when its stage's time is up."""
        return _LAPSES[self.control.stage]

    def presses(self, pressed: Pressed) -> bool:
        """Note what is down now; True when that is anything but a sign of life."""
        before, self.pressed = self.pressed, pressed
        return pressed != before or pressed.wheel != 0


class Controls:
    """Those of one room. Times are the server's clock, Unix microseconds."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    def of_feed(self, feed: str) -> Held | None:
        return next((held for held in self._held.values() if held.control.feed == feed), None)

    def get(self, control_id: str) -> Held:
        """Raises `NotFound` when it is over, or never was."""
        held = self._held.get(control_id)
        if held is None:
            raise NotFound("this control is over", code="control_not_found")
        return held

    def ask(
        self,
        who: Participant,
        subject: str,
        box_subject: str,
        track: TrackInfo,
        now_us: int,
    ) -> Held:
        """For the console behind that picture. Raises `Conflict` while anybody asks for it or controls it."""
        if self.of_feed(track.feed) is not None:
            raise Conflict("somebody asks for this device, or controls it", code="control_taken")
        control = Control(
            control_id=new_id("c"),
            feed=track.feed,
            participant_id=who.participant_id,
            name=who.name,
            organisation=who.organisation,
            stage="asked",
            ways=track.control_ways,
            until_us=now_us + ANSWER_WITHIN_S * _US_PER_S,
        )
        held = self._held[control.control_id] = Held(control, subject, box_subject, track.control_minutes)
        return held

    def asked(self, control_id: str) -> Held:
        """One that a host may allow. Raises `NotFound`; `Conflict` when it was allowed before."""
        held = self.get(control_id)
        if held.control.stage != "asked":
            raise Conflict("this was allowed before", code="control_granted")
        return held

    def grant(self, control_id: str, minutes: int, by: str, now_us: int) -> Held:
        """A host (a subject) allows it, for as long as the box does at most; the box wants it confirmed now.
        Raises as `asked`.
        """
        held = self.asked(control_id)
        held.granted_by = by
        until_us = now_us + ANSWER_WITHIN_S * _US_PER_S
        _update(held, stage="granted", minutes=min(minutes, held.max_minutes), until_us=until_us)
        return held

    def check(self, control_id: str) -> Held:
        """The box shall look at a code. Raises `NotFound`; `Conflict` while it wants none or has one."""
        held = self.get(control_id)
        if held.control.stage != "granted" or "code" not in held.control.ways:
            raise Conflict("no code is wanted now", code="control_no_code")
        if held.is_checking:
            raise Conflict("the box is looking at a code", code="control_checking")
        held.is_checking = True
        return held

    def answered(self, answer: ControlAnswer, box_subject: str, now_us: int) -> Held:
        """What the box says of its control: confirmed, or one code fewer.

        Raises `NotFound` for another's box, `Conflict` for a confirmation that nobody wants.
        """
        held = self.get(answer.control_id)
        if held.box_subject != box_subject:
            raise NotFound("this control is over", code="control_not_found")
        control = held.control
        if answer.answer == "ended":
            return held
        if control.stage != "granted" or (answer.answer == "confirmed" and answer.way not in control.ways):
            raise Conflict("nothing is to be confirmed", code="control_not_granted")
        held.is_checking = False
        if answer.answer == "wrong_code":
            _update(held, tries_left=max(0, control.tries_left - 1))
        else:
            _update(held, stage="active", until_us=now_us + control.minutes * 60 * _US_PER_S)
        return held

    def pressing(self, control_id: str, participant_id: str) -> Held:
        """The control by which somebody presses. Raises `NotFound`; `Forbidden` unless theirs and active."""
        held = self.get(control_id)
        if held.control.participant_id != participant_id or held.control.stage != "active":
            raise Forbidden("you do not control this device", code="not_controlling")
        return held

    def end(self, held: Held, reason: ControlEnd, by: str, now_us: int) -> ControlChanged:
        """It is over; what everybody is told."""
        self._held.pop(held.control.control_id, None)
        return ControlChanged(
            feed=held.control.feed,
            control_id=held.control.control_id,
            reason=reason,
            by=by,
            at_us=now_us,
        )


def changed(held: Held, by: str, now_us: int, way: ControlWay | None = None) -> ControlChanged:
    """How far it is now."""
    control = held.control
    return ControlChanged(
        feed=control.feed, control_id=control.control_id, control=control, way=way, by=by, at_us=now_us
    )


def _update(held: Held, **changes: object) -> None:
    held.control = held.control.model_copy(update=changes)
