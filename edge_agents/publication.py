"""One published connection of a feed: from the WHIP offer to the last packet."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from core.clock import NS_PER_S, Clock
from core.errors import ProtocolError, Unavailable
from edge_agents.adaptation import Adaptation
from edge_agents.audio import EncodedAudio
from edge_agents.backfill_pace import Uplink
from edge_agents.config import FeedConfig
from edge_agents.egress import START_BPS
from edge_agents.encoder import EncodedFrame
from edge_agents.layers import FULL, Plan
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
CONNECT_DEADLINE_S: Final = 5.0
"""ICE and DTLS take a few round trips, over TURN and TLS a dozen; a server that needs longer was lost
meanwhile."""
UNHEARD_NS: Final = 10 * NS_PER_S
"""A server silent for so long is sent no more: after 2¹⁵ packets it did not get it could not tell how often
the numbers wrapped, and a connection that comes back would be deaf for ever (RFC 3711 §3.3.1)."""
SILENCE_TOLERATED_S: Final = 0.5
"""On top of the second without an answer after which the transport calls itself silent."""


class EncoderControl(Protocol):
    """Whoever makes the feed's encodings. May be called from any thread."""

    def request_keyframe(self, rid: str | None = None, at_once: bool = False) -> None:
        """Of that encoding, or of all. Not `at_once` it may wait a moment, so that many requests cost one."""

    def set_plan(self, plan: Plan) -> None:
        """What to make from now on."""

    def set_congested(self, congested: bool) -> None:
        """While set, make nothing: what is made already waits to be sent."""


class Publication:
    """Sends one feed over one transport. Made by `open`; ended by `close`. A `TransportSink`."""

    def __init__(self, feed: FeedConfig, clock: Clock, tls: ssl.SSLContext | None = None) -> None:
        self.resource: WhipResource | None = None
        self.sender: FeedSender | None = None
        self._feed, self._clock = feed, clock
        self._log = log.bind(feed=feed.name)
        self._transport = ClientTransport(self, controlling=True, clock=clock, tls=tls)
        self._changed = asyncio.Event()
        self._reported = False
        self._was_connected = False
        self._silent_ns: int | None = None
        self._adaptation = Adaptation(feed)
        self._encoders: EncoderControl | None = None
        """Set once this is the connection that the encoders work for."""
        self._wanted: frozenset[str] | None = None
        self._keeping: Callable[[], bool] = lambda: False
        self._withheld = False
        """Pictures were made that were not sent: whoever watches needs a keyframe."""
        self._made_full = True
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0

    @classmethod
    async def open(
        cls, whip: WhipClient, feed: FeedConfig, clock: Clock, start_bps: int = START_BPS
    ) -> Publication:
        """Offer, connect, and be ready to send. `start_bps`: what the path is taken to carry at first.

        Raises what `WhipClient.publish` raises, `ProtocolError` for an answer that does not fit, and
        `Unavailable` when the media server cannot be reached. Nothing is left behind then.
        """
        publication = cls(feed, clock, whip.tls)
        try:
            await publication._connect(whip, start_bps)
        except BaseException:
            await publication.close(whip)
            raise
        return publication

    async def _connect(self, whip: WhipClient, start_bps: int) -> None:
        transport, cname = self._transport, secrets.token_hex(8)
        await transport.gather()
        fingerprint = (transport.fingerprint.algorithm, transport.fingerprint.value)
        local = LocalTransport(transport.local, fingerprint, tuple(transport.candidates))
        offer = offer_publish(local, outgoing_tracks(self._feed, cname))
        self.resource = await whip.publish(offer.serialize())
        applied = apply_answer(offer, parse_sdp(self.resource.answer))
        self.sender = FeedSender(
            applied,
            cname,
            self._clock,
            self._request_keyframe,
            wanted_bps=self._adaptation.wanted_bps,
            start_bps=start_bps,
        )
        remote = applied.transport
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                await transport.connect(
                    remote.ice,
                    remote.fingerprints,
                    remote.candidates,
                    remote.dtls_role,
                    self.resource.ice_servers,
                )
        except TimeoutError:
            raise Unavailable("the media server does not answer") from None

    async def close(self, whip: WhipClient) -> None:
        """End the resource at the server and free the ports."""
        self._disarm()
        if self.resource is not None:
            await whip.delete(self.resource)
        await self._transport.close()

    # steering the encoders

    def drive(self, encoders: EncoderControl) -> None:
        """From now on the encoders make what this connection carries, beginning with keyframes."""
        self._encoders = encoders
        encoders.set_congested(False)
        encoders.request_keyframe(at_once=True)
        self._adapt()

    def set_wanted(self, rids: frozenset[str] | None) -> None:
        """The encodings that are watched; None: all. The others rest."""
        self._wanted = rids
        self._adapt()

    def set_keeping(self, keeping: Callable[[], bool]) -> None:
        """While it says so, the full picture is kept on the box: it is made whoever watches, and while the
        path is cut nothing is left out or made worse for a path that carries nothing.
        """
        self._keeping = keeping

    @property
    def uplink(self) -> Uplink | None:
        """What is known of the path; None before there is one."""
        sender = self.sender
        if sender is None or self.state == "closed":
            return None
        egress, now_ns = sender.egress, self._clock.monotonic_ns()
        cut = self.state != "connected" or egress.is_unheard(now_ns)
        best = sum(one.bitrate_bps for one in self._adaptation.best(self._watched(sender)).values())
        return Uplink(
            egress.estimate_bps,
            congested=cut or egress.is_congested,
            at_ease=egress.video_budget_bps(now_ns) >= best,
            queue_ms=egress.queue_ms,
        )

    @property
    def estimate_bps(self) -> int:
        """What the path carries, as far as known."""
        return START_BPS if self.sender is None else self.sender.egress.estimate_bps

    def _watched(self, sender: FeedSender) -> frozenset[str]:
        """A lone encoding has no rid of its own: it rests when nothing is wanted (`Plan`)."""
        if self._wanted is None:
            return sender.rids
        kept = frozenset({FULL}) if self._keeping() else frozenset()
        if len(sender.rids) == 1:
            return sender.rids if self._wanted or kept else frozenset()
        return sender.rids & (self._wanted | kept)

    def _adapt(self) -> None:
        sender, encoders = self.sender, self._encoders
        if sender is None or encoders is None:
            return
        watched, now_ns = self._watched(sender), self._clock.monotonic_ns()
        sender.want(self._adaptation.best(watched))
        if self._keeping() and self._is_cut(sender, now_ns):
            self._make_for_the_ring(encoders, watched)
            return
        if self._withheld:
            self._withheld = False
            encoders.request_keyframe(at_once=True)
        plan = self._adaptation.decide(sender.egress.video_budget_bps(now_ns), watched, now_ns)
        self._made_full = FULL in plan
        encoders.set_plan(plan)
        encoders.set_congested(sender.egress.is_congested)

    def _is_cut(self, sender: FeedSender, now_ns: int) -> bool:
        return self._silent_ns is not None or sender.egress.is_unheard(now_ns)

    def _make_for_the_ring(self, encoders: EncoderControl, watched: frozenset[str]) -> None:
        """Nobody gets it now: whatever is encoded is kept, and goes on as it was."""
        encoders.set_congested(False)
        if not self._made_full:
            self._made_full = True
            encoders.set_plan(self._adaptation.best(watched))

    def _request_keyframe(self, rid: str, at_once: bool) -> None:
        if self._encoders is not None:
            self._encoders.request_keyframe(rid, at_once)

    # sending

    def send_video(self, unit: EncodedFrame) -> None:
        """Send one access unit, all its packets in one batch when the path takes that."""
        if self.sender is None or self._transport.sealer is None:
            return
        if self._is_unheard() or self._is_withheld(self.sender):
            self.sender.skip_to_keyframe()
            return
        datagrams = self.sender.video(unit, self._transport.sealer)
        self._transport.send(datagrams)
        if datagrams and not self._reported:
            self._reported = True
            self.send_reports()
        self._adapt()
        self._arm()

    def _is_withheld(self, sender: FeedSender) -> bool:
        """True for what is made for the ring alone, because the path is cut and too much waits already."""
        cut = self._keeping() and self._is_cut(sender, self._clock.monotonic_ns())
        withheld = cut and sender.egress.is_congested
        self._withheld = self._withheld or withheld
        return withheld

    def send_audio(self, unit: EncodedAudio) -> None:
        """Send one Opus packet."""
        if self.sender is not None and self._transport.sealer is not None and not self._is_unheard():
            self._transport.send(self.sender.audio(unit, self._transport.sealer))

    def _is_unheard(self) -> bool:
        since_ns = self._silent_ns
        return since_ns is not None and self._clock.monotonic_ns() - since_ns >= UNHEARD_NS

    def _arm(self) -> None:
        """Have `_tick` called when the sender next has something to do."""
        if self.sender is None or self.state == "closed":
            return
        due_ns = self.sender.egress.next_ns
        if self._timer is not None and self._timer_ns <= due_ns:
            return
        self._disarm()
        delay_s = max(0, due_ns - self._clock.monotonic_ns()) / NS_PER_S
        self._timer, self._timer_ns = asyncio.get_running_loop().call_later(delay_s, self._tick), due_ns

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        sender, sealer = self.sender, self._transport.sealer
        if sender is None or sealer is None:
            return
        if not self._is_unheard():
            self._transport.send(sender.tick(self._transport.rtt_ns, sealer))
            self._adapt()
            self._arm()

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
        if state == "connected" and self._silent_ns is not None and self._encoders is not None:
            self._encoders.request_keyframe(at_once=True)  # whoever watches missed a second at least
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
