"""Chat: stored before it is shown, shown once, to those who may read it, and gone some time after."""

from __future__ import annotations

import asyncio

import pytest

from core import chat, messages
from core.consultations import close_consultation, open_consultation
from core.messages import CHAT_MAX_CHARS, ChatEntry
from signaling.file_routes import FILES
from signaling.room_service import CHATS_BURST
from signaling.sweeper import sweep
from tests.signaling.conftest import RoomClient, World
from tests.signaling.room_people import enter, guest, person, refused, until


async def _history(world: World) -> list[str]:
    return [entry.text for entry in await chat.history(world.database, world.consultation.consultation_id)]


async def test_a_message_reaches_everyone_who_may_chat_and_the_recorder_and_nobody_else(world: World) -> None:
    host, welcome = await enter(world, person(world, "host"))
    readers = [host] + [
        (await enter(world, who))[0]
        for who in (person(world, "invited"), await guest(world, lobby=False), person(world, "recorder"))
    ]
    others = [(await enter(world, person(world, kind)))[0] for kind in ("device", "viewer")]
    await host.send(messages.Chat(ref="r1", text="Is that the left kidney?"))
    entries = [(await client.next(messages.ChatAdded)).entry for client in readers]
    assert len({entry.chat_id for entry in entries}) == 1
    entry = entries[0]
    assert (entry.ref, entry.text, entry.person) == ("r1", "Is that the left kidney?", "u_host")
    assert (entry.name, entry.role, entry.organisation) == (welcome.participant.name, "site", "Clinic")
    for client in others:
        assert not any(isinstance(message, messages.ChatAdded) for message in await client.sync())


async def test_the_same_message_again_is_shown_once_and_only_its_sender_is_told(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    await host.send(messages.Chat(ref="r1", text="once"))
    first = (await host.next(messages.ChatAdded)).entry
    await expert.next(messages.ChatAdded)
    await host.send(messages.Chat(ref="r1", text="once"))
    assert (await host.next(messages.ChatAdded)).entry == first
    assert await expert.sync() == []
    await expert.send(messages.Chat(ref="r1", text="another person's ref"))
    assert (await host.next(messages.ChatAdded)).entry.person == "u_invited"
    assert await _history(world) == ["once", "another person's ref"]


async def test_two_seats_sending_the_same_message_at_once_show_it_once(world: World) -> None:
    who = person(world, "host")
    (one, _), (two, _) = await enter(world, who), await enter(world, who)
    expert, _ = await enter(world, person(world, "invited"))
    await asyncio.gather(*(seat.send(messages.Chat(ref="r1", text="once")) for seat in (one, two)))
    await asyncio.gather(*(seat.next(messages.ChatAdded) for seat in (one, two, expert)))
    await asyncio.gather(one.sync(), two.sync())
    assert not any(isinstance(message, messages.ChatAdded) for message in await expert.sync())


async def test_whoever_comes_later_finds_the_newest_messages_oldest_first(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    for number in range(3):
        await host.send(messages.Chat(ref=str(number), text=f"message {number}"))
        await host.next(messages.ChatAdded)
    for kind in ("invited", "recorder"):
        _, welcome = await enter(world, person(world, kind))
        assert [entry.text for entry in welcome.chat] == ["message 0", "message 1", "message 2"]
    for kind in ("device", "viewer"):
        _, welcome = await enter(world, person(world, kind))
        assert welcome.chat == []


async def test_a_resumed_client_finds_what_was_said_meanwhile(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    expert, welcome = await enter(world, person(world, "invited"))
    await expert.drop()
    await host.send(messages.Chat(ref="1", text="meanwhile"))
    await host.next(messages.ChatAdded)
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    assert [entry.text for entry in (await back.next(messages.Welcome)).chat] == ["meanwhile"]


async def test_nothing_is_missing_or_double_between_the_history_and_what_follows(world: World) -> None:
    """People come in while others speak: history and live messages add up, in order, for everyone."""
    speakers = [(await enter(world, person(world, "invited", name=f"u_{n}")))[0] for n in range(4)]
    late: list[tuple[RoomClient, messages.Welcome]] = []

    async def speak(client: RoomClient, name: int) -> None:
        for number in range(CHATS_BURST):
            await client.send(messages.Chat(ref=str(number), text=f"{name}/{number}"))
            await client.sync()

    async def come() -> None:
        for number in range(6):
            late.append(await enter(world, person(world, "specialist", name=f"late_{number}")))

    await asyncio.gather(come(), *(speak(client, number) for number, client in enumerate(speakers)))
    stored = await _history(world)
    assert len(stored) == 4 * CHATS_BURST
    for client, welcome in late:
        await client.sync()
        live = [message.entry.text for message in client.seen if isinstance(message, messages.ChatAdded)]
        assert [entry.text for entry in welcome.chat] + live == stored


async def test_a_history_of_long_messages_still_fits_one_welcome(world: World) -> None:
    consultation = world.consultation.consultation_id
    for number in range(100):
        entry = ChatEntry(
            chat_id=f"m_{number}",
            ref=str(number),
            name="x",
            role="site",
            text="长" * CHAT_MAX_CHARS,
            at_us=number,
        )
        await chat.add_message(world.database, consultation, "u_1", entry)
    found = await chat.history(world.database, consultation)
    assert 10 < len(found) < 100
    assert found[-1].ref == "99"
    assert sum(len(entry.model_dump_json().encode()) for entry in found) <= chat.HISTORY_MAX_BYTES


async def test_too_many_messages_of_one_person_are_refused_and_nobody_else_s(world: World) -> None:
    who = person(world, "host")
    (host, _), (other_seat, _) = await enter(world, who), await enter(world, who)
    expert, _ = await enter(world, person(world, "invited"))
    for number in range(CHATS_BURST):
        await host.send(messages.Chat(ref=str(number), text="spam"))
        await host.next(messages.ChatAdded)
    await refused(other_seat, messages.Chat(ref="more", text="spam"), "too_fast")
    await expert.send(messages.Chat(ref="1", text="calm"))
    await _until_said(expert, "calm")
    world.clock.advance(2)
    await host.send(messages.Chat(ref="more", text="later"))
    await _until_said(host, "later")


async def _until_said(client: RoomClient, text: str) -> None:
    while (await client.next(messages.ChatAdded)).entry.text != text:
        pass


@pytest.mark.parametrize("text", ["", "   \n\t ", "\u0000\u0007"])
async def test_an_empty_message_is_refused(world: World, text: str) -> None:
    host, _ = await enter(world, person(world, "host"))
    await refused(host, messages.Chat(ref="1", text=text), "empty")
    assert await _history(world) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("'; DROP TABLE chat; --", "'; DROP TABLE chat; --"),
        ("a\u0000b\u001b[31mred\u007f", "ab[31mred"),
        ("two\nlines\tand 张\U0001f469\u200d⚕️", "two\nlines\tand 张\U0001f469\u200d⚕️"),
        ("{{constructor.constructor('alert(1)')()}}", "{{constructor.constructor('alert(1)')()}}"),
    ],
)
async def test_whatever_is_in_a_text_is_just_text(world: World, text: str, shown: str) -> None:
    host, _ = await enter(world, person(world, "host", name="<b>Li</b>"))
    await host.send(messages.Chat(ref="1", text=text))
    entry = (await host.next(messages.ChatAdded)).entry
    assert (entry.text, entry.name) == (shown, "<b>Li</b>")
    assert await _history(world) == [shown]


async def test_a_file_that_is_not_there_or_of_another_consultation_cannot_be_sent(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    wanted = messages.Chat(ref="1", text="look", file_ids=["f_00000000000000000000000000"])
    await refused(host, wanted, "file_not_found")
    assert await _history(world) == []


async def test_a_message_goes_out_even_if_its_sender_is_cut_off_at_that_moment(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    async with world.database.writing():  # the message waits for the lock while its sender drops
        await host.send(messages.Chat(ref="1", text="last words"))
        await asyncio.sleep(0)
        await host.drop()
        await expert.sync()
    assert (await expert.next(messages.ChatAdded)).entry.text == "last words"


async def test_texts_are_deleted_some_time_after_the_consultation_and_not_before(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await host.send(messages.Chat(ref="1", text="private"))
    await host.next(messages.ChatAdded)
    other = await open_consultation(
        world.database, room="other", header="", record=False, organisation_id=world.clinic.organisation_id
    )
    entry = ChatEntry(chat_id="m_1", ref="1", name="x", role="site", text="still open", at_us=1)
    await chat.add_message(world.database, other.consultation_id, "u_1", entry)
    store = world.app[FILES]
    await close_consultation(world.database, world.consultation.consultation_id)
    world.clock.advance(23 * 3600)
    assert await sweep(world.context, store) == []
    assert await _history(world) == ["private"]
    world.clock.advance(2 * 3600)
    assert await sweep(world.context, store) == [world.consultation.consultation_id]
    assert await _history(world) == []
    assert await chat.history(world.database, other.consultation_id) == [entry]
    assert await sweep(world.context, store) == []
    assert ("service:signaling", "chat_deleted", "ok") in await world.audit()


async def test_what_somebody_says_just_before_leaving_still_counts(world: World) -> None:
    expert, _ = await enter(world, person(world, "invited"))
    for number in range(5):
        host, _ = await enter(world, person(world, "host"))
        await host.send(messages.Chat(ref=str(number), text=f"goodbye {number}"))
        await host.close()
        await _until_said(expert, f"goodbye {number}")


async def test_the_first_one_comes_in_however_long_the_history_takes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    async def slow(*_: object) -> list[ChatEntry]:
        await gate.wait()
        return []

    monkeypatch.setattr(chat, "history", slow)
    coming = asyncio.create_task(enter(world, person(world, "host")))
    await until(lambda: "demo" in world.context.service.rooms)
    await world.context.service.tick()
    gate.set()
    _, welcome = await coming
    assert welcome.host
