"""Load for `bench.sfu`: a process that publishes, or one that receives. Real negotiation, DTLS, SRTP, RTCP.

Talks to its parent in lines: JSON on stdout, `mark` (or end of file) on stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import aiohttp

from core.clock import NS_PER_MS, NS_PER_S, SystemClock
from core.logging import configure_logging
from core.worker_api import CreateTransport, TransportDescription
from rtp.negotiation import (
    LocalTransport,
    OutgoingTrack,
    ReceivedMedia,
    answer_subscribe,
    apply_answer,
    offer_publish,
    remote_transport,
)
from rtp.packet import RtpPacket
from rtp.rtcp import (
    Nack,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build_compound,
    parse_compound,
)
from rtp.sdp import parse_sdp
from rtp.send_stream import RtxParameters, SendStream
from rtp.srtp import SrtpProfile
from rtp.twcc import FeedbackBuilder, SendLog, TransportSequence
from transport.api import TransportState
from transport.client import ClientTransport
from transport.dtls import ALL_PROFILES
from transport.media import MediaSession

ROOM: Final = "bench"
FPS: Final = 30
KEYFRAME_EVERY: Final = 60
KEYFRAME_FACTOR: Final = 6.0
"""A keyframe's size as a multiple of a normal frame's."""
MAX_PAYLOAD_BYTES: Final = 1_150
VERIFY_EVERY: Final = 50
"""One packet in so many is decrypted and authenticated; all are counted."""
FEEDBACK_S: Final = 0.1
REPORT_INTERVAL_NS: Final = 1 * NS_PER_S
BROWSER_CHECK_NS: Final = 2_650 * NS_PER_MS
"""Our own client checks every 250 ms; Chromium, which most subscribers are, every 2.65 s."""
CLOCK: Final = SystemClock()


class WorkerClient:
    """The worker's internal API over its Unix socket."""

    def __init__(self, path: str) -> None:
        self._session = aiohttp.ClientSession(
            "http://worker", connector=aiohttp.UnixConnector(path), raise_for_status=True
        )

    async def create(self, request: CreateTransport) -> TransportDescription:
        async with self._session.post("/v1/transports", data=request.model_dump_json()) as response:
            return TransportDescription.model_validate_json(await response.read())

    async def answer(self, transport_id: str, sdp: str) -> None:
        async with self._session.post(f"/v1/transports/{transport_id}/answer", json={"sdp": sdp}):
            pass

    async def stats(self) -> dict[str, Any]:
        async with self._session.get("/v1/stats") as response:
            found: dict[str, Any] = await response.json()
            return found

    async def close(self) -> None:
        await self._session.close()


def _local(transport: ClientTransport) -> LocalTransport:
    fingerprint = (transport.fingerprint.algorithm, transport.fingerprint.value)
    return LocalTransport(transport.local, fingerprint, tuple(transport.candidates))


# publishing


class Publisher:
    """Frames of H.264 shape and size, each sent as one burst, as an encoder with zero latency makes them."""

    def __init__(self, bitrate_bps: int, seed: int) -> None:
        self.transport = ClientTransport(self, controlling=True, clock=CLOCK)
        self._chance = random.Random(seed)
        frames_per_keyframe = KEYFRAME_EVERY - 1 + KEYFRAME_FACTOR
        self._frame_bytes = bitrate_bps / 8 / FPS * KEYFRAME_EVERY / frames_per_keyframe
        self._noise = secrets.token_bytes(1 << 20)
        self._log = SendLog()
        self._stream: SendStream | None = None
        self._keyframe_wanted = True

    async def start(self, api: WorkerClient, transport_id: str) -> list[str]:
        """Publish; the track ids."""
        await self.transport.gather()
        offer = offer_publish(_local(self.transport), [_h264_track()])
        description = await api.create(
            CreateTransport(
                transport_id=transport_id,
                room=ROOM,
                participant_id="publisher",
                direction="publish",
                offer=offer.serialize(),
                feed=transport_id,
            )
        )
        applied = apply_answer(offer, parse_sdp(description.sdp))
        (media,) = applied.media
        assert media.ssrc is not None
        assert media.rtx_ssrc is not None
        assert media.rtx_payload_type is not None
        self._stream = SendStream(
            media.ssrc,
            media.payload_type,
            media.clock_rate,
            first_sequence=secrets.randbits(15),
            first_timestamp=secrets.randbits(32),
            rtx=RtxParameters(media.rtx_ssrc, media.rtx_payload_type, secrets.randbits(15)),
            extensions=media.extensions,
            mid=media.mid,
            transport_sequence=TransportSequence(),
            send_log=self._log,
        )
        remote = applied.transport
        await self.transport.connect(remote.ice, remote.fingerprints, remote.candidates, "client")
        return [track.track_id for track in description.tracks]

    async def run(self) -> None:
        """Send until cancelled, frame by frame on a steady clock."""
        loop, number = asyncio.get_running_loop(), 0
        begin = loop.time()
        while True:
            self._send_frame(number)
            if number % FPS == 0:
                self._send_report()
            number += 1
            await asyncio.sleep(max(0.0, begin + number / FPS - loop.time()))

    def _send_frame(self, number: int) -> None:
        stream, sealer = self._stream, self.transport.sealer
        if stream is None or sealer is None:
            return
        keyframe = self._keyframe_wanted or number % KEYFRAME_EVERY == 0
        self._keyframe_wanted = False
        factor = KEYFRAME_FACTOR if keyframe else self._chance.lognormvariate(-0.03, 0.25)
        payloads = self._payloads(int(self._frame_bytes * factor), keyframe)
        now_ns = CLOCK.monotonic_ns()
        ticks = number * 90_000 // FPS
        self.transport.send(
            stream.send(payloads, ticks, capture_ns=CLOCK.unix_ns(), now_ns=now_ns, sealer=sealer)
        )

    def _payloads(self, size: int, keyframe: bool) -> list[bytes]:
        """FU-A fragments of one NAL unit, of nearly equal size (RFC 6184 §5.8)."""
        count = max(2, -(-size // MAX_PAYLOAD_BYTES))
        part = size // count - 2
        offset = self._chance.randrange(len(self._noise) - size - 8)
        kind = 5 if keyframe else 1
        payloads = []
        for index in range(count):
            flags = 0x80 if index == 0 else 0x40 if index == count - 1 else 0
            start = offset + index * part
            head = bytes((0x7C, flags | kind)) + (b"\x88" if index == 0 else b"")
            payloads.append(head + self._noise[start : start + part])
        return payloads

    def _send_report(self) -> None:
        report = self._stream.sender_report(CLOCK.unix_ns()) if self._stream else None
        if report is not None:
            names = SourceDescription(((report.ssrc, "bench"),))
            self.transport.send_rtcp(build_compound([report, names]))

    def rtp_received(self, packet: RtpPacket) -> None:
        """Nobody sends to a publisher."""

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        sealer = self.transport.sealer
        for item in parse_compound(compound):
            if isinstance(item, TransportFeedback):
                self._log.on_feedback(item)
            elif isinstance(item, Nack) and self._stream is not None and sealer is not None:
                self.transport.send(self._stream.on_nack(item.lost, CLOCK.monotonic_ns(), sealer))
            elif type(item).__name__ in ("Pli", "Fir"):
                self._keyframe_wanted = True

    def state_changed(self, state: TransportState) -> None:
        """The parent sees what is missing."""


def _h264_track() -> OutgoingTrack:
    return OutgoingTrack(
        track_id="bench",
        kind="video",
        codec="H264",
        clock_rate=90_000,
        ssrc=1 + secrets.randbits(31),
        rtx_ssrc=1 + secrets.randbits(31),
        cname="bench",
        stream_id="bench",
        fmtp="level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640028",
    )


# receiving


class Count:
    """Of one SSRC: which numbers came, without remembering each."""

    __slots__ = ("highest", "received", "since_highest", "since_received")

    def __init__(self, number: int) -> None:
        self.highest = self.since_highest = number
        self.received = self.since_received = 1

    def mark(self) -> tuple[int, int]:
        """(expected, received) since the last mark."""
        expected, received = self.highest - self.since_highest, self.received - self.since_received
        self.since_highest, self.since_received = self.highest, self.received
        return expected, received


class CountingSession(MediaSession):
    """Shows each datagram to `look` first, and opens only those it is told to."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(receiver, lambda ssrc: None)
        self._look = receiver.look

    def receive(self, datagram: bytes, arrival_ns: int) -> bool:
        return not self._look(datagram, arrival_ns) or super().receive(datagram, arrival_ns)


class Receiver:
    """A subscriber that is cheap to run: counts by the clear header, decrypts one packet in `VERIFY_EVERY`.

    It reports and gives transport-wide feedback like a browser, so the worker's side of that is measured too.
    """

    def __init__(self, profiles: Sequence[SrtpProfile]) -> None:
        self.transport = ClientTransport(
            self, controlling=True, clock=CLOCK, profiles=profiles, check_interval_ns=BROWSER_CHECK_NS
        )
        self.transport.media = CountingSession(self)
        self.counts: dict[bytes, Count] = {}
        self.verified = 0
        self._total = 0
        self._feedback = FeedbackBuilder(1)
        self._media: list[ReceivedMedia] = []
        self._video = b""
        self._report_ns = 0
        self._last_sr: tuple[int, int] = (0, 0)

    async def start(self, api: WorkerClient, transport_id: str, track_ids: Sequence[str]) -> None:
        """Subscribe and connect."""
        await self.transport.gather()
        description = await api.create(
            CreateTransport(
                transport_id=transport_id,
                room=ROOM,
                participant_id=transport_id,
                direction="subscribe",
                track_ids=list(track_ids),
            )
        )
        offer = parse_sdp(description.sdp)
        answer, self._media = answer_subscribe(offer, _local(self.transport))
        await api.answer(transport_id, answer.serialize())
        remote = remote_transport(offer)
        await self.transport.connect(remote.ice, remote.fingerprints, remote.candidates, "client")

    def look(self, datagram: bytes, arrival_ns: int) -> bool:
        """Count a datagram; True when it is to be opened: all RTCP, and a sample of the media."""
        if 192 <= datagram[1] <= 223:
            return True
        number = datagram[2] << 8 | datagram[3]
        ssrc = datagram[8:12]
        count = self.counts.get(ssrc)
        if count is None:
            self.counts[ssrc] = Count(number)
        else:
            count.highest += (
                ((number - count.highest + 0x8000) & 0xFFFF) - 0x8000 if _ahead(number, count) else 0
            )
            count.received += 1
        # The worker puts the transport-wide number first into the one-byte extension block.
        self._feedback.received(datagram[17] << 8 | datagram[18], arrival_ns)
        self._total += 1
        return self._total % VERIFY_EVERY == 0

    def give_feedback(self) -> None:
        """Transport-wide feedback, and a report once per second."""
        for feedback in self._feedback.build():
            self.transport.send_rtcp(build_compound([feedback]))
        now_ns = CLOCK.monotonic_ns()
        if now_ns - self._report_ns >= REPORT_INTERVAL_NS:
            self._report_ns = now_ns
            self.transport.send_rtcp(build_compound([ReceiverReport(1, tuple(self._blocks(now_ns)))]))

    def _blocks(self, now_ns: int) -> list[ReportBlock]:
        last_sr, came_ns = self._last_sr
        delay = (now_ns - came_ns) * 65_536 // NS_PER_S if last_sr else 0
        blocks = []
        for media in self._media:
            count = self.counts.get((media.ssrc or 0).to_bytes(4, "big"))
            if count is not None and media.ssrc is not None:
                highest = count.highest & 0xFFFFFFFF
                blocks.append(ReportBlock(media.ssrc, 0, 0, highest, 0, last_sr, delay))
        return blocks

    def mark(self) -> tuple[int, int]:
        """(expected, received) media packets since the last mark."""
        pairs = [
            count.mark()
            for media in self._media
            if (count := self.counts.get((media.ssrc or 0).to_bytes(4, "big"))) is not None
        ]
        return sum(expected for expected, _ in pairs), sum(received for _, received in pairs)

    def rtp_received(self, packet: RtpPacket) -> None:
        self.verified += 1

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        for item in parse_compound(compound):
            if isinstance(item, SenderReport):
                self._last_sr = (item.ntp_time >> 16) & 0xFFFFFFFF, CLOCK.monotonic_ns()

    def state_changed(self, state: TransportState) -> None:
        """The parent sees what is missing."""


def _ahead(number: int, count: Count) -> bool:
    return 0 < ((number - count.highest) & 0xFFFF) < 0x8000


# processes


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


async def _marks() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def publish(api_path: str, feeds: int, bitrate_bps: int) -> None:
    """Publish `feeds` tracks until standard input ends."""
    api, marks = WorkerClient(api_path), await _marks()
    publishers = [Publisher(bitrate_bps, seed) for seed in range(feeds)]
    tracks = [await publisher.start(api, f"pub-{n}") for n, publisher in enumerate(publishers)]
    running = [asyncio.create_task(publisher.run()) for publisher in publishers]
    _say({"track_ids": [track_id for ids in tracks for track_id in ids]})
    while await marks.readline():
        _say({"cpu_s": time.process_time()})
    for task in running:
        task.cancel()
    for publisher in publishers:
        await publisher.transport.close()
    await api.close()


async def receive(
    api_path: str, count: int, first: int, track_ids: Sequence[str], profile: str | None
) -> None:
    """`count` subscribers until standard input ends; each `mark` is answered with what came since."""
    api, marks = WorkerClient(api_path), await _marks()
    profiles = [SrtpProfile(profile)] if profile else ALL_PROFILES
    receivers = [Receiver(profiles) for _ in range(count)]
    for number, receiver in enumerate(receivers, first):
        await receiver.start(api, f"sub-{number}", track_ids)
    feedback = asyncio.create_task(_give_feedback(receivers))
    _say({"ready": count, "profile": receivers[0].transport.srtp_profile})
    while await marks.readline():
        pairs = [receiver.mark() for receiver in receivers]
        _say(
            {
                "expected": sum(expected for expected, _ in pairs),
                "received": sum(received for _, received in pairs),
                "worst": min((received for _, received in pairs), default=0),
                "verified": sum(receiver.verified for receiver in receivers),
                "rejected": sum(receiver.transport.media.counters.rejected for receiver in receivers),
                "cpu_s": time.process_time(),
            }
        )
    feedback.cancel()
    await asyncio.gather(*(receiver.transport.close() for receiver in receivers))
    await api.close()


async def _give_feedback(receivers: Sequence[Receiver]) -> None:
    """Spread over the interval, as independent browsers would be."""
    while True:
        begin = time.monotonic_ns()
        for index, receiver in enumerate(receivers):
            receiver.give_feedback()
            due_ns = begin + int((index + 1) / len(receivers) * FEEDBACK_S * NS_PER_S)
            wait_ns = due_ns - time.monotonic_ns()
            if wait_ns > NS_PER_MS:
                await asyncio.sleep(wait_ns / NS_PER_S)
        await asyncio.sleep(0)


def main() -> None:
    """`python -m bench.sfu_load publish|receive …`; started by `bench.sfu`."""
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("publish", "receive"))
    parser.add_argument("--api", required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--bitrate-bps", type=int, default=4_000_000)
    parser.add_argument("--track", action="append", default=[])
    parser.add_argument("--profile")
    given = parser.parse_args()
    configure_logging("warning", "load")
    if given.role == "publish":
        uvloop.run(publish(given.api, given.count, given.bitrate_bps))
    else:
        uvloop.run(receive(given.api, given.count, given.first, given.track, given.profile))


if __name__ == "__main__":
    main()
