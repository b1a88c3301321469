"""The tone: Opus frames whose capture times have no jitter."""

from __future__ import annotations

import av
import numpy as np

from edge_agents.audio import FRAME_SAMPLES, SAMPLE_RATE, encode_tone, on_grid, tone
from edge_agents.sources.base import Instant

START_US = 1_795_300_000_500_000


def instants(count: int, jitter_us: tuple[int, ...] = (0,)) -> list[Instant]:
    moments = []
    for number in range(count):
        late_us = jitter_us[number % len(jitter_us)]
        us = number * 20_000 + late_us
        moments.append(Instant(START_US + us, us * 1000))
    return moments


def test_each_instant_gives_one_opus_packet_that_decodes_to_20_ms() -> None:
    units = list(encode_tone(instants(50)))
    assert [unit.captured for unit in units] == instants(50)
    decoder = av.CodecContext.create("libopus", "r")
    frames = [frame for unit in units for frame in decoder.decode(av.Packet(unit.data))]
    assert all(frame.sample_rate == SAMPLE_RATE for frame in frames)
    assert sum(frame.samples for frame in frames) >= 49 * FRAME_SAMPLES


def test_a_late_thread_does_not_move_the_samples() -> None:
    jittered = list(on_grid(instants(30, (0, 3_000, -900, 17_500))))
    assert jittered == instants(30)


def test_no_moment_of_sound_is_sent_twice() -> None:
    moments = instants(10, (0, 0, 25_000, 0))
    out = [instant.monotonic_ns for instant in on_grid(moments)]
    assert out == sorted(set(out))


def test_a_missed_tick_leaves_a_hole_of_whole_frames() -> None:
    moments = instants(10)
    del moments[4:6]
    assert list(on_grid(moments)) == moments


def test_the_tone_is_soft_continuous_and_beeps_at_each_full_second() -> None:
    wave = np.concatenate([tone(instant) for instant in instants(50)]).astype(int)
    level = np.abs(wave)
    assert 0 < level.max() < 0.15 * 32767
    loud = np.flatnonzero(level > 0.05 * 32767) / SAMPLE_RATE
    assert loud.min() >= 0.5
    assert loud.max() < 0.56 + 0.001
    assert np.abs(np.diff(wave[: SAMPLE_RATE // 4])).max() < 100
