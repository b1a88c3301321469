"""Each encoding is a stream of its own: who asks for what gets that, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import ProtocolError
from edge_agents.config import FeedConfig
from edge_agents.encoder import EncodedFrame
from edge_agents.sender import FeedSender, outgoing_tracks
from edge_agents.sources.base import Instant
from rtp.extensions import ABS_CAPTURE_TIME, RID, decode_abs_capture_time, decode_token, parse_extensions
from rtp.negotiation import answer_publish, apply_answer, offer_publish
from rtp.packet import RtpPacket, parse_rtp
from rtp.rtcp import Fir, FirRequest, Nack, Pli
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpReceiver, SrtpSender
from tests.edge.support import StepClock
from tests.rtp.offers import CLIENT, SERVER

PROFILE = SrtpProfile.AEAD_AES_128_GCM
FRAME_NS = 33_333_333
SLICE = b"\x00\x00\x00\x01\x41"
KEY_SLICE = b"\x00\x00\x00\x01\x65"


class Bench:
    """A feed's sender whose server took all of the offer."""

    def __init__(self, *, start_bps: int = 3_000_000, **changes: Any) -> None:
        values = {"name": "feed", "source": {"kind": "testcard"}} | changes
        offer = offer_publish(CLIENT, outgoing_tracks(FeedConfig.model_validate(values), "cname"))
        answer, _ = answer_publish(offer, SERVER)
        applied = apply_answer(offer, answer)
        self.ids = applied.media[0].extensions
        self.clock = StepClock()
        self.asked: list[tuple[str, bool]] = []
        self.sender = FeedSender(
            applied,
            "cname",
            self.clock,
            lambda rid, at_once: self.asked.append((rid, at_once)),
            wanted_bps=8_000_000,
            start_bps=start_bps,
        )
        keys = SrtpKeys(PROFILE, bytes(PROFILE.key_bytes), bytes(PROFILE.salt_bytes))
        self.sealer, self._receiver = SrtpSender(keys), SrtpReceiver(keys)

    def send(self, rid: str = "f", *, keyframe: bool = False, size_bytes: int = 3_000) -> list[RtpPacket]:
        self.clock.advance(FRAME_NS)
        data = (KEY_SLICE if keyframe else SLICE) + bytes([7]) * size_bytes
        unit = EncodedFrame(data, Instant.now(self.clock), keyframe, rid)
        return self.open(self.sender.video(unit, self.sealer))

    def open(self, datagrams: list[bytes]) -> list[RtpPacket]:
        return [parse_rtp(self._receiver.open(datagram)) for datagram in datagrams]

    def rid_of(self, packet: RtpPacket) -> str | None:
        value = parse_extensions(packet.extension_profile, packet.extension).get(self.ids.id_of(RID) or 0)
        return None if value is None else decode_token(value)


def test_encodings_have_their_own_ssrcs_and_say_which_they_are() -> None:
    bench = Bench()
    full, small = bench.send("f", keyframe=True), bench.send("q", keyframe=True)
    assert {bench.rid_of(packet) for packet in full} == {"f"}
    assert {bench.rid_of(packet) for packet in small} == {"q"}
    assert len({packet.ssrc for packet in full + small}) == 2


def test_both_carry_the_moment_of_capture() -> None:
    bench = Bench()
    for rid in ("f", "q"):
        first = bench.send(rid, keyframe=True)[0]
        items = parse_extensions(first.extension_profile, first.extension)
        captured = decode_abs_capture_time(items[bench.ids.id_of(ABS_CAPTURE_TIME) or 0])
        assert abs(captured.capture_ns - bench.clock.unix_ns()) <= 1_000


def test_each_encoding_begins_with_its_own_keyframe() -> None:
    bench = Bench()
    assert bench.send("f") == []
    assert bench.send("f", keyframe=True)
    assert bench.send("f")
    assert bench.send("q") == []
    assert bench.sender.stats.skipped_frames == 2


def test_a_picture_loss_and_a_full_intra_request_mean_one_encoding() -> None:
    bench = Bench()
    full, small = bench.send("f", keyframe=True)[0].ssrc, bench.send("q", keyframe=True)[0].ssrc
    bench.sender.handle(Pli(9, small), bench.sealer)
    bench.sender.handle(Fir(9, (FirRequest(full, 1),)), bench.sealer)
    bench.sender.handle(Fir(9, (FirRequest(full, 1), FirRequest(small, 1))), bench.sealer)
    bench.sender.handle(Pli(9, 12_345), bench.sealer)
    assert bench.asked == [("q", False), ("f", False), ("q", False)]


def test_repairs_come_from_the_stream_that_lost_them() -> None:
    bench = Bench()
    full = bench.send("f", keyframe=True)
    small = bench.send("q", keyframe=True)
    lost = Nack(9, small[0].ssrc, (small[1].sequence_number,))
    (repair,) = bench.open(bench.sender.handle(lost, bench.sealer))
    assert repair.payload[2:] == small[1].payload
    assert repair.ssrc not in {packet.ssrc for packet in full + small}


def test_more_lost_than_the_path_can_repair_brings_a_keyframe_instead() -> None:
    bench = Bench(start_bps=500_000)
    packets = [packet for n in range(30) for packet in bench.send("f", keyframe=n == 0, size_bytes=2_000)]
    bench.send("q", keyframe=True, size_bytes=500)
    lost = Nack(9, packets[0].ssrc, tuple(packet.sequence_number for packet in packets))
    assert bench.sender.handle(lost, bench.sealer) == []
    assert bench.asked == [("f", True)]
    assert bench.send("f") == [], "nobody could decode it"
    assert bench.sender.handle(lost, bench.sealer) == [], "nothing from before it is sent again"
    assert bench.send("q", size_bytes=500), "the other encoding goes on"
    assert bench.send("f", keyframe=True, size_bytes=500)


def test_a_small_picture_is_one_stream_without_rid() -> None:
    bench = Bench(width=640, height=360)
    packets = bench.send("f", keyframe=True)
    assert bench.sender.rids == {"f"}
    assert {bench.rid_of(packet) for packet in packets} == {None}
    assert bench.send("q", keyframe=True) == []


def test_a_server_without_simulcast_gets_the_full_picture_alone() -> None:
    feed = FeedConfig.model_validate({"name": "feed", "source": {"kind": "testcard"}})
    offer = offer_publish(CLIENT, outgoing_tracks(feed, "cname"))
    answer, _ = answer_publish(offer, SERVER)
    answer.media[0].simulcast = None
    sender = FeedSender(apply_answer(offer, answer), "cname", StepClock(), lambda rid, at_once: None)
    assert sender.rids == {"f"}


def test_a_server_that_takes_no_picture_is_of_no_use() -> None:
    feed = FeedConfig.model_validate({"name": "feed", "source": {"kind": "testcard"}})
    offer = offer_publish(CLIENT, outgoing_tracks(feed, "cname"))
    answer, _ = answer_publish(offer, SERVER)
    taken = apply_answer(offer, answer)
    taken.media.clear()
    with pytest.raises(ProtocolError, match="does not take"):
        FeedSender(taken, "cname", StepClock(), lambda rid, at_once: None)
