"""Opus payloads (RFC 7587)."""

from __future__ import annotations

import pytest

from core.errors import ProtocolError
from rtp.payload.opus import OpusDepacketizer, duration_samples, packetize
from tests.rtp.media_samples import decode, opus


def test_real_audio_decodes_to_the_same_samples_after_packets() -> None:
    depacketizer = OpusDepacketizer()
    payloads = [(packetize(sample.data, 1200), sample.ticks) for sample in opus()]
    units = [depacketizer.push(payload, False, ticks) for [payload], ticks in payloads]
    assert len(units) >= 25
    assert all(unit is not None and unit.keyframe for unit in units)
    received = [unit.data for unit in units if unit is not None]
    assert decode("opus", received) == decode("opus", [sample.data for sample in opus()])


def test_real_packets_play_twenty_milliseconds() -> None:
    assert {duration_samples(sample.data) for sample in opus()} == {960}


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        ("00", 480),  # SILK narrowband, 10 ms
        ("1800", 2880),  # SILK narrowband, 60 ms
        ("70", 480),  # hybrid fullband, 10 ms
        ("e0", 120),  # CELT fullband, 2.5 ms
        ("fc", 960),  # CELT fullband, 20 ms, stereo
        ("fd", 1920),  # two frames of one size
        ("ff03", 2880),  # three frames
    ],
)
def test_durations_follow_the_table_of_contents_byte(packet: str, samples: int) -> None:
    assert duration_samples(bytes.fromhex(packet)) == samples


@pytest.mark.parametrize("packet", ["", "ff", "ff00", "ff07", "1b03"])
def test_impossible_packets_are_protocol_errors(packet: str) -> None:
    with pytest.raises(ProtocolError):
        duration_samples(bytes.fromhex(packet))


def test_losses_and_damage_show_at_the_next_packet() -> None:
    depacketizer = OpusDepacketizer()
    with pytest.raises(ProtocolError):
        depacketizer.push(b"\xff\x00", False, 0)
    after = depacketizer.push(b"\xfc", False, 960)
    assert after is not None
    assert after.after_loss
    depacketizer.gap()
    assert depacketizer.push(b"", False, 1920) is None
    flags = [unit.after_loss for ticks in (2880, 3840) if (unit := depacketizer.push(b"\xfc", False, ticks))]
    assert flags == [True, False]


def test_a_packet_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="Opus"):
        packetize(b"\xfc" * 1300, 1200)
