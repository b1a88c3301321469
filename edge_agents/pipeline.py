"""Capture thread → single-slot mailbox → encoder thread. Runs on whatever the network does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from core.errors import TeleconsultError
from edge_agents.encoder import EncodedFrame, EncoderError, VideoEncoder
from edge_agents.mailbox import Mailbox
from edge_agents.sources.base import CapturedFrame, Source, SourceError

log = structlog.get_logger()

RETRY_FIRST_S: Final = 0.25
RETRY_MAX_S: Final = 5.0
STOP_TIMEOUT_S: Final = 2.0
MIN_KEYFRAME_GAP_NS: Final = 250_000_000
"""Viewers may ask as often as they like; the link carries a keyframe this often at most."""


@dataclass(slots=True)
class PipelineStats:
    """Totals since the start. `dropped`: captured, but a newer picture came before it was encoded."""

    captured: int = 0
    encoded: int = 0
    keyframes: int = 0
    encoded_bytes: int = 0
    dropped: int = 0
    failures: int = 0


class VideoPipeline:
    """Owns two threads. `deliver` is called in the encoder thread with every access unit.

    A failing source or encoder is reopened with a growing delay; nothing is raised to the owner.
    """

    def __init__(
        self,
        name: str,
        open_source: Callable[[], Source],
        open_encoder: Callable[[], VideoEncoder],
        deliver: Callable[[EncodedFrame], None],
    ) -> None:
        self.stats = PipelineStats()
        self._log = log.bind(feed=name)
        self._open_source, self._open_encoder, self._deliver = open_source, open_encoder, deliver
        self._mailbox: Mailbox[CapturedFrame] = Mailbox()
        self._stop = threading.Event()
        self._keyframe_wanted = threading.Event()
        self._keyframe_at_once = threading.Event()
        self._keyframe_ns = 0
        self._bitrate_bps: int | None = None
        self._threads = [
            threading.Thread(target=self._keep_capturing, name=f"capture-{name}", daemon=True),
            threading.Thread(target=self._keep_encoding, name=f"encode-{name}", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask both threads to end and wait for them, at most `STOP_TIMEOUT_S` each: a driver may hang."""
        self._stop.set()
        self._mailbox.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(STOP_TIMEOUT_S)

    def request_keyframe(self, at_once: bool = False) -> None:
        """Make the next picture a keyframe, but none less than `MIN_KEYFRAME_GAP_NS` after the one before.

        Any number of requests cost one. `at_once` does not wait: a new connection knows no picture before.
        """
        if at_once:
            self._keyframe_at_once.set()
        self._keyframe_wanted.set()

    def set_bitrate(self, bitrate_bps: int) -> None:
        """Takes effect with the next picture."""
        self._bitrate_bps = bitrate_bps

    def _keep_capturing(self) -> None:
        self._retry("source_failed", SourceError, self._capture)

    def _keep_encoding(self) -> None:
        self._retry("encoder_failed", EncoderError, self._encode)

    def _retry(
        self, event: str, expected: type[TeleconsultError], work: Callable[[Callable[[], None]], None]
    ) -> None:
        """Run `work` until stopped; it calls its argument when it makes progress, which ends the back-off."""
        delay_s = RETRY_FIRST_S

        def progress() -> None:
            nonlocal delay_s
            delay_s = RETRY_FIRST_S

        while not self._stop.is_set():
            try:
                work(progress)
            except expected as error:
                self._log.warning(event, reason=str(error), retry_s=delay_s)
            except Exception:  # a bug in one source must not end the others' process
                self._log.exception(event, retry_s=delay_s)
            else:
                continue
            self.stats.failures += 1
            self._stop.wait(delay_s)
            delay_s = min(delay_s * 2, RETRY_MAX_S)

    def _capture(self, progress: Callable[[], None]) -> None:
        for frame in self._open_source().frames(self._stop):
            self.stats.captured += 1
            self._mailbox.put(frame)
            self.stats.dropped = self._mailbox.dropped
            progress()

    def _encode(self, progress: Callable[[], None]) -> None:
        encoder = self._open_encoder()
        self.request_keyframe(at_once=True)
        bitrate_bps: int | None = None
        while (frame := self._mailbox.take()) is not None:
            if self._bitrate_bps is not None and self._bitrate_bps != bitrate_bps:
                bitrate_bps = self._bitrate_bps
                encoder.set_bitrate(bitrate_bps)
            for unit in encoder.encode(frame, keyframe=self._keyframe_due(frame.captured.monotonic_ns)):
                self._count(unit)
                self._deliver(unit)
            progress()

    def _keyframe_due(self, now_ns: int) -> bool:
        if not self._keyframe_wanted.is_set():
            return False
        if not self._keyframe_at_once.is_set() and now_ns - self._keyframe_ns < MIN_KEYFRAME_GAP_NS:
            return False
        self._keyframe_wanted.clear()
        self._keyframe_at_once.clear()
        self._keyframe_ns = now_ns
        return True

    def _count(self, unit: EncodedFrame) -> None:
        self.stats.encoded += 1
        self.stats.encoded_bytes += len(unit.data)
        self.stats.keyframes += unit.keyframe
