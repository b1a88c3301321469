"""`bench edge` measures what it says, on small pictures, however busy the machine is."""

from __future__ import annotations

import dataclasses

from bench import edge

WANTED = edge.Wanted(feeds=2, seconds=3.0, lines=360, encoder="libx264")


def test_every_feed_has_its_ages_its_cpu_and_its_bits() -> None:
    report = edge.run(WANTED)
    assert [one.feed for one in report.feeds] == ["clip-0", "testcard-1"]
    for one in report.feeds:
        assert one.encoder == "libx264"
        assert 0 < one.frames_per_s <= 32
        assert 0 < one.age_ms_p50 <= one.age_ms_p95 <= one.age_ms_max < 20_000
        assert one.encode_cpu_percent > 0
        assert one.bitrate_bps > 0
    threads = sum(one.capture_cpu_percent + one.encode_cpu_percent for one in report.feeds)
    assert threads <= report.cpu_percent * 1.2 + 5
    assert {"fits", "quiet", "feeds"} <= set(report.as_json())
    assert len(edge.table(report).rows) == 2


def test_old_or_missing_pictures_do_not_fit_and_a_busy_machine_is_told() -> None:
    good = edge.FeedFigures("a", "libx264", 30.0, 8, 20, 40, 4, 20, 0, 4_500_000)
    report = edge.Report([good], 24, 2, 80, 0, 0.1, True, edge.Wanted())
    assert report.fits
    for worse in ({"age_ms_p95": 51.0}, {"frames_per_s": 28.0}):
        assert not dataclasses.replace(report, feeds=[dataclasses.replace(good, **worse)]).fits
    assert "not final" in " ".join(edge.notes(dataclasses.replace(report, quiet=False)))
