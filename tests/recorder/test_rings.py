"""What a box says of its ring: taken only if it fits together and is signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archive.ring import RingHead, RingPiece, sign_ring_head
from edge_agents.ring_store import RingStore
from recorder.rings import ReceivedRing, RingInvalid
from tests.edge.ring_support import CONSULTATION, DEVICE, Bench, buffer_key

TRACK = "ultrasound-device-video"


class Box:
    """A ring with an init piece and some pieces."""

    def __init__(self, tmp_path: Path, pieces: int = 3) -> None:
        self.bench = Bench(tmp_path / "ring")
        self.store = RingStore.open(self.bench.folder / CONSULTATION, buffer_key(), self.bench.key.sign)
        self.store.add(
            {
                "kind": "generation",
                "track": TRACK,
                "generation": 0,
                "media": "video",
                "codec": "H264",
                "container": "mp4",
                "timescale": 90_000,
                "width": 320,
                "height": 180,
                "feed": "ultrasound",
            },
            b"init",
        )
        for index in range(pieces):
            self.grow(index)

    def grow(self, second: int) -> None:
        self.store.add(
            {
                "kind": "piece",
                "track": TRACK,
                "generation": 0,
                "begin_us": second * 1_000_000,
                "end_us": (second + 1) * 1_000_000,
                "frames": 30,
                "sync": True,
                "uncertainty_us": 0,
            },
            b"a second",
        )

    def head(self, **changes: Any) -> RingHead:
        made = sign_ring_head(CONSULTATION, DEVICE, self.store.ring, self.store.head, 1, self.bench.key.sign)
        return made.model_copy(update=changes)

    @property
    def lines(self) -> list[bytes]:
        return self.store.lines_from(0, 1 << 20)

    def received(self) -> ReceivedRing:
        return ReceivedRing(self.store.ring, buffer_key(), self.bench.public)


def test_what_committed_lines_name_is_known_and_nothing_before(tmp_path: Path) -> None:
    box = Box(tmp_path)
    ring = box.received()
    assert ring.commit(box.head())
    ring.take_lines(0, box.lines[:3])
    assert ring.committed(2) is None
    ring.take_lines(3, box.lines[3:])
    assert isinstance(ring.committed(2), RingPiece)
    assert ring.committed(9) is None
    assert not ring.commit(box.head())


def test_lines_that_are_sent_again_change_nothing_and_those_beyond_the_head_do_not_count(
    tmp_path: Path,
) -> None:
    box = Box(tmp_path)
    ring = box.received()
    ring.commit(box.head())
    box.grow(3)
    ring.take_lines(0, box.lines)
    ring.take_lines(0, box.lines)
    assert ring.known == len(box.lines) - 1
    assert ring.commit(box.head())
    ring.take_lines(2, box.lines[2:])
    assert ring.known == len(box.lines)


def test_a_ring_that_tells_another_story_afterwards_is_refused(tmp_path: Path) -> None:
    box, other = Box(tmp_path / "one"), Box(tmp_path / "other")
    ring = box.received()
    ring.commit(box.head())
    other.bench.key = box.bench.key
    for head in (other.head(ring=box.store.ring), box.head(head="1" * 64), box.head(device="d_other")):
        with pytest.raises(RingInvalid):
            ring.commit(head)
    with pytest.raises(RingInvalid):
        ring.take_lines(0, other.lines)
    assert ring.known == 0


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_line_that_was_changed_is_refused(tmp_path: Path, number: int) -> None:
    box = Box(tmp_path)
    ring = box.received()
    ring.commit(box.head())
    lines = box.lines
    lines[number] = lines[number].replace(b'"entry":', b'"entry" :')
    with pytest.raises(RingInvalid):
        ring.take_lines(0, lines)
    lines = box.lines
    lines[number] = lines[number].replace(b'"signature":"', b'"signature":"0')[:-3] + b'"}\n'
    with pytest.raises(RingInvalid):
        ring.take_lines(0, lines)


def test_another_boxs_key_signs_nothing_here(tmp_path: Path) -> None:
    box = Box(tmp_path)
    stranger = ReceivedRing(box.store.ring, buffer_key(), Bench(tmp_path).public)
    with pytest.raises(RingInvalid):
        stranger.commit(box.head())


def test_lines_of_which_nothing_was_said_are_refused(tmp_path: Path) -> None:
    box = Box(tmp_path)
    with pytest.raises(RingInvalid):
        box.received().take_lines(0, box.lines)
