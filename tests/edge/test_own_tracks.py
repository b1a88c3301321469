"""Messages about layers reach the feed they mean, whatever the order."""

from __future__ import annotations

from core.messages import TrackInfo
from edge_agents.own_tracks import MAX_EARLY, OwnTracks, WantedLayers


def track(
    track_id: str, feed: str = "ultrasound", *, participant_id: str = "box", kind: str = "video"
) -> TrackInfo:
    values = {
        "track_id": track_id,
        "participant_id": participant_id,
        "feed": feed,
        "kind": kind,
        "source": "device",
        "codec": "H264",
    }
    return TrackInfo.model_validate(values)


def welcomed(*tracks: TrackInfo) -> OwnTracks:
    own = OwnTracks()
    own.welcomed("box", tracks)
    return own


def test_what_is_watched_of_a_track_reaches_its_feed() -> None:
    own = welcomed(track("t1"), track("t2", "theatre"))
    assert own.wanted("t2", ["q"]) == [WantedLayers("theatre", frozenset({"q"}))]
    assert own.wanted("t1", []) == [WantedLayers("ultrasound", frozenset())]


def test_a_track_that_becomes_ours_begins_then_once_and_ends_when_it_is_somebody_elses() -> None:
    own = welcomed(track("t1", participant_id="dead"))
    assert own.changed(track("t1", participant_id="dead")) == []
    assert own.changed(track("t1")) == [WantedLayers("ultrasound", None)]
    assert own.changed(track("t1")) == []
    assert own.wanted("t1", ["q"]) == [WantedLayers("ultrasound", frozenset({"q"}))]
    assert own.changed(track("t1", participant_id="p9")) == []
    assert own.wanted("t1", ["q"]) == []
    assert own.changed(track("t7")) == [WantedLayers("ultrasound", None)], "hidden at the welcome"


def test_what_changes_of_a_track_that_a_newer_one_replaced_begins_nothing() -> None:
    own = welcomed(track("t1"))
    own.added(track("t2"))
    assert own.changed(track("t1")) == []
    assert own.wanted("t2", ["f"]) == [WantedLayers("ultrasound", frozenset({"f"}))]


def test_a_feed_published_anew_is_wanted_whole_and_word_of_its_old_track_counts_no_more() -> None:
    own = welcomed(track("t1"))
    own.wanted("t1", ["q"])
    assert own.added(track("t2")) == [WantedLayers("ultrasound", None)]
    assert own.wanted("t1", ["f"]) == []
    own.removed("t1")
    assert own.wanted("t2", ["q"]) == [WantedLayers("ultrasound", frozenset({"q"}))]


def test_word_that_comes_before_its_track_is_kept() -> None:
    own = welcomed()
    assert own.wanted("t1", ["q"]) == []
    assert own.added(track("t1")) == [WantedLayers("ultrasound", frozenset({"q"}))]


def test_a_new_seat_begins_with_everything_wanted() -> None:
    own = welcomed(track("t1"))
    own.wanted("t1", ["q"])
    assert own.welcomed("box", [track("t1")]) == [WantedLayers("ultrasound", None)]


def test_other_peoples_tracks_and_sound_are_no_feeds_of_ours() -> None:
    own = welcomed()
    assert own.added(track("t1", participant_id="somebody")) == []
    assert own.added(track("t2", kind="audio")) == []


def test_word_of_unknown_tracks_is_kept_within_bounds() -> None:
    own = welcomed()
    for number in range(MAX_EARLY + 10):
        own.wanted(f"t{number}", ["q"])
    assert own.added(track(f"t{MAX_EARLY + 5}")) == [WantedLayers("ultrasound", None)]
