"""Pure: one room's state. Every method that changes it returns the messages the change causes.

Members come by WebSocket; guests that a host has to let in wait in the `lobby` and are told nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core import messages
from core.errors import Conflict, Forbidden, NotFound
from core.messages import Consent, ConsultationInfo, Model, Participant, RecordingProblem, RecordingState
from signaling.controls import Controls
from signaling.lobby import Lobby
from signaling.members import MAX_MEMBERS, MAX_MEMBERS_PER_SUBJECT, Member, Outgoing
from signaling.stage import Stage, Track, left, removed


class Room(Stage):
    """See the module. `name` is the room's, `consultation` the one it is for.

    `site_id`: id of the organisation that opened it; what its devices and people send is what a privacy pause
    stops.
    """

    def __init__(self, name: str, consultation: ConsultationInfo, site_id: str = "") -> None:
        super().__init__()
        self.name = name
        self.consultation = consultation
        self.site_id = site_id
        self.lobby = Lobby()
        self.controls = Controls()
        self.sent_out: set[str] = set()
        """Subjects that a host has to let in again."""
        self._recorder: str | None = None

    @property
    def empty(self) -> bool:
        return not self.members and not self.feeds and not self.lobby.seats

    # --- who is here ---------------------------------------------------------------------

    def join(self, member: Member) -> list[Outgoing]:
        """Raises `Conflict` when the room, or this subject's share of it, is full: whose place it takes
        (`replaced_by`) does not count.
        """
        over = len(self.replaced_by(member))
        same = len(self.seats_of(member.subject))
        if len(self.members) - over >= MAX_MEMBERS or same - over >= MAX_MEMBERS_PER_SUBJECT:
            raise Conflict("this room is full", code="room_full")
        self.members[member.id] = member
        return self._appear(member)

    def replaced_by(self, newcomer: Member) -> list[Member]:
        """Seats of the same subject that lost their WebSocket and are not waited for once `newcomer` sits.

        Of a box all: its process died, so nobody is left who could resume them. Of anybody else those that
        were away longest, as many as there is no room for.
        """
        seats = self.seats_of(newcomer.subject)
        away = sorted((seat for seat in seats if not seat.connected), key=lambda seat: seat.left_ns)
        if newcomer.participant.role == "device":
            return away
        return away[: max(0, len(seats) + 1 - MAX_MEMBERS_PER_SUBJECT)]

    def seats_of(self, subject: str) -> list[Member]:
        """All seats of one person, or device."""
        return [member for member in self.members.values() if member.subject == subject]

    def member(self, participant_id: str) -> Member:
        """A present one. Raises `NotFound`."""
        found = self.members.get(participant_id)
        if found is None or not found.present:
            raise NotFound("nobody here is called that", code="participant_not_found")
        return found

    def welcome(self, member: Member, server_time_us: int) -> messages.Welcome:
        """What `member` is told first, on joining and on resuming."""
        return messages.Welcome(
            participant=member.participant,
            resume_token=member.resume_token,
            room=self.name,
            consultation=self.consultation,
            participants=list(self.participants()),
            tracks=[track.info for track in self.shown_tracks() if self.sees(member, track)],
            server_time_us=server_time_us,
            host=member.grants.host,
            controls=[held.control for held in self.controls if member.grants.may_view(held.control.feed)],
            lobby=self.lobby.participants() if member.grants.host else [],
        )

    def participants(self) -> Iterator[Participant]:
        """Everyone shown as present, stand-ins included."""
        yield from (member.participant for member in self.members.values() if member.present)
        yield from (feed.stand_in for feed in self.feeds.values() if self._device(feed.subject) is None)

    def disconnect(self, member: Member, now_ns: int) -> None:
        """Its WebSocket is gone; it may resume."""
        member.connected, member.left_ns = False, now_ns

    def resume(self, member: Member) -> list[Outgoing]:
        """Its WebSocket is back."""
        member.connected = True
        return [] if member.present else self._appear(member)

    def hide(self, member: Member) -> list[Outgoing]:
        """Away for too long to be shown as present; its connections are kept, so that it may still resume."""
        return self._disappear(member, "disconnected") if member.present else []

    def remove(self, member: Member, reason: str) -> list[Outgoing]:
        """Gone for good. The caller closes `publish_id` and the subscription's transport."""
        out = self._disappear(member, reason) if member.present else []
        self.members.pop(member.id, None)
        own = [track_id for track_id, track in self.tracks.items() if track.transport_id == member.publish_id]
        for track_id in own:
            del self.tracks[track_id]
        return out

    def by_resume_token(self, token: str) -> Member | None:
        return next((member for member in self.members.values() if member.resume_token == token), None)

    # --- at the door ---------------------------------------------------------------------

    def knock(self, member: Member) -> list[Outgoing]:
        """Somebody waits. Raises `Conflict` when too many do."""
        self.lobby.enter(member)
        return self.to_hosts(messages.Knock(participant=member.participant))

    def knock_ended(self, member: Member, reason: str, by: str = "") -> list[Outgoing]:
        """Who waited was admitted, turned away (`by`: the host's name), or went."""
        if not self.lobby.leave(member):
            return []
        ended = {"participant_id": member.id, "reason": reason, "by": by}
        return self.to_hosts(messages.KnockEnded.model_validate(ended))

    def waiting(self, participant_id: str) -> Member:
        """Raises `NotFound`."""
        found = self.lobby.seats.get(participant_id)
        if found is None:
            raise NotFound("nobody of that name waits any more", code="participant_not_found")
        return found

    # --- recording, consent, pause -------------------------------------------------------

    def set_recording(self, member: Member, wanted: messages.SetRecording) -> list[Outgoing]:
        """Raises `Forbidden` unless `member` may record; `Conflict` once the patient does not agree."""
        if not member.grants.record:
            raise Forbidden("only the recorder says what is recorded", code="not_recorder")
        if wanted.state in ("starting", "recording") and not self.consultation.consent.record:
            raise Conflict("the patient does not agree to be recorded", code="consent_withdrawn")
        if wanted.state in ("starting", "recording") and not self.consultation.record:
            raise Conflict("nothing is to be recorded now", code="not_recorded")
        self._recorder = member.id
        return self._recording_is(wanted.state, wanted.reason, wanted.problem)

    def withdraw_consent(self, by: str, at_us: int) -> list[Outgoing]:
        """The patient no longer agrees to be recorded."""
        consent = Consent(consult=self.consultation.consent.consult, record=False)
        self._update(consent=consent, record=False)
        return self.to_all(messages.ConsentChanged(consent=consent, by=by, at_us=at_us))

    def set_record(self, record: bool, by: str, at_us: int) -> list[Outgoing]:
        """A host begins or stops recording; the patient agrees to it, perhaps only now."""
        out: list[Outgoing] = []
        if record and not self.consultation.consent.record:
            consent = Consent(consult=self.consultation.consent.consult, record=True)
            self._update(consent=consent)
            out += self.to_all(messages.ConsentChanged(consent=consent, by=by, at_us=at_us))
        self._update(record=record)
        out += self.to_all(messages.RecordChanged(record=record, by=by, at_us=at_us))
        return out + self._recording_is("starting" if record else "off", "")

    def set_paused(self, paused: bool) -> None:
        """What shall be; `unsettled` tells what the media server has to be told for it."""
        self._update(paused=paused)

    def pauses(self, org: str) -> bool:
        """True while what that organisation sends is to reach nobody."""
        return self.consultation.paused and self.is_site(org)

    def is_site(self, org: str) -> bool:
        """True for the organisation that opened the consultation."""
        return bool(self.site_id) and org == self.site_id

    def unsettled(self) -> list[Track]:
        """Tracks that are forwarded though they must not be, or the other way round."""
        return [track for track in self.tracks.values() if track.info.paused != self.pauses(track.owner.org)]

    def paused_changed(self, by: str, at_us: int) -> list[Outgoing]:
        """The pause has begun, or ended: it is so now."""
        changed = messages.PausedChanged(paused=self.consultation.paused, by=by, at_us=at_us)
        return self.to_all(changed)

    def subscribable(self, member: Member) -> list[str]:
        """As on every stage; and nothing goes to a recorder that must not record."""
        info = self.consultation
        if member.grants.record and not (info.record and info.consent.record):
            return []
        return super().subscribable(member)

    # --- to whom -------------------------------------------------------------------------

    def to_all(self, message: Model) -> list[Outgoing]:
        """To everyone connected."""
        return self._to_all(message)

    def to_hosts(self, message: Model) -> list[Outgoing]:
        """To the hosts, and to the recorder for the archive."""
        return self._to(message, (m for m in self.members.values() if m.grants.host or m.grants.record))

    def to_chat(self, message: Model) -> list[Outgoing]:
        """To those who may chat, and to the recorder for the archive."""
        return self._to(message, (m for m in self.members.values() if m.grants.chat or m.grants.record))

    def to_recorder(self, message: Model) -> list[Outgoing]:
        """Only into the archive."""
        return self._to(message, (m for m in self.members.values() if m.grants.record))

    # --- inside --------------------------------------------------------------------------

    def _to(self, message: Model, members: Iterable[Member]) -> list[Outgoing]:
        return [(member.id, message) for member in members if member.connected]

    def _update(self, **changes: object) -> None:
        self.consultation = self.consultation.model_copy(update=changes)

    def _recording_is(
        self, state: RecordingState, reason: str, problem: RecordingProblem = ""
    ) -> list[Outgoing]:
        self._update(recording=state, recording_problem=problem)
        return self.to_all(messages.RecordingChanged(state=state, problem=problem, reason=reason))

    def _appear(self, member: Member) -> list[Outgoing]:
        """What the others are told; `member` itself learns it from its welcome."""
        member.present = False
        stand_ins = [] if self._device(member.subject) else self._feeds_of(member)
        member.present = True
        out = self._to_all(messages.ParticipantJoined(participant=member.participant), but=member)
        for track in self._tracks_on(member.publish_id):
            out += self._about(track, lambda info: messages.TrackAdded(track=info), but=member)
        for feed in stand_ins:
            for track in self._tracks_on(feed.transport_id):
                out += self._change(track, but=member, participant_id=member.id)
            out += self._to_all(left(feed.stand_in, "left"), but=member)
        return out

    def _disappear(self, member: Member, reason: str) -> list[Outgoing]:
        out: list[Outgoing] = []
        for track in self._tracks_on(member.publish_id):
            out += self._about(track, removed, but=member)
        member.present = False
        heir = self._device(member.subject)
        for feed in self._feeds_of(member):
            owner = feed.stand_in if heir is None else heir.participant
            if heir is None:
                out += self._to_all(messages.ParticipantJoined(participant=feed.stand_in))
            for track in self._tracks_on(feed.transport_id):
                if track.info.participant_id == member.id:
                    out += self._change(track, participant_id=owner.participant_id)
        if self._recorder == member.id and self.consultation.recording in ("starting", "recording"):
            if self.consultation.consent.record and self.consultation.record:
                out += self._recording_is("failed", "the recorder left", "recorder_left")
            else:
                out += self._recording_is("off", "the recorder left")
        return out + self._to_all(left(member.participant, reason), but=member)
