"""Drawing in a room: who may, and on what. The server orders it and tells everybody who sees that feed."""

from __future__ import annotations

from typing import Final

from annotation.document import Document
from annotation.keeping import KeptOperation
from annotation.planning import Actor
from core.annotations import Add, Change, Operation, Update
from core.errors import Conflict, NotFound, RemoteError
from core.messages import (
    Annotate,
    AnnotationsSynced,
    MarksMoved,
    MoveMarks,
    Point,
    Pointed,
    SyncAnnotations,
    TrackInfo,
)
from signaling.annotation_documents import Drawings, changed
from signaling.box_time import ahead_us, in_box_time, told_to_box
from signaling.context import Context
from signaling.file_content import clean_text
from signaling.members import Member
from signaling.rooms import Room

SCREEN: Final = "-screen"
_TOO_FAST: Final = "too much at once; wait a moment"


def annotate(context: Context, room: Room, member: Member, wanted: Annotate) -> None:
    """Do it, and show it to everybody who sees the feed; to its author when it is stored. Sent again, only
    its sender is answered.

    Raises `RemoteError`s: too fast, a feed the member does not see, and what `Document.submit` says.
    """
    service, person = context.service, member.participant
    if not service.operations.allows(f"{room.name} {member.subject}", context.clock.monotonic_ns()):
        raise RemoteError(_TOO_FAST, code="too_fast", status=429)
    drawings = _drawings(context, room)
    if not _sees(room, member, wanted.feed, drawings):
        raise NotFound("there is no such feed", code="feed_not_found")
    actor = Actor(
        person.person, person.name, person.role, draws=member.grants.annotate, moderates=member.grants.host
    )
    operation, now_us = _clean(wanted.operation), service.now_us()
    document, done = drawings.submit(wanted.feed, wanted.op_id, operation, actor, now_us)
    if done.change is None:
        raise Conflict("this was done before", code="already_done")
    told = changed(document, [done.change])
    if not done.new:
        context.holding.told(member, person.person, told)
        return
    if context.keeper.works:
        context.holding.did(document.document_id, person.person, document.seq)
    context.keeper.keep(
        room.consultation.consultation_id, document, KeptOperation.of(wanted.op_id, operation, actor, now_us)
    )
    to_box = in_box_time(told, ahead_us(context, room, wanted.feed, member))
    for other in _viewers(room, wanted.feed, drawings):
        shown = to_box if other.participant.role == "device" else told
        context.holding.told(other, other.participant.person, shown)
    if _is_notable(document, member, done.change):
        service.background.spawn(_write_down(context, room, member, wanted.feed, done.change))


def sync(context: Context, room: Room, member: Member, wanted: SyncAnnotations) -> None:
    """Everything that is drawn, or what the member has missed. Raises `RemoteError` when asked too often."""
    service = context.service
    if not service.syncs.allows(member.id, context.clock.monotonic_ns()):
        raise RemoteError(_TOO_FAST, code="too_fast", status=429)
    drawings = _drawings(context, room)
    feeds = [feed for feed in drawings.documents if _sees(room, member, feed, drawings)]
    for message in drawings.told(feeds, wanted.seen, member.participant.person):
        is_box = member.participant.role == "device"
        service.tell(member, told_to_box(context, room, message) if is_box else message)
    service.tell(member, AnnotationsSynced(feeds=feeds))


def point(context: Context, room: Room, member: Member, wanted: Point) -> None:
    """To everybody else who sees the feed, if they can take it. What comes too fast is dropped.

    Raises `NotFound` for a feed the member does not see.
    """
    service = context.service
    kind = "there" if wanted.at is not None else "away"  # the last one says that it is away: never dropped
    if not service.pointers.allows(f"{member.id} {kind}", context.clock.monotonic_ns()):
        return
    drawings = _drawings(context, room)
    if not _sees(room, member, wanted.feed, drawings):
        raise NotFound("there is no such feed", code="feed_not_found")
    person = member.participant
    told = Pointed(
        feed=wanted.feed,
        participant_id=person.participant_id,
        person=person.person,
        name=person.name,
        at=wanted.at,
        captured_us=wanted.captured_us,
    )
    for other in _viewers(room, wanted.feed, drawings):
        if other is not member:
            service.tell_latest(other, f"pointer {member.id}", told)


def move(context: Context, room: Room, member: Member, wanted: MoveMarks) -> None:
    """A box says where marks on its own feed are in a frame. What comes too fast is dropped.

    Raises `NotFound` for a feed that is not its own.
    """
    service = context.service
    if not any(
        track.subject == member.subject and _picture(track.info) == wanted.feed
        for track in room.shown_tracks()
    ):
        raise NotFound("there is no such feed", code="feed_not_found")
    if not service.motions.allows(f"{member.id} {wanted.feed}", context.clock.monotonic_ns()):
        return
    for other in _viewers(room, wanted.feed, _drawings(context, room)):
        captured_us = max(0, wanted.captured_us - ahead_us(context, room, wanted.feed, other))
        told = MarksMoved(feed=wanted.feed, captured_us=captured_us, marks=wanted.marks)
        if other.grants.record:
            service.tell(other, told)
        elif other is not member:
            service.tell_latest(other, f"motion {wanted.feed}", told)


def _drawings(context: Context, room: Room) -> Drawings:
    return context.service.drawings.of(room.consultation.consultation_id)


def _sees(room: Room, member: Member, feed: str, drawings: Drawings) -> bool:
    """A feed that is away for a moment still has its drawings."""
    if any(room.sees(member, track) for track in room.shown_tracks() if _picture(track.info) == feed):
        return True
    return feed in drawings.documents and member.grants.may_view(feed.removesuffix(SCREEN))


def _picture(track: TrackInfo) -> str:
    """What is drawn on: somebody's shared screen is another picture than their camera's."""
    if track.kind == "audio":
        return ""
    return track.feed + SCREEN if track.source == "screen" else track.feed


def _viewers(room: Room, feed: str, drawings: Drawings) -> list[Member]:
    return [
        member for member in room.members.values() if member.connected and _sees(room, member, feed, drawings)
    ]


def _clean(operation: Operation) -> Operation:
    """Without what no text should hold."""
    match operation:
        case Add(mark=mark) if mark.text:
            return operation.model_copy(
                update={"mark": mark.model_copy(update={"text": clean_text(mark.text)})}
            )
        case Update(text=str() as text):
            return operation.model_copy(update={"text": clean_text(text)})
        case _:
            return operation


def _is_notable(document: Document, member: Member, change: Change) -> bool:
    """A seat's first operation on a feed, and whatever somebody takes away who may take anybody's."""
    first = document.feed not in member.drew_on
    member.drew_on.add(document.feed)
    return first or (member.grants.host and change.op in ("remove", "clear"))


async def _write_down(context: Context, room: Room, member: Member, feed: str, change: Change) -> None:
    action = change.op if change.op in ("remove", "clear") else "draw"
    target = f"{room.consultation.consultation_id} {feed}"
    await context.audit(member.subject, f"annotate_{action}", target)
