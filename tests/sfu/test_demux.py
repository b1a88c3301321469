"""A publisher's packets find their layer by SSRC, MID and RID, or payload type; strangers find none."""

from __future__ import annotations

import pytest

from core.errors import ProtocolError
from rtp.extensions import parse_extensions
from rtp.packet import RtpPacket
from sfu.demux import MAX_SSRCS, Demultiplexer
from sfu.layer import Layer
from sfu.producer import Producer
from tests.sfu.rig import RTX_PAYLOAD_TYPE, identity, packet, received_media

MID_ID, RID_ID, RRID_ID = 1, 6, 7


def producer(**changes: object) -> Producer:
    return Producer(identity(), received_media(**changes))


def find(demux: Demultiplexer, item: RtpPacket, **tokens: str) -> Layer | None:
    ids = {"mid": MID_ID, "rid": RID_ID, "rrid": RRID_ID}
    return demux.layer_of(item, {ids[name]: value.encode() for name, value in tokens.items()})


def bare(number: int = 1, **changes: object) -> RtpPacket:
    return packet(number, extension_profile=None, extension=b"", **changes)


def test_a_described_ssrc_is_known_before_its_first_packet() -> None:
    demux, made = Demultiplexer(), producer(ssrc=77, rtx_ssrc=78)
    demux.set_producers({"0": made})
    layer = made.layers[None]
    assert find(demux, bare(ssrc=77)) is layer
    assert find(demux, bare(ssrc=78, payload_type=RTX_PAYLOAD_TYPE)) is layer
    assert demux.layer_of_ssrc(77) is layer
    assert demux.layer_of_ssrc(78) is None


def test_two_tracks_of_one_payload_type_are_told_apart_by_mid() -> None:
    demux, one, two = Demultiplexer(), producer(mid="a"), producer(mid="b")
    demux.set_producers({"a": one, "b": two})
    assert find(demux, bare(ssrc=5)) is None
    assert find(demux, bare(ssrc=5), mid="b") is two.layers[None]
    assert find(demux, bare(ssrc=5)) is two.layers[None], "the SSRC is known from now on"
    assert find(demux, bare(ssrc=6), mid="no-such") is None


def test_a_unique_payload_type_is_enough() -> None:
    demux, video, audio = Demultiplexer(), producer(mid="v"), producer(mid="a", payload_type=111)
    demux.set_producers({"v": video, "a": audio})
    assert find(demux, bare(ssrc=5, payload_type=111)) is audio.layers[None]
    assert find(demux, bare(ssrc=6, payload_type=50)) is None


def test_simulcast_layers_and_their_retransmissions_are_told_apart_by_rid() -> None:
    demux, made = Demultiplexer(), producer(rids=("q", "f"))
    demux.set_producers({"0": made})
    repair = bare(ssrc=12, payload_type=RTX_PAYLOAD_TYPE)
    assert find(demux, repair, mid="0", rrid="q") is None, "nothing to repair yet"
    assert find(demux, bare(ssrc=11), mid="0", rid="q") is made.layers["q"]
    assert find(demux, repair, mid="0", rrid="q") is made.layers["q"]
    assert find(demux, bare(ssrc=21), mid="0", rid="f") is made.layers["f"]
    assert find(demux, bare(ssrc=31), mid="0", rid="x") is None
    assert [layer.source for layer in made] == [11, 21]


def test_a_restarted_encoder_takes_over_and_its_stragglers_are_dropped() -> None:
    demux, made = Demultiplexer(), producer()
    demux.set_producers({"0": made})
    find(demux, bare(ssrc=5), mid="0")
    find(demux, bare(ssrc=6), mid="0")
    assert made.layers[None].source == 6
    assert find(demux, bare(ssrc=5), mid="0") is None
    assert made.layers[None].source == 6


def test_a_publisher_that_changes_its_ssrc_all_the_time_is_stopped() -> None:
    demux, made = Demultiplexer(), producer()
    demux.set_producers({"0": made})
    for ssrc in range(1, 3 * MAX_SSRCS):
        find(demux, bare(ssrc=ssrc), mid="0")
    assert demux.refused == 2 * MAX_SSRCS - 1
    assert made.layers[None].source == MAX_SSRCS


def test_a_bad_mid_is_the_packets_end() -> None:
    demux = Demultiplexer()
    demux.set_producers({"0": producer()})
    with pytest.raises(ProtocolError):
        demux.layer_of(bare(), {MID_ID: b"\xff\xfe"})


def test_renegotiation_keeps_what_goes_on_and_forgets_what_ended() -> None:
    demux, stays, goes = Demultiplexer(), producer(mid="a"), producer(mid="b")
    demux.set_producers({"a": stays, "b": goes})
    find(demux, bare(ssrc=5), mid="a")
    find(demux, bare(ssrc=6), mid="b")
    demux.set_producers({"a": stays})
    assert find(demux, bare(ssrc=5)) is stays.layers[None]
    assert find(demux, bare(ssrc=6), mid="b") is None
    assert parse_extensions(None, b"") == {}
