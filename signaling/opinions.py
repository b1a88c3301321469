"""The written opinion: a specialist writes it, everybody who may chat reads it, the archive keeps it."""

from __future__ import annotations

from core import messages, opinions
from core.errors import Forbidden, RemoteError
from core.ids import new_id
from core.messages import Opinion
from signaling.api import PEOPLE, Call, Operation
from signaling.chatting import writing
from signaling.context import Context
from signaling.file_content import clean_text
from signaling.members import Member
from signaling.rooms import Room


async def write(context: Context, room: Room, member: Member, wanted: messages.WriteOpinion) -> None:
    """Store and show it. Sent again, only its writer is told.

    Raises `Forbidden` for all but specialists, `RemoteError` when it is empty or too soon.
    """
    if member.participant.role != "specialist":
        raise Forbidden("the specialist writes the opinion", code="not_specialist")
    if not context.service.chats.allows(f"{room.name} {member.subject}", context.clock.monotonic_ns()):
        raise RemoteError("too many messages at once; wait a moment", code="too_fast", status=429)
    if not wanted.ref.isprintable():  # not every database holds every character
        raise RemoteError("ref: must be printable", code="malformed")
    text = clean_text(wanted.text)
    if not text.strip():
        raise RemoteError("there is nothing in this opinion", code="empty")
    person = member.participant
    opinion = Opinion(
        opinion_id=new_id("o"),
        ref=wanted.ref,
        person=person.person,
        name=person.name,
        organisation=person.organisation,
        text=text,
        at_us=context.service.now_us(),
    )
    await context.service.finish(_store_and_show(context, room, member, opinion))


async def _store_and_show(context: Context, room: Room, member: Member, opinion: Opinion) -> None:
    consultation = room.consultation.consultation_id
    async with writing(room):
        stored, new = await opinions.add_opinion(context.database, consultation, member.subject, opinion)
        told = messages.OpinionWritten(opinion=stored)
        if not new:
            context.service.tell(member, told)
            return
        context.service.deliver(room, room.to_chat(told))
    await context.audit(member.subject, "write_opinion", f"{consultation} {stored.opinion_id}")


async def list_written(call: Call) -> list[Opinion]:
    """Those of one consultation, oldest first."""
    return await opinions.list_opinions(call.context.database, call.consultation.consultation_id)


OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/consultations/{consultation_id}/opinions",
        list_written,
        name="list_opinions",
        summary="Written opinions, oldest first; they are kept with the consultation",
        who=(*PEOPLE, "guest", "recorder"),
        scope="part",
        response=list[Opinion],
    ),
)
