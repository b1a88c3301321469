"""One encoding: pauses, keyframes, sizes. Real libx264."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agents.encoder import EncodedFrame, EncoderShelf, VideoEncoder
from edge_agents.layer_encoder import LayerEncoder
from edge_agents.layers import Encoding
from edge_agents.sources.base import Instant
from edge_agents.sources.testcard import TestcardSource
from tests.edge.support import StepClock, decode_units

HD = Encoding(640, 360, 30, 600_000, 2_000_000)


class Bench:
    """An encoding fed with the test card, thirty pictures a second."""

    def __init__(self) -> None:
        self.opened: list[Encoding] = []
        self._shelf = EncoderShelf("libx264")
        self.layer = LayerEncoder("q", self._open)
        self._card = TestcardSource(1280, 720, 30, StepClock())
        self._number = 0

    def _open(self, settings: Encoding) -> VideoEncoder:
        self.opened.append(settings)
        return self._shelf.open(settings)

    def encode(self, count: int) -> list[EncodedFrame]:
        units = []
        for _ in range(count):
            self._number += 1
            frame = self._card.draw(Instant(self._number * 33_333, self._number * 33_333_333))
            units += self.layer.encode(frame)
        return units


def keyframes(units: list[EncodedFrame]) -> list[int]:
    return [number for number, unit in enumerate(units) if unit.keyframe]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_nothing_is_encoded_before_it_is_asked_for(bench: Bench) -> None:
    assert bench.encode(3) == []
    assert bench.opened == []


def test_what_rests_costs_nothing_and_goes_on_with_a_keyframe(bench: Bench) -> None:
    bench.layer.set_encoding(HD)
    assert keyframes(bench.encode(5)) == [0]
    bench.layer.set_encoding(None)
    assert bench.encode(5) == []
    bench.layer.set_encoding(HD)
    units = bench.encode(5)
    assert keyframes(units) == [0]
    assert len(decode_units(units)) == 5
    assert len(bench.opened) == 1


def test_another_size_needs_another_encoder_and_begins_with_a_keyframe(bench: Bench) -> None:
    bench.layer.set_encoding(HD)
    before = bench.encode(5)
    bench.layer.set_encoding(replace(HD, width=426, height=240))
    units = bench.encode(5)
    assert keyframes(units) == [0]
    assert {(p.width, p.height) for p in decode_units(before)} == {(640, 360)}
    assert {(p.width, p.height) for p in decode_units(units)} == {(426, 240)}
    assert len(bench.opened) == 2


def test_another_rate_needs_neither(bench: Bench) -> None:
    bench.layer.set_encoding(HD)
    bench.encode(5)
    bench.layer.set_encoding(replace(HD, bitrate_bps=300_000, fps=15))
    units = bench.encode(30)
    assert keyframes(units) == []
    assert len(units) == pytest.approx(15, abs=1)
    assert len(bench.opened) == 1


def test_requests_cost_one_keyframe_and_carry_the_layers_name(bench: Bench) -> None:
    bench.layer.set_encoding(HD)
    bench.encode(20)
    for _ in range(5):
        bench.layer.request_keyframe()
    units = bench.encode(10)
    assert keyframes(units) == [0]
    assert {unit.rid for unit in units} == {"q"}


def test_a_source_slower_than_configured_still_gets_the_whole_bit_rate() -> None:
    bench = Bench()
    bench.layer.set_encoding(replace(HD, bitrate_bps=1_000_000))
    units = []
    for number in range(160):
        made = bench.encode(1) if number % 2 == 0 else []
        bench._number += number % 2
        units += made
    assert sum(len(unit.data) for unit in units[-40:]) * 8 / (40 / 15) == pytest.approx(1_000_000, rel=0.2)


def test_an_encoder_that_cannot_change_its_rate_is_made_anew_for_large_changes_and_seldom() -> None:
    class Fixed(VideoEncoder):
        def __init__(self, name: str, settings: Encoding) -> None:
            super().__init__(name, settings)
            self.follows_rate = False

    bench = Bench()
    bench.layer = LayerEncoder(
        "q", lambda settings: bench.opened.append(settings) or Fixed("libx264", settings)
    )
    bench.layer.set_encoding(HD)
    bench.encode(70)
    bench.layer.set_encoding(replace(HD, bitrate_bps=650_000))
    bench.encode(70)
    assert len(bench.opened) == 1
    bench.layer.set_encoding(replace(HD, bitrate_bps=300_000))
    units = bench.encode(5)
    assert keyframes(units) == [0]
    bench.layer.set_encoding(HD)
    assert keyframes(bench.encode(50)) == [], "two seconds have not passed"
    assert len(keyframes(bench.encode(20))) == 1
    assert [settings.bitrate_bps for settings in bench.opened] == [600_000, 300_000, 600_000]
