"""A small archive to test with: fixed times, real keys, real files."""

from __future__ import annotations

import functools
import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyrage

from archive.keys import ArchiveSigner, SessionKey, TrustedSigner, make_session_key
from archive.specs import GenerationSpec, PieceSpec, Span
from archive.verify import Report, verify_consultation
from archive.writer import ArchiveWriter
from core.config import Recipient

EPOCH_US = 1_760_000_000_000_000
CONSULTATION = "con_01k9zzzzzzzzzzzzzzzzzzzzzz"
VIDEO = GenerationSpec(
    media="video",
    codec="H264",
    container="mp4",
    timescale=90_000,
    feed="ultrasound",
    input="device",
    track_id="trk_1",
    width=1920,
    height=1080,
)
AUDIO = GenerationSpec(
    media="audio",
    codec="opus",
    container="mp4",
    timescale=48_000,
    feed="ultrasound",
    input="device",
    track_id="trk_2",
)


class FakeClock:
    """Steps 1 ms with every reading."""

    def __init__(self) -> None:
        self._steps = itertools.count()

    def unix_ns(self) -> int:
        return (EPOCH_US + 1_000 * next(self._steps)) * 1_000

    def monotonic_ns(self) -> int:
        return next(self._steps) * 1_000_000


@dataclass(frozen=True)
class Keys:
    """Everything that would be configured: signer, two custodians, the secret halves of their keys."""

    signer: ArchiveSigner
    recipients: tuple[Recipient, Recipient]
    identities: tuple[pyrage.x25519.Identity, pyrage.x25519.Identity]

    @property
    def trusted(self) -> list[TrustedSigner]:
        return [TrustedSigner(self.signer.public, "test")]


@functools.cache
def keys() -> Keys:
    """One set for all tests: making keys is slow and they are never changed."""
    identities = (pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate())
    recipients = (
        Recipient(custodian="王医生", recipient=str(identities[0].to_public())),
        Recipient(custodian="Records office", recipient=str(identities[1].to_public()), offline=True),
    )
    return Keys(ArchiveSigner.generate(), recipients, identities)


@functools.cache
def session_key() -> SessionKey:
    """A consultation's pair, made by the real helper process."""
    return make_session_key([item.recipient for item in keys().recipients])


def create(
    root: Path, consultation: str = CONSULTATION, signer: ArchiveSigner | None = None
) -> ArchiveWriter:
    return ArchiveWriter.create(
        root,
        consultation,
        epoch_us=EPOCH_US,
        recipients=keys().recipients,
        session_key=session_key(),
        signer=signer or keys().signer,
        clock=FakeClock(),
    )


def resume(root: Path, consultation: str = CONSULTATION) -> ArchiveWriter:
    return ArchiveWriter.resume(root, consultation, signer=keys().signer, clock=FakeClock())


def piece(second: int, sync: bool = True) -> PieceSpec:
    return PieceSpec(Span(second * 1_000_000, (second + 1) * 1_000_000), frames=30, sync=sync)


def steps(salt: str = "") -> list[Callable[[ArchiveWriter], object]]:
    """What a short consultation writes: two tracks, a second generation, events, a gap."""

    def data(name: str) -> bytes:
        return f"{salt}{name}".encode() * 20

    video, audio = "ultrasound-device-video", "ultrasound-device-audio"
    return [
        lambda w: w.start_generation(video, VIDEO, data("init v0"), "start"),
        lambda w: w.write_piece(video, 0, piece(0), data("v0 1")),
        lambda w: w.start_generation(audio, AUDIO, data("init a0"), "start"),
        lambda w: w.write_piece(audio, 0, piece(0), data("a0 1")),
        lambda w: w.write_events(Span(0, 1_000_000), 2, b'{"type":"x"}\n{"type":"y"}\n'),
        lambda w: w.write_piece(video, 0, piece(1, sync=False), data("v0 2")),
        lambda w: w.declare_gap(video, Span(2_000_000, 3_000_000), "packet_loss"),
        lambda w: w.start_generation(video, VIDEO, data("init v1"), "size_changed"),
        lambda w: w.write_piece(video, 1, piece(3), data("v1 1")),
        lambda w: w.write_file(f"fil_{salt.strip()}", data("file")),
        lambda w: w.write_events(Span(1_000_000, 4_000_000), 1, b'{"type":"z"}\n'),
    ]


def write(root: Path, consultation: str = CONSULTATION, *, close: bool = True, salt: str = "") -> Path:
    """A whole small archive; returns its folder."""
    writer = create(root, consultation)
    for step in steps(salt):
        step(writer)
    if close:
        writer.close("consultation_closed")
    else:
        writer.release()
    return root / consultation


def copy(folder: Path, target: Path) -> Path:
    """A fresh copy to tamper with."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    return target


def verify(folder: Path) -> Report:
    return verify_consultation(folder, keys().trusted)
