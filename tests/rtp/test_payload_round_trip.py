"""Real streams through packets and back, for every codec."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

import pytest

from core.errors import ProtocolError
from rtp.keyframe import is_keyframe
from rtp.payload import AccessUnit, av1, depacketizer_for, h264, vp8, vp9
from tests.rtp.media_samples import HEIGHT, WIDTH, Sample, decode, video

CODECS = ["H264", "VP8", "VP9", "AV1"]
MAX_PAYLOAD_BYTES = 1100

Packet = tuple[bytes, bool, int]


def packets_of(codec: str, sample: Sample, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> list[Packet]:
    if codec == "VP9":
        payloads = vp9.packetize(sample.data, max_payload_bytes, keyframe=sample.keyframe)
    else:
        payloads = {"H264": h264, "VP8": vp8, "AV1": av1}[codec].packetize(sample.data, max_payload_bytes)
    last = len(payloads) - 1
    return [(payload, index == last, sample.ticks) for index, payload in enumerate(payloads)]


@cache
def stream(codec: str) -> list[Packet]:
    return [packet for sample in video(codec) for packet in packets_of(codec, sample)]


def receive(codec: str, packets: Iterator[Packet] | list[Packet]) -> list[AccessUnit]:
    depacketizer = depacketizer_for(codec)
    units = (depacketizer.push(*packet) for packet in packets)
    return [unit for unit in units if unit is not None]


@pytest.mark.parametrize("codec", CODECS)
def test_a_real_stream_decodes_to_the_same_pictures_after_packets(codec: str) -> None:
    samples = video(codec)
    units = receive(codec, stream(codec))
    assert [unit.timestamp for unit in units] == [sample.ticks for sample in samples]
    before = decode(codec, [sample.data for sample in samples])
    assert len(before) == len(samples)
    assert decode(codec, [unit.data for unit in units]) == before


@pytest.mark.parametrize("codec", CODECS)
def test_keyframes_are_flagged_with_their_size_and_others_are_not(codec: str) -> None:
    units = receive(codec, stream(codec))
    assert [unit.keyframe for unit in units] == [sample.keyframe for sample in video(codec)]
    assert any(not unit.keyframe for unit in units)
    assert sum(unit.keyframe for unit in units) >= 2
    for unit in units:
        assert unit.size == ((WIDTH, HEIGHT) if unit.keyframe else None)


@pytest.mark.parametrize("codec", CODECS)
def test_only_the_first_packet_of_a_keyframe_looks_like_one(codec: str) -> None:
    for sample in video(codec):
        packets = packets_of(codec, sample)
        assert is_keyframe(codec, packets[0][0]) is sample.keyframe
        if codec == "H264":  # parameter sets and the first slice may stand in different packets
            continue
        assert not any(is_keyframe(codec, payload) for payload, _, _ in packets[1:])


@pytest.mark.parametrize("codec", CODECS)
def test_no_payload_exceeds_the_limit(codec: str) -> None:
    for limit in (60, 200, 1100, 1400):
        for sample in video(codec)[:6]:
            assert max(len(payload) for payload, _, _ in packets_of(codec, sample, limit)) <= limit


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("seed", range(8))
def test_with_losses_only_whole_frames_come_out(codec: str, seed: int) -> None:
    """Every frame that comes out is one that went in, and a loss shows at the next frame."""
    whole = {unit.timestamp: unit.data for unit in receive(codec, stream(codec))}
    packets = stream(codec)
    rng = random.Random(seed)
    lost = {index for index in range(len(packets)) if rng.random() < 0.03}
    touched = {packets[index][2] for index in lost}
    depacketizer = depacketizer_for(codec)
    units = []
    for index, packet in enumerate(packets):
        if index in lost:
            depacketizer.gap()
            continue
        unit = depacketizer.push(*packet)
        if unit is not None:
            units.append(unit)
    assert {unit.timestamp: unit.data for unit in units}.items() <= whole.items()
    assert not touched & {unit.timestamp for unit in units}
    previous = -3000
    for unit in units:
        if unit.timestamp != previous + 3000:
            assert unit.after_loss
        previous = unit.timestamp
    assert depacketizer.dropped_frames <= len(whole) - len(units)


@pytest.mark.parametrize("codec", CODECS)
def test_every_single_lost_packet_costs_its_frame_and_is_reported(codec: str) -> None:
    packets = stream(codec)
    first_inter = next(sample.ticks for sample in video(codec) if not sample.keyframe)
    second = next(index for index, packet in enumerate(packets) if packet[2] > first_inter)
    for missing in range(second):
        depacketizer = depacketizer_for(codec)
        units = []
        for index, packet in enumerate(packets):
            if index == missing:
                depacketizer.gap()
            elif (unit := depacketizer.push(*packet)) is not None:
                units.append(unit)
        assert packets[missing][2] not in {unit.timestamp for unit in units}
        assert any(unit.after_loss for unit in units)


@pytest.mark.parametrize("codec", CODECS)
def test_a_frame_without_its_beginning_is_noticed_even_when_nobody_reports_the_loss(codec: str) -> None:
    keyframe = video(codec)[0]
    depacketizer = depacketizer_for(codec)
    for packet in packets_of(codec, keyframe, 300)[20:]:
        assert depacketizer.push(*packet) is None
    assert depacketizer.dropped_frames == 1


@pytest.mark.parametrize("codec", ["H264", "VP9", "AV1"])  # VP8 has no flag at a frame's end
def test_a_frame_cut_off_and_marked_complete_is_noticed(codec: str) -> None:
    depacketizer = depacketizer_for(codec)
    first, *_ = packets_of(codec, video(codec)[1], 300)
    assert depacketizer.push(first[0], True, first[2]) is None
    assert depacketizer.dropped_frames == 1


@pytest.mark.parametrize("codec", CODECS)
def test_a_frame_whose_marker_never_comes_is_dropped(codec: str) -> None:
    samples = video(codec)
    packets = packets_of(codec, samples[0])[:-1] or [(packets_of(codec, samples[0])[0][0], False, 0)]
    packets += packets_of(codec, samples[1])
    depacketizer = depacketizer_for(codec)
    units = [unit for packet in packets if (unit := depacketizer.push(*packet))]
    assert [(unit.timestamp, unit.after_loss) for unit in units] == [(samples[1].ticks, True)]
    assert depacketizer.dropped_frames == 1


@pytest.mark.parametrize("codec", CODECS)
def test_padding_changes_nothing(codec: str) -> None:
    padded = [entry for packet in stream(codec) for entry in (packet, (b"", False, packet[2]))]
    assert receive(codec, padded) == receive(codec, stream(codec))


@pytest.mark.parametrize("codec", CODECS)
def test_damaged_payloads_raise_nothing_but_protocol_errors(codec: str) -> None:
    rng = random.Random(3)
    depacketizer = depacketizer_for(codec)
    for payload, marker, ticks in stream(codec) * 4:
        damaged = bytearray(payload[: rng.randrange(1, len(payload) + 1)])
        for _ in range(rng.randrange(4)):
            damaged[rng.randrange(min(len(damaged), 12))] = rng.randrange(256)
        is_keyframe(codec, bytes(damaged))
        try:
            depacketizer.push(bytes(damaged), marker, ticks)
        except ProtocolError:
            continue


@pytest.mark.parametrize("codec", [*CODECS, "opus"])
def test_random_bytes_raise_nothing_but_protocol_errors(codec: str) -> None:
    rng = random.Random(11)
    depacketizer = depacketizer_for(codec)
    for index in range(5000):
        payload = rng.randbytes(rng.choice((0, 1, 2, 3, 5, 9, 30)))
        is_keyframe(codec, payload, rng.randbytes(rng.randrange(5)))
        try:
            depacketizer.push(payload, rng.random() < 0.3, index // 3)
        except ProtocolError:
            continue


def test_an_unknown_codec_has_no_depacketizer() -> None:
    with pytest.raises(ValueError, match="H261"):
        depacketizer_for("H261")
