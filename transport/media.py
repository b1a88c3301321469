"""SRTP of one transport, both ends alike: datagrams to the sink, keys from DTLS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from core.errors import ProtocolError
from rtp.packet import RtpPacket
from rtp.srtp import SrtpKeys, SrtpReceiver, SrtpSender
from rtp.srtp_keys import derive_rtp_keys
from transport.api import RunSink, TransportSink
from transport.native.engine import Engine
from transport.native.opener import NativeOpener

MAX_ANNOUNCED_SSRCS: Final = 256
"""SSRCs of one peer by which it may be found again at a new address; later ones cannot roam by media alone.
"""
SINK_ERRORS_PER_LOG_LINE: Final = 1_000
MIN_MEDIA_BYTES: Final = 12

_log = structlog.get_logger()


@dataclass(slots=True)
class MediaCounters:
    """`rejected`: not authentic, replayed, or malformed. `early`: came before the keys."""

    rtp_in: int = 0
    rtcp_in: int = 0
    rejected: int = 0
    early: int = 0
    sink_errors: int = 0


class MediaSession:
    """Opens what arrives and hands it to `sink`, whose exceptions stay here; seals RTCP that leaves.

    `on_new_ssrc(ssrc)` tells of each SSRC once, after its first authentic packet.
    """

    def __init__(self, sink: TransportSink, on_new_ssrc: Callable[[int], None]) -> None:
        self.sealer: SrtpSender | None = None
        self.counters = MediaCounters()
        self._opener: SrtpReceiver | None = None
        self._runs: NativeOpener | None = None
        self._sink = sink
        self._deliver_run = sink.rtp_run_received if isinstance(sink, RunSink) else self._deliver_each
        self._ssrcs: set[int] = set()
        self._on_new_ssrc = on_new_ssrc

    @property
    def profile(self) -> str | None:
        """The negotiated SRTP profile by OpenSSL's name."""
        return None if self.sealer is None else self.sealer.profile.value

    def set_keys(self, send: SrtpKeys, receive: SrtpKeys, engine: Engine | None = None) -> None:
        """`engine`: opens runs, where the profile is one it knows."""
        self.sealer, self._opener = SrtpSender(send), SrtpReceiver(receive)
        if engine is not None and receive.profile.is_gcm:
            session = derive_rtp_keys(receive)
            self._runs = NativeOpener(engine, self._opener, session.encryption, session.salt)

    def drop_keys(self) -> None:
        """Nothing is opened or sealed any more."""
        self.sealer = self._opener = self._runs = None

    def receive_run(self, datagrams: Sequence[bytes], arrival_ns: int) -> int:
        """Open datagrams that came at once, from the first on, as far as they are one stream's next packets,
        and deliver them; how many. The others are for `receive`.
        """
        packets = [] if self._runs is None else self._runs.open_run(datagrams, arrival_ns)
        if not packets:
            return 0
        self.counters.rtp_in += len(packets)
        if packets[0].ssrc not in self._ssrcs:
            self._announce(packets[0].ssrc)
        try:
            self._deliver_run(packets)
        except Exception:
            self._sink_failed()
        return len(packets)

    def receive(self, datagram: bytes, arrival_ns: int) -> bool:
        """Open one datagram whose first byte is 128…191 and deliver it. False when it is not authentic."""
        opener = self._opener
        if opener is None:
            self.counters.early += 1
            return False
        if len(datagram) > 1 and 192 <= datagram[1] <= 223:
            return self._receive_rtcp(opener, datagram, arrival_ns)
        try:
            packet = opener.open_packet(datagram, arrival_ns)
        except ProtocolError:
            self.counters.rejected += 1
            return False
        self.counters.rtp_in += 1
        if packet.ssrc not in self._ssrcs:
            self._announce(packet.ssrc)
        try:
            self._sink.rtp_received(packet)
        except Exception:
            self._sink_failed()
        return True

    def _deliver_each(self, packets: Sequence[RtpPacket]) -> None:
        for packet in packets:
            try:
                self._sink.rtp_received(packet)
            except Exception:
                self._sink_failed()

    def _receive_rtcp(self, opener: SrtpReceiver, datagram: bytes, arrival_ns: int) -> bool:
        try:
            compound = opener.open_rtcp(datagram)
        except ProtocolError:
            self.counters.rejected += 1
            return False
        self.counters.rtcp_in += 1
        ssrc = media_ssrc(datagram)
        if ssrc not in self._ssrcs:
            self._announce(ssrc)
        try:
            self._sink.rtcp_received(compound, arrival_ns)
        except Exception:
            self._sink_failed()
        return True

    def receive_newer(self, datagram: bytes, arrival_ns: int) -> bool:
        """As `receive`; True only when the packet is newer than everything seen of its SSRC."""
        if self._opener is None or len(datagram) < MIN_MEDIA_BYTES:
            return False
        ssrc, rtcp = media_ssrc(datagram), 192 <= datagram[1] <= 223
        before = self._opener.highest_index(ssrc, rtcp=rtcp)
        if not self.receive(datagram, arrival_ns) or self._opener is None:
            return False
        after = self._opener.highest_index(ssrc, rtcp=rtcp)
        return after is not None and (before is None or after > before)

    def seal_rtcp(self, compound: bytes) -> bytes | None:
        """None before the keys are there."""
        return None if self.sealer is None else self.sealer.seal_rtcp(compound)

    def _announce(self, ssrc: int) -> None:
        if len(self._ssrcs) < MAX_ANNOUNCED_SSRCS:
            self._ssrcs.add(ssrc)
            self._on_new_ssrc(ssrc)

    def _sink_failed(self) -> None:
        self.counters.sink_errors += 1
        if self.counters.sink_errors % SINK_ERRORS_PER_LOG_LINE == 1:
            _log.exception("transport_sink_failed", errors=self.counters.sink_errors)


def media_ssrc(datagram: bytes) -> int:
    """The sender's SSRC of an (S)RTP or (S)RTCP datagram of ≥ 12 bytes, as it stands unencrypted in front."""
    start = 4 if 192 <= datagram[1] <= 223 else 8
    return int.from_bytes(datagram[start : start + 4], "big")
