"""What an archive misses of a box's tracks, by its manifest."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from archive.entries import Entry, parse_entry
from archive.ring_messages import WantedSpan
from archive.specs import Span
from recorder.backfill import PauseLog
from recorder.backfill_index import LOSS_US, ArchiveIndex

S = 1_000_000
TRACK = "ultrasound-device-video"
TAIL_US = 1_500_000


def entry(kind: str, **fields: Any) -> Entry:
    plain = {"consultation": "c", "entry": 1, "previous": "0" * 64, "at_us": 0, "track": TRACK}
    signed = {"signer": "ed25519:" + "0" * 64, "signature": "0" * 128}
    return parse_entry({"kind": kind, **plain, **signed, **fields})


def piece(begin_us: int, end_us: int, source: str = "live", sha256: str = "0" * 64) -> Entry:
    return entry(
        "piece",
        generation=0,
        number=1,
        object="x",
        sha256=sha256,
        size=1,
        begin_us=begin_us,
        end_us=end_us,
        frames=1,
        sync=True,
        source=source,
        clock="capture",
        uncertainty_us=0,
    )


def gap(begin_us: int, end_us: int, reason: str, track: str | None = TRACK) -> Entry:
    return entry("gap", begin_us=begin_us, end_us=end_us, reason=reason, discarded=0, track=track)


def holes(entries: list[Entry], until_us: int | None = None) -> list[tuple[int, int]]:
    index = ArchiveIndex()
    for one in entries:
        index.feed(one)
    return [(span.begin_us, span.end_us) for span in index.wanted([TRACK], until_us, TAIL_US)]


def test_what_lies_between_pieces_is_wanted_until_it_was_delivered() -> None:
    live = [piece(0, S), piece(5 * S, 6 * S), gap(S, 5 * S, "source_away")]
    assert holes(live) == [(S, 5 * S)]
    assert holes([*live, piece(S // 2, 3 * S, "backfill")]) == [(3 * S, 5 * S)]
    assert holes([*live, piece(S // 2, 5 * S, "backfill")]) == []


def test_a_pause_a_stop_and_the_recorders_own_absence_are_never_filled() -> None:
    for reason in ("privacy_pause", "recording_stopped", "recorder_restarted"):
        for track in (TRACK, None):
            assert holes([piece(0, S), piece(5 * S, 6 * S), gap(S, 5 * S, reason, track)]) == []
    part = [piece(0, S), piece(9 * S, 10 * S), gap(3 * S, 5 * S, "privacy_pause")]
    assert holes(part) == [(S, 3 * S), (5 * S, 9 * S)]


def test_a_frame_that_was_never_made_is_not_looked_for() -> None:
    assert holes([piece(0, S), piece(S + 66_666, 2 * S)]) == []


def test_frames_lost_inside_a_piece_are_wanted() -> None:
    rounding, many = gap(100_000, 110_000, "packet_loss"), gap(100_000, 400_000, "packet_loss")
    assert holes([piece(0, S), rounding]) == []
    assert holes([piece(0, S), many]) == [(100_000, 400_000)]
    assert holes([piece(0, S), many, piece(0, S, "backfill")]) == []


def test_the_end_is_wanted_of_a_track_that_was_away_then() -> None:
    assert holes([piece(0, S)], until_us=2 * S) == []
    assert holes([piece(0, S)], until_us=9 * S) == [(S, 9 * S)]
    assert holes([piece(0, S)], until_us=None) == []


def test_another_track_and_one_that_never_was_live_are_not_wanted() -> None:
    index = ArchiveIndex()
    index.feed(piece(0, S))
    index.feed(piece(4 * S, 5 * S))
    assert index.wanted(["endoscope-device-video"], 9 * S, TAIL_US) == []


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=12)


@given(SPANS, SPANS)
def test_delivering_what_is_wanted_leaves_nothing_wanted(
    live: list[tuple[int, int]], closed: list[tuple[int, int]]
) -> None:
    entries = [piece(at * S, (at + length) * S) for at, length in live]
    entries += [gap(at * S, (at + length) * S, "privacy_pause") for at, length in closed]
    wanted = holes(entries)
    assert all(end - begin > LOSS_US for begin, end in wanted)
    for begin, end in wanted:
        assert not any(begin < (at + length) * S and end > at * S for at, length in [*live, *closed])
    assert holes([*entries, *(piece(*span, "backfill") for span in wanted)]) == []


def test_nothing_reaches_into_a_pause_by_more_than_it_may_be_off() -> None:
    index = ArchiveIndex()
    index.feed(gap(5 * S, 8 * S, "privacy_pause"))
    assert index.may_hold(TRACK, Span(4 * S, 5 * S + 900), 1_000)
    assert not index.may_hold(TRACK, Span(4 * S, 5 * S + 2_000), 1_000)
    assert not index.may_hold(TRACK, Span(6 * S, 7 * S), 1_000)


def test_a_pause_that_goes_on_is_known_before_its_gap_is_declared() -> None:
    heard = PauseLog()
    heard.told(False, S)
    heard.told(True, 10 * S)
    heard.told(True, 12 * S)
    assert heard.meets(11 * S, 12 * S)
    assert heard.meets(90 * S, 91 * S)
    assert not heard.meets(8 * S, 9 * S)
    span = WantedSpan(track=TRACK, begin_us=5 * S, end_us=20 * S)
    assert [one.end_us for one in heard.without(span)] == [9_500_000]
    heard.told(False, 15 * S)
    assert [(one.begin_us, one.end_us) for one in heard.without(span)] == [
        (5 * S, 9_500_000),
        (15 * S, 20 * S),
    ]
