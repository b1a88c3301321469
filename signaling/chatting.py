"""Chat: stored first, then shown; nothing twice, nothing lost between a history and what follows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakKeyDictionary

from core import chat, files, messages, opinions
from core.errors import NotFound, RemoteError
from core.ids import new_id
from core.messages import ChatEntry, FileInfo
from core.tokens import Grants
from signaling.context import Context
from signaling.file_content import clean_text
from signaling.freezing import load as load_stills
from signaling.history import History
from signaling.members import Member
from signaling.rooms import Room

_locks: Final[WeakKeyDictionary[Room, asyncio.Lock]] = WeakKeyDictionary()
"""Held while a message is stored and shown, and while a newcomer is told the history."""


@asynccontextmanager
async def reading_chat(context: Context, room: Room, grants: Grants) -> AsyncIterator[History]:
    """The history for somebody who is welcomed inside: what comes later is told to them live."""
    await load_stills(context, room.consultation.consultation_id)
    if not (grants.chat or grants.record):
        yield History()
        return
    async with writing(room):
        consultation = room.consultation.consultation_id
        yield History(
            await chat.history(context.database, consultation),
            await opinions.list_opinions(context.database, consultation),
        )


async def say(context: Context, room: Room, member: Member, wanted: messages.Chat) -> None:
    """Store and show a message. Sent again, only its sender is told.

    Raises `RemoteError` when it is empty or too soon, `NotFound` for a file that is not this consultation's.
    """
    if not context.service.chats.allows(f"{room.name} {member.subject}", context.clock.monotonic_ns()):
        raise RemoteError("too many messages at once; wait a moment", code="too_fast", status=429)
    if not wanted.ref.isprintable():  # not every database holds every character
        raise RemoteError("ref: must be printable", code="malformed")
    text = clean_text(wanted.text)
    if not text.strip() and not wanted.file_ids:
        raise RemoteError("there is nothing in this message", code="empty")
    attached = [await _file(context, room, file_id) for file_id in dict.fromkeys(wanted.file_ids)]
    entry = ChatEntry(
        chat_id=new_id("m"),
        ref=wanted.ref,
        person=member.participant.person,
        name=member.participant.name,
        role=member.participant.role,
        organisation=member.participant.organisation,
        text=text,
        files=attached,
        at_us=context.service.now_us(),
    )
    await context.service.finish(_store_and_show(context, room, member, entry))


async def _store_and_show(context: Context, room: Room, member: Member, entry: ChatEntry) -> None:
    async with writing(room):
        consultation = room.consultation.consultation_id
        stored, new = await chat.add_message(context.database, consultation, member.subject, entry)
        if new:
            context.metrics.chat.inc()
            context.service.deliver(room, room.to_chat(messages.ChatAdded(entry=stored)))
        else:
            context.service.tell(member, messages.ChatAdded(entry=stored))


async def _file(context: Context, room: Room, file_id: str) -> FileInfo:
    found = await files.find_file(context.database, room.consultation.consultation_id, file_id)
    if found is None or files.is_still(file_id):
        raise NotFound("there is no such file; send it again", code="file_not_found")
    return found


def writing(room: Room) -> asyncio.Lock:
    """Held while something is stored and shown."""
    return _locks.setdefault(room, asyncio.Lock())
