"""What the measurement of drawings calls good enough."""

from __future__ import annotations

from dataclasses import replace

from bench.tissue import Accuracy, Cost, Occlusions, Report, tables, to_and_fro

GOOD = Report(
    [Accuracy("warped", 1.9, 3.8, 1.0, 0.0, 900), Accuracy("by eye", 3.7, 9.4, 0.8, 0.1, 85)],
    [Occlusions("black", 20, 19, 18)],
    [Cost(1, 3.3, 3.3)],
)


def test_a_report_within_the_targets_fits() -> None:
    assert GOOD.fits
    assert GOOD.as_json()["noticed"] == 0.95
    assert len(tables(GOOD)) == 3


def test_what_is_too_far_off_or_goes_unnoticed_does_not_fit() -> None:
    far = replace(GOOD.accuracy[0], median_px=4.1)
    scattered = replace(GOOD.accuracy[1], p95_px=10.1)
    assert not replace(GOOD, accuracy=[far]).fits
    assert not replace(GOOD, accuracy=[scattered]).fits
    assert not replace(GOOD, occlusions=[Occlusions("black", 20, 18, 18)]).fits


def test_a_clip_to_and_fro_shows_its_ends_once() -> None:
    assert to_and_fro(4) == [0, 1, 2, 3, 2, 1]
