"""VP8's own numbers go on for a viewer that is taken from layer to layer (RFC 7741 §4.2)."""

from __future__ import annotations

from itertools import groupby, pairwise

from rtp.payload.vp8 import Vp8Numbers, read_numbers
from rtp.rtx import unwrap
from sfu.headers import HeaderPlan, PreparedBatch, plan_key
from sfu.picture_numbers import PictureNumbers
from tests.sfu.rig import View
from tests.sfu.simulcast import Camera, simulcast
from tests.sfu.test_headers import SOURCE, TARGET, source_packet


def numbered() -> tuple[Camera, View]:
    """A camera whose layers count from different numbers, and a viewer that is told which to take."""
    rig, camera = simulcast(("f", "q"))
    camera.encoders["f"].numbered(32_700)
    camera.encoders["q"].numbered(100)
    view = rig.view(adaptive=True)
    return camera, view


def shown(view: View) -> list[Vp8Numbers]:
    """Of each frame that came, in order; all packets of a frame must say the same."""
    found = []
    for _, packets in groupby(view.media(), key=lambda packet: packet.timestamp):
        (said,) = {
            (numbers.picture_id, numbers.tl0_index): numbers
            for packet in packets
            if (numbers := read_numbers(packet.payload)) is not None
        }.values()
        found.append(said)
    return found


def go_to(camera: Camera, view: View, rid: str) -> None:
    view.consumer.want(camera.layer(rid), camera.rig.now_ns)
    camera.run(0.4)


def test_frames_count_up_through_switches_pauses_and_wraps() -> None:
    camera, view = numbered()
    camera.run(0.2)
    for rid in ("f", "q", "f", "q"):
        go_to(camera, view, rid)
    view.consumer.rest()
    camera.run(0.3)
    go_to(camera, view, "f")
    frames = shown(view)
    assert len(frames) > 35
    ids = [frame.picture_id or 0 for frame in frames]
    assert all((after - before) & 0x7FFF == 1 for before, after in pairwise(ids))
    levels = [frame.tl0_index or 0 for frame in frames]
    assert all((after - before) & 0xFF == 1 for before, after in pairwise(levels))
    assert len({packet.payload[5:] for packet in view.media()}) > 1, "the pictures themselves are the layers'"


def test_what_is_sent_again_says_what_it_said() -> None:
    camera, view = numbered()
    for rid in ("f", "q"):
        go_to(camera, view, rid)
    lost = view.media()[-2]
    view.consumer.on_nack([lost.sequence_number], camera.rig.now_ns)
    view.flush()
    original = unwrap(view.packets[-1], ssrc=lost.ssrc, payload_type=lost.payload_type)
    assert original is not None
    assert original.payload == lost.payload


def test_frames_that_waited_and_were_dropped_leave_no_gap() -> None:
    numbers = PictureNumbers()
    plan = HeaderPlan(plan_key(SOURCE, TARGET, []))

    def sent(picture: int, sequence: int) -> PreparedBatch:
        payload = b"\x90\x80" + (0x8000 | picture).to_bytes(2, "big") + b"slice"
        packets = [source_packet(payload=payload, sequence_number=sequence)]
        return numbers.moved(plan.prepared(packets), 0, True)

    def picture(batch: PreparedBatch) -> int | None:
        read = read_numbers(batch.items[0].payload)
        return None if read is None else read.picture_id

    assert [picture(sent(10, 1)), picture(sent(11, 2))] == [10, 11]
    numbers.switch(None)
    assert picture(sent(700, 3)) == 12
    waiting = sent(701, 4)
    sent(702, 5)
    numbers.switch(waiting.items[0].payload)
    assert picture(sent(20, 4)) == 13, "as the first that was dropped would have said"
