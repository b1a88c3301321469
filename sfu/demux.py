"""Pure: the layer of a publisher's packet (RFC 9143 §9.2): by SSRC, else MID and RID, else payload type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rtp.extensions import MID, REPAIRED_RID, RID, decode_token
from rtp.packet import RtpPacket
from sfu.layer import Layer
from sfu.producer import Producer

MAX_SSRCS: Final = 128
"""SSRCs one publisher may use over its life: 32 m-lines with RTX, and some restarts of encoders."""


class Demultiplexer:
    """SSRC → layer of one transport. A retired SSRC stays known, so that its stragglers are dropped."""

    def __init__(self) -> None:
        self._producers: dict[str, Producer] = {}
        self._by_ssrc: dict[int, Layer | None] = {}
        self.refused = 0
        """Packets of SSRCs beyond `MAX_SSRCS`."""

    def set_producers(self, producers: Mapping[str, Producer]) -> None:
        """mid → producer, as negotiated now; SSRCs of those that are gone are forgotten."""
        self._producers = dict(producers)
        layers = {layer for producer in producers.values() for layer in producer}
        self._by_ssrc = {ssrc: layer for ssrc, layer in self._by_ssrc.items() if layer in layers}
        for producer in producers.values():
            if producer.media.ssrc is not None:
                self._announce(producer, producer.media.ssrc, producer.media.rtx_ssrc)

    def _announce(self, producer: Producer, ssrc: int, rtx_ssrc: int | None) -> None:
        """The description named the SSRC of a track without simulcast."""
        layer = producer.layers.get(None)
        if layer is None or layer.source is not None:
            return
        self._rebind(producer, layer, ssrc, rtx_ssrc)

    def layer_of(self, packet: RtpPacket, extensions: Mapping[int, bytes]) -> Layer | None:
        """The layer for the packet, None for one to drop. Raises `ProtocolError` for a bad MID."""
        ssrc = packet.ssrc
        if ssrc in self._by_ssrc:
            return self._by_ssrc[ssrc]
        found = self._identify(packet, extensions)
        if found is None:
            return None
        if len(self._by_ssrc) >= MAX_SSRCS:
            self.refused += 1
            return None
        producer, layer = found
        if packet.payload_type == producer.media.payload_type:
            self._rebind(producer, layer, ssrc, None)
        else:
            self._by_ssrc[ssrc] = layer
        return layer

    def _identify(self, packet: RtpPacket, extensions: Mapping[int, bytes]) -> tuple[Producer, Layer] | None:
        producer = self._producer_of(packet, extensions)
        if producer is None:
            return None
        media = producer.media
        is_rtx = packet.payload_type == media.rtx_payload_type
        if not is_rtx and packet.payload_type != media.payload_type:
            return None
        rid = self._token(producer, REPAIRED_RID if is_rtx else RID, extensions)
        layer = producer.layers.get(rid) or producer.layers.get(None)
        if layer is None or (is_rtx and layer.source is None):
            return None
        return producer, layer

    def _producer_of(self, packet: RtpPacket, extensions: Mapping[int, bytes]) -> Producer | None:
        for producer in self._producers.values():
            mid = self._token(producer, MID, extensions)
            if mid is not None:
                return self._producers.get(mid)
        types = packet.payload_type
        fitting = [
            producer
            for producer in self._producers.values()
            if types in (producer.media.payload_type, producer.media.rtx_payload_type)
        ]
        return fitting[0] if len(fitting) == 1 else None

    @staticmethod
    def _token(producer: Producer, uri: str, extensions: Mapping[int, bytes]) -> str | None:
        number = producer.media.extensions.id_of(uri)
        value = None if number is None else extensions.get(number)
        return None if value is None else decode_token(value)

    def _rebind(self, producer: Producer, layer: Layer, ssrc: int, rtx_ssrc: int | None) -> None:
        for known, owner in self._by_ssrc.items():
            if owner is layer:
                self._by_ssrc[known] = None
        self._by_ssrc[ssrc] = layer
        if rtx_ssrc is not None:
            self._by_ssrc[rtx_ssrc] = layer
        producer.bind(layer, ssrc, rtx_ssrc)

    def layer_of_ssrc(self, ssrc: int) -> Layer | None:
        """The layer whose media SSRC this is (for sender reports)."""
        layer = self._by_ssrc.get(ssrc)
        return layer if layer is not None and layer.source == ssrc else None
