"""Frames are named in the server's time; a box knows its own. Drawings go to a box in the box's time."""

from __future__ import annotations

from core.annotations import Change, Mark
from core.messages import AnnotationDocument, AnnotationsChanged, Model
from signaling.context import Context
from signaling.members import Member
from signaling.rooms import Room


def ahead_us(context: Context, room: Room, feed: str, *members: Member) -> int:
    """By how much the box that sends `feed` names its frames later than the server does.

    As the first of the `members` who sees it was told, else anybody; 0 while nobody was.
    """
    tracks = [
        track.info.track_id
        for track in room.shown_tracks()
        if track.info.feed == feed and track.info.kind == "video" and track.info.source == "device"
    ]
    for member in (*members, *room.members.values()):
        attached = context.service.attached.get(member.id)
        for track_id in tracks if attached is not None else ():
            if attached is not None and (found := attached.subscriber.ahead_us(track_id)):
                return found
    return 0


def in_box_time(message: AnnotationsChanged, ahead: int) -> AnnotationsChanged:
    """Drawings as a box is told of them: marks name the frames they were drawn on as it does."""
    return message.model_copy(update={"changes": [_change(change, ahead) for change in message.changes]})


def told_to_box(context: Context, room: Room, message: Model) -> Model:
    """The same of everything that answers a sync."""
    match message:
        case AnnotationDocument():
            ahead = ahead_us(context, room, message.feed)
            return message.model_copy(update={"marks": [_mark(mark, ahead) for mark in message.marks]})
        case AnnotationsChanged():
            return in_box_time(message, ahead_us(context, room, message.feed))
        case _:
            return message


def _change(change: Change, ahead: int) -> Change:
    if not change.put:
        return change
    return change.model_copy(update={"put": [_mark(mark, ahead) for mark in change.put]})


def _mark(mark: Mark, ahead: int) -> Mark:
    if mark.captured_us is None:
        return mark
    return mark.model_copy(update={"captured_us": max(0, mark.captured_us + ahead)})
