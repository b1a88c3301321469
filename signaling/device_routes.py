"""REST: how a capture box gets in, by its own key: enrolment, tokens, the on-site page's link."""

from __future__ import annotations

from typing import Final

from core import consultations, devices, enrolments, invitations
from core.consultations import Consultation
from core.device_access import (
    KEY_BYTES,
    Assignment,
    ChallengeRequest,
    DeviceAnswer,
    DeviceChallenge,
    Enrolled,
    EnrolRequest,
    KioskLink,
    SignedRequest,
    TokenRequest,
    enrol_statement,
    from_base64,
    is_signed,
    kiosk_statement,
    normal_code,
    token_statement,
)
from core.devices import Device
from core.errors import Conflict, Forbidden, RemoteError, TeleconsultError, Unauthorized
from signaling.access import DEVICE_PREFIX
from signaling.accounts import UNKNOWN, revoke
from signaling.api import Call, Operation
from signaling.boxes import CHALLENGE_S
from signaling.context import Context
from signaling.grants import device_grants
from signaling.guest_routes import DISPLAY
from signaling.problems import TooManyAttempts
from signaling.proxies import network_of

KIOSK_MINUTES: Final = 10


async def enrol(call: Call, wanted: EnrolRequest) -> Enrolled:
    """A code, typed once on the box, registers the key the box made. Every refusal is counted."""
    context, address = call.context, network_of(call.request.remote)
    wait_s = context.boxes.codes.begin(address, context.clock.monotonic_ns())
    if wait_s > 0:
        context.metrics.enrolments.labels("throttled").inc()
        raise TooManyAttempts(wait_s)
    try:
        _check_own_key(wanted)
        found = await enrolments.register_key(context.database, wanted.code, wanted.public_key)
    except TeleconsultError as error:
        context.metrics.enrolments.labels("refused").inc()
        if context.may_note_stranger():
            await context.audit(UNKNOWN, "enrol", "", error.code)
        raise
    context.boxes.codes.was_right(address)
    device = found.device
    if not found.again:
        context.metrics.enrolments.labels("ok").inc()
        await context.audit(DEVICE_PREFIX + device.device_id, "enrol", device.device_id)
        await revoke(context, DEVICE_PREFIX + device.device_id)  # what an earlier key opened
    return Enrolled(device_id=device.device_id, name=device.name, feeds=list(device.feeds))


async def challenge(call: Call, wanted: ChallengeRequest) -> DeviceChallenge:
    """Whoever asks gets one: it says nothing about whether there is such a box."""
    return DeviceChallenge(
        challenge=_challenge(call.context, wanted.device_id),
        challenge_in=CHALLENGE_S,
        server_time_us=call.context.service.now_us(),
    )


async def token(call: Call, wanted: TokenRequest) -> DeviceAnswer:
    """What an enrolled box may do now: a token for the consultation it is attached to, if there is one."""
    context = call.context
    device = await signed_by(call, wanted, token_statement(wanted.device_id, wanted.challenge))
    now_ns = context.clock.monotonic_ns()
    context.boxes.heard(device.device_id, now_ns)
    if wanted.health is not None:
        context.boxes.tell(device.device_id, wanted.health, context.service.now_us(), now_ns)
    log_level, log_for_s = context.boxes.wanted_log(device.device_id, now_ns) or (None, 0)
    return DeviceAnswer(
        assignment=await _assignment(context, device),
        challenge=_challenge(context, device.device_id),
        challenge_in=CHALLENGE_S,
        server_time_us=context.service.now_us(),
        log_level=log_level,
        log_for_s=log_for_s,
    )


async def kiosk(call: Call, wanted: SignedRequest) -> KioskLink:
    """A link for the display beside the box. A host has to let it in: a stolen box must not see a room."""
    context = call.context
    device = await signed_by(call, wanted, kiosk_statement(wanted.device_id, wanted.challenge))
    if not context.boxes.links.allows(device.device_id, context.clock.monotonic_ns()):
        raise TooManyAttempts(60)
    found = await _attached_to(context, device)
    if found is None:
        raise Conflict("this box is attached to no open consultation", code="not_attached")
    invitation, secret = await invitations.create_invitation(
        context.database,
        consultation_id=found.consultation_id,
        name=device.name[:100],
        organisation=found.site[:100],
        lobby=True,
        minutes=KIOSK_MINUTES,
        created_by=DEVICE_PREFIX + device.device_id,
    )
    subject = DEVICE_PREFIX + device.device_id
    await context.audit(subject, "kiosk", f"{found.consultation_id} {invitation.invitation_id}")
    return KioskLink(
        url=f"{call.request.scheme}://{call.request.host}/#/invite/{secret}{DISPLAY}",
        room=found.room,
        expires_at_us=invitation.expires_us,
    )


def _check_own_key(wanted: EnrolRequest) -> None:
    """Raises `RemoteError` for what is no key, `Unauthorized` when whoever asks does not hold it."""
    public_key = from_base64(wanted.public_key, KEY_BYTES)
    if public_key is None:
        raise RemoteError("public_key: 32 bytes in base64url", code="bad_key", status=422)
    statement = enrol_statement(normal_code(wanted.code) or "", public_key)
    if not is_signed(public_key, wanted.signature, statement):
        raise Unauthorized("the signature is not that key's", code="wrong_signature")


async def signed_by(call: Call, wanted: SignedRequest, statement: bytes) -> Device:
    """The box that signed it. Raises `Unauthorized`, `Forbidden`, `TooManyAttempts`.

    An unknown box and a wrong signature look the same to whoever tries. The right one is heard however often
    others, who may share the box's address, were wrong: it cannot be guessed.
    """
    context = call.context
    device = await devices.find_device(context.database, wanted.device_id)
    key = None if device is None else from_base64(device.public_key or "", KEY_BYTES)
    signed = key is not None and is_signed(key, wanted.signature, statement)
    if device is None or not signed:
        await _note(call, UNKNOWN, "", "wrong_signature")
        address, now_ns = network_of(call.request.remote), context.clock.monotonic_ns()
        if not context.boxes.signatures.allows(address, now_ns):
            raise TooManyAttempts(1)
        raise Unauthorized("this is not signed by an enrolled box's key", code="wrong_signature")
    _use_challenge(context, wanted)
    await _check_welcome(call, device)
    return device


def _use_challenge(context: Context, wanted: SignedRequest) -> None:
    """Nothing is waited for between looking and using: of two at the same moment one is refused."""
    now_ns = context.clock.monotonic_ns()
    if not context.boxes.challenges.is_good(wanted.device_id, wanted.challenge, now_ns):
        raise Unauthorized("this challenge is over, or was used; ask for another", code="challenge_over")
    context.boxes.challenges.use(wanted.challenge, now_ns)
    if not context.boxes.asks.allows(wanted.device_id, now_ns):
        raise TooManyAttempts(1)


async def _check_welcome(call: Call, device: Device) -> None:
    code = "device_revoked" if device.enrolment == "revoked" else "device_disabled" if device.disabled else ""
    if code:
        await _note(call, DEVICE_PREFIX + device.device_id, device.device_id, code)
        sentences = {
            "device_revoked": "this box's key was revoked; enrol it anew with a new code",
            "device_disabled": "this box is disabled; ask the administrator",
        }
        raise Forbidden(sentences[code], code=code)


async def _note(call: Call, actor: str, target: str, code: str) -> None:
    if actor != UNKNOWN:
        await call.context.note_refusal(actor, call.operation.name, target, code)
    elif call.context.may_note_stranger():
        await call.context.audit(actor, call.operation.name, target, code)


def _challenge(context: Context, device_id: str) -> str:
    return context.boxes.challenges.make(device_id, context.clock.monotonic_ns())


async def _attached_to(context: Context, device: Device) -> Consultation | None:
    wanted = await enrolments.assigned_consultation(context.database, device.device_id)
    found = None if wanted is None else await consultations.find_consultation(context.database, wanted)
    return found if found is not None and found.state == "open" else None


async def _assignment(context: Context, device: Device) -> Assignment | None:
    found = await _attached_to(context, device)
    if found is None:
        return None
    subject = DEVICE_PREFIX + device.device_id
    if context.boxes.is_new_assignment(device.device_id, found.consultation_id):
        await context.audit(subject, "device_token", found.consultation_id)
    made = context.tokens.issue_room(
        sub=subject,
        role="device",
        org=device.organisation_id,
        name=device.name,
        org_name=found.site,
        room=found.room,
        con=found.consultation_id,
        grants=device_grants(list(device.feeds)),
    )
    return Assignment(
        room=found.room,
        consultation_id=found.consultation_id,
        token=made,
        expires_in=context.tokens.room_s,
        feeds=list(device.feeds),
    )


_THROTTLED: Final = (429, "too_many_attempts")
BY_KEY: Final = (
    (401, "wrong_signature"),
    (401, "challenge_over"),
    (403, "device_revoked"),
    (403, "device_disabled"),
    _THROTTLED,
)
OPERATIONS: Final = (
    Operation(
        "POST",
        "/api/v1/devices/enrol",
        enrol,
        name="enrol",
        summary="Exchange a one-time code for the registration of a capture box's own key",
        who="anyone",
        tag="devices",
        request=EnrolRequest,
        response=Enrolled,
        codes=(
            (401, "wrong_signature"),
            (404, "enrolment_unknown"),
            (409, "device_disabled"),
            (410, "enrolment_used"),
            (410, "enrolment_expired"),
            (422, "bad_key"),
            _THROTTLED,
        ),
    ),
    Operation(
        "POST",
        "/api/v1/devices/challenge",
        challenge,
        name="device_challenge",
        summary="Something for a capture box to sign, good once",
        who="anyone",
        tag="devices",
        request=ChallengeRequest,
        response=DeviceChallenge,
    ),
    Operation(
        "POST",
        "/api/v1/devices/token",
        token,
        name="device_token",
        summary="For a signed challenge: the consultation the box is attached to, and its token for it",
        who="anyone",
        tag="devices",
        request=TokenRequest,
        response=DeviceAnswer,
        codes=BY_KEY,
    ),
    Operation(
        "POST",
        "/api/v1/devices/kiosk",
        kiosk,
        name="device_kiosk",
        summary="For a signed challenge: a one-time link for the display beside the box; a host lets it in",
        who="anyone",
        tag="devices",
        request=SignedRequest,
        response=KioskLink,
        codes=(*BY_KEY, (409, "not_attached"), (409, "too_many"), (409, "consultation_closed")),
    ),
)
