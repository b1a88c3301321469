"""REST: what a box kept while it was cut off, delivered later (docs/archive-format.md, "Delivered later").

The service says who may; the recorder says what of it is missing, checks every piece and enters it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from pydantic import Field

from archive.ring import MAX_OBJECT_BYTES
from archive.ring_messages import BackfillAnswer, BackfillAsk, BackfillLease, BackfillQuestion, Step
from core import consultations, devices
from core.clock import NS_PER_S
from core.consultations import Consultation
from core.device_access import LeaseRequest, backfill_statement
from core.devices import Device
from core.errors import Conflict, Forbidden, RemoteError, Unauthorized, Unavailable
from core.ids import is_id, new_id
from signaling.access import DEVICE_PREFIX
from signaling.api import Call, Operation, Raw
from signaling.backfill import LEASE_S, Lease
from signaling.device_routes import BY_KEY, signed_by
from signaling.file_routes import chunks_of, too_slow
from signaling.problems import TooManyAttempts

LEASE_HEADER: Final = "X-Lease"
SEALED: Final = "application/octet-stream"
PIECE_WITHIN_S: Final = 120.0
_US_PER_S: Final = 1_000_000


class Answered(BackfillAnswer):
    """As the recorder answers."""


class NextQuestion(BackfillQuestion):
    """What a box asks, checked as far as the service can."""

    public_key: str = Field(max_length=64, description="the box's, base64url")


async def lease(call: Call, wanted: LeaseRequest) -> BackfillLease:
    """What a box may seal to for a consultation it is, or just was, attached to; and its right to deliver."""
    context = call.context
    statement = backfill_statement(wanted.device_id, wanted.consultation_id, wanted.challenge)
    device = await signed_by(call, wanted, statement)
    await _check_consultation(call, device.device_id, wanted.consultation_id)
    made = Lease(
        device.device_id,
        device.public_key or "",
        tuple(device.feeds),
        wanted.consultation_id,
        context.clock.monotonic_ns() + LEASE_S * NS_PER_S,
    )
    answer = await _ask(call, _question(made, "key"))
    if answer.key is None:
        raise Unavailable("the recorder's answer cannot be read", code="no_recorder")
    await context.audit(DEVICE_PREFIX + device.device_id, "backfill", wanted.consultation_id)
    return BackfillLease(lease=context.backfill.lease(made), expires_in=LEASE_S, key=answer.key)


async def ask(call: Call, wanted: BackfillAsk) -> BackfillAnswer:
    """Commit the ring's head, send lines of its manifest, ask what is missing, say that this was all."""
    held = await _leased(call, wanted.lease)
    question = _question(held, wanted.step).model_copy(
        update={"ring": wanted.ring, "head": wanted.head, "first": wanted.first, "lines": wanted.lines}
    )
    return await _ask(call, question)


async def piece(call: Call) -> BackfillAnswer:
    """One sealed object of the ring; again: nothing changes."""
    held = await _leased(call, call.request.headers.get(LEASE_HEADER, ""))
    ring, entry = call.path("ring"), call.path("entry")
    if not (len(ring) == 64 and ring.isascii() and ring.isalnum()) or not (
        entry.isascii() and entry.isdecimal() and len(entry) <= 9
    ):
        raise Conflict("there is no such entry", code="not_committed")
    body = await _body(call.request)
    question = _question(held, "piece").model_copy(
        update={"ring": ring, "entry": int(entry), "size": len(body)}
    )
    return await _ask(call, question, body)


async def next_question(call: Call) -> NextQuestion | None:
    """The oldest one that waits; null after three seconds in which none came."""
    found = await call.context.backfill.next(call.context.clock)
    return None if found is None else NextQuestion.model_validate(found.model_dump())


async def question_piece(call: Call) -> web.Response:
    """What the box sent with its question."""
    return web.Response(body=call.context.backfill.body(call.path("question_id")), content_type=SEALED)


async def answer_question(call: Call, answer: Answered) -> None:
    """The recorder's answer goes to the box."""
    call.context.backfill.answer(call.path("question_id"), answer)


async def _leased(call: Call, name: str) -> Lease:
    """Raises `Unauthorized`, `Forbidden`, `Conflict`: whatever ended meanwhile ends this, too."""
    context, now_ns = call.context, call.context.clock.monotonic_ns()
    found = context.backfill.lease_of(name, now_ns)
    if found is None:
        raise Unauthorized("this lease is over; ask for another", code="lease_over")
    if not context.backfill.asks.allows(found.device_id, now_ns):
        raise TooManyAttempts(1)
    _check_device(await devices.find_device(context.database, found.device_id), found)
    await _check_consultation(call, found.device_id, found.consultation_id)
    return found


def _check_device(device: Device | None, held: Lease) -> None:
    if device is None or device.enrolment == "revoked" or device.public_key != held.public_key:
        raise Forbidden("this box's key was revoked; enrol it anew with a new code", code="device_revoked")
    if device.disabled:
        raise Forbidden("this box is disabled; ask the administrator", code="device_disabled")


async def _check_consultation(call: Call, device_id: str, consultation_id: str) -> None:
    """The box is attached, and the consultation is open, or was until a while ago."""
    context = call.context
    wanted = consultation_id if is_id(consultation_id) else ""
    found = await consultations.find_consultation(context.database, wanted)
    if found is None or not await devices.was_attached(context.database, wanted, device_id):
        raise Forbidden("this box is not attached to that consultation", code="device_not_attached")
    if not found.consent_record:
        raise Conflict("the patient does not agree to be recorded", code="not_recorded")
    if _is_over(found, context.service.now_us(), context.settings.backfill_late_s):
        raise Conflict("this consultation is over", code="consultation_closed")


def _is_over(found: Consultation, now_us: int, late_s: int) -> bool:
    return found.state != "open" and now_us > (found.closed_us or 0) + late_s * _US_PER_S


def _question(held: Lease, step: Step) -> BackfillQuestion:
    return BackfillQuestion(
        question_id=new_id("bq"),
        consultation=held.consultation_id,
        device=held.device_id,
        public_key=held.public_key,
        feeds=list(held.feeds),
        step=step,
    )


async def _ask(call: Call, question: BackfillQuestion, body: bytes = b"") -> BackfillAnswer:
    answer = await call.context.backfill.ask(question, call.context.clock, body)
    if answer.refused is not None:
        raise Conflict("the recorder does not take this", code=answer.refused)
    return answer


async def _body(request: web.Request) -> bytes:
    if (request.content_length or 0) > MAX_OBJECT_BYTES:
        raise _too_large()
    data = bytearray()
    try:
        async with asyncio.timeout(PIECE_WITHIN_S):
            async for chunk in chunks_of(request):
                data += chunk
                if len(data) > MAX_OBJECT_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise too_slow() from None
    return bytes(data)


def _too_large() -> RemoteError:
    return RemoteError("no piece is as large as this", code="too_large", status=413)


_LEASED: Final = (
    (401, "lease_over"),
    (403, "device_revoked"),
    (403, "device_disabled"),
    (403, "device_not_attached"),
    (409, "consultation_closed"),
    (409, "not_recorded"),
    (429, "too_many_attempts"),
    (503, "no_recorder"),
)
_RING: Final = ((409, "ring_unknown"), (409, "ring_invalid"))
OPERATIONS: Final = (
    Operation(
        "POST",
        "/api/v1/devices/backfill",
        lease,
        name="backfill_lease",
        summary="For a signed challenge: the consultation's key to seal to, and the right to deliver later",
        who="anyone",
        tag="devices",
        request=LeaseRequest,
        response=BackfillLease,
        codes=(
            *BY_KEY,
            (403, "device_not_attached"),
            (409, "consultation_closed"),
            (409, "not_recorded"),
            (503, "no_recorder"),
        ),
    ),
    Operation(
        "POST",
        "/api/v1/devices/backfill/ask",
        ask,
        name="backfill_ask",
        summary="What a box kept: commit to it, then ask what of it the archive misses",
        who="anyone",
        tag="devices",
        request=BackfillAsk,
        response=BackfillAnswer,
        codes=(*_LEASED, *_RING),
    ),
    Operation(
        "POST",
        "/api/v1/devices/backfill/{ring}/{entry}",
        piece,
        name="backfill_piece",
        summary="A sealed piece of what a box kept. X-Lease: the lease",
        who="anyone",
        tag="devices",
        request=Raw(SEALED, "an age file, as the ring's manifest names it"),
        response=BackfillAnswer,
        codes=(
            *_LEASED,
            *_RING,
            (400, "bad_body"),
            (408, "too_slow"),
            (409, "not_committed"),
            (409, "not_wanted"),
            (409, "out_of_order"),
            (409, "paused"),
            (409, "not_granted"),
            (409, "storage_failed"),
            (413, "too_large"),
        ),
    ),
    Operation(
        "POST",
        "/api/v1/backfill/next",
        next_question,
        name="backfill_next",
        summary="What a box asks about its ring; null when nothing comes within three seconds",
        who=("recorder",),
        tag="archive",
        response=NextQuestion | None,
    ),
    Operation(
        "GET",
        "/api/v1/backfill/{question_id}/piece",
        question_piece,
        name="backfill_question_piece",
        summary="The sealed piece that came with a question",
        who=("recorder",),
        tag="archive",
        response=Raw(SEALED, "an age file"),
        codes=((404, "question_not_found"),),
    ),
    Operation(
        "POST",
        "/api/v1/backfill/{question_id}/answer",
        answer_question,
        name="backfill_answer",
        summary="The recorder's answer to a box",
        who=("recorder",),
        tag="archive",
        request=Answered,
        status=204,
        codes=((404, "question_not_found"),),
    ),
)
