"""How the encoders do on this machine."""

from __future__ import annotations

import time
from typing import Final

import av
from pydantic import BaseModel

from core.clock import NS_PER_MS, SystemClock
from edge_agents.encoder import CANDIDATES, VideoEncoder, works
from edge_agents.layers import Encoding
from edge_agents.sources.base import Instant
from edge_agents.sources.testcard import TestcardSource

TRIED_PICTURES: Final = 30


class EncoderFigures(BaseModel):
    """One encoder, tried here. `ms_per_frame`: of a moving picture in full HD, None when it does not work."""

    encoder: str
    built_in: bool
    works: bool
    ms_per_frame: float | None = None
    follows_rate: bool = False


def try_all() -> list[EncoderFigures]:
    """Every candidate, best first."""
    return [_tried(name) for name in CANDIDATES]


def _tried(name: str) -> EncoderFigures:
    settings = Encoding(1920, 1080, 30, 4_500_000, 8_000_000)
    built_in = name in av.codecs_available
    if not built_in or not works(name, settings):
        return EncoderFigures(encoder=name, built_in=built_in, works=False)
    card, encoder = TestcardSource(1920, 1080, 30, SystemClock()), VideoEncoder(name, settings)
    frames = [card.draw(Instant(number * 33_333, number * 33_333_333)) for number in range(TRIED_PICTURES)]
    began_ns = time.perf_counter_ns()
    for frame in frames:
        encoder.encode(frame, keyframe=False)
    took_ms = (time.perf_counter_ns() - began_ns) / NS_PER_MS / TRIED_PICTURES
    return EncoderFigures(
        encoder=name,
        built_in=True,
        works=True,
        ms_per_frame=round(took_ms, 1),
        follows_rate=encoder.follows_rate,
    )
