"""A publisher's connection: its offer's m-lines become producers, its packets go to their layers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from core.clock import NS_PER_MS
from core.errors import NotFound, ProtocolError
from core.ids import new_id
from core.messages import Codec, Kind, Model, Source
from core.worker_api import CreateTransport, LayersWanted, TrackLive, TransportDescription
from rtp.extensions import (
    TRANSPORT_CC,
    NumberedBlock,
    decode_transport_number,
    numbered_block,
    parse_extensions,
)
from rtp.negotiation import ReceivedMedia, answer_publish, remote_transport
from rtp.packet import RtpPacket
from rtp.rtcp import SenderReport, parse_compound
from rtp.sdp import parse_sdp
from sfu.demux import Demultiplexer
from sfu.layer import Layer
from sfu.producer import Producer, TrackIdentity
from sfu.session import PeerSession, SessionHost, random_ssrc, reduced_size
from sfu.uplink import FEEDBACK_INTERVAL_NS, Uplink

MAX_MEDIA: Final = 32
TICK_NS: Final = FEEDBACK_INTERVAL_NS
BUSY_TICK_NS: Final = 20 * NS_PER_MS
"""While something is missing, or a keyframe is wanted."""
MIN_RUN: Final = 2
_KINDS: Final[dict[str, Kind]] = {"audio": "audio", "video": "video"}
_CODECS: Final[dict[str, Codec]] = {"H264": "H264", "VP8": "VP8", "VP9": "VP9", "AV1": "AV1", "opus": "opus"}


class PublishSession(PeerSession):
    """The client offers and sends. `offer` may be called again: more tracks, fewer, or an ICE restart."""

    def __init__(self, host: SessionHost, request: CreateTransport) -> None:
        super().__init__(host, request)
        self._feed = request.feed
        self._sources = request.sources
        self._default_source = request.default_source
        self._on_site = request.on_site
        self._paused = request.paused
        """What new tracks are."""
        self._producers: dict[str, Producer] = {}
        self._demux = Demultiplexer()
        now_ns = host.clock.monotonic_ns()
        self._uplink = Uplink(random_ssrc(), f"sfu-{request.transport_id}", now_ns)
        self._version = 0
        self._received_since_repair = False
        self._block: NumberedBlock | None = None
        """The extensions of a packet that says nothing but its number."""

    # negotiation

    def offer(self, text: str, sources: dict[str, Source] | None = None) -> TransportDescription:
        """Answer the publisher's offer; `sources`: of its new m-lines.

        Raises `ProtocolError` or `Conflict`; then nothing has changed.
        """
        offer = parse_sdp(text)
        if len(offer.media) > MAX_MEDIA:
            raise ProtocolError(f"an offer may have at most {MAX_MEDIA} m-lines")
        self._version += 1
        answer, received = answer_publish(offer, self.local(), version=self._version)
        if self.renew_ice(offer):
            answer, received = answer_publish(offer, self.local(), version=self._version)
        self.start(remote_transport(offer))
        self._uplink.reduced_size = reduced_size(answer)
        self._sources = {**self._sources, **(sources or {})}
        self._update({media.mid: media for media in received})
        return TransportDescription(
            transport_id=self.id,
            sdp=answer.serialize(),
            revision=self._version,
            tracks=[producer.info() for producer in self._producers.values()],
        )

    def _update(self, received: dict[str, ReceivedMedia]) -> None:
        """Producers follow the description: same m-line and codec, same track."""
        for mid, producer in list(self._producers.items()):
            media = received.get(mid)
            if media is None or not _continues(producer.media, media):
                self._remove(mid)
        for mid, media in received.items():
            if mid not in self._producers:
                self._add(mid, Producer(self._identity(media), media))
        self._demux.set_producers(self._producers)
        self._uplink.layers = [layer for producer in self._producers.values() for layer in producer]
        self._uplink.transport_cc_id = _transport_cc_id(received)

    def _add(self, mid: str, producer: Producer) -> None:
        producer.set_paused(self._paused, self.host.clock.monotonic_ns())
        self._producers[mid] = producer
        self.host.track_added(producer)

    def _identity(self, media: ReceivedMedia) -> TrackIdentity:
        source: Source = self._sources.get(media.mid, self._default_source)
        stream_id = f"{self.id}-screen" if source == "screen" else self.id
        return TrackIdentity(
            track_id=new_id("t"),
            room=self.room,
            participant_id=self.participant_id,
            feed=self._feed,
            kind=_KINDS[media.kind],
            source=source,
            codec=_CODECS[media.codec],
            stream_id=stream_id,
            on_site=self._on_site,
        )

    def _remove(self, mid: str) -> None:
        producer = self._producers.pop(mid)
        producer.close()
        self.host.track_removed(producer)

    def set_paused(self, track_ids: Collection[str], paused: bool) -> None:
        """Pause those of its tracks, or go on with them; tracks added later are as these."""
        now_ns = self.host.clock.monotonic_ns()
        for producer in self._producers.values():
            if producer.identity.track_id in track_ids:
                self._paused = paused
                producer.set_paused(paused, now_ns)

    @property
    def producers(self) -> list[Producer]:
        """What is published now."""
        return list(self._producers.values())

    # media

    def on_rtp(self, packet: RtpPacket) -> None:
        uplink, counters = self._uplink, self.host.metrics.counters
        counters.packets_in += 1
        counters.bytes_in += len(packet.payload)
        uplink.counters.packets_in += 1
        uplink.counters.bytes_in += len(packet.payload)
        extensions: dict[int, bytes] = {}
        if packet.extension_profile is not None:
            extensions = parse_extensions(packet.extension_profile, packet.extension)
            number = extensions.get(uplink.transport_cc_id or 0)
            if number is not None:
                uplink.number_received(decode_transport_number(number), packet.arrival_ns)
        layer = self._demux.layer_of(packet, extensions)
        if layer is None:
            counters.unknown_ssrc += 1
            return
        block = self._block
        if block is None or block.number_of(packet.extension_profile, packet.extension) is None:
            self._learn_block(packet, extensions, layer)
        now_ns = self.host.clock.monotonic_ns()
        self._received_since_repair = True
        if layer.receive(packet, now_ns, extensions):
            self.host.router.queue(layer)

    def on_rtp_run(self, packets: Sequence[RtpPacket]) -> None:
        """A frame's first packet is looked at as any; those that say nothing new are taken together."""
        position = 0
        while position < len(packets):
            end = self._end_of_run(packets, position)
            if end - position < MIN_RUN or not self._take_run(packets[position:end]):
                end = position + 1
                self.rtp_received(packets[position])
            position = end

    def _end_of_run(self, packets: Sequence[RtpPacket], start: int) -> int:
        """Up to where packets are of one frame and type, and their extensions say nothing but numbers."""
        block, first, end = self._block, packets[start], start
        if block is None:
            return start
        number = block.number_of(first.extension_profile, first.extension)
        while number is not None:
            end += 1
            if end == len(packets):
                break
            packet = packets[end]
            follows = (number + 1) & 0xFFFF
            number = block.number_of(packet.extension_profile, packet.extension)
            if (
                number != follows
                or packet.timestamp != first.timestamp
                or packet.payload_type != first.payload_type
            ):
                break
        return end

    def _take_run(self, packets: Sequence[RtpPacket]) -> bool:
        block, first, count = self._block, packets[0], len(packets)
        layer = self._demux.layer_of_ssrc(first.ssrc)
        if layer is None or block is None:
            return False
        number = block.number_of(first.extension_profile, first.extension)
        if number is None or not layer.receive_run(packets, self.host.clock.monotonic_ns()):
            return False
        octets = sum([len(packet.payload) for packet in packets])
        uplink, counters = self._uplink, self.host.metrics.counters
        counters.packets_in += count
        counters.bytes_in += octets
        uplink.counters.packets_in += count
        uplink.counters.bytes_in += octets
        uplink.numbers_received(number, count, first.arrival_ns)
        self._received_since_repair = True
        self.host.router.queue(layer)
        return True

    def _learn_block(self, packet: RtpPacket, extensions: Mapping[int, bytes], layer: Layer) -> None:
        """Most packets carry the same, but for their number."""
        number_id = self._uplink.transport_cc_id
        if number_id is not None and number_id in extensions and not layer.reads(extensions):
            self._block = numbered_block(packet.extension_profile, packet.extension, number_id)

    def on_rtcp(self, compound: bytes, arrival_ns: int) -> None:
        now_ns = self.host.clock.monotonic_ns()
        for item in parse_compound(compound):
            if isinstance(item, SenderReport):
                layer = self._demux.layer_of_ssrc(item.ssrc)
                if layer is not None and layer.stream is not None:
                    layer.stream.on_sender_report(item, arrival_ns, now_ns)

    def batch_ended(self, now_ns: int) -> None:
        """Ask for what this batch showed to be missing, at once."""
        if not (self._received_since_repair or self._uplink.is_urgent):
            return
        self._received_since_repair = False
        try:
            self._send(self._uplink.repairs_due(now_ns))
            self._report_live(now_ns)
        except Exception as error:  # the fence
            self.fail(error)

    def on_tick(self, now_ns: int) -> None:
        self.tick_due_ns = now_ns + (BUSY_TICK_NS if self._uplink.is_urgent else TICK_NS)
        self._send(self._uplink.due(now_ns))
        for producer in self._producers.values():
            if producer.choose(now_ns):
                self.host.emit(self._layers_wanted(producer))
        self._report_live(now_ns)
        self.transport.rtt_ns = next((layer.rtt_ns for layer in self._uplink.layers if layer.rtt_ns), None)

    def _send(self, compounds: list[bytes]) -> None:
        for compound in compounds:
            self.transport.send_rtcp(compound)

    def _report_live(self, now_ns: int) -> None:
        for producer in self._producers.values():
            live = producer.live_change(now_ns)
            if live is not None:
                identity = producer.identity
                self.host.emit(TrackLive(track_id=identity.track_id, kind=identity.kind, live=live))

    def _layers_wanted(self, producer: Producer) -> LayersWanted:
        return LayersWanted(
            transport_id=self.id, track_id=producer.identity.track_id, rids=producer.encodings.wanted
        )

    def present_events(self) -> Iterator[Model]:
        for producer in self._producers.values():
            if producer.encodings.any_resting:
                yield self._layers_wanted(producer)

    def on_closed(self) -> None:
        for mid in list(self._producers):
            self._remove(mid)

    def stats(self) -> dict[str, Any]:
        counters = self._uplink.counters
        return super().stats() | {
            "packets_in": counters.packets_in,
            "bytes_in": counters.bytes_in,
            "nacked": counters.nacked,
            "keyframe_requests": counters.keyframe_requests,
            "tracks": [_track_stats(producer) for producer in self._producers.values()],
        }


def require_publisher(session: PeerSession) -> PublishSession:
    """Raises `NotFound` for a transport that does not publish."""
    if not isinstance(session, PublishSession):
        raise NotFound("this transport does not publish")
    return session


def _continues(before: ReceivedMedia, after: ReceivedMedia) -> bool:
    """True when the m-line's packets mean the same as before."""
    return (
        before.kind == after.kind
        and before.codec == after.codec
        and before.payload_type == after.payload_type
        and before.rtx_payload_type == after.rtx_payload_type
        and before.extensions == after.extensions
        and before.rids == after.rids
        and before.track_id == after.track_id
    )


def _transport_cc_id(received: dict[str, ReceivedMedia]) -> int | None:
    """The id is one for all m-lines of a bundle (RFC 9143 §11)."""
    ids = (
        media.extensions.id_of(TRANSPORT_CC)
        for media in received.values()
        if "transport-cc" in media.feedback
    )
    return next((number for number in ids if number is not None), None)


def _track_stats(producer: Producer) -> dict[str, Any]:
    return {
        "track_id": producer.identity.track_id,
        "codec": producer.identity.codec,
        "live": producer.live,
        "paused": producer.paused,
        "consumers": len(producer.consumers),
        "layers": [
            {
                "rid": layer.rid,
                "bitrate_bps": layer.bitrate_bps,
                "pixels": layer.pixels,
                "consumers": len(layer.consumers),
                "missing": len(layer.stream.nack) if layer.stream and layer.stream.nack is not None else 0,
                "repaired": layer.stream.repairs if layer.stream else 0,
                "duplicates": layer.stream.duplicates if layer.stream else 0,
                "history": len(layer.history),
            }
            for layer in producer
        ],
    }
