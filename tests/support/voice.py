"""Sounds for a browser's fake microphone (`--use-file-for-fake-audio-capture`)."""

from __future__ import annotations

import array
import math
import wave
from collections.abc import Iterable
from pathlib import Path

RATE_HZ = 48_000
FULL_SCALE = 32_767
SYLLABLES_PER_S = 4
BREATH_EVERY_S = 3.0
BREATH_S = 0.4


def voice(seconds: float) -> Iterable[float]:
    """A hum with overtones that swells and ebbs like syllables and pauses for breath; full scale is 1."""
    phase = 0.0
    for n in range(int(seconds * RATE_HZ)):
        time_s = n / RATE_HZ
        phase += (120 + 25 * math.sin(2 * math.pi * 0.7 * time_s)) / RATE_HZ
        breathes = time_s % BREATH_EVERY_S < BREATH_S
        loud = 0.0 if breathes else max(0.0, math.sin(2 * math.pi * SYLLABLES_PER_S * time_s))
        yield 0.2 * loud * sum(math.sin(2 * math.pi * phase * k) / k for k in range(1, 8))


def silence(seconds: float) -> Iterable[float]:
    """What a microphone with its switch off gives."""
    return (0.0 for _ in range(int(seconds * RATE_HZ)))


def write_wav(path: Path, samples: Iterable[float]) -> Path:
    """Mono, 16 bits, 48 kHz."""
    values = array.array("h", (max(-FULL_SCALE, min(FULL_SCALE, int(s * FULL_SCALE))) for s in samples))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(values.tobytes())
    return path
