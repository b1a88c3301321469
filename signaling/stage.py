"""Pure: what is published in a room, and who sees it.

Feeds come by WHIP and belong to a subject: if that subject is present as a device, its feeds are shown as the
device's, otherwise a stand-in participant named after the feed carries them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from core import messages
from core.errors import Conflict, NotFound
from core.messages import Model, Participant, TrackInfo
from signaling.members import Member, Outgoing

MAX_FEEDS: Final = 32


@dataclass(frozen=True, slots=True)
class Owner:
    """A publishing transport, whose it is (a token's subject), and the organisation that token names."""

    transport_id: str
    subject: str = ""
    org: str = ""


@dataclass(slots=True)
class Track:
    """A published track, as the room shows it, and whose it is."""

    info: TrackInfo
    owner: Owner

    @property
    def transport_id(self) -> str:
        return self.owner.transport_id

    @property
    def subject(self) -> str:
        return self.owner.subject


@dataclass(frozen=True, slots=True)
class Feed:
    """A device feed published by WHIP. `stand_in` carries its tracks while its device is not present."""

    name: str
    subject: str
    transport_id: str
    stand_in: Participant
    org: str = ""


class Stage:
    """Every method that changes it returns the messages the change causes."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.tracks: dict[str, Track] = {}
        self.feeds: dict[str, Feed] = {}

    # --- what is published ---------------------------------------------------------------

    def publish(self, member: Member, transport_id: str, tracks: Iterable[TrackInfo]) -> list[Outgoing]:
        """The tracks of a member's publish connection are now exactly these."""
        member.publish_id = transport_id
        return self._replace_tracks(Owner(transport_id, member.subject, member.org), tracks)

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
        out = [] if held is None else self._replace_tracks(Owner(held.transport_id), [])
        self.feeds[feed.name] = feed
        device = self._device(feed.subject)
        if held is None and device is None:
            out += self._to_all(messages.ParticipantJoined(participant=feed.stand_in))
        owner = feed.stand_in if device is None else device.participant
        named = [track.model_copy(update={"participant_id": owner.participant_id}) for track in tracks]
        return out + self._replace_tracks(Owner(feed.transport_id, feed.subject, feed.org), named)

    def drop_transport(self, transport_id: str) -> list[Outgoing]:
        """A publishing transport is gone, with its tracks, and its feed if it carried one."""
        out = self._replace_tracks(Owner(transport_id), [])
        for member in self.members.values():
            if member.publish_id == transport_id:
                member.publish_id = None
        feed = next((feed for feed in self.feeds.values() if feed.transport_id == transport_id), None)
        if feed is not None:
            del self.feeds[feed.name]
            if self._device(feed.subject) is None:
                out += self._to_all(left(feed.stand_in, "left"))
        return out

    def set_live(self, track_id: str, live: bool) -> list[Outgoing]:
        """Packets come, or no longer do."""
        track = self.tracks.get(track_id)
        return [] if track is None or track.info.live == live else self._change(track, live=live)

    def set_track_paused(self, track_id: str, paused: bool) -> list[Outgoing]:
        """The media server forwards nothing of it any more, or does again."""
        track = self.tracks.get(track_id)
        return [] if track is None or track.info.paused == paused else self._change(track, paused=paused)

    def set_muted(self, member: Member, track_id: str, muted: bool) -> list[Outgoing]:
        """Raises `NotFound` for a track that is not `member`'s own."""
        track = self.tracks.get(track_id)
        if track is None or track.info.participant_id != member.id:
            raise NotFound("this is not a track of yours", code="track_not_found")
        return [] if track.info.muted == muted else self._change(track, muted=muted)

    def set_signal(self, member: Member, feed: str, signal: messages.FeedSignal) -> list[Outgoing]:
        """Raises `NotFound` for a feed that is not `member`'s own."""
        return [
            message
            for track in self._own_pictures(member, feed)
            if track.info.signal != signal
            for message in self._change(track, signal=signal)
        ]

    def set_control(self, member: Member, offered: messages.OfferControl) -> list[Outgoing]:
        """Raises `NotFound` for a feed that is not `member`'s own."""
        said = (offered.ways, offered.max_minutes)
        return [
            message
            for track in self._own_pictures(member, offered.feed)
            if (track.info.control_ways, track.info.control_minutes) != said
            for message in self._change(track, control_ways=offered.ways, control_minutes=offered.max_minutes)
        ]

    def box_of(self, subject: str) -> Member | None:
        """The capture box that publishes as that subject, while it is here and its WebSocket is."""
        box = self._device(subject)
        return box if box is not None and box.connected else None

    # --- who sees what -------------------------------------------------------------------

    def sees(self, member: Member, track: Track) -> bool:
        """Own tracks, and those the grants allow to watch."""
        return track.subject == member.subject or member.grants.may_view(track.info.feed)

    def device_picture(self, member: Member, feed: str) -> Track:
        """The device's picture of that name, if the member sees it. Raises `NotFound`."""
        for track in self.shown_tracks():
            info = track.info
            wanted = info.feed == feed and info.kind == "video" and info.source == "device"
            if wanted and self.sees(member, track):
                return track
        raise NotFound("there is no such feed", code="feed_not_found")

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

    def _own_pictures(self, member: Member, feed: str) -> list[Track]:
        own = [
            track
            for track in self.tracks.values()
            if track.info.feed == feed and track.subject == member.subject
        ]
        if not own:
            raise NotFound("this is not a feed of yours", code="feed_not_found")
        return [track for track in own if track.info.kind == "video"]

    def _device(self, subject: str) -> Member | None:
        """The present device of that subject. Of several seats the newest that is connected: a box whose
        process died takes another one.
        """
        seats = [
            member
            for member in self.members.values()
            if member.present and member.subject == subject and member.participant.role == "device"
        ]
        return max(reversed(seats), key=lambda member: member.connected, default=None)

    def _feeds_of(self, member: Member) -> list[Feed]:
        if member.participant.role != "device":
            return []
        return [feed for feed in self.feeds.values() if feed.subject == member.subject]

    def _tracks_on(self, transport_id: str | None) -> list[Track]:
        return [track for track in self.tracks.values() if track.transport_id == transport_id]

    def _replace_tracks(self, owner: Owner, infos: Iterable[TrackInfo]) -> list[Outgoing]:
        new = {info.track_id: info for info in infos}
        out: list[Outgoing] = []
        for track in self._tracks_on(owner.transport_id):
            info = new.pop(track.info.track_id, None)
            if info is None:
                out += self._about(track, removed)
                del self.tracks[track.info.track_id]
                continue
            known = track.info
            if (info.codec, info.source, info.live) != (known.codec, known.source, known.live):
                out += self._change(track, codec=info.codec, source=info.source, live=info.live)
        for info in new.values():
            track = self.tracks[info.track_id] = Track(info, owner)
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


def left(participant: Participant, reason: str) -> messages.ParticipantLeft:
    return messages.ParticipantLeft.model_validate(
        {"participant_id": participant.participant_id, "reason": reason}
    )


def removed(info: TrackInfo) -> messages.TrackRemoved:
    return messages.TrackRemoved(track_id=info.track_id)
