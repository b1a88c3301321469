"""The room's state: what each member was told, message by message, adds up to what there is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core import messages
from core.errors import Conflict
from core.messages import ConsultationInfo, Participant, Role, TrackInfo
from core.tokens import Grants
from signaling.grants import device_grants, room_grants
from signaling.members import MAX_MEMBERS, Member, Outgoing
from signaling.rooms import Room
from signaling.stage import Feed

SITE = "o_site"
INFO = ConsultationInfo(consultation_id="c_1", opened_at_us=0)


def _member(
    number: int, role: Role = "specialist", subject: str = "", grants: Grants | None = None
) -> Member:
    grants = grants or (device_grants(None) if role == "device" else room_grants(role))
    participant = Participant(participant_id=f"p_{number}", name=str(number), role=role)
    return Member(participant, subject or f"s_{number}", None, grants, f"resume-{number}")


def _track(name: str, participant_id: str, feed: str) -> TrackInfo:
    return TrackInfo(
        track_id=name, participant_id=participant_id, feed=feed, kind="video", source="camera", codec="VP8"
    )


def test_a_full_room_says_so() -> None:
    room = Room("demo", INFO)
    for number in range(MAX_MEMBERS):
        room.join(_member(number))
    with pytest.raises(Conflict):
        room.join(_member(MAX_MEMBERS))


class _View:
    """A member's picture of the room, as a client keeps it."""

    def __init__(self) -> None:
        self.people: dict[str, Participant] = {}
        self.tracks: dict[str, TrackInfo] = {}
        self.recording = "off"
        self.lobby: dict[str, Participant] = {}

    def receive(self, message: Any) -> None:
        match message:
            case messages.Welcome():
                self.people = {person.participant_id: person for person in message.participants}
                self.tracks = {track.track_id: track for track in message.tracks}
                self.recording = message.consultation.recording
                self.lobby = {person.participant_id: person for person in message.lobby}
            case messages.Knock():
                assert message.participant.participant_id not in self.lobby
                self.lobby[message.participant.participant_id] = message.participant
            case messages.KnockEnded():
                self.lobby.pop(message.participant_id, None)
            case messages.ParticipantJoined():
                assert message.participant.participant_id not in self.people
                self.people[message.participant.participant_id] = message.participant
            case messages.ParticipantLeft():
                del self.people[message.participant_id]
            case messages.TrackAdded():
                assert message.track.track_id not in self.tracks
                self.tracks[message.track.track_id] = message.track
            case messages.TrackChanged():
                assert message.track.track_id in self.tracks
                self.tracks[message.track.track_id] = message.track
            case messages.TrackRemoved():
                del self.tracks[message.track_id]
            case messages.RecordingChanged():
                self.recording = message.state


class RoomMachine(RuleBasedStateMachine):
    """Anything may happen in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room("demo", INFO, SITE)
        self.views: dict[str, _View] = {}
        self.members: dict[str, Member] = {}
        self.made = 0

    def _new(self) -> int:
        self.made += 1
        return self.made

    def _deliver(self, out: list[Outgoing]) -> None:
        for participant_id, message in out:
            assert self.members[participant_id].connected
            self.views[participant_id].receive(message)

    def _welcome(self, member: Member) -> None:
        self.views[member.id] = _View()
        self.views[member.id].receive(self.room.welcome(member, 0))

    def _pick(self, data: Any, **wanted: bool) -> Member | None:
        found = [m for m in self.members.values() if all(getattr(m, k) == v for k, v in wanted.items())]
        return data.draw(strategies.sampled_from(found)) if found else None

    @precondition(lambda self: len(self.members) < 6)
    @rule(
        kind=strategies.sampled_from(["specialist", "host", "recorder", "device", "narrow"]),
        subject=strategies.sampled_from(["box-1", "box-2"]),
    )
    def join(self, kind: str, subject: str) -> None:
        if kind == "device":
            member = _member(self._new(), "device", subject)
        elif kind == "narrow":
            member = _member(self._new(), grants=Grants(subscribe=True, view=["f_1"]))
        elif kind == "host":
            member = _member(self._new(), "site", grants=room_grants("site", host=True))
        else:
            member = _member(self._new(), "recorder" if kind == "recorder" else "specialist")
        member.org = SITE if kind in ("host", "device") else "o_other"
        self.members[member.id] = member
        out = self.room.join(member)
        self._welcome(member)
        self._deliver(out)

    @rule(data=strategies.data())
    def publish(self, data: Any) -> None:
        member = self._pick(data, connected=True)
        if member is not None and member.participant.role == "specialist":
            transport_id = member.publish_id or f"t_{self._new()}"
            kept = [t.info for t in self.room.tracks.values() if t.transport_id == transport_id]
            kept = kept[: data.draw(strategies.integers(0, 2))]
            added = [_track(f"k_{self._new()}", member.id, member.id) for _ in range(len(kept) % 2 + 1)]
            self._deliver(self.room.publish(member, transport_id, [*kept, *added]))

    @rule(name=strategies.sampled_from(["f_1", "f_2"]), subject=strategies.sampled_from(["box-1", "box-2"]))
    def hold_feed(self, name: str, subject: str) -> None:
        held = self.room.feeds.get(name)
        stand_in = (
            held.stand_in
            if held is not None
            else Participant(participant_id=f"p_{self._new()}", name=name, role="device")
        )
        feed = Feed(name, subject, f"t_{self._new()}", stand_in, SITE)
        try:
            out = self.room.hold_feed(feed, [_track(f"k_{self._new()}", stand_in.participant_id, name)])
        except Conflict:
            assert held is not None
            assert held.subject != subject
        else:
            self._deliver(out)

    @rule(data=strategies.data())
    def drop_transport(self, data: Any) -> None:
        names = sorted({track.transport_id for track in self.room.tracks.values()})
        if names:
            self._deliver(self.room.drop_transport(data.draw(strategies.sampled_from(names))))

    @rule(data=strategies.data(), flag=strategies.booleans())
    def change_track(self, data: Any, flag: bool) -> None:
        if self.room.tracks:
            track = data.draw(strategies.sampled_from(sorted(self.room.tracks)))
            self._deliver(self.room.set_live(track, flag))
            owner = self.members.get(self.room.tracks[track].info.participant_id)
            if owner is not None and owner.connected:
                self._deliver(self.room.set_muted(owner, track, flag))

    @rule(data=strategies.data(), state=strategies.sampled_from(["starting", "recording", "off"]))
    def record(self, data: Any, state: Any) -> None:
        member = self._pick(data, connected=True)
        if member is not None and member.grants.record:
            self._deliver(self.room.set_recording(member, messages.SetRecording(state=state)))

    @precondition(lambda self: len(self.room.lobby.seats) < 4)
    @rule()
    def knock(self) -> None:
        guest = _member(self._new())
        guest.waiting = True
        self._deliver(self.room.knock(guest))

    @precondition(lambda self: bool(self.room.lobby.seats))
    @rule(data=strategies.data(), admitted=strategies.booleans())
    def decide(self, data: Any, admitted: bool) -> None:
        guest = self.room.lobby.seats[data.draw(strategies.sampled_from(sorted(self.room.lobby.seats)))]
        if admitted:
            self.members[guest.id] = guest
            out = self.room.join(guest)
            guest.waiting = False
            self._welcome(guest)
            self._deliver(out)
        self._deliver(self.room.knock_ended(guest, "admitted" if admitted else "turned_away"))

    @rule(paused=strategies.booleans())
    def pause(self, paused: bool) -> None:
        """As the driver does: what shall be, then track by track what is."""
        self.room.set_paused(paused)
        for track in self.room.unsettled():
            self._deliver(self.room.set_track_paused(track.info.track_id, self.room.pauses(track.owner.org)))
        assert self.room.unsettled() == []

    @rule(data=strategies.data())
    def disconnect(self, data: Any) -> None:
        member = self._pick(data, connected=True)
        if member is not None:
            self.room.disconnect(member, 0)

    @rule(data=strategies.data())
    def hide(self, data: Any) -> None:
        member = self._pick(data, connected=False)
        if member is not None:
            self._deliver(self.room.hide(member))

    @rule(data=strategies.data())
    def resume(self, data: Any) -> None:
        member = self._pick(data, connected=False)
        if member is not None:
            assert self.room.by_resume_token(member.resume_token) is member
            out = self.room.resume(member)
            self._welcome(member)
            self._deliver(out)

    @rule(data=strategies.data())
    def remove(self, data: Any) -> None:
        if self.members:
            member = self.members[data.draw(strategies.sampled_from(sorted(self.members)))]
            member.connected = False
            self._deliver(self.room.remove(member, "left"))
            del self.members[member.id]

    @invariant()
    def what_was_told_is_what_there_is(self) -> None:
        for member in self.members.values():
            if not member.connected:
                continue
            now, view = self.room.welcome(member, 0), self.views[member.id]
            assert view.people == {person.participant_id: person for person in now.participants}
            assert view.tracks == {track.track_id: track for track in now.tracks}
            assert view.recording == now.consultation.recording
            if member.grants.host:
                assert view.lobby == {person.participant_id: person for person in now.lobby}

    @invariant()
    def who_waits_is_nowhere_else(self) -> None:
        waiting = set(self.room.lobby.seats)
        assert not waiting & set(self.room.members)
        assert not waiting & {person.participant_id for person in self.room.participants()}

    @invariant()
    def every_track_shown_belongs_to_somebody_shown(self) -> None:
        people = {person.participant_id for person in self.room.participants()}
        for track in self.room.shown_tracks():
            assert track.info.participant_id in people

    @invariant()
    def nobody_receives_what_it_may_not_see_or_sends_itself(self) -> None:
        for member in self.members.values():
            for track_id in self.room.subscribable(member):
                track = self.room.tracks[track_id].info
                assert track.participant_id != member.id
                assert member.grants.may_view(track.feed)

    @invariant()
    def a_recording_that_is_shown_has_a_recorder(self) -> None:
        if self.room.consultation.recording in ("starting", "recording"):
            assert any(member.present and member.grants.record for member in self.members.values())


RoomMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestRoomMachine = RoomMachine.TestCase
