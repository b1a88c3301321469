"""What a member's message does. Who may send it was decided before (`signaling/permissions.py`)."""

from __future__ import annotations

from typing import Any

from core import messages
from core.errors import NotFound, RemoteError
from signaling import (
    admission,
    annotation_acts,
    chatting,
    control_acts,
    freezing,
    host_acts,
    opinions,
    pausing,
    seats,
)
from signaling.access import device_of
from signaling.context import Context
from signaling.members import Member
from signaling.publishing import publish, unpublish
from signaling.rooms import Room


async def handle(context: Context, room: Room, member: Member, message: Any) -> None:
    """Raises `TeleconsultError`s that are answered to the member."""
    match message:
        case messages.Publish():
            await publish(context.service, room, member, message)
        case messages.Unpublish():
            await unpublish(context.service, room, member)
        case messages.Subscribe() | messages.RestartIce() | messages.Answer():
            _subscription(context, room, member, message)
        case messages.SetView():
            context.service.set_view(member, message.views)
        case messages.SetMuted():
            context.service.deliver(room, room.set_muted(member, message.track_id, message.muted))
        case messages.SetSignal():
            context.service.deliver(room, room.set_signal(member, message.feed, message.signal))
        case messages.SetRecording():
            context.service.deliver(room, room.set_recording(member, message))
        case messages.Chat():
            await chatting.say(context, room, member, message)
        case messages.Annotate() | messages.Point() | messages.SyncAnnotations() | messages.MoveMarks():
            _annotations(context, room, member, message)
        case messages.Freeze() | messages.Unfreeze() | messages.StillMissing():
            await _stills(context, room, member, message)
        case messages.ReportQuality():
            _report_quality(context, room, member, message)
        case messages.ReportHealth():
            _report_health(context, member, message)
        case messages.OfferControl() | messages.ControlAnswer():
            await _control_at_box(context, room, member, message)
        case messages.Press():
            control_acts.press(context, room, member, message)
        case (
            messages.AskControl()
            | messages.GrantControl()
            | messages.ConfirmControl()
            | messages.EndControl()
        ):
            await _control(context, room, member, message)
        case messages.Admit() | messages.TurnAway() | messages.Remove():
            await _decide(context, room, member, message)
        case messages.SetPaused():
            await pausing.set_paused(context, room, member, message)
        case messages.SetConsent():
            await host_acts.set_consent(context, room, member, message)
        case messages.SetRecord():
            await host_acts.set_record(context, room, member, message)
        case messages.WriteOpinion():
            await opinions.write(context, room, member, message)
        case _:
            await _seat(context, room, member, message)


def _subscription(context: Context, room: Room, member: Member, message: Any) -> None:
    match message:
        case messages.Subscribe():
            member.subscription.subscribe(message.codecs)
        case messages.RestartIce():
            if not member.subscription.restart_ice():
                raise NotFound("there is no subscribe connection", code="not_subscribed")
        case messages.Answer():
            if not member.subscription.answered(message.revision, message.sdp):
                return
    context.service.deliver(room, [])


def _annotations(context: Context, room: Room, member: Member, message: Any) -> None:
    match message:
        case messages.Annotate():
            annotation_acts.annotate(context, room, member, message)
        case messages.Point():
            annotation_acts.point(context, room, member, message)
        case messages.SyncAnnotations():
            annotation_acts.sync(context, room, member, message)
        case messages.MoveMarks():
            annotation_acts.move(context, room, member, message)


async def _stills(context: Context, room: Room, member: Member, message: Any) -> None:
    match message:
        case messages.Freeze():
            await freezing.freeze(context, room, member, message)
        case messages.Unfreeze():
            await freezing.unfreeze(context, room, member, message)
        case messages.StillMissing():
            await freezing.missing(context, room, member, message)


async def _control_at_box(context: Context, room: Room, box: Member, message: Any) -> None:
    match message:
        case messages.OfferControl():
            await control_acts.offer(context, room, box, message)
        case messages.ControlAnswer():
            await control_acts.answered(context, room, box, message)


async def _control(context: Context, room: Room, member: Member, message: Any) -> None:
    match message:
        case messages.AskControl():
            await control_acts.ask(context, room, member, message)
        case messages.GrantControl():
            await control_acts.grant(context, room, member, message)
        case messages.ConfirmControl():
            control_acts.confirm(context, room, message)
        case messages.EndControl():
            await control_acts.stop(context, room, member, message)


async def _decide(context: Context, room: Room, member: Member, message: Any) -> None:
    match message:
        case messages.Admit():
            await admission.admit(context, room, member, message)
        case messages.TurnAway():
            await admission.turn_away(context, room, member, message)
        case messages.Remove():
            await host_acts.remove(context, room, member, message)


async def _seat(context: Context, room: Room, member: Member, message: Any) -> None:
    match message:
        case messages.TakeOver():
            await seats.take_over(context, room, member)
        case messages.Renew():
            seats.renew(context, member, message)
        case messages.Ping():
            pong = messages.Pong(id=message.id, server_time_us=context.service.now_us())
            context.service.tell(member, pong)
        case messages.Hello():
            raise RemoteError("you have said hello already", code="hello_again")


def _report_quality(context: Context, room: Room, member: Member, message: messages.ReportQuality) -> None:
    """Into the archive. Raises `NotFound` for a feed this member does not see."""
    if not context.service.reports.allows(member.id, context.clock.monotonic_ns()):
        raise RemoteError("too many reports at once", code="too_fast", status=429)
    if not any(room.sees(member, track) for track in room.shown_tracks() if track.info.feed == message.feed):
        raise NotFound("there is no such feed", code="feed_not_found")
    told = messages.QualityReported(participant_id=member.id, report=message, at_us=context.service.now_us())
    context.service.deliver(room, room.to_recorder(told))


def _report_health(context: Context, member: Member, message: messages.ReportHealth) -> None:
    """Kept for the administrator. Plain encoders are nobody's box: what they say is passed over."""
    device_id = device_of(member.subject)
    if device_id is not None:
        now_ns = context.clock.monotonic_ns()
        context.boxes.tell(device_id, message.health, context.service.now_us(), now_ns)
