"""One received stream of the subscribe connection: repair, order, frames, pieces. No I/O; time is an
argument.
"""

from __future__ import annotations

from typing import Final

import structlog

from core.clock import NS_PER_MS, NS_PER_S, NS_PER_US
from core.errors import ProtocolError
from recorder.jobs import TrackJob
from recorder.track import TrackCutter
from rtp.extensions import TRANSPORT_CC
from rtp.negotiation import ReceivedMedia
from rtp.packet import RtpPacket
from rtp.payload import depacketizer_for
from rtp.receive_stream import ReceiveStream
from rtp.reorder import Gap, ReorderBuffer

REORDER_WAIT_NS: Final = 600 * NS_PER_MS
"""A missing packet is waited for this long: an archive has time for several retransmissions."""
KEYFRAME_INTERVAL_NS: Final = 10 * NS_PER_S
"""Recording never pulses the uplink: between requests lie at least this many seconds, once pictures flow."""
FIRST_KEYFRAME_RETRY_NS: Final = NS_PER_S
"""Until the first keyframe has come the request is repeated: it, or its answer, may have been lost."""
LATE_NS: Final = 300 * NS_PER_MS
"""What was sent just before a pause may come after the news of it."""
PRIVACY_PAUSE: Final = "privacy_pause"
"""The site wanted nothing to be seen or heard, so there was nothing to record."""

log = structlog.get_logger()


class ReceivedTrack:
    """Packets of one m-line in, jobs for the archive out."""

    def __init__(self, media: ReceivedMedia, ssrc: int, cutter: TrackCutter) -> None:
        rtx = media.rtx_payload_type
        self.media = media
        self.ssrc = ssrc
        self.cutter = cutter
        self.stream = ReceiveStream(
            ssrc,
            media.clock_rate,
            payload_types=(media.payload_type,),
            rtx_ssrc=media.rtx_ssrc,
            rtx_payload_types={} if rtx is None else {rtx: media.payload_type},
            nack="nack" in media.feedback,
            max_age_ns=REORDER_WAIT_NS,
        )
        self.transport_number_id = media.extensions.id_of(TRANSPORT_CC)
        self._reorder: ReorderBuffer[RtpPacket] = ReorderBuffer(max_wait_ns=REORDER_WAIT_NS, max_packets=4096)
        self._depacketizer = depacketizer_for(media.codec)
        self._asked_ns: int | None = None
        self._pausing: tuple[int, int] | None = None
        """When (monotonic, and on the timeline) we heard of a pause whose last frames may be under way."""

    def receive(self, packet: RtpPacket, now_ns: int) -> list[TrackJob]:
        """A packet of the stream or of its RTX stream. Malformed payloads count as lost."""
        try:
            media = self.stream.receive(packet, now_ns)
        except ProtocolError:
            return []
        if media is None:
            return []
        return self._take(self._reorder.push(media.sequence_number, media, now_ns), now_ns)

    def poll(self, now_ns: int) -> list[TrackJob]:
        """Time passes: missing packets are given up, pieces are cut."""
        jobs = self._take(self._reorder.poll(now_ns), now_ns)
        if self._pausing is not None and now_ns - self._pausing[0] >= LATE_NS:
            jobs += self._interrupt(now_ns)
        return jobs + self.cutter.poll(now_ns)

    def pause(self, at_us: int, now_ns: int) -> None:
        """A privacy pause has begun at `at_us` of the timeline."""
        self._pausing = (now_ns, at_us)

    def go_on(self, now_ns: int) -> list[TrackJob]:
        """The pause is over; the next frame declares how long it was."""
        return [] if self._pausing is None else self._interrupt(now_ns)

    def _interrupt(self, now_ns: int) -> list[TrackJob]:
        assert self._pausing is not None
        at_us, self._pausing = self._pausing[1], None
        return self._take(self._reorder.flush(), now_ns) + self.cutter.interrupt(PRIVACY_PAUSE, at_us)

    def finish(self, now_ns: int) -> list[TrackJob]:
        """The stream has ended: everything that is left."""
        jobs = self._take(self._reorder.flush(), now_ns)
        if self._pausing is not None:
            jobs += self._interrupt(now_ns)
        return jobs + self.cutter.finish()

    def keyframe_due(self, now_ns: int) -> bool:
        """True when a keyframe is to be asked for now; counts as asked for."""
        if self.media.kind != "video":
            return False
        pause_ns = FIRST_KEYFRAME_RETRY_NS if self.cutter.wants_keyframe else KEYFRAME_INTERVAL_NS
        if self._asked_ns is not None and now_ns - self._asked_ns < pause_ns:
            return False
        self._asked_ns = now_ns
        return True

    def _take(self, items: list[RtpPacket | Gap], now_ns: int) -> list[TrackJob]:
        jobs: list[TrackJob] = []
        for item in items:
            if isinstance(item, Gap):
                self._depacketizer.gap()
                continue
            try:
                unit = self._depacketizer.push(item.payload, item.marker, item.timestamp)
            except ProtocolError as error:
                log.debug("recorder.payload_malformed", mid=self.media.mid, error=str(error))
                continue
            if unit is not None:
                if unit.keyframe and self.media.kind == "video":
                    self._asked_ns = now_ns  # somebody else's request served us too
                jobs += self.cutter.push(unit, item.arrival_ns // NS_PER_US, now_ns)
        return jobs
