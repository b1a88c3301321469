"""One encoding of a feed: its encoder (made anew for another picture size), its keyframes, its pauses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from edge_agents.encoder import EncodedFrame, VideoEncoder
from edge_agents.layers import Encoding, FrameRate, FrameThinner
from edge_agents.sources.base import CapturedFrame

MIN_KEYFRAME_GAP_NS: Final = 250_000_000
"""Viewers may ask as often as they like; the link carries a keyframe this often at most."""
MIN_RENEWAL_NS: Final = 2_000_000_000
RATE_STEP: Final = 0.2
"""An encoder of fixed bit rate is made anew, which costs a keyframe, for no smaller change than this."""


class LayerEncoder:
    """`encode` and `reset` belong to the encoder thread; the rest may be called from any."""

    def __init__(self, rid: str, open_encoder: Callable[[Encoding], VideoEncoder]) -> None:
        self.rid = rid
        self._open_encoder = open_encoder
        self._encoding: Encoding | None = None
        self._encoder: VideoEncoder | None = None
        self._told: tuple[int, int] | None = None
        """(bit rate, frame rate) the encoder knows."""
        self._thinner, self._frame_rate = FrameThinner(), FrameRate()
        self._keyframe_wanted = threading.Event()
        self._keyframe_at_once = threading.Event()
        self._keyframe_ns = self._opened_ns = 0

    def set_encoding(self, encoding: Encoding | None) -> None:
        """From the next picture on; None: encode nothing. What begins again begins with a keyframe."""
        if encoding is not None and self._encoding is None:
            self.request_keyframe(at_once=True)
        self._encoding = encoding

    def request_keyframe(self, at_once: bool = False) -> None:
        """Make the next picture a keyframe, but none less than `MIN_KEYFRAME_GAP_NS` after the one before.

        Any number of requests cost one. `at_once` does not wait: a new connection knows no picture before.
        """
        if at_once:
            self._keyframe_at_once.set()
        self._keyframe_wanted.set()

    def reset(self) -> None:
        """Begin with a new encoder."""
        self._encoder = None
        self.request_keyframe(at_once=True)

    def encode(self, frame: CapturedFrame) -> list[EncodedFrame]:
        """The picture's access units: mostly one, none while paused or when the frame rate leaves it out.

        Raises `EncoderError`.
        """
        encoding = self._encoding
        captured_ns = frame.captured.monotonic_ns
        if encoding is None or not self._thinner.admits(captured_ns, encoding.fps):
            return []
        encoder = self._ready(encoding, self._frame_rate.count(captured_ns, encoding.fps), captured_ns)
        keyframe = self._keyframe_due(captured_ns)
        units = encoder.encode(frame, keyframe=keyframe)
        return [replace(unit, rid=self.rid) for unit in units]

    def _ready(self, encoding: Encoding, fps: int, now_ns: int) -> VideoEncoder:
        encoder = self._encoder
        if encoder is None or self._must_renew(encoder, encoding, now_ns):
            encoder = self._encoder = self._open_encoder(encoding)
            self._told = (encoding.bitrate_bps, encoding.fps)
            self._opened_ns = now_ns
            self.request_keyframe(at_once=True)
        rate = (encoding.bitrate_bps, fps)
        if rate != self._told and encoder.follows_rate:
            encoder.set_rate(*rate)
            self._told = rate
        return encoder

    def _must_renew(self, encoder: VideoEncoder, encoding: Encoding, now_ns: int) -> bool:
        """For another size; for another bit rate only where there is no other way, and seldom."""
        known = encoder.settings
        if (known.width, known.height) != (encoding.width, encoding.height):
            return True
        if encoder.follows_rate or now_ns - self._opened_ns < MIN_RENEWAL_NS:
            return False
        return abs(encoding.bitrate_bps - known.bitrate_bps) > RATE_STEP * known.bitrate_bps

    def _keyframe_due(self, now_ns: int) -> bool:
        if not self._keyframe_wanted.is_set():
            return False
        if not self._keyframe_at_once.is_set() and now_ns - self._keyframe_ns < MIN_KEYFRAME_GAP_NS:
            return False
        self._keyframe_wanted.clear()
        self._keyframe_at_once.clear()
        self._keyframe_ns = now_ns
        return True
