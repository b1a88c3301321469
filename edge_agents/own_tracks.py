"""Pure: which of the room's tracks are our feeds' pictures, and which of their encodings are watched."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from core.messages import TrackInfo

MAX_EARLY: Final = 64


class WantedLayers(NamedTuple):
    """`rids` None: all of them."""

    feed: str
    rids: frozenset[str] | None


class OwnTracks:
    """Follows the room's messages. A feed published anew is a new track, wanted in all its encodings."""

    def __init__(self) -> None:
        self._participant_id = ""
        self._feeds: dict[str, str] = {}
        """Track id → feed; of each feed the newest track."""
        self._replaced = set[str]()
        """Ours, each with a newer one of its feed."""
        self._early: dict[str, frozenset[str]] = {}
        """What was said of tracks before they were announced."""

    def welcomed(self, participant_id: str, tracks: Iterable[TrackInfo]) -> list[WantedLayers]:
        """A new seat, or the old one resumed: what was said meanwhile is unknown, so all are wanted."""
        self._participant_id = participant_id
        self._feeds, self._replaced, self._early = {}, set(), {}
        return [wanted for track in tracks for wanted in self.added(track)]

    def added(self, track: TrackInfo) -> list[WantedLayers]:
        """Somebody's track begins."""
        if track.participant_id != self._participant_id or track.kind != "video":
            return []
        self._replaced.update(known for known, feed in self._feeds.items() if feed == track.feed)
        self._replaced.discard(track.track_id)
        self._feeds = {known: feed for known, feed in self._feeds.items() if feed != track.feed}
        self._feeds[track.track_id] = track.feed
        return [WantedLayers(track.feed, self._early.pop(track.track_id, None))]

    def changed(self, track: TrackInfo) -> list[WantedLayers]:
        """One may become ours, and begins then: that of a dead seat of ours, once the server cleared that."""
        if track.participant_id != self._participant_id:
            self.removed(track.track_id)
            return []
        known = track.track_id in self._feeds or track.track_id in self._replaced
        return [] if known else self.added(track)

    def removed(self, track_id: str) -> None:
        """Somebody's track is gone."""
        self._feeds.pop(track_id, None)
        self._replaced.discard(track_id)

    def wanted(self, track_id: str, rids: Collection[str]) -> list[WantedLayers]:
        """The server says which encodings are watched."""
        feed = self._feeds.get(track_id)
        if feed is not None:
            return [WantedLayers(feed, frozenset(rids))]
        if len(self._early) < MAX_EARLY:
            self._early[track_id] = frozenset(rids)
        return []
