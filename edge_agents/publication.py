"""One published connection of a feed: from the WHIP offer to the last packet."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

import structlog

from core.clock import NS_PER_S, Clock
from core.errors import ProtocolError, Unavailable
from edge_agents.audio import EncodedAudio
from edge_agents.config import FeedConfig
from edge_agents.encoder import EncodedFrame
from edge_agents.sender import FeedSender, outgoing_tracks
from edge_agents.whip import WhipClient, WhipResource
from rtp.negotiation import LocalTransport, apply_answer, offer_publish
from rtp.packet import RtpPacket
from rtp.rtcp import parse_compound
from rtp.sdp import parse_sdp
from transport.api import TransportState
from transport.client import ClientTransport

log = structlog.get_logger()

REPORT_INTERVAL_S: Final = 1.0
CONNECT_DEADLINE_S: Final = 3.0
"""ICE and DTLS take a few round trips; a server that needs longer was lost meanwhile."""
UNHEARD_NS: Final = 10 * NS_PER_S
"""A server silent for so long is sent no more: after 2¹⁵ packets it did not get it could not tell how often
the numbers wrapped, and a connection that comes back would be deaf for ever (RFC 3711 §3.3.1)."""
SILENCE_TOLERATED_S: Final = 0.5
"""On top of the second without an answer after which the transport calls itself silent."""


class Publication:
    """Sends one feed over one transport. Made by `open`; ended by `close`. A `TransportSink`."""

    def __init__(self, feed: FeedConfig, clock: Clock) -> None:
        self.resource: WhipResource | None = None
        self.sender: FeedSender | None = None
        self._feed, self._clock = feed, clock
        self._log = log.bind(feed=feed.name)
        self._transport = ClientTransport(self, controlling=True, clock=clock)
        self._changed = asyncio.Event()
        self._reported = False
        self._was_connected = False
        self._silent_ns: int | None = None
        self._keyframe_requested: Callable[[], None] = lambda: None

    @classmethod
    async def open(
        cls, whip: WhipClient, feed: FeedConfig, clock: Clock, keyframe_requested: Callable[[], None]
    ) -> Publication:
        """Offer, connect, and be ready to send.

        Raises what `WhipClient.publish` raises, `ProtocolError` for an answer that does not fit, and
        `Unavailable` when the media server cannot be reached. Nothing is left behind then.
        """
        publication = cls(feed, clock)
        try:
            await publication._connect(whip, keyframe_requested)
        except BaseException:
            await publication.close(whip)
            raise
        return publication

    async def _connect(self, whip: WhipClient, keyframe_requested: Callable[[], None]) -> None:
        transport, cname = self._transport, secrets.token_hex(8)
        await transport.gather()
        fingerprint = (transport.fingerprint.algorithm, transport.fingerprint.value)
        local = LocalTransport(transport.local, fingerprint, tuple(transport.candidates))
        offer = offer_publish(local, outgoing_tracks(self._feed, cname))
        self.resource = await whip.publish(offer.serialize())
        applied = apply_answer(offer, parse_sdp(self.resource.answer))
        self.sender = FeedSender(applied, cname, self._clock, keyframe_requested)
        self._keyframe_requested = keyframe_requested
        remote = applied.transport
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                await transport.connect(remote.ice, remote.fingerprints, remote.candidates, remote.dtls_role)
        except TimeoutError:
            raise Unavailable("the media server does not answer") from None

    async def close(self, whip: WhipClient) -> None:
        """End the resource at the server and free the ports."""
        if self.resource is not None:
            await whip.delete(self.resource)
        await self._transport.close()

    # sending

    def send_video(self, unit: EncodedFrame) -> None:
        """Send one access unit, all its packets in one batch."""
        if self.sender is None or self._transport.sealer is None:
            return
        if self._is_unheard():
            self.sender.skip_to_keyframe()
            return
        datagrams = self.sender.video(unit, self._transport.sealer)
        self._transport.send(datagrams)
        if datagrams and not self._reported:
            self._reported = True
            self.send_reports()

    def send_audio(self, unit: EncodedAudio) -> None:
        """Send one Opus packet."""
        if self.sender is not None and self._transport.sealer is not None and not self._is_unheard():
            self._transport.send(self.sender.audio(unit, self._transport.sealer))

    def _is_unheard(self) -> bool:
        since_ns = self._silent_ns
        return since_ns is not None and self._clock.monotonic_ns() - since_ns >= UNHEARD_NS

    def send_reports(self) -> None:
        """Tell the server the time of what was sent."""
        for compound in self.sender.reports() if self.sender else ():
            self._transport.send_rtcp(compound)

    async def report_until_closed(self) -> None:
        """Send reports every second."""
        while self.state != "closed":
            await asyncio.sleep(REPORT_INTERVAL_S)
            self.send_reports()

    # TransportSink

    def rtp_received(self, packet: RtpPacket) -> None:
        """Nobody may send us media; it is dropped."""

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        if self.sender is None or self._transport.sealer is None:
            return
        try:
            packets = parse_compound(compound)
        except ProtocolError:
            return
        for packet in packets:
            if datagrams := self.sender.handle(packet, self._transport.sealer):
                self._transport.send(datagrams)

    def state_changed(self, state: TransportState) -> None:
        self._was_connected = self._was_connected or state == "connected"
        if state == "connected" and self._is_unheard():
            self._keyframe_requested()
        self._silent_ns = self._clock.monotonic_ns() if state == "silent" else None
        if self._was_connected:
            self._log.info("media_state", state=state, reason=self._transport.close_reason)
        self._changed.set()

    # waiting

    @property
    def state(self) -> TransportState:
        return self._transport.state

    @property
    def srtp_profile(self) -> str | None:
        return self._transport.srtp_profile

    @property
    def rtt_ns(self) -> int | None:
        return self._transport.rtt_ns

    async def lost(self) -> str:
        """Return why when the connection is closed, or silent for longer than a hiccup."""
        while True:
            await self._until(lambda: self.state in ("silent", "closed"))
            try:
                async with asyncio.timeout(SILENCE_TOLERATED_S):
                    await self._until(lambda: self.state != "silent")
            except TimeoutError:
                return "silent"
            if self.state == "closed":
                return self._transport.close_reason or "closed"

    async def recovered(self) -> None:
        """Return when a silent connection has come back; never when it is closed."""
        await self._until(lambda: self.state == "connected")

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()
