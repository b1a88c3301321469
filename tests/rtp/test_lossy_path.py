"""Both ends of a stream over an impaired path, seeded: everything arrives, nothing twice."""

from __future__ import annotations

import heapq
import random

import pytest

from core.errors import ProtocolError
from rtp.receive_stream import ReceiveStream
from rtp.send_stream import RtxParameters, SendStream
from rtp.srtp import SrtpProfile, SrtpReceiver, SrtpSender
from tests.rtp.srtp_support import keys_for

MS = 1_000_000
DELAY_NS = 20 * MS
FRAMES = 300
PACKETS_PER_FRAME = 8
SSRC = 1


class Path:
    """One direction: loses, delays and reorders; what is due comes out by time."""

    def __init__(self, rng: random.Random, loss: float, jitter_ns: int) -> None:
        self._rng = rng
        self._loss = loss
        self._jitter_ns = jitter_ns
        self._queue: list[tuple[int, int, bytes]] = []
        self._count = 0

    def put(self, datagram: bytes, now_ns: int) -> None:
        self._count += 1
        if self._rng.random() >= self._loss:
            out_ns = now_ns + DELAY_NS + self._rng.randrange(self._jitter_ns + 1)
            heapq.heappush(self._queue, (out_ns, self._count, datagram))

    def due(self, now_ns: int) -> list[bytes]:
        out = []
        while self._queue and self._queue[0][0] <= now_ns:
            out.append(heapq.heappop(self._queue)[2])
        return out


class Session:
    """Sender, path, receiver, and NACKs on the way back (lossy as well)."""

    def __init__(self, seed: int, loss: float, jitter_ns: int, *, rtx: bool, first: int = 65_000) -> None:
        rng = random.Random(seed)
        keys = keys_for(SrtpProfile.AEAD_AES_128_GCM)
        self.sealer, self.opener = SrtpSender(keys), SrtpReceiver(keys)
        parameters = RtxParameters(2, 97, 65_500) if rtx else None
        self.sender = SendStream(SSRC, 96, 90_000, first_sequence=first, first_timestamp=0, rtx=parameters)
        self.receiver = ReceiveStream(SSRC, 90_000, payload_types=[96], rtx_payload_types={97: 96})
        self.receiver.set_rtt(2 * DELAY_NS)
        self.forward, self.backward = Path(rng, loss, jitter_ns), Path(rng, loss, jitter_ns)
        self.received: list[bytes] = []

    def step(self, now_ns: int) -> None:
        for request in self.backward.due(now_ns):
            for datagram in self.sender.on_nack([int(n) for n in request.split()], now_ns, self.sealer):
                self.forward.put(datagram, now_ns)
        for datagram in self.forward.due(now_ns):
            try:
                packet = self.receiver.receive(self.opener.open_packet(datagram, now_ns + 1), now_ns)
            except ProtocolError:
                continue  # a resent ciphertext that arrived after all: replay
            if packet is not None:
                self.received.append(packet.payload)
        if lost := self.receiver.nacks_due(now_ns):
            self.backward.put(" ".join(map(str, lost)).encode(), now_ns)

    def run(self) -> list[bytes]:
        sent = []
        for ms in range(FRAMES * 33 + 1500):
            now_ns = ms * MS
            frame, rest = divmod(ms, 33)
            if rest == 0 and frame < FRAMES:
                payloads = [b"%d/%d" % (frame, i) for i in range(PACKETS_PER_FRAME)]
                sent += payloads
                for datagram in self.sender.send(
                    payloads, frame * 3000, capture_ns=now_ns, now_ns=now_ns, sealer=self.sealer
                ):
                    self.forward.put(datagram, now_ns)
            self.step(now_ns)
        return sent


@pytest.mark.parametrize("rtx", [True, False], ids=["rtx", "stored ciphertext"])
@pytest.mark.parametrize(("loss", "jitter_ns"), [(0.0, 0), (0.05, 0), (0.05, 15 * MS), (0.2, 5 * MS)])
def test_everything_arrives_once_over_a_lossy_reordering_path(rtx: bool, loss: float, jitter_ns: int) -> None:
    session = Session(seed=7, loss=loss, jitter_ns=jitter_ns, rtx=rtx)
    sent = session.run()
    assert len(session.received) == len(set(session.received))
    missing = len(set(sent) - set(session.received))
    assert missing <= 1  # the very last packet has nothing after it that would show the gap
    if loss == 0 and jitter_ns == 0:
        assert session.sender.resent_packets == 0
        assert session.received == sent


def test_reordering_alone_costs_few_retransmissions() -> None:
    session = Session(seed=3, loss=0.0, jitter_ns=10 * MS, rtx=True)
    sent = session.run()
    assert set(session.received) == set(sent)
    assert session.sender.resent_packets < len(sent) // 50


def test_repairs_cost_little_more_than_the_loss() -> None:
    session = Session(seed=5, loss=0.05, jitter_ns=0, rtx=True)
    sent = session.run()
    assert session.sender.resent_packets < 1.3 * 0.05 * len(sent) + 20
