"""Consent, sending people out, taking over, quality reports, detached devices."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core import invitations, messages
from core.consultations import close_consultation, consultation_in_room, open_consultation
from signaling.room_service import REPORTS_BURST
from tests.signaling.conftest import World, bearer
from tests.signaling.room_people import enter, guest, knock, person, refused, until


async def test_consent_withdrawn_ends_recording_for_good_and_everyone_knows(world: World) -> None:
    host, welcome = await enter(world, person(world, "host"))
    assert welcome.consultation.consent.record
    expert, _ = await enter(world, person(world, "invited"))
    recorder, _ = await enter(world, person(world, "recorder"))
    await world.publish(expert, "video/camera")
    await recorder.send(messages.SetRecording(state="recording"))
    await recorder.send(messages.Subscribe())
    offer = await recorder.next(messages.Offer)
    assert len(offer.tracks) == 1
    await recorder.send(messages.Answer(revision=offer.revision, sdp="v=0 a"))
    await host.send(messages.SetConsent(record=False))
    for client in (host, expert, recorder):
        changed = await client.next(messages.ConsentChanged)
        assert (changed.consent.record, changed.consent.consult, changed.by) == (False, True, "u_host")
    assert (await recorder.next(messages.Offer)).tracks == [], "nothing reaches the recorder any more"
    stored = await consultation_in_room(world.database, "demo")
    assert stored is not None
    assert (stored.record, stored.consent_record) == (False, False)
    await refused(host, messages.SetConsent(record=True), "consent_withdrawn")
    await refused(recorder, messages.SetRecording(state="recording"), "consent_withdrawn")
    await recorder.send(messages.SetRecording(state="off"))
    assert (await host.next(messages.RecordingChanged, state="off")).state == "off"
    _, late = await enter(world, person(world, "specialist"))
    assert (late.consultation.consent.record, late.consultation.recording) == (False, "off")
    assert ("u_host", "withdraw_consent", "ok") in await world.audit()


async def test_the_same_consent_again_changes_nothing(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await host.send(messages.SetConsent(record=True))
    assert await host.sync() == []
    await host.send(messages.SetConsent(record=False))
    await host.send(messages.SetConsent(record=False))
    await host.sync()
    assert sum(isinstance(message, messages.ConsentChanged) for message in host.seen) == 1


async def test_a_recorder_that_leaves_after_consent_was_withdrawn_has_not_failed(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    recorder, _ = await enter(world, person(world, "recorder"))
    await recorder.send(messages.SetRecording(state="recording"))
    await host.next(messages.RecordingChanged)
    await host.send(messages.SetConsent(record=False))
    await host.next(messages.ConsentChanged)
    await recorder.close()
    assert (await host.next(messages.RecordingChanged)).state == "off"


async def test_a_guest_who_is_sent_out_cannot_come_back(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    who = await guest(world, lobby=False)
    client, welcome = await enter(world, who)
    second, _ = await enter(world, who)
    await world.publish(client, "video/camera")
    await host.send(messages.Remove(participant_id=welcome.participant.participant_id))
    assert await client.closed() == 4403
    assert await second.closed() == 4403
    left = [await expert.next(messages.ParticipantLeft) for _ in range(2)]
    assert {message.reason for message in left} == {"removed"}
    await until(lambda: not world.worker.transports)
    again = await world.connect(who.token)
    assert (await again.next(messages.Error)).code == "token_revoked"
    resumed = await world.connect(who.token, messages.Hello(resume_token=welcome.resume_token))
    assert (await resumed.next(messages.Error)).code == "token_revoked"
    async with world.session.post("/api/v1/rooms/demo/files", data=b"x", headers=bearer(who.token)) as got:
        assert got.status == 401
    found = await invitations.invitation_of_guest(world.database, who.sub)
    assert found is not None
    assert found.state == "revoked"
    assert ("u_host", "remove", "ok") in await world.audit()


async def test_a_member_who_is_sent_out_needs_a_new_token(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    who = person(world, "invited")
    client, welcome = await enter(world, who)
    await host.send(messages.Remove(participant_id=welcome.participant.participant_id))
    assert await client.closed() == 4403
    again = await world.connect(who.token)
    assert (await again.next(messages.Error)).code == "token_revoked"
    await knock(world, person(world, "invited"))


async def test_a_member_who_was_sent_out_comes_in_again_only_when_a_host_lets_them(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    client, welcome = await enter(world, person(world, "invited"))
    kept = person(world, "invited")  # a token that was fetched before, for another tab
    await host.send(messages.Remove(participant_id=welcome.participant.participant_id))
    assert await client.closed() == 4403
    again, waiting = await knock(world, kept)
    assert (await host.next(messages.Knock)).participant == waiting.participant
    await refused(again, messages.Chat(ref="1", text="hello"), "not_admitted")
    headers = bearer(kept.token)
    async with world.session.post("/api/v1/rooms/demo/files", data=b"x", headers=headers) as got:
        assert (got.status, (await got.json())["code"]) == (403, "not_admitted")
    assert (await world.whip("theatre", kept.token)).status == 403
    await host.send(messages.Admit(participant_id=waiting.participant.participant_id))
    assert not (await again.next(messages.Welcome)).participant.guest
    await again.send(messages.Chat(ref="1", text="hello"))
    assert (await host.next(messages.ChatAdded)).entry.text == "hello"
    await again.close()
    await enter(world, person(world, "invited"))


async def test_who_was_sent_out_waits_though_the_room_was_left_by_all_and_the_service_began_anew(
    world: World,
) -> None:
    host, _ = await enter(world, person(world, "host"))
    client, welcome = await enter(world, person(world, "invited"))
    await host.send(messages.Remove(participant_id=welcome.participant.participant_id))
    assert await client.closed() == 4403
    await host.close()
    await until(lambda: "demo" not in world.context.service.rooms)
    await knock(world, person(world, "invited"))
    await enter(world, person(world, "specialist"))


async def test_a_host_does_not_send_itself_out(world: World) -> None:
    host, welcome = await enter(world, person(world, "host"))
    await refused(host, messages.Remove(participant_id=welcome.participant.participant_id), "not_removable")


async def test_devices_and_the_recorder_are_not_sent_out_and_nobody_unknown_is(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    for kind in ("device", "recorder"):
        _, welcome = await enter(world, person(world, kind))
        await refused(
            host, messages.Remove(participant_id=welcome.participant.participant_id), "not_removable"
        )
    await refused(host, messages.Remove(participant_id="p_x"), "participant_not_found")
    _, waiting = await _knock(world)
    await refused(host, messages.Remove(participant_id=waiting), "participant_not_found")


async def _knock(world: World) -> tuple[Any, str]:
    client = await world.connect((await guest(world)).token)
    return client, (await client.next(messages.Waiting)).participant.participant_id


async def test_taking_over_ends_the_same_person_s_other_seats_only(world: World) -> None:
    who = person(world, "invited")
    first, old = await enter(world, who)
    await world.publish(first, "audio/microphone")
    other, _ = await enter(world, person(world, "host"))
    second, new = await enter(world, who)
    assert old.participant.person == new.participant.person
    assert old.participant.participant_id != new.participant.participant_id
    await second.send(messages.TakeOver())
    assert await first.closed() == 4410
    left = await other.next(messages.ParticipantLeft)
    assert (left.participant_id, left.reason) == (old.participant.participant_id, "left")
    await until(lambda: not world.worker.transports)
    await second.sync()
    await other.sync()


async def test_a_quality_report_reaches_the_recorder_only(world: World) -> None:
    host, welcome = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    recorder, _ = await enter(world, person(world, "recorder"))
    assert (await world.whip("ultrasound", person(world, "device").token)).status == 201
    report = messages.ReportQuality(
        feed="ultrasound", judgement="poor", delay_ms=900, frame_rate=7.5, loss=0.2
    )
    await host.send(report)
    told = await recorder.next(messages.QualityReported)
    assert (told.participant_id, told.report) == (welcome.participant.participant_id, report)
    for client in (host, expert):
        assert not any(isinstance(message, messages.QualityReported) for message in await client.sync())
    await refused(host, messages.ReportQuality(feed="nothing", judgement="good"), "feed_not_found")


async def test_a_viewer_does_not_judge_a_feed_it_does_not_see(world: World) -> None:
    from signaling.grants import viewer_grants

    assert (await world.whip("ultrasound", person(world, "device").token)).status == 201
    client, _ = await enter(world, person(world, "viewer", grants=viewer_grants(["theatre"])))
    await refused(client, messages.ReportQuality(feed="ultrasound", judgement="good"), "feed_not_found")


async def test_too_many_quality_reports_of_one_seat_are_refused(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    assert (await world.whip("ultrasound", person(world, "device").token)).status == 201
    report = messages.ReportQuality(feed="ultrasound", judgement="fair")
    for _ in range(REPORTS_BURST):
        await host.send(report)
    assert not any(isinstance(message, messages.Error) for message in await host.sync())
    for _ in range(10):
        await host.send(report)
    assert (await host.next(messages.Error)).code == "too_fast"


async def test_a_detached_device_s_feeds_and_seat_end_at_once(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    box, _ = await enter(world, person(world, "device"))
    assert (await world.whip("ultrasound", person(world, "device").token)).status == 201
    assert (await world.whip("theatre", person(world, "device", name="device:other").token)).status == 201
    await host.sync()
    consultation = world.consultation.consultation_id
    await world.context.service.detach_device(consultation, "device:box")
    assert await box.closed() == 4403
    await host.next(messages.TrackRemoved)
    assert list(world.context.service.rooms["demo"].feeds) == ["theatre"]
    await until(lambda: len(world.worker.transports) == 1)


async def test_seats_say_whose_they_are_and_what_may_be_seen_of_the_consultation(world: World) -> None:
    _, host = await enter(world, person(world, "host"))
    assert (host.participant.host, host.participant.guest, host.participant.person) == (True, False, "u_host")
    _, visitor = await enter(world, await guest(world, lobby=False))
    assert (visitor.participant.host, visitor.participant.guest) == (False, True)
    assert host.consultation.site == "Clinic"
    assert host.quality_limits == messages.QualityLimits()
    assert world.context.service.people_in(world.consultation.consultation_id) == 2
    await enter(world, person(world, "host"))
    await enter(world, person(world, "recorder"))
    assert world.context.service.people_in(world.consultation.consultation_id) == 2


@pytest.mark.parametrize(
    "message",
    [messages.SetConsent(record=False), messages.Remove(participant_id="p_1")],
)
async def test_only_hosts_decide(world: World, message: messages.Model) -> None:
    expert, _ = await enter(world, person(world, "specialist"))
    await refused(expert, message, "not_host")


async def test_why_recording_failed_is_told_by_a_word_everyone_has_words_for_late_comers_too(
    world: World,
) -> None:
    host, _ = await enter(world, person(world, "host"))
    recorder, _ = await enter(world, person(world, "recorder"))
    full = messages.SetRecording(state="failed", problem="disk_full", reason="No space left on device")
    await recorder.send(full)
    assert (await host.next(messages.RecordingChanged)).problem == "disk_full"
    _, late = await enter(world, person(world, "specialist"))
    assert late.consultation.recording_problem == "disk_full"
    await recorder.send(messages.SetRecording(state="recording"))
    assert (await host.next(messages.RecordingChanged)).problem == ""
    await recorder.close()
    assert (await host.next(messages.RecordingChanged)).problem == "recorder_left"


async def test_a_host_stops_recording_and_lets_it_go_on(world: World) -> None:
    host, welcome = await enter(world, person(world, "host"))
    assert welcome.consultation.record
    expert, _ = await enter(world, person(world, "invited"))
    recorder, _ = await enter(world, person(world, "recorder"))
    await world.publish(expert, "video/camera")
    await recorder.send(messages.SetRecording(state="recording"))
    await recorder.send(messages.Subscribe())
    offer = await recorder.next(messages.Offer)
    await recorder.send(messages.Answer(revision=offer.revision, sdp="v=0 a"))
    await host.next(messages.RecordingChanged, state="recording")
    await host.send(messages.SetRecord(record=False))
    for client in (host, expert, recorder):
        changed = await client.next(messages.RecordChanged)
        assert (changed.record, changed.by) == (False, "u_host")
    assert (await host.next(messages.RecordingChanged)).state == "off"
    assert (await recorder.next(messages.Offer)).tracks == [], "nothing reaches the recorder any more"
    await refused(recorder, messages.SetRecording(state="recording"), "not_recorded")
    await recorder.close()
    stored = await consultation_in_room(world.database, "demo")
    assert stored is not None
    assert (stored.record, stored.consent_record) == (False, True)
    _, late = await enter(world, person(world, "specialist"))
    assert (late.consultation.record, late.consultation.recording) == (False, "off")
    await host.send(messages.SetRecord(record=True))
    assert (await expert.next(messages.RecordChanged)).record
    assert (await host.next(messages.RecordingChanged)).state == "starting"
    again, _ = await enter(world, person(world, "recorder"))
    await again.send(messages.SetRecording(state="recording"))
    assert (await host.next(messages.RecordingChanged)).state == "recording"
    wanted = {("u_host", "stop_recording", "ok"), ("u_host", "start_recording", "ok")}
    async with asyncio.timeout(5):  # the trail is written beside what it tells of
        while not wanted <= set(await world.audit()):
            await asyncio.sleep(0.01)


async def test_the_same_wish_again_changes_nothing(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    await host.send(messages.SetRecord(record=True))
    assert await host.sync() == []


async def test_recording_begins_later_only_with_the_patients_consent_which_is_an_event(world: World) -> None:
    await close_consultation(world.database, world.consultation.consultation_id)
    other = await open_consultation(
        world.database, room="demo", header="李*", record=False, consent_record=False,
        organisation_id=world.clinic.organisation_id,
    )  # fmt: skip
    host, welcome = await enter(world, person(world, "host", con=other.consultation_id))
    assert (welcome.consultation.record, welcome.consultation.consent.record) == (False, False)
    await refused(host, messages.SetRecord(record=True), "consent_needed")
    await host.send(messages.SetRecord(record=True, consent=True))
    assert (await host.next(messages.ConsentChanged)).consent.record
    assert (await host.next(messages.RecordChanged)).record
    await host.send(messages.SetConsent(record=False))
    await host.next(messages.ConsentChanged)
    await refused(host, messages.SetRecord(record=True, consent=True), "consent_withdrawn")
