"""Rings on a disk, as several tests need them: keys, real encoded pictures, one that is filled."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archive.keys import parse_identities
from archive.ring import BufferKey, sign_buffer_key
from edge_agents.clock_offset import ClockOffset
from edge_agents.encoder import EncodedFrame, VideoEncoder
from edge_agents.layers import Encoding
from edge_agents.ring import Ring, RingSettings
from edge_agents.sources.base import CapturedFrame, Instant
from edge_agents.sources.picture import new_picture, planes_of
from tests.archive.support import keys, session_key
from tests.edge.support import StepClock

EPOCH_US = 1_795_299_000_000_000
DEVICE = "d_box"
CONSULTATION = "c_one"
FRAME_US = 33_333
SIZE = (320, 180)


def buffer_key(consultation: str = CONSULTATION, device: str = DEVICE) -> BufferKey:
    """The consultation's pair is `tests.archive.support.session_key`."""
    return sign_buffer_key(consultation, device, EPOCH_US, session_key().public_key, EPOCH_US, keys().signer)


@functools.cache
def session_identity() -> pyrage.x25519.Identity:
    """The consultation's secret, as a custodian unwraps it."""
    text = pyrage.decrypt(session_key().wrapped, [keys().identities[0]]).decode()
    (identity,) = parse_identities(text, "session")
    return identity


@functools.cache
def pictures(
    count: int = 90, every: int = 30, size: tuple[int, int] = SIZE
) -> tuple[tuple[bytes, bool], ...]:
    """Access units of a moving picture, and whether each is a keyframe."""
    encoder = VideoEncoder("libx264", Encoding(*size, 30, 400_000, 800_000))
    made = []
    for index in range(count):
        picture = new_picture(*size)
        for plane in planes_of(picture):
            plane[:] = 128
        planes_of(picture)[0][:, index * 3 % size[0] :] = 40
        captured = Instant(index * FRAME_US, index * FRAME_US * 1000)
        units = encoder.encode(CapturedFrame(picture, captured), keyframe=index % every == 0)
        made += [(unit.data, unit.keyframe) for unit in units]
    return tuple(made)


def frame(index: int, at_us: int, count: int = 90) -> EncodedFrame:
    """Picture `index` (again and again), captured `at_us` after the epoch."""
    data, keyframe = pictures(count)[index % count]
    return EncodedFrame(data, Instant(EPOCH_US + at_us, at_us * 1000), keyframe)


@dataclass
class Bench:
    """A ring with its own clock."""

    folder: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    clock: StepClock = field(default_factory=lambda: StepClock(unix_ns=EPOCH_US * 1000))
    asked: list[str] = field(default_factory=list)

    def ring(self, max_bytes: int = 1 << 30, max_hours: int = 24) -> Ring:
        settings = RingSettings(self.folder, max_bytes, max_hours)
        return Ring(settings, self.key.sign, self.clock, ClockOffset(), self.asked.append)

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()
