"""Freezing a frame: the room is told, the box that has the frame is asked for it, what comes is kept.

Nothing that was captured for nobody is frozen: while the site pauses picture and sound, nothing is asked
for and nothing is taken.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from core import stills as stored
from core.errors import Conflict, NotFound, RemoteError
from core.files import STILL_PREFIX
from core.ids import new_id
from core.messages import (
    FileInfo,
    Freeze,
    Frozen,
    Model,
    Still,
    StillChanged,
    StillMissing,
    StillProblem,
    TakeStill,
    Unfreeze,
    Unfrozen,
)
from signaling.context import Context
from signaling.members import Member
from signaling.rooms import Room
from signaling.stills import Stills

WITHIN_S: Final = 60.0
"""25 MB, a whole picture of noise in 4K, in this time is 3.3 Mbit/s."""
LOOK_EVERY_S: Final = 0.25

log = structlog.get_logger()


async def load(context: Context, consultation_id: str) -> Stills:
    """The stills of a consultation, with those of an earlier process."""
    stills = context.service.stills.of(consultation_id)
    if not stills.loaded:
        stills.load(await stored.open_stills(context.database, consultation_id))
    return stills


async def freeze(context: Context, room: Room, member: Member, wanted: Freeze) -> None:
    """Raises `RemoteError`s: too fast, no such feed, paused, no box, too many."""
    service, consultation = context.service, room.consultation.consultation_id
    if not service.freezes.allows(f"{room.name} {member.subject}", context.clock.monotonic_ns()):
        raise RemoteError("too many at once; wait a moment", code="too_fast", status=429)
    stills = await load(context, consultation)
    track = room.device_picture(member, wanted.feed)
    person = member.participant
    known = stills.known(person.person, wanted.ref, wanted.feed, wanted.captured_us)
    if known is not None:
        service.tell(member, Frozen(still=known))
        return
    if room.pauses(track.owner.org):
        raise Conflict("picture and sound are paused", code="paused")
    still = Still(
        still_id=new_id(STILL_PREFIX),
        ref=wanted.ref,
        feed=wanted.feed,
        captured_us=wanted.captured_us,
        person=person.person,
        name=person.name,
        at_us=service.now_us(),
    )
    box = _box(room, track.subject)
    if box is None or not box.connected:
        raise Conflict("the capture box that has this frame is not here", code="box_away")
    stills.freeze(still, box.subject)
    tell(context, room, still.feed, Frozen(still=still))
    attached = service.attached.get(member.id)
    ahead_us = 0 if attached is None else attached.subscriber.ahead_us(track.info.track_id)
    service.background.spawn(_await_picture(context, room, stills, still, box.subject, ahead_us))
    await context.audit(member.subject, "freeze", f"{consultation} {still.feed}")


async def unfreeze(context: Context, room: Room, member: Member, wanted: Unfreeze) -> None:
    """Raises `NotFound`, and `Forbidden` for somebody else's."""
    consultation, person = room.consultation.consultation_id, member.participant
    stills = await load(context, consultation)
    if not any(still.still_id == wanted.still_id for still in stills.open(member.grants.may_view)):
        raise NotFound("this picture is not frozen any more", code="still_not_found")
    still = stills.put_away(wanted.still_id, person.person, moderates=member.grants.host)
    at_us = context.service.now_us()
    told = Unfrozen(still_id=still.still_id, feed=still.feed, by=person.name, at_us=at_us)
    tell(context, room, still.feed, told)
    if still.state == "ready":
        await context.service.finish(stored.end_still(context.database, still.still_id, at_us))
    await context.audit(member.subject, "unfreeze", f"{consultation} {still.feed}")


async def missing(context: Context, room: Room, member: Member, said: StillMissing) -> None:
    """The box has not got it. Raises `NotFound` for what that box was not asked for."""
    stills = await load(context, room.consultation.consultation_id)
    stills.awaited(said.still_id, member.subject)
    _fail(context, room, stills, said.still_id, said.problem)


async def arrived(
    context: Context, room: Room, stills: Stills, file: FileInfo, width: int, height: int
) -> Still:
    """Its bytes are stored: show it. Raises `NotFound` when it was put away meanwhile."""
    still = stills.arrived(file.file_id, file, width, height)
    await context.service.finish(stored.add_still(context.database, room.consultation.consultation_id, still))
    tell(context, room, still.feed, StillChanged(still=still))
    if still.still_id not in stills.ready:  # put away while it was written down
        await stored.end_still(context.database, still.still_id, context.service.now_us())
    return still


def paused(context: Context, room: Room, stills: Stills, still_id: str) -> Conflict:
    """The site paused before the picture was there: it is not taken."""
    _fail(context, room, stills, still_id, "paused")
    return Conflict("picture and sound are paused", code="paused")


def tell(context: Context, room: Room, feed: str, message: Model) -> None:
    """To everybody who may see that feed."""
    for other in list(room.members.values()):
        if other.connected and other.grants.may_view(feed):
            context.service.tell(other, message)


def _fail(context: Context, room: Room, stills: Stills, still_id: str, problem: StillProblem) -> None:
    still = stills.failed(still_id, problem)
    if still is not None:
        log.warning("still.failed", still=still_id, feed=still.feed, problem=problem)
        tell(context, room, still.feed, StillChanged(still=still))


async def _await_picture(
    context: Context, room: Room, stills: Stills, still: Still, subject: str, ahead_us: int
) -> None:
    """Asks the box, again when it lost its connection meanwhile, until the picture is there or cannot be.

    `ahead_us`: how much later the box's own clock says the frame was captured.
    """
    captured_us = max(0, still.captured_us + ahead_us)
    wanted = TakeStill(still_id=still.still_id, feed=still.feed, captured_us=captured_us)
    asked: object | None = None
    try:
        async with asyncio.timeout(WITHIN_S):
            while still.still_id in stills.wanted:
                box = _box(room, subject)
                seat = None if box is None else context.service.seat_of(box)
                if box is None or seat is None:
                    _fail(context, room, stills, still.still_id, "box_away")
                elif room.pauses(box.org) and not stills.wanted[still.still_id].arriving:
                    _fail(context, room, stills, still.still_id, "paused")
                elif box.connected and seat.connection is not asked:
                    asked = seat.connection
                    context.service.tell(box, wanted)
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        _fail(context, room, stills, still.still_id, "no_answer")


def _box(room: Room, subject: str) -> Member | None:
    """The capture box that publishes as that subject, if it has a seat."""
    return next(
        (seat for seat in room.seats_of(subject) if seat.present and seat.participant.role == "device"), None
    )
