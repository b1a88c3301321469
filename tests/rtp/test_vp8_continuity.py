"""A subscriber who is taken from one VP8 encoding to another sees its numbers go on (RFC 7741 §4.2)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.payload.vp8 import PICTURE_ID_AT, Vp8Numbers, read_numbers
from rtp.payload.vp8_continuity import AS_IT_IS, MAX_SEGMENTS, Vp8Continuity, Vp8Offsets
from rtp.rewrite import StreamRewriter

TEMPORAL_LAYERS = (0, 2, 1, 2)
CLOCK_RATE = 90_000
MS = 1_000_000


def descriptor(
    picture_id: int | None = None,
    tl0: int | None = None,
    layer: int | None = None,
    key_index: int | None = None,
    *,
    wide: bool = True,
    starts: bool = True,
    keyframe: bool = False,
) -> bytes:
    """A VP8 payload of which only the descriptor and the first bit count."""
    flags = bytes(
        (
            (0x80 if picture_id is not None else 0)
            | (0x40 if tl0 is not None else 0)
            | (0x20 if layer is not None else 0)
            | (0x10 if key_index is not None else 0),
        )
    )
    fields = b""
    if picture_id is not None:
        fields += (0x8000 | picture_id).to_bytes(2, "big") if wide else bytes((picture_id,))
    if tl0 is not None:
        fields += bytes((tl0,))
    if layer is not None or key_index is not None:
        fields += bytes(((layer or 0) << 6 | (key_index or 0),))
    first = b"\x90" if starts else b"\x80"
    return first + flags + fields + (b"\x00" if keyframe else b"\x01") + b"the picture"


def numbers_of(payload: bytes) -> Vp8Numbers:
    found = read_numbers(payload)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        (descriptor(5), descriptor(105)),
        (descriptor(0x7FFF), descriptor(99)),
        (descriptor(5, wide=False), descriptor(105, wide=False)),
        (descriptor(120, wide=False), descriptor(92, wide=False)),
        (descriptor(5, 250, 1), descriptor(105, 4, 1)),
        (descriptor(5, 250, 2, 30), descriptor(105, 4, 2, 1)),
        (descriptor(tl0=9, layer=0), descriptor(tl0=19, layer=0)),
        (descriptor(key_index=31), descriptor(key_index=2)),
        (descriptor(layer=3), descriptor(layer=3)),
    ],
)
def test_each_number_wraps_within_its_width_and_nothing_else_changes(given: bytes, moved: bytes) -> None:
    offsets = Vp8Offsets(100, 10, 3)
    assert offsets.apply(given, numbers_of(given)) == moved
    assert len(offsets.patch(numbers_of(given))) <= 4


def test_the_y_bit_and_reserved_bits_survive() -> None:
    given = bytes.fromhex("90 e0 8123 07 7f 01")  # TID 1, Y, no KEYIDX: five bits that mean nothing
    assert Vp8Offsets(1, 1, 9).apply(given, numbers_of(given)) == bytes.fromhex("90 e0 8124 08 7f 01")


@given(st.binary(max_size=12), st.integers(0, 0x7FFF), st.integers(0, 0xFF), st.integers(0, 0x1F))
def test_hostile_payloads_keep_their_length_and_what_is_no_number(
    payload: bytes, picture_id: int, tl0: int, key_index: int
) -> None:
    numbers = read_numbers(payload)
    if numbers is None:
        return
    moved = Vp8Offsets(picture_id, tl0, key_index).apply(payload, numbers)
    assert len(moved) == len(payload)
    assert moved[:PICTURE_ID_AT] == payload[:PICTURE_ID_AT]
    again = numbers_of(moved)
    assert again[5:] == numbers[5:]
    assert (again.is_wide, again.layer_bits) == (numbers.is_wide, numbers.layer_bits)
    assert AS_IT_IS.apply(payload, numbers) == payload


@pytest.mark.parametrize(
    "payload", ["", "90", "9080", "908081", "90c081", "00112233", "900011", "90f0812307", "90f08123"]
)
def test_what_has_no_numbers_or_not_all_of_them_is_left_alone(payload: str) -> None:
    assert read_numbers(bytes.fromhex(payload)) is None


@dataclass
class Encoding:
    """One layer of a simulcast publisher."""

    ssrc: int
    chance: random.Random
    wide: bool
    keyed: bool
    frame: int = 0
    sequence: int = 0
    picture_id: int = 0
    tl0: int = 0
    key_index: int = 0
    timestamp: int = 0

    def __post_init__(self) -> None:
        for name, most in (("sequence", 0xFFFF), ("picture_id", 0x7FFF), ("tl0", 0xFF), ("key_index", 0x1F)):
            setattr(self, name, self.chance.randint(0, most))

    def next_frame(self, keyframe: bool) -> list[tuple[int, int, bytes]]:
        """(sequence number, timestamp, payload) of its packets."""
        self.frame = 0 if keyframe else self.frame + 1
        layer = TEMPORAL_LAYERS[self.frame % 4]
        self.picture_id = (self.picture_id + 1) & (0x7FFF if self.wide else 0x7F)
        self.tl0 = (self.tl0 + (layer == 0)) & 0xFF
        self.key_index = (self.key_index + keyframe) & 0x1F
        self.timestamp = (self.timestamp + 3_000) & 0xFFFFFFFF
        packets = []
        for part in range(self.chance.randint(1, 3)):
            payload = descriptor(
                self.picture_id,
                self.tl0,
                layer,
                self.key_index if self.keyed else None,
                wide=self.wide,
                starts=part == 0,
                keyframe=keyframe,
            )
            packets.append((self.sequence, self.timestamp, payload))
            self.sequence = (self.sequence + 1) & 0xFFFF
        return packets


@dataclass
class Subscriber:
    """What a consumer does with its packets: numbers, then the payload's numbers."""

    rewriter: StreamRewriter
    continuity: Vp8Continuity = field(default_factory=Vp8Continuity)
    highest: int = 0
    sent: dict[int, bytes] = field(default_factory=dict)
    """Unwrapped outgoing sequence number → payload."""
    sources: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """(source, its sequence number) → payload, as a history."""
    begun: list[int] = field(default_factory=list)

    def switch(self, ssrc: int) -> None:
        self.rewriter.switch(ssrc)
        self.continuity.switch()

    def forward(self, ssrc: int, packet: tuple[int, int, bytes], now_ns: int) -> None:
        sequence, timestamp, payload = packet
        placed = self.rewriter.rewrite(ssrc, sequence, timestamp, now_ns)
        if placed is None:
            return
        numbers = numbers_of(payload)
        moved = self.continuity.place(numbers, placed[0]).apply(payload, numbers)
        self.sources[ssrc, sequence] = payload
        number = self.highest + ((placed[0] - self.highest + 0x8000) & 0xFFFF) - 0x8000
        self.highest = max(self.highest, number)
        assert number not in self.sent
        self.sent[number] = moved

    def resend(self, number: int) -> bytes | None:
        origin, offsets = (
            self.rewriter.source_of(number & 0xFFFF),
            self.continuity.offsets_at(number & 0xFFFF),
        )
        if origin is None or offsets is None:
            return None
        payload = self.sources[origin]
        return offsets.apply(payload, numbers_of(payload))


def value(number: int | None) -> int:
    assert number is not None
    return number


def frames_of(sent: dict[int, bytes]) -> list[Vp8Numbers]:
    """In their order."""
    found = [numbers_of(sent[number]) for number in sorted(sent)]
    return [found[0], *(b for a, b in pairwise(found) if b.picture_id != a.picture_id)]


@given(st.integers(0, 1 << 32), st.booleans(), st.booleans())
def test_numbers_rise_by_one_frame_by_frame_whatever_is_switched(seed: int, wide: bool, keyed: bool) -> None:
    chance = random.Random(seed)
    encodings = [Encoding(ssrc, chance, wide, keyed) for ssrc in (11, 22, 33)]
    subscriber = Subscriber(StreamRewriter(CLOCK_RATE, chance.randint(0, 0xFFFF), 7))
    current = encodings[0]
    subscriber.switch(current.ssrc)
    for at in range(60):
        switches = chance.random() < 0.15
        if switches:
            current = chance.choice(encodings)  # also the same one again, after a pause
            subscriber.switch(current.ssrc)
        packets = {one.ssrc: one.next_frame((switches and one is current) or at == 0) for one in encodings}
        for ssrc, of_frame in packets.items():
            for packet in of_frame:
                subscriber.forward(ssrc, packet, at * 33 * MS)
    frames = frames_of(subscriber.sent)
    assert len(frames) == 60, "no two frames have one number"
    modulus = 0x8000 if wide else 0x80
    for before, after in pairwise(frames):
        assert (value(after.picture_id) - value(before.picture_id)) % modulus == 1
        assert (value(after.tl0_index) - value(before.tl0_index)) % 256 == after.is_base_layer
        if keyed:
            assert (value(after.key_index) - value(before.key_index)) % 32 == after.is_keyframe


@given(st.integers(0, 1 << 32))
def test_lost_late_and_repeated_packets_say_what_they_would_have_said(seed: int) -> None:
    """Two subscribers, one on a perfect network, one on another: what both got is the same, and so is a
    resend of it.
    """
    chance = random.Random(seed)
    encodings = [Encoding(ssrc, chance, wide=True, keyed=True) for ssrc in (11, 22)]
    first = chance.randint(0, 0xFFFF)
    whole, broken = (Subscriber(StreamRewriter(CLOCK_RATE, first, 7)) for _ in range(2))
    current, late = encodings[0], list[tuple[int, tuple[int, int, bytes]]]()
    for one in (whole, broken):
        one.switch(current.ssrc)
    for at in range(80):
        switches = chance.random() < 0.1
        if switches:
            current = encodings[1 - encodings.index(current)]
            late.clear()  # what is still under way from before is not forwarded any more
            for one in (whole, broken):
                one.switch(current.ssrc)
        for encoding in encodings:
            packets = encoding.next_frame(switches or at == 0)
            for index, packet in enumerate(packets):
                whole.forward(encoding.ssrc, packet, at * 33 * MS)
                key = (switches or at == 0) and index == 0
                fate = 1.0 if key or encoding is not current else chance.random()
                if fate < 0.2:
                    late.append((encoding.ssrc, packet))
                elif fate > 0.25:  # the rest is lost
                    broken.forward(encoding.ssrc, packet, at * 33 * MS)
        if chance.random() < 0.4:
            chance.shuffle(late)
            for ssrc, packet in late:
                broken.forward(ssrc, packet, at * 33 * MS)
            late.clear()
    keyframes = [numbers_of(payload).is_keyframe for _, payload in sorted(whole.sent.items())]
    assert any(keyframes)
    for number, payload in broken.sent.items():
        assert broken.resend(number) == payload
    for number, payload in whole.sent.items():
        assert whole.resend(number) == payload
    if all(number in broken.sent for number in whole.sent):
        assert broken.sent == whole.sent


def test_a_loss_in_the_source_stays_a_gap_and_the_late_packet_fits_into_it() -> None:
    continuity = Vp8Continuity()
    continuity.place(numbers_of(descriptor(1000, 7, 0)), 100)
    continuity.switch()
    for picture_id, number in ((30, 101), (32, 103), (31, 102)):
        given = descriptor(picture_id, 50, 1)
        moved = numbers_of(continuity.place(numbers_of(given), number).apply(given, numbers_of(given)))
        assert moved.picture_id == 1001 + picture_id - 30
    continuity.switch()
    assert continuity.place(numbers_of(descriptor(5)), 104).picture_id == 1004 - 5, "one after the newest"


def test_a_run_moves_as_its_packets_one_by_one_would() -> None:
    run = [numbers_of(descriptor(picture_id, 3, 1)) for picture_id in (40, 40, 41)]
    by_run, one_by_one = Vp8Continuity(), Vp8Continuity()
    for continuity in (by_run, one_by_one):
        continuity.place(numbers_of(descriptor(9, 9, 0)), 65_533)
        continuity.switch()
    moved = by_run.place_run(run, 65_534)
    assert {one_by_one.place(numbers, 65_534 + at & 0xFFFF) for at, numbers in enumerate(run)} == {moved}
    for continuity in (by_run, one_by_one):
        continuity.switch()
        assert continuity.place(numbers_of(descriptor(0, 0, 0)), 1) == Vp8Offsets(12, 11, 0)
        assert [continuity.offsets_at(number) for number in (65_533, 65_535, 0, 1, 2)] == [
            AS_IT_IS,
            moved,
            moved,
            Vp8Offsets(12, 11, 0),
            None,
        ]


def test_numbers_that_a_source_does_not_have_go_on_where_they_were() -> None:
    continuity = Vp8Continuity()
    continuity.place(numbers_of(descriptor(100, 20, 0, 3)), 1)
    continuity.switch()
    assert continuity.place(numbers_of(descriptor(7, wide=False)), 2) == Vp8Offsets(101 - 7, 0, 0)
    late_field = numbers_of(descriptor(8, 40, 0, wide=False))
    assert continuity.place(late_field, 3) == Vp8Offsets(101 - 7, (21 - 40) & 0xFF, 0)
    continuity.switch()
    assert continuity.place(numbers_of(descriptor(0, 0, 0, 0)), 4) == Vp8Offsets(103, 22, 4)


def test_a_first_source_without_numbers_leaves_the_next_one_as_it_is() -> None:
    continuity = Vp8Continuity()
    continuity.place(numbers_of(descriptor(layer=0)), 1)
    continuity.switch()
    assert continuity.place(numbers_of(descriptor(900, 20, 0)), 2) == AS_IT_IS


@pytest.mark.parametrize(
    ("unsent", "expected"),
    [
        (descriptor(52, 11, 1), (1052, 112)),
        (descriptor(51, 11, 0), (1051, 111)),
        (descriptor(52, 11, 1, starts=False), (1053, 112)),
        (descriptor(50, 10, 0, 4, keyframe=True), (1050, 110)),
    ],
)
def test_frames_that_were_placed_but_never_sent_leave_no_gap(
    unsent: bytes, expected: tuple[int, int]
) -> None:
    continuity = Vp8Continuity()
    continuity.place(numbers_of(descriptor(1049, 109, 0, 3)), 1)
    continuity.switch()
    for at, (picture_id, tl0, layer) in enumerate(((50, 10, 0), (51, 11, 0), (52, 11, 1), (53, 11, 2))):
        given = descriptor(picture_id, tl0, layer, 4 if at == 0 else None, keyframe=at == 0)
        continuity.place(numbers_of(given), 2 + at)
    continuity.switch(numbers_of(unsent))
    again = continuity.place(numbers_of(descriptor(0, 0, 0)), 3)
    assert (again.picture_id, again.tl0_index) == expected
    assert continuity.offsets_at(3) == again
    assert continuity.offsets_at(4) is None, "its number is free again"


def test_offsets_are_remembered_for_a_bounded_number_of_switches() -> None:
    continuity = Vp8Continuity()
    for number in range(MAX_SEGMENTS + 10):
        continuity.switch()
        continuity.place(numbers_of(descriptor(number * 7 & 0x7FFF)), number)
    assert continuity.offsets_at(9) is None
    assert continuity.offsets_at(10) is not None
