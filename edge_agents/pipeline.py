"""Capture thread → single-slot mailbox → encoder thread. Runs on whatever the network does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from core.errors import TeleconsultError
from edge_agents.encoder import EncodedFrame, EncoderError, VideoEncoder
from edge_agents.layer_encoder import LayerEncoder
from edge_agents.layers import Encoding, Plan
from edge_agents.mailbox import Mailbox
from edge_agents.signal_watch import SignalWatch
from edge_agents.sources.base import CapturedFrame, Source, SourceError

log = structlog.get_logger()

RETRY_FIRST_S: Final = 0.25
RETRY_MAX_S: Final = 5.0
CAPTURE_RETRY_MAX_S: Final = 1.0
"""A device that is switched on again must be seen within two seconds."""
STOP_TIMEOUT_S: Final = 2.0


@dataclass(slots=True)
class PipelineStats:
    """Totals since the start; `encoded` and what follows of all encodings. `taken`: the encoder's thread
    looked at it, whether somebody watches or not. `dropped`: captured, but a newer picture came before that.
    `held_back`: not encoded, because too much waits to be sent already.
    """

    captured: int = 0
    taken: int = 0
    encoded: int = 0
    keyframes: int = 0
    encoded_bytes: int = 0
    dropped: int = 0
    held_back: int = 0
    failures: int = 0


class VideoPipeline:
    """Owns two threads. `deliver` is called in the encoder thread with every access unit, `watch` in the
    capture thread with every captured frame: it must return at once.

    A failing source or encoder is reopened with a growing delay; nothing is raised to the owner. Meanwhile,
    and when the source is silent, `signal` gives a slate to be sent instead of the last picture.
    """

    def __init__(
        self,
        name: str,
        open_source: Callable[[], Source],
        open_encoder: Callable[[Encoding], VideoEncoder],
        plan: Plan,
        deliver: Callable[[EncodedFrame], None],
        watch: Callable[[CapturedFrame], None] = lambda frame: None,
        signal: SignalWatch | None = None,
    ) -> None:
        self.signal = signal or SignalWatch()
        self.stats = PipelineStats()
        self.plan = plan
        self._log = log.bind(feed=name)
        self._open_source, self._deliver, self._watch = open_source, deliver, watch
        self._layers = {rid: LayerEncoder(rid, open_encoder) for rid in plan}
        self._mailbox: Mailbox[CapturedFrame] = Mailbox()
        self._stop = threading.Event()
        self._congested = False
        self._all_wanted, self._all_at_once = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._keep_capturing, name=f"capture-{name}", daemon=True),
            threading.Thread(target=self._keep_encoding, name=f"encode-{name}", daemon=True),
        ]
        self.set_plan(plan)

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

    # EncoderControl

    def request_keyframe(self, rid: str | None = None, at_once: bool = False) -> None:
        """Of that encoding; see `LayerEncoder.request_keyframe`. Of all: of one and the same picture, the
        full one first, for who begins with this picture shall not begin with the small one.
        """
        if rid is not None:
            if rid in self._layers:
                self._layers[rid].request_keyframe(at_once)
            return
        if at_once:
            self._all_at_once.set()
        self._all_wanted.set()

    def set_plan(self, plan: Plan) -> None:
        """Takes effect with the next picture. Encodings that are not in the plan rest."""
        self.plan = plan
        for rid, layer in self._layers.items():
            layer.set_encoding(plan.get(rid))

    def set_congested(self, congested: bool) -> None:
        """While set, pictures are dropped before they are encoded: what waits to be sent is old enough."""
        self._congested = congested

    def _keep_capturing(self) -> None:
        self._retry("source_failed", SourceError, self._capture, self._capture_failed, CAPTURE_RETRY_MAX_S)

    def _keep_encoding(self) -> None:
        self._retry("encoder_failed", EncoderError, self._encode, lambda error: None, RETRY_MAX_S)

    def _retry(
        self,
        event: str,
        expected: type[TeleconsultError],
        work: Callable[[Callable[[], None]], None],
        failed: Callable[[Exception], None],
        longest_s: float,
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
                failed(error)
            except Exception as error:  # a bug in one source must not end the others' process
                self._log.exception(event, retry_s=delay_s)
                failed(error)
            else:
                continue
            self.stats.failures += 1
            self._stop.wait(delay_s)
            delay_s = min(delay_s * 2, longest_s)

    def _capture(self, progress: Callable[[], None]) -> None:
        for frame in self._open_source().frames(self._stop):
            self.stats.captured += 1
            self.signal.arrived(frame)
            self._mailbox.put(frame)
            self._watch(frame)
            self.stats.dropped = self._mailbox.dropped
            progress()

    def _capture_failed(self, error: Exception) -> None:
        slate = self.signal.failed(error.trouble if isinstance(error, SourceError) else "failed")
        if slate is not None:
            self._mailbox.put(slate)
            self._watch(slate)

    def _next_picture(self) -> CapturedFrame | None:
        """The newest, or a slate when none comes. None when stopped."""
        while (frame := self._mailbox.take(self.signal.patience_s)) is None and not self._mailbox.closed:
            slate = self.signal.silent()
            if slate is not None:
                self._watch(slate)
                return slate
        return frame

    def _encode(self, progress: Callable[[], None]) -> None:
        for layer in self._layers.values():
            layer.reset()
        while (frame := self._next_picture()) is not None:
            self.stats.taken += 1
            if self._congested:
                self.stats.held_back += 1
                continue
            self._pass_on_requests()
            for layer in self._layers.values():
                for unit in layer.encode(frame):
                    self._count(unit)
                    self._deliver(unit)
            progress()

    def _pass_on_requests(self) -> None:
        if not self._all_wanted.is_set():
            return
        self._all_wanted.clear()
        at_once = self._all_at_once.is_set()
        self._all_at_once.clear()
        for layer in self._layers.values():
            layer.request_keyframe(at_once)

    def _count(self, unit: EncodedFrame) -> None:
        self.stats.encoded += 1
        self.stats.encoded_bytes += len(unit.data)
        self.stats.keyframes += unit.keyframe
