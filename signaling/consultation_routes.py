"""REST: consultations, from the form that opens one to its end, and the room token that lets somebody in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from core import consultations, retention
from core.consultations import Consultation, list_consultations
from core.errors import Conflict, Forbidden, RemoteError, Unauthorized
from core.masking import conceal, masked_header
from core.people import find_user
from core.tokens import AccessClaims, Grants
from signaling.access import is_host, needs_lobby
from signaling.accounts import revoke
from signaling.api import PEOPLE, Call, Operation
from signaling.context import Context
from signaling.grants import room_grants
from signaling.log_keeper import LOG_KEEPER
from signaling.views import (
    ConsultationQuery,
    ConsultationView,
    Joined,
    NewConsultation,
    RetentionChoice,
    RetentionChoices,
    consultation_view,
)

MAX_LISTED: Final = 500
"""Consultations in one answer; but the recorder misses none that is open."""


async def list_all(call: Call) -> list[ConsultationView]:
    """Those the caller takes part in; the recorder sees all."""
    claims = call.caller
    if claims.con is not None:
        found = await list_consultations(call.context.database, state="open", consultation_id=claims.con)
        found = [one for one in found if call.query.state in (None, one.state)]
    else:
        everything = claims.role == "recorder"
        found = await list_consultations(
            call.context.database,
            state=call.query.state,
            organisation_id=None if everything else claims.org,
            limit=None if everything and call.query.state == "open" else MAX_LISTED,
        )
    return [_view(call, one) for one in found]


async def show(call: Call) -> ConsultationView:
    """One of them."""
    return _view(call, call.consultation)


async def create(call: Call, form: NewConsultation) -> ConsultationView:
    """Open one. The patient's name goes no further than this function."""
    _check_consent(form)
    await _check_class(call, form.retention_class)
    context, begun = call.context, set[str]()

    async def announce(consultation: Consultation) -> None:
        """The log has it first: nothing can be opened that could quietly not exist."""
        begun.add(consultation.consultation_id)
        context.opening.update(begun)
        await context.log.open(consultation)

    try:
        opened = await _open(call, form, announce)
    finally:
        context.opening.difference_update(begun)
    await context.audit(call.caller.sub, "open", opened.consultation_id)
    return _view(call, opened)


async def _open(
    call: Call, form: NewConsultation, announce: Callable[[Consultation], Awaitable[None]]
) -> Consultation:
    patient = form.patient
    return await consultations.open_consultation(
        call.context.database,
        room=consultations.new_room(),
        header=masked_header(patient.name, patient.sex, patient.age, patient.exam_number),
        record=form.record,
        organisation_id=call.caller.org,
        invited=form.invited,
        devices=form.devices,
        opened_by=call.caller.sub,
        specialty=conceal(form.specialty, patient.name),
        question=conceal(form.question, patient.name),
        consent_record=form.consent_record,
        record_reason="" if form.record else conceal(form.record_reason, patient.name),
        retention_class=form.retention_class,
        distinct=True,
        announce=announce,
    )


async def close(call: Call) -> ConsultationView:
    """End it: everyone is told, all media stops, guests' accounts are closed."""
    context, wanted = call.context, call.consultation.consultation_id
    closed = await consultations.close_consultation(context.database, wanted)
    context.service.changes += 1
    room = context.service.rooms.get(closed.room)
    if room is not None and room.consultation.consultation_id == wanted:
        context.service.end_room(room)
    for guest_id in await consultations.guests_of(context.database, wanted):
        await revoke(context, guest_id)
    await context.audit(call.caller.sub, "close", wanted)
    call.request.app[LOG_KEEPER].ended(wanted)
    return _view(call, closed)


async def join(call: Call) -> Joined:
    """A room token: what this person may do in this room, for ten minutes."""
    context, claims, consultation = call.context, call.caller, call.consultation
    grants = await _grants(context, claims, consultation)
    user = await find_user(context.database, user_id=claims.sub)
    if user is not None and user.disabled:
        raise Unauthorized("this account is closed", code="account_closed")
    token = context.tokens.issue_room(
        sub=claims.sub,
        role=claims.role,
        org=claims.org,
        name=claims.name,
        org_name="" if user is None else user.organisation_name,
        room=consultation.room,
        con=consultation.consultation_id,
        grants=grants,
        sid=claims.sid,
    )
    await context.audit(claims.sub, "room_token", consultation.consultation_id)
    scheme = "wss" if call.request.scheme == "https" else "ws"
    return Joined(
        token=token,
        expires_in=context.tokens.room_s,
        room=consultation.room,
        consultation_id=consultation.consultation_id,
        ws_url=f"{scheme}://{call.request.host}/ws?room={consultation.room}",
    )


def _view(call: Call, consultation: Consultation) -> ConsultationView:
    return consultation_view(
        consultation,
        host=is_host(consultation, call.caller),
        people=call.context.service.people_in(consultation.consultation_id),
        usual_class=call.context.settings.retention_class,
    )


async def retention_choices(call: Call) -> RetentionChoices:
    """What two people of the site have defined, the longest first."""
    found = await retention.active_classes(call.context.database, call.caller.org)
    classes = [RetentionChoice(name=one.name, days=one.days) for one in found]
    return RetentionChoices(usual=call.context.settings.retention_class, classes=classes)


async def _check_class(call: Call, name: str) -> None:
    """Raises `Conflict`."""
    if name and await retention.active_class(call.context.database, call.caller.org, name) is None:
        raise Conflict("two people have to define this class first", code="class_not_active")


def _check_consent(form: NewConsultation) -> None:
    """Raises `RemoteError`."""
    if not form.consent_consult:
        raise _unacceptable("consent_needed", "consent_consult: the patient has to agree to the consultation")
    if form.record and not form.consent_record:
        raise _unacceptable("consent_needed", "consent_record: recording needs the patient's consent")
    if not form.record and not form.record_reason:
        raise _unacceptable("reason_needed", "record_reason: say why it is not recorded")


def _unacceptable(code: str, text: str) -> RemoteError:
    return RemoteError(text, code=code, status=422)


async def _grants(context: Context, claims: AccessClaims, consultation: Consultation) -> Grants:
    if claims.role == "recorder" and not consultation.record:
        raise Forbidden("this consultation is not to be recorded", code="not_recorded")
    lobby = await needs_lobby(context.database, claims)
    return room_grants(claims.role, host=is_host(consultation, claims), lobby=lobby)


_PATH: Final = "/api/v1/consultations/{consultation_id}"
OPERATIONS: Final = (
    Operation(
        "GET",
        "/api/v1/consultations",
        list_all,
        name="list_consultations",
        summary="Consultations the caller takes part in, newest first; the recorder sees all",
        who=(*PEOPLE, "guest", "recorder"),
        query=ConsultationQuery,
        response=list[ConsultationView],
    ),
    Operation(
        "POST",
        "/api/v1/consultations",
        create,
        name="open",
        summary="Open a consultation; the patient's name is masked before anything is stored",
        who=("site",),
        request=NewConsultation,
        response=ConsultationView,
        status=201,
        codes=(
            (404, "device_not_found"),
            (404, "organisation_not_found"),
            (409, "already_open"),
            (409, "device_disabled"),
            (409, "device_revoked"),
            (409, "class_not_active"),
            (422, "consent_needed"),
            (422, "reason_needed"),
            (503, "log_unavailable"),
        ),
    ),
    Operation(
        "GET",
        "/api/v1/retention-choices",
        retention_choices,
        name="list_retention_choices",
        summary="How long an archive can be kept: the classes to choose from when opening a consultation",
        who=("site",),
        response=RetentionChoices,
    ),
    Operation(
        "GET",
        _PATH,
        show,
        name="show_consultation",
        summary="One consultation",
        who=(*PEOPLE, "guest", "recorder"),
        scope="part",
        response=ConsultationView,
    ),
    Operation(
        "POST",
        f"{_PATH}/close",
        close,
        name="close",
        summary="End a consultation: everyone is told, all media stops; closing twice changes nothing",
        who=("site",),
        scope="host",
        response=ConsultationView,
    ),
    Operation(
        "POST",
        "/api/v1/rooms/{room}/join",
        join,
        name="room_token",
        summary="A room token, for the WebSocket and for files",
        who=("specialist", "site", "guest", "recorder"),
        role_code="role_may_not_join",
        tag="rooms",
        scope="part",
        response=Joined,
        codes=((401, "account_closed"), (403, "not_recorded")),
    ),
)
