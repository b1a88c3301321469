"""The benches' publisher: real ICE, DTLS and SRTP around pictures that cost nothing. It sends one track."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from bench.pictures import Pictures
from bench.relay import Relay
from bench.signalling import Signalling
from core.clock import SystemClock
from rtp.negotiation import AcceptedMedia, LocalTransport, OutgoingTrack, apply_answer, offer_publish
from rtp.packet import RtpPacket
from rtp.rtcp import Fir, Nack, Pli, SourceDescription, TransportFeedback, build_compound, parse_compound
from rtp.sdp import Session
from rtp.send_stream import RtxParameters, SendStream
from rtp.twcc import SendLog, TransportSequence
from transport.api import TransportState, host_candidate
from transport.client import ClientTransport

CLOCK: Final = SystemClock()
CLOCK_RATE: Final = 90_000
Ask = Callable[[Session], Awaitable[Session]]
"""Takes an offer to a server; its answer."""


def local_end(transport: ClientTransport) -> LocalTransport:
    """What our descriptions say of a transport."""
    fingerprint = (transport.fingerprint.algorithm, transport.fingerprint.value)
    return LocalTransport(transport.local, fingerprint, tuple(transport.candidates))


class Publisher:
    """Sends each frame as one burst in every encoding, as encoders with zero latency do."""

    def __init__(self, pictures: Pictures) -> None:
        self.transport = ClientTransport(self, controlling=True, clock=CLOCK)
        self.streams: dict[str, SendStream] = {}
        """By rid."""
        self.frames = 0
        self.sent = 0
        """Media packets, without resent ones."""
        self.late_s = 0.0
        """The worst delay of a frame behind its time since the last `mark`."""
        self.feedback = 0
        """Transport-wide feedback messages that came."""
        self._pictures = pictures
        self._log = SendLog()
        self._keyframe_wanted = True

    async def start(self, api: Signalling, name: str) -> list[str]:
        """Publish at a server of the load's; the track ids."""
        track_ids: list[str] = []

        async def ask(offer: Session) -> Session:
            answer, named = await api.publish(name, offer)
            track_ids.extend(named)
            return answer

        await self.connect(ask)
        return track_ids

    async def connect(self, ask: Ask, relay: Relay | None = None) -> None:
        """Offer, connect, by `relay` if given. Raises `Unavailable`, `ProtocolError` and what `ask` does."""
        await self.transport.gather()
        offer = offer_publish(local_end(self.transport), [_track(self._pictures)])
        applied = apply_answer(offer, await ask(offer))
        (media,) = applied.media
        self.streams = self._streams(media)
        remote = applied.transport
        candidates = remote.candidates if relay is None else (host_candidate(*relay.address),)
        await self.transport.connect(remote.ice, remote.fingerprints, candidates, remote.dtls_role)

    def _streams(self, media: AcceptedMedia) -> dict[str, SendStream]:
        numbers = TransportSequence()
        return {
            rid: SendStream(
                media.ssrc or _random_ssrc(),
                media.payload_type,
                media.clock_rate,
                first_sequence=secrets.randbits(15),
                first_timestamp=secrets.randbits(32),
                rtx=_rtx(media),
                extensions=media.extensions,
                mid=media.mid,
                rid=rid or None,
                transport_sequence=numbers,
                send_log=self._log,
            )
            for rid in media.rids or ("",)
        }

    async def run(self, after_s: float = 0.0) -> None:
        """Send until cancelled, frame by frame on a steady clock that begins `after_s` from now."""
        loop, number, fps = asyncio.get_running_loop(), 0, self._pictures.fps
        await asyncio.sleep(after_s)
        begin = loop.time()
        while True:
            self._send_frame(number)
            number += 1
            await asyncio.sleep(max(0.0, begin + number / fps - loop.time()))
            self.late_s = max(self.late_s, loop.time() - begin - number / fps)

    def mark(self) -> dict[str, float]:
        """Its numbers; the lateness starts anew."""
        late_s, self.late_s = self.late_s, 0.0
        return {"sent": self.sent, "late_ms": late_s * 1_000, "feedback": self.feedback}

    def _send_frame(self, number: int) -> None:
        sealer, fps = self.transport.sealer, self._pictures.fps
        if sealer is None or self.transport.state != "connected":
            return
        unix_ns, now_ns, ticks = CLOCK.unix_ns(), CLOCK.monotonic_ns(), number * CLOCK_RATE // fps
        frame = self._pictures.next(
            keyframe_wanted=self._keyframe_wanted,
            unix_ns=unix_ns,
            first_less=max(stream.first_extra_bytes for stream in self.streams.values()),
        )
        self._keyframe_wanted = False
        for rid, stream in self.streams.items():
            sealed = stream.send(frame[rid], ticks, capture_ns=unix_ns, now_ns=now_ns, sealer=sealer)
            self.transport.send(sealed)
            self.sent += len(frame[rid])
        self.frames += 1
        if number % fps == 0:
            self._report(unix_ns)

    def _report(self, unix_ns: int) -> None:
        for stream in self.streams.values():
            report = stream.sender_report(unix_ns)
            if report is not None:
                names = SourceDescription(((report.ssrc, "bench"),))
                self.transport.send_rtcp(build_compound([report, names]))

    def rtp_received(self, packet: RtpPacket) -> None:
        """Nobody sends to a publisher."""

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        for item in parse_compound(compound):
            if isinstance(item, TransportFeedback):
                self.feedback += 1
                self._log.on_feedback(item)
            elif isinstance(item, Nack):
                self._resend(item)
            elif isinstance(item, Pli | Fir):
                self._keyframe_wanted = True

    def _resend(self, nack: Nack) -> None:
        sealer = self.transport.sealer
        for stream in self.streams.values():
            if stream.ssrc == nack.media_ssrc and sealer is not None:
                self.transport.send(stream.on_nack(nack.lost, CLOCK.monotonic_ns(), sealer))

    def state_changed(self, state: TransportState) -> None:
        """`transport.state` says it."""


def _random_ssrc() -> int:
    return 1 + secrets.randbits(31)


def _rtx(media: AcceptedMedia) -> RtxParameters | None:
    if media.rtx_payload_type is None:
        return None
    return RtxParameters(media.rtx_ssrc or _random_ssrc(), media.rtx_payload_type, secrets.randbits(15))


def _track(pictures: Pictures) -> OutgoingTrack:
    return OutgoingTrack(
        track_id="picture",
        kind="video",
        codec="H264",
        clock_rate=CLOCK_RATE,
        ssrc=_random_ssrc(),
        rtx_ssrc=_random_ssrc(),
        cname="bench",
        stream_id="bench",
        fmtp=f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={pictures.profile_level_id}",
        rids=pictures.rids,
    )
