"""Pure: what we tell one publisher: transport-wide feedback, NACKs, keyframe requests, receiver reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.clock import NS_PER_MS, NS_PER_S
from rtp.rtcp import (
    Fir,
    FirRequest,
    Nack,
    Pli,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SourceDescription,
    build_compound,
)
from rtp.twcc import FeedbackBuilder
from sfu.layer import Layer

FEEDBACK_INTERVAL_NS: Final = 60 * NS_PER_MS
REPORT_INTERVAL_NS: Final = 1 * NS_PER_S
MAX_REPORTS: Final = 31


@dataclass(slots=True)
class UplinkCounters:
    """Since the transport was made."""

    packets_in: int = 0
    bytes_in: int = 0
    nacked: int = 0
    keyframe_requests: int = 0
    feedback_sent: int = 0


class Uplink:
    """One way from one publisher. `due` returns compound RTCP packets to send now."""

    def __init__(self, ssrc: int, cname: str, now_ns: int) -> None:
        self.ssrc = ssrc
        self.counters = UplinkCounters()
        self.layers: list[Layer] = []
        self.reduced_size = True
        self.transport_cc_id: int | None = None
        """Header extension id of the transport-wide number; None when not negotiated."""
        self._builder = FeedbackBuilder(ssrc)
        self._cname = cname
        self._feedback_due_ns = now_ns
        self._report_due_ns = now_ns + REPORT_INTERVAL_NS
        self._fir_number = 0

    def number_received(self, number: int, arrival_ns: int) -> None:
        """A packet with that transport-wide number came."""
        self._builder.received(number, arrival_ns)

    def numbers_received(self, first: int, count: int, arrival_ns: int) -> None:
        """Packets with successive transport-wide numbers came at once."""
        self._builder.received_run(first, count, arrival_ns)

    @property
    def is_urgent(self) -> bool:
        """True while packets are missing, or viewers wait for a keyframe."""
        for layer in self.layers:
            stream = layer.stream
            if layer.keyframes.wanted or (
                stream is not None and stream.nack is not None and len(stream.nack)
            ):
                return True
        return False

    def repairs_due(self, now_ns: int) -> list[bytes]:
        """NACKs and keyframe requests; cheap, to be asked after each batch and at each tick."""
        items: list[RtcpPacket] = []
        for layer in self.layers:
            source = layer.source
            if source is None:
                continue
            lost = layer.nacks_due(now_ns)
            if lost:
                self.counters.nacked += len(lost)
                items.append(Nack(self.ssrc, source, tuple(lost)))
            if layer.askable and not layer.paused and layer.is_live(now_ns) and layer.keyframes.due(now_ns):
                self.counters.keyframe_requests += 1
                items.append(self._keyframe_request(layer, source))
        return [self._compound([item]) for item in items]

    def _keyframe_request(self, layer: Layer, source: int) -> RtcpPacket:
        if "nack pli" in layer.media.feedback:
            return Pli(self.ssrc, source)
        self._fir_number = (self._fir_number + 1) & 0xFF
        return Fir(self.ssrc, (FirRequest(source, self._fir_number),))

    def due(self, now_ns: int) -> list[bytes]:
        """Everything that is due at this tick."""
        compounds = self.repairs_due(now_ns)
        if self.transport_cc_id is not None and now_ns >= self._feedback_due_ns:
            self._feedback_due_ns = now_ns + FEEDBACK_INTERVAL_NS
            self._builder.media_ssrc = next((layer.source for layer in self.layers if layer.source), 0)
            feedback = self._builder.build()
            self.counters.feedback_sent += len(feedback)
            compounds += [self._compound([item]) for item in feedback]
        if now_ns >= self._report_due_ns:
            self._report_due_ns = now_ns + REPORT_INTERVAL_NS
            compounds.append(self._reports(now_ns))
        return compounds

    def _reports(self, now_ns: int) -> bytes:
        blocks: list[ReportBlock] = []
        for layer in self.layers:
            block = layer.stream.report_block(now_ns) if layer.stream is not None else None
            if block is not None:
                blocks.append(block)
        report = ReceiverReport(self.ssrc, tuple(blocks[:MAX_REPORTS]))
        return self._compound([report, SourceDescription(((self.ssrc, self._cname),))])

    def _compound(self, items: Iterable[RtcpPacket]) -> bytes:
        return build_compound(items, reduced_size=self.reduced_size)
