"""Pure: one room's state. Every method that changes it returns the messages the change causes.

Members come by WebSocket. Feeds come by WHIP and belong to a subject: if that subject is present as a device,
its feeds are shown as the device's, otherwise a stand-in participant named after the feed carries them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from core import messages
from core.errors import Conflict, Forbidden, NotFound
from core.messages import ConsultationInfo, Model, Participant, RecordingState, TrackInfo
from core.tokens import Grants
from signaling.subscription import Subscription

MAX_MEMBERS: Final = 100
MAX_MEMBERS_PER_SUBJECT: Final = 8
MAX_FEEDS: Final = 32

Outgoing = tuple[str, Model]
"""A participant id and a message for it."""


@dataclass(slots=True)
class Member:
    """Somebody with a WebSocket, or who had one a moment ago.

    `connected`: the WebSocket is there. `present`: shown to the others. `left_ns`: when the WebSocket went.
    """

    participant: Participant
    subject: str
    session_id: str | None
    grants: Grants
    resume_token: str
    connected: bool = True
    present: bool = True
    left_ns: int = 0
    publish_id: str | None = None
    subscription: Subscription = field(default_factory=Subscription)
    media_reset: messages.MediaReset | None = None
    """Happened while the WebSocket was away: told on resuming."""

    @property
    def id(self) -> str:
        return self.participant.participant_id


@dataclass(slots=True)
class Track:
    """A published track, the transport it comes on and whose it is (a token's subject)."""

    info: TrackInfo
    transport_id: str
    subject: str


@dataclass(frozen=True, slots=True)
class Feed:
    """A device feed published by WHIP. `stand_in` carries its tracks while its device is not present."""

    name: str
    subject: str
    transport_id: str
    stand_in: Participant


class Room:
    """See the module. `name` is the room's, `consultation` the one it is for."""

    def __init__(self, name: str, consultation: ConsultationInfo) -> None:
        self.name = name
        self._consultation = consultation
        self._recording: RecordingState = "off"
        self._recorder: str | None = None
        self.members: dict[str, Member] = {}
        self.tracks: dict[str, Track] = {}
        self.feeds: dict[str, Feed] = {}

    @property
    def consultation(self) -> ConsultationInfo:
        return self._consultation.model_copy(update={"recording": self._recording})

    @property
    def empty(self) -> bool:
        return not self.members and not self.feeds

    # --- who is here ---------------------------------------------------------------------

    def join(self, member: Member) -> list[Outgoing]:
        """Raises `Conflict` when the room, or this subject's share of it, is full."""
        same = sum(other.subject == member.subject for other in self.members.values())
        if len(self.members) >= MAX_MEMBERS or same >= MAX_MEMBERS_PER_SUBJECT:
            raise Conflict("this room is full", code="room_full")
        self.members[member.id] = member
        return self._appear(member)

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

    # --- what is published ---------------------------------------------------------------

    def publish(self, member: Member, transport_id: str, tracks: Iterable[TrackInfo]) -> list[Outgoing]:
        """The tracks of a member's publish connection are now exactly these."""
        member.publish_id = transport_id
        return self._replace_tracks(transport_id, member.subject, tracks)

    def check_feed(self, name: str, subject: str) -> None:
        """Raises `Conflict` when another subject holds the feed, or there are too many."""
        held = self.feeds.get(name)
        if held is not None and held.subject != subject:
            raise Conflict(f"feed {name} is published by somebody else", code="feed_taken")
        if held is None and len(self.feeds) >= MAX_FEEDS:
            raise Conflict("this room has too many feeds", code="room_full")

    def hold_feed(self, feed: Feed, tracks: Iterable[TrackInfo]) -> list[Outgoing]:
        """A feed begins, or its subject publishes it anew: then the old transport's tracks are gone."""
        self.check_feed(feed.name, feed.subject)
        held = self.feeds.get(feed.name)
        out = [] if held is None else self._replace_tracks(held.transport_id, held.subject, [])
        self.feeds[feed.name] = feed
        device = self._device(feed.subject)
        if held is None and device is None:
            out += self._to_all(messages.ParticipantJoined(participant=feed.stand_in))
        owner = feed.stand_in if device is None else device.participant
        named = [track.model_copy(update={"participant_id": owner.participant_id}) for track in tracks]
        return out + self._replace_tracks(feed.transport_id, feed.subject, named)

    def drop_transport(self, transport_id: str) -> list[Outgoing]:
        """A publishing transport is gone, with its tracks, and its feed if it carried one."""
        out = self._replace_tracks(transport_id, "", [])
        for member in self.members.values():
            if member.publish_id == transport_id:
                member.publish_id = None
        feed = next((feed for feed in self.feeds.values() if feed.transport_id == transport_id), None)
        if feed is not None:
            del self.feeds[feed.name]
            if self._device(feed.subject) is None:
                out += self._to_all(_left(feed.stand_in, "left"))
        return out

    def set_live(self, track_id: str, live: bool) -> list[Outgoing]:
        """Packets come, or no longer do."""
        track = self.tracks.get(track_id)
        return [] if track is None or track.info.live == live else self._change(track, live=live)

    def set_muted(self, member: Member, track_id: str, muted: bool) -> list[Outgoing]:
        """Raises `NotFound` for a track that is not `member`'s own."""
        track = self.tracks.get(track_id)
        if track is None or track.info.participant_id != member.id:
            raise NotFound("this is not a track of yours", code="track_not_found")
        return [] if track.info.muted == muted else self._change(track, muted=muted)

    def set_recording(self, member: Member, state: RecordingState, reason: str) -> list[Outgoing]:
        """Raises `Forbidden` unless `member` may record."""
        if not member.grants.record:
            raise Forbidden("only the recorder says what is recorded", code="not_recorder")
        self._recorder = member.id
        self._recording = state
        return self._to_all(messages.RecordingChanged(state=state, reason=reason))

    # --- who sees what -------------------------------------------------------------------

    def sees(self, member: Member, track: Track) -> bool:
        """Own tracks, and those the grants allow to watch."""
        return track.subject == member.subject or member.grants.may_view(track.info.feed)

    def subscribable(self, member: Member) -> list[str]:
        """Ids of the tracks `member` shall receive: all it sees but its own."""
        return [
            track.info.track_id
            for track in self.shown_tracks()
            if track.info.participant_id != member.id and member.grants.may_view(track.info.feed)
        ]

    def shown_tracks(self) -> Iterator[Track]:
        """Tracks of present people and of feeds."""
        return (track for track in self.tracks.values() if self._shown(track))

    def feed_tracks(self, feed: str) -> list[TrackInfo]:
        """The shown tracks of one feed, pictures first."""
        tracks = [track.info for track in self.shown_tracks() if track.info.feed == feed]
        return sorted(tracks, key=lambda track: track.kind != "video")

    # --- inside --------------------------------------------------------------------------

    def _shown(self, track: Track) -> bool:
        owner = self.members.get(track.info.participant_id)
        return owner is None or owner.present

    def _device(self, subject: str) -> Member | None:
        """The present device of that subject."""
        return next(
            (
                member
                for member in self.members.values()
                if member.present and member.subject == subject and member.participant.role == "device"
            ),
            None,
        )

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
            out += self._to_all(_left(feed.stand_in, "left"), but=member)
        return out

    def _disappear(self, member: Member, reason: str) -> list[Outgoing]:
        out: list[Outgoing] = []
        for track in self._tracks_on(member.publish_id):
            out += self._about(track, _removed, but=member)
        member.present = False
        heir = self._device(member.subject)
        for feed in self._feeds_of(member):
            owner = feed.stand_in if heir is None else heir.participant
            if heir is None:
                out += self._to_all(messages.ParticipantJoined(participant=feed.stand_in))
            for track in self._tracks_on(feed.transport_id):
                if track.info.participant_id == member.id:
                    out += self._change(track, participant_id=owner.participant_id)
        if self._recorder == member.id and self._recording in ("starting", "recording"):
            self._recording = "failed"
            out += self._to_all(messages.RecordingChanged(state="failed", reason="the recorder left"))
        return out + self._to_all(_left(member.participant, reason), but=member)

    def _feeds_of(self, member: Member) -> list[Feed]:
        if member.participant.role != "device":
            return []
        return [feed for feed in self.feeds.values() if feed.subject == member.subject]

    def _tracks_on(self, transport_id: str | None) -> list[Track]:
        return [track for track in self.tracks.values() if track.transport_id == transport_id]

    def _replace_tracks(self, transport_id: str, subject: str, infos: Iterable[TrackInfo]) -> list[Outgoing]:
        new = {info.track_id: info for info in infos}
        out: list[Outgoing] = []
        for track in self._tracks_on(transport_id):
            info = new.pop(track.info.track_id, None)
            if info is None:
                out += self._about(track, _removed)
                del self.tracks[track.info.track_id]
                continue
            kept = {"muted": track.info.muted, "participant_id": track.info.participant_id}
            if (changed := info.model_copy(update=kept)) != track.info:
                out += self._change(track, codec=changed.codec, source=changed.source, live=changed.live)
        for info in new.values():
            track = self.tracks[info.track_id] = Track(info, transport_id, subject)
            out += self._about(track, lambda info: messages.TrackAdded(track=info))
        return out

    def _change(self, track: Track, but: Member | None = None, **update: object) -> list[Outgoing]:
        track.info = track.info.model_copy(update=update)
        return self._about(track, lambda info: messages.TrackChanged(track=info), but=but)

    def _about(
        self, track: Track, message: Callable[[TrackInfo], Model], but: Member | None = None
    ) -> list[Outgoing]:
        """`message` for everyone who sees the track; nobody sees those of somebody hidden."""
        if not self._shown(track):
            return []
        made = message(track.info)
        return [
            (member.id, made)
            for member in self.members.values()
            if member.connected and member is not but and self.sees(member, track)
        ]

    def _to_all(self, message: Model, but: Member | None = None) -> list[Outgoing]:
        return [
            (member.id, message) for member in self.members.values() if member.connected and member is not but
        ]


def _left(participant: Participant, reason: str) -> messages.ParticipantLeft:
    return messages.ParticipantLeft.model_validate(
        {"participant_id": participant.participant_id, "reason": reason}
    )


def _removed(info: TrackInfo) -> messages.TrackRemoved:
    return messages.TrackRemoved(track_id=info.track_id)
