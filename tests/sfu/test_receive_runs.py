"""Packets that came at once are taken together, with exactly the effect they have one by one."""

from __future__ import annotations

import ctypes
import secrets
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.worker_api import CreateTransport
from rtp.extensions import build_extensions
from rtp.packet import RtpPacket
from rtp.srtp import SrtpKeys, SrtpReceiver, SrtpSender
from rtp.srtp_keys import derive_rtp_keys
from sfu.publisher import PublishSession
from tests.sfu.rig import MS, PAYLOAD_TYPE, PROFILE, SSRC, received_media
from tests.sfu.simulated import Stage, Wire
from transport.coalesced import Coalesced
from transport.native.engine import load_engine
from transport.native.opener import NativeOpener

pytestmark = pytest.mark.interpreted

KEYFRAME, SLICE = b"\x67sps", b"\x41slice"
FIRST_NUMBER = 65_500


class Uplink:
    """A publisher's session without a network."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.stage.wire(Wire(lambda _: None))
        request = CreateTransport(transport_id="p", room="room", participant_id="p", direction="publish")
        self.session = PublishSession(self.stage, request)
        self.session._update({"0": received_media(ssrc=SSRC)})
        self.session._uplink.transport_cc_id = 2
        (producer,) = self.session.producers
        self.layer = producer.layers[None]

    def state(self) -> dict[str, object]:
        layer, stream, uplink = self.layer, self.layer.stream, self.session._uplink
        assert stream is not None
        now_ns = self.stage.clock.monotonic_ns()
        block = stream.report_block(now_ns)
        batch = layer.take_pending()
        return {
            "pending": [packet.serialize() for packet in batch.packets],
            "begins": (batch.key, batch.in_order),
            "history": [layer.history.get(number & 0xFFFF) for number in range(65_400, 65_900)],
            "group": [packet.serialize() for packet in layer.group.packets],
            "report": None if block is None else replace(block, jitter=0),
            "jitter": block is not None and round(block.jitter, -1),
            "feedback": [replace(each, sender_ssrc=0) for each in uplink._builder.build()],
            "missing": layer.nacks_due(now_ns + 50 * MS),
            "counters": uplink.counters,
            "totals": self.stage.metrics.counters,
            "bytes": stream.bytes_received,
            "duplicates": stream.duplicates,
        }


def extension(number: int, first: bool) -> tuple[int | None, bytes]:
    items = [(2, number.to_bytes(2, "big"))]
    return build_extensions([*items, (4, bytes(8))] if first else items)


def made(frames: Sequence[tuple[int, bool]]) -> list[RtpPacket]:
    packets: list[RtpPacket] = []
    for index, (count, key) in enumerate(frames):
        for place in range(count):
            number = (FIRST_NUMBER + len(packets)) & 0xFFFF
            profile, block = extension((60_000 + len(packets)) & 0xFFFF, place == 0)
            payload = KEYFRAME if key and place < 2 else SLICE
            packets.append(
                RtpPacket(
                    SSRC, PAYLOAD_TYPE, number, index * 3_000, place == count - 1, (), profile, block,
                    payload + bytes(place), 0, 1_000_000_000_000 + index * 33 * MS,
                )
            )  # fmt: skip
    return packets


def disturbed(packets: list[RtpPacket], drops: set[int], swaps: set[int], twice: set[int]) -> list[RtpPacket]:
    order = list(packets)
    for place in swaps:
        if place + 1 < len(order):
            order[place], order[place + 1] = order[place + 1], order[place]
    out: list[RtpPacket] = []
    for place, packet in enumerate(order):
        if place not in drops:
            out += [packet, replace(packet)] if place in twice else [packet]
    return out


def runs(packets: Sequence[RtpPacket]) -> list[list[RtpPacket]]:
    """As one receive call brings them and the opener hands them on: one arrival, successive numbers."""
    found: list[list[RtpPacket]] = []
    for _, together in groupby(packets, key=lambda packet: packet.arrival_ns):
        for packet in together:
            follows = found and (found[-1][-1].sequence_number + 1) & 0xFFFF == packet.sequence_number
            if follows and found[-1][0].arrival_ns == packet.arrival_ns:
                found[-1].append(packet)
            else:
                found.append([packet])
    return found


places = st.sets(st.integers(0, 60), max_size=4)


@given(
    frames=st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=8),
    drops=places, swaps=places, twice=places,
)  # fmt: skip
def test_runs_have_the_effect_of_their_packets(
    frames: list[tuple[int, bool]], drops: set[int], swaps: set[int], twice: set[int]
) -> None:
    together, single = Uplink(), Uplink()
    for uplink in (together, single):
        packets = disturbed(made(frames), drops, swaps, twice)
        for run in runs(packets):
            uplink.stage.clock.now_ns += MS
            if uplink is together:
                uplink.session.rtp_run_received(run)
            else:
                for packet in run:
                    uplink.session.rtp_received(packet)
    if together.layer.stream is not None or single.layer.stream is not None:
        assert together.state() == single.state()


def test_most_packets_of_a_frame_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    uplink = Uplink()
    looked_at: list[RtpPacket] = []
    receive = uplink.session.on_rtp

    def counted(packet: RtpPacket) -> None:
        looked_at.append(packet)
        receive(packet)

    monkeypatch.setattr(uplink.session, "on_rtp", counted)
    for run in runs(made([(20, True), (20, False), (20, False)])):
        uplink.session.rtp_run_received(run)
    assert len(uplink.layer.take_pending().packets) == 60
    assert len(looked_at) <= 5


def test_a_pause_holds_for_runs_too() -> None:
    uplink = Uplink()
    before, during, after = runs(made([(10, True), (10, False), (10, False)]))
    uplink.session.rtp_run_received(before)
    uplink.layer.take_pending()
    uplink.layer.set_paused(True)
    uplink.session.rtp_run_received(during)
    assert not uplink.layer.take_pending().packets
    uplink.layer.set_paused(False)
    uplink.session.rtp_run_received(during[5:])
    assert not uplink.layer.take_pending().packets, "late, but of the pause"
    uplink.session.rtp_run_received(after)
    assert len(uplink.layer.take_pending().packets) == 10


@given(
    sizes=st.integers(1, 1300), count=st.integers(1, 40), last=st.integers(1, 1300),
    broken=st.integers(-1, 45), first=st.sampled_from([5, 65_530]), coalesced=st.booleans(),
)  # fmt: skip
def test_the_engine_opens_what_python_opens_and_stops_at_what_is_not_authentic(
    sizes: int, count: int, last: int, broken: int, first: int, coalesced: bool
) -> None:
    keys = SrtpKeys(PROFILE, secrets.token_bytes(PROFILE.key_bytes), secrets.token_bytes(PROFILE.salt_bytes))
    sender, python, receiver = SrtpSender(keys), SrtpReceiver(keys), SrtpReceiver(keys)
    engine = load_engine()
    assert engine is not None, "scripts/build-engine builds it"
    session = derive_rtp_keys(keys)
    opener = NativeOpener(engine, receiver, session.encryption, session.salt)
    packets = [
        RtpPacket(
            SSRC, 96, (first + i) & 0xFFFF, 9, i == count, (), *extension(i, i == 0),
            bytes([i]) * (min(last, sizes) if i == count else sizes),
        )
        for i in range(count + 1)
    ]  # fmt: skip
    start, *run = [sender.seal(packet.header(), packet.payload) for packet in packets]
    assert opener.open_run([start, *run], 1) == [], "its stream is not known yet"
    receiver.open(start)
    wanted = [python.open_packet(datagram, 1) for datagram in (start, *run)][1:]
    if 0 <= broken < count:
        run[broken] = run[broken][:-1] + bytes([run[broken][-1] ^ 1])
        wanted = wanted[:broken]
    buffer = bytearray(b"".join(run))
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    came = Coalesced(memoryview(buffer), address, len(run[0])) if coalesced else run
    assert opener.open_run(came, 1) == wanted
    assert opener.open_run(came, 1) == [], "nothing is opened twice"
    assert receiver.next_index(SSRC) == first + 1 + len(wanted)
