"""Sound beside a picture: Opus frames of 20 ms from a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from core.clock import NS_PER_S, NS_PER_US, Clock
from edge_agents.sources.base import Instant, ticks

SAMPLE_RATE: Final = 48_000
FRAME_SAMPLES: Final = 960
FRAMES_PER_S: Final = SAMPLE_RATE // FRAME_SAMPLES
FRAME_NS: Final = NS_PER_S // FRAMES_PER_S
BITRATE_BPS: Final = 32_000
EARLY_NS: Final = 2_000_000
"""A wait may end a little early."""
TONE_HZ: Final = 440.0
TONE_LEVEL: Final = 0.02
"""Of full scale: there to be measured, not to be listened to."""
BEEP_HZ: Final = 1_000.0
BEEP_LEVEL: Final = 0.1
BEEP_US: Final = 60_000
"""The first 60 ms of every second of capture time, for checking that sound and picture are in step."""
STOP_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class EncodedAudio:
    """One Opus packet of 20 ms; `captured` is its first sample's moment."""

    data: bytes
    captured: Instant


class OpusEncoder:
    """Mono, 48 kHz, 20 ms. Not thread-safe."""

    def __init__(self) -> None:
        context = av.CodecContext.create("libopus", "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate, context.layout, context.format = SAMPLE_RATE, "mono", "s16"
        context.bit_rate = BITRATE_BPS
        context.time_base = Fraction(1, SAMPLE_RATE)
        context.options = {
            "application": "voip",
            "frame_duration": "20",
            "fec": "1",
            "packet_loss": "5",
            "compression_level": "4",
        }
        self._context = context
        self._position = 0

    def encode(self, samples: NDArray[np.int16]) -> list[bytes]:
        """`samples`: (960,) → Opus packets: one."""
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, self._position
        self._position += FRAME_SAMPLES
        return [bytes(packet) for packet in self._context.encode(frame)]


def tone(instant: Instant) -> NDArray[np.int16]:
    """(960,) samples of a soft tone that starts at `instant`, with a beep at each full second."""
    offset_us = np.arange(FRAME_SAMPLES) * (1_000_000 / SAMPLE_RATE)
    within_us = instant.unix_us % 1_000_000 + offset_us
    wave = TONE_LEVEL * np.sin(2e-6 * np.pi * TONE_HZ * within_us)
    beep = BEEP_LEVEL * np.sin(2e-6 * np.pi * BEEP_HZ * within_us)
    wave += np.where(within_us % 1_000_000 < BEEP_US, beep, 0.0)
    samples: NDArray[np.int16] = (wave * 32767).astype(np.int16)
    return samples


class TonePipeline:
    """Makes and encodes the tone until stopped. `deliver` is called in its thread."""

    def __init__(self, name: str, clock: Clock, deliver: Callable[[EncodedAudio], None]) -> None:
        self._clock, self._deliver = clock, deliver
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"audio-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        for unit in encode_tone(on_grid(ticks(FRAMES_PER_S, self._clock, self._stop))):
            self._deliver(unit)


def on_grid(instants: Iterable[Instant]) -> Iterator[Instant]:
    """Each instant moved back to a multiple of 20 ms since the first: threads are late, samples are not.

    None comes out twice; one that is more than 20 ms late leaves a hole.
    """
    first_ns: int | None = None
    last_ns = -1
    for instant in instants:
        if first_ns is None:
            first_ns = instant.monotonic_ns
        elapsed_ns = instant.monotonic_ns - first_ns
        slot_ns = (elapsed_ns + EARLY_NS) // FRAME_NS * FRAME_NS
        if slot_ns > last_ns:
            last_ns = slot_ns
            late_ns = elapsed_ns - slot_ns
            yield Instant(instant.unix_us - late_ns // NS_PER_US, instant.monotonic_ns - late_ns)


def encode_tone(instants: Iterable[Instant]) -> Iterator[EncodedAudio]:
    """One Opus packet per instant."""
    encoder = OpusEncoder()
    for instant in instants:
        for data in encoder.encode(tone(instant)):
            yield EncodedAudio(data, instant)
