"""What only the site does: send somebody out; begin and stop recording; note that the patient no longer
agrees to it.
"""

from __future__ import annotations

from core import consultations, invitations, messages, removals
from core.errors import Conflict, Forbidden, RemoteError
from signaling.accounts import revoke
from signaling.context import Context
from signaling.log_service import RecordReason
from signaling.members import Member
from signaling.rooms import Room


async def remove(context: Context, room: Room, host: Member, wanted: messages.Remove) -> None:
    """Somebody has to leave, with all their seats. A guest's invitation ends with it; others come in again
    only when a host lets them.

    Raises `NotFound`; `Forbidden` for devices (they are detached), the recorder (see `set_consent`) and the
    host itself, whom nobody might let in again.
    """
    target = room.member(wanted.participant_id)
    if target.participant.role not in ("specialist", "site"):
        raise Forbidden("only people are sent out; detach a device instead", code="not_removable")
    if target.subject == host.subject:
        raise Forbidden("leave the room instead", code="not_removable")
    await context.service.finish(_remove(context, room, host, target))


async def _remove(context: Context, room: Room, host: Member, target: Member) -> None:
    service, consultation = context.service, room.consultation.consultation_id
    tokens = {service.attached[seat.id].claims.jti for seat in room.seats_of(target.subject)}
    await context.audit(host.subject, "remove", f"{consultation} {target.subject}")
    if target.participant.guest:
        await invitations.revoke_guest(context.database, target.subject)
        tokens.add(target.subject)
    else:
        await _bar(context, room, target.subject)
    await service.remove_subject(consultation, target.subject)
    for token in tokens:
        await revoke(context, token)


async def _bar(context: Context, room: Room, subject: str) -> None:
    """Whoever reads who may come in, from now on, reads this; who has just read it is asked again."""
    room.sent_out.add(subject)
    try:
        await removals.note_removed(context.database, room.consultation.consultation_id, subject)
    except BaseException:
        room.sent_out.discard(subject)
        raise
    context.service.changes += 1


async def set_consent(context: Context, room: Room, host: Member, wanted: messages.SetConsent) -> None:
    """The patient no longer agrees to be recorded: recording ends for good.

    Raises `Conflict` when they are said to agree again.
    """
    if room.consultation.consent.record == wanted.record:
        return
    if wanted.record:
        raise Conflict("consent that was not given cannot be given any more", code="consent_withdrawn")
    await context.service.finish(_withdraw(context, room, host))


async def _withdraw(context: Context, room: Room, host: Member) -> None:
    consultation = room.consultation.consultation_id
    with context.service.holding(room):  # one made anew meanwhile would not know
        await consultations.withdraw_consent(context.database, consultation)
        context.log.note_recording(consultation, record=False, by=host.subject, reason="patient_declined")
        context.service.changes += 1
        at_us = context.service.now_us()
        context.service.deliver(room, room.withdraw_consent(host.participant.name, at_us))
    await context.audit(host.subject, "withdraw_consent", consultation)


async def set_record(context: Context, room: Room, host: Member, wanted: messages.SetRecord) -> None:
    """Recording begins, goes on, or stops for now; everybody is told. Again: nothing changes.

    Raises `Conflict` (`consent_withdrawn`, `consent_needed`) when the patient does not agree to it;
    `RemoteError` when it is changed all the time; `Unavailable` when the log cannot say so.
    """
    if room.consultation.record == wanted.record:
        return
    if not context.service.decisions.allows(room.name, context.clock.monotonic_ns()):
        raise RemoteError("too many changes at once; wait a moment", code="too_fast", status=429)
    await context.service.finish(_set_record(context, room, host, wanted))


async def _set_record(context: Context, room: Room, host: Member, wanted: messages.SetRecord) -> None:
    consultation = room.consultation.consultation_id
    with context.service.holding(room):  # one made anew meanwhile would not know
        await _decide(context, consultation, host.subject, wanted)
        at_us = context.service.now_us()
        context.service.deliver(room, room.set_record(wanted.record, host.participant.name, at_us))
    await context.audit(host.subject, "start_recording" if wanted.record else "stop_recording", consultation)


async def _decide(context: Context, consultation: str, by: str, wanted: messages.SetRecord) -> None:
    """A leaf of the log first, so that it can be shown when nothing was recorded; then it is stored. Should
    that fail, the log says that it did not come about.
    """
    announced = False

    async def announce() -> None:
        nonlocal announced
        agreed = wanted.record and wanted.consent
        reason: RecordReason = "patient_agreed" if agreed else "site_decided"
        await context.log.recording(consultation, record=wanted.record, by=by, reason=reason)
        announced = True

    context.deciding.add(consultation)
    try:
        await consultations.set_record(
            context.database, consultation, wanted.record, consent=wanted.consent, announce=announce
        )
    except BaseException:
        if announced:
            context.log.note_recording(consultation, record=not wanted.record, by=by, reason="corrected")
        raise
    finally:
        context.service.changes += 1
        context.deciding.discard(consultation)
