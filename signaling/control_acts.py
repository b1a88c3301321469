"""Remote control of a device's console: asked for in the room, allowed by a host, confirmed at the box.

What is pressed goes to the box, and into the archive. A control whose picture, box or controller is gone, or
that a privacy pause interrupts, ends: it is asked for anew.
"""

from __future__ import annotations

from typing import Final

from core.control import RELEASE_AFTER_S, ControlEnd
from core.errors import Conflict, Forbidden, RemoteError
from core.messages import (
    AskControl,
    CheckCode,
    ConfirmControl,
    ControlAnswer,
    ControlChanged,
    ControlPressed,
    EndControl,
    GrantControl,
    OfferControl,
    Press,
)
from signaling.context import Context
from signaling.controls import Held, changed
from signaling.members import Member
from signaling.rooms import Room

THE_SERVICE: Final = "service:signaling"
US_PER_S: Final = 1_000_000


async def offer(context: Context, room: Room, box: Member, offered: OfferControl) -> None:
    """Raises `NotFound` for a feed that is not the box's own. A box that says it anew knows of no control."""
    context.service.deliver(room, room.set_control(box, offered))
    held = room.controls.of_feed(offered.feed)
    if held is not None:
        await end(context, room, held, "box_left")


async def ask(context: Context, room: Room, member: Member, wanted: AskControl) -> None:
    """Raises `RemoteError`s: too often, no such feed, not controllable, its box away, paused, taken."""
    service = context.service
    if not service.control_asks.allows(f"{room.name} {member.subject}", context.clock.monotonic_ns()):
        raise RemoteError("too many at once; wait a moment", code="too_fast", status=429)
    track = room.device_picture(member, wanted.feed)
    if not track.info.control_ways:
        raise Conflict("this device cannot be controlled", code="not_controllable")
    if room.pauses(track.owner.org):
        raise Conflict("picture and sound are paused", code="paused")
    if room.box_of(track.subject) is None:
        raise Conflict("the capture box of this device is not here", code="box_away")
    await end_lapsed(context, room)
    held = room.controls.ask(
        member.participant,
        member.subject,
        track.subject,
        track.info,
        service.now_us(),
    )
    try:
        await _write_down(context, room, held, member.subject, "control_ask")
    except BaseException:
        room.controls.end(held, "withdrawn", "", service.now_us())
        raise
    if room.controls.of_feed(wanted.feed) is not held:
        return  # it ended meanwhile, and everybody knows
    _tell(context, room, held, changed(held, member.participant.name, service.now_us()))


async def grant(context: Context, room: Room, host: Member, wanted: GrantControl) -> None:
    """Written down before the box, and everybody, is told. Raises `NotFound`, `Conflict`."""
    held = room.controls.asked(wanted.control_id)
    await _write_down(context, room, held, host.subject, "control_grant")
    now_us = context.service.now_us()
    held = room.controls.grant(wanted.control_id, wanted.minutes, host.subject, now_us)
    _tell(context, room, held, changed(held, host.participant.name, now_us))


def confirm(context: Context, room: Room, wanted: ConfirmControl) -> None:
    """The box looks at the code. Raises `NotFound`, `Conflict`."""
    held = room.controls.check(wanted.control_id)
    box = room.box_of(held.box_subject)
    if box is not None:
        context.service.tell(box, CheckCode(control_id=wanted.control_id, code=wanted.code))


async def answered(context: Context, room: Room, box: Member, answer: ControlAnswer) -> None:
    """The box says that it was confirmed there, or not. Raises `NotFound`, `Conflict`."""
    now_us = context.service.now_us()
    held = room.controls.answered(answer, box.subject, now_us)
    if answer.answer == "ended":
        await end(context, room, held, answer.reason or "stopped_at_box", by=box)
    elif answer.answer == "wrong_code" and held.control.tries_left == 0:
        await end(context, room, held, "wrong_code", by=box)
    else:
        _tell(context, room, held, changed(held, box.participant.name, now_us, answer.way))
        if answer.answer == "confirmed":
            _leaf(context, room, held, "begin")
            await _write_down(context, room, held, box.subject, "control_begin")


async def stop(context: Context, room: Room, member: Member, wanted: EndControl) -> None:
    """Refused, taken back or stopped. Raises `NotFound`, `Forbidden` for somebody else's."""
    held = room.controls.get(wanted.control_id)
    own = held.control.participant_id == member.id
    if not own and not member.grants.host:
        raise Forbidden("only whoever controls, or a host, ends this", code="not_controlling")
    reason: ControlEnd = "withdrawn" if own else "refused"
    await end(context, room, held, "stopped" if held.control.stage == "active" else reason, by=member)


def press(context: Context, room: Room, member: Member, wanted: Press) -> None:
    """To the box; what changes anything, into the archive, too. What a network held back is dropped: the
    console may show something else by now. Raises `RemoteError`s: over, not theirs.
    """
    held, now_us = room.controls.pressing(wanted.control_id, member.id), context.service.now_us()
    box = room.box_of(held.box_subject)
    if box is None or _why_over(room, held, now_us) is not None:
        raise Conflict("this control is over", code="control_over")  # everybody is told at the next tick
    if now_us - wanted.said_us > RELEASE_AFTER_S * US_PER_S:
        return
    told = ControlPressed(
        control_id=wanted.control_id,
        feed=held.control.feed,
        participant_id=member.id,
        pressed=wanted.pressed,
        at_us=min(now_us, wanted.said_us),
    )
    context.service.tell(box, told)
    if held.presses(wanted.pressed):
        for other in room.members.values():
            if other.grants.record:
                context.service.tell(other, told)


async def end(context: Context, room: Room, held: Held, reason: ControlEnd, by: Member | None = None) -> None:
    """Everybody is told; nothing more reaches the box. Once it is over nothing happens."""
    if room.controls.of_feed(held.control.feed) is not held:
        return
    was_active = held.control.stage == "active"
    over = room.controls.end(
        held, reason, "" if by is None else by.participant.name, context.service.now_us()
    )
    _tell(context, room, held, over)
    if was_active:
        _leaf(context, room, held, f"end.{reason}")
    actor = THE_SERVICE if by is None else by.subject
    await _write_down(context, room, held, actor, "control_end", reason)


async def end_lapsed(context: Context, room: Room) -> None:
    """What time, departures and pauses do to a room's controls."""
    for held in room.controls:
        reason = _why_over(room, held, context.service.now_us())
        if reason is not None:
            await end(context, room, held, reason)


def _why_over(room: Room, held: Held, now_us: int) -> ControlEnd | None:
    control = held.control
    controller = room.members.get(control.participant_id)
    box = room.box_of(held.box_subject)
    if now_us >= control.until_us:
        return held.lapse
    if controller is None or not controller.present or not controller.grants.annotate:
        return "controller_left"
    shown = (track for track in room.shown_tracks() if track.info.feed == control.feed)
    if box is None or not any(track.info.control_ways for track in shown):
        return "box_left"
    return "paused" if room.pauses(box.org) else None


def _tell(context: Context, room: Room, held: Held, told: ControlChanged) -> None:
    """To everybody who may see that feed, and to the box."""
    for member in room.members.values():
        if member.subject == held.box_subject or member.grants.may_view(held.control.feed):
            context.service.tell(member, told)


async def _write_down(
    context: Context, room: Room, held: Held, actor: str, action: str, outcome: str = "ok"
) -> None:
    target = f"{room.consultation.consultation_id} {held.control.feed} {held.control.control_id}"
    await context.audit(actor, action, target, outcome)


def _leaf(context: Context, room: Room, held: Held, detail: str) -> None:
    """In the log: who controlled, and which host allowed it."""
    context.log.note(
        kind="control",
        by=held.subject,
        second=held.granted_by,
        consultation=room.consultation.consultation_id,
        detail=detail,
    )
