"""A publisher's connection: its offer's m-lines become producers, its packets go to their layers."""

from __future__ import annotations

from typing import Any, Final

from core.errors import NotFound, ProtocolError
from core.ids import new_id
from core.messages import Codec, Kind, Source
from core.worker_api import CreateTransport, TrackLive, TransportDescription
from rtp.extensions import TRANSPORT_CC, decode_transport_number, parse_extensions
from rtp.negotiation import ReceivedMedia, answer_publish, remote_transport
from rtp.packet import RtpPacket
from rtp.rtcp import SenderReport, parse_compound
from rtp.sdp import parse_sdp
from sfu.demux import Demultiplexer
from sfu.producer import Producer, TrackIdentity
from sfu.session import PeerSession, SessionHost, random_ssrc, reduced_size
from sfu.uplink import Uplink

MAX_MEDIA: Final = 32
_KINDS: Final[dict[str, Kind]] = {"audio": "audio", "video": "video"}
_CODECS: Final[dict[str, Codec]] = {"H264": "H264", "VP8": "VP8", "VP9": "VP9", "AV1": "AV1", "opus": "opus"}


class PublishSession(PeerSession):
    """The client offers and sends. `offer` may be called again: more tracks, fewer, or an ICE restart."""

    def __init__(self, host: SessionHost, request: CreateTransport) -> None:
        super().__init__(host, request)
        self._feed = request.feed
        self._sources = request.sources
        self._default_source = request.default_source
        self._producers: dict[str, Producer] = {}
        self._demux = Demultiplexer()
        now_ns = host.clock.monotonic_ns()
        self._uplink = Uplink(random_ssrc(), f"sfu-{request.transport_id}", now_ns)
        self._version = 0
        self._received_since_repair = False

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
                self._producers[mid] = Producer(self._identity(media), media)
                self.host.track_added(self._producers[mid])
        self._demux.set_producers(self._producers)
        self._uplink.layers = [layer for producer in self._producers.values() for layer in producer]
        self._uplink.transport_cc_id = _transport_cc_id(received)

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
        )

    def _remove(self, mid: str) -> None:
        producer = self._producers.pop(mid)
        producer.close()
        self.host.track_removed(producer)

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
        now_ns = self.host.clock.monotonic_ns()
        self._received_since_repair = True
        if layer.receive(packet, now_ns):
            self.host.router.queue(layer)

    def on_rtcp(self, compound: bytes, arrival_ns: int) -> None:
        now_ns = self.host.clock.monotonic_ns()
        for item in parse_compound(compound):
            if isinstance(item, SenderReport):
                layer = self._demux.layer_of_ssrc(item.ssrc)
                if layer is not None and layer.stream is not None:
                    layer.stream.on_sender_report(item, arrival_ns, now_ns)

    def batch_ended(self, now_ns: int) -> None:
        """Ask for what this batch showed to be missing, at once."""
        if not self._received_since_repair:
            return
        self._received_since_repair = False
        try:
            self._send(self._uplink.repairs_due(now_ns))
            self._report_live(now_ns)
        except Exception as error:  # the fence
            self.fail(error)

    def on_tick(self, now_ns: int) -> None:
        self._send(self._uplink.due(now_ns))
        for producer in self._producers.values():
            producer.choose(now_ns)
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
        "consumers": len(producer.consumers),
        "layers": [
            {
                "rid": layer.rid,
                "bitrate_bps": layer.bitrate_bps,
                "missing": len(layer.stream.nack) if layer.stream and layer.stream.nack is not None else 0,
                "repaired": layer.stream.repaired if layer.stream else 0,
                "duplicates": layer.stream.duplicates if layer.stream else 0,
                "history": len(layer.history),
            }
            for layer in producer
        ],
    }
