"""Fan-out of a batch: one send per subscriber, nobody always last, nobody's trouble is another's."""

from __future__ import annotations

import pytest

from rtp.packet import RtpPacket
from sfu.consumer import Consumer
from sfu.producer import Producer
from tests.sfu.rig import Rig, View, accepted_media, frames, identity, packet, received_media


def test_one_send_per_subscriber_and_batch_even_with_several_tracks() -> None:
    rig = Rig()
    view = rig.view()
    audio = {"kind": "audio", "codec": "opus"}
    sound = Producer(identity(**audio), received_media(**audio, mid="1", clock_rate=48_000))
    layer = sound.layers[None]
    sound.bind(layer, 5, None)
    terms = accepted_media(0x5000, **audio, payload_type=111, clock_rate=48_000)
    heard = Consumer(sound, terms, view.link, first_sequence=1, first_timestamp=1, first_rtx_sequence=1)
    heard.start(rig.now_ns)
    assert layer.receive(packet(1, ssrc=5), rig.now_ns)
    rig.router.queue(layer)
    rig.receive(*frames(1, 5))
    assert view.sends == 1
    assert {item.ssrc for item in view.packets} == {0x2000, 0x5000}
    assert len(view.packets) == 16


def test_the_subscriber_served_first_changes() -> None:
    rig = Rig()
    order: list[int] = []

    class Noting(View):
        def flush(self) -> None:
            if self.link.outbox:
                order.append(self.consumer.media.ssrc or 0)
            super().flush()

    for ssrc in (0x2000, 0x3000, 0x4000):
        Noting(rig, ssrc).consumer.start(rig.now_ns)
    firsts = set()
    for number in range(3):
        order.clear()
        rig.receive(packet(number, key=number == 0))
        assert sorted(order) == [0x2000, 0x3000, 0x4000]
        firsts.add(order[0])
    assert firsts == {0x2000, 0x3000, 0x4000}


@pytest.mark.interpreted
def test_one_subscribers_failure_is_not_the_others() -> None:
    rig = Rig()
    broken, fine = rig.view(), rig.view(0x3000)

    class Broken:
        def seal_run(self, *_: object) -> list[bytes]:
            raise RuntimeError("no")

        seal_each = seal_run

    broken.link.sealer = Broken()  # type: ignore[assignment]
    rig.receive(*frames(1, 1))
    assert len(broken.errors) == 1
    assert len(fine.packets) == 3


def test_time_inside_is_counted_once_per_packet_received() -> None:
    rig = Rig()
    rig.view()
    rig.view(0x3000)
    rig.receive(*frames(1, 2))
    assert rig.metrics.inside.total == 6
    assert rig.metrics.inside.percentile_us(0.5) in range(1_000, 1_128)


def test_a_packet_without_kernel_stamp_is_forwarded_but_not_timed() -> None:
    rig = Rig()
    view = rig.view()
    item = packet(1, key=True)
    assert rig.layer.receive(item, rig.now_ns)
    rig.router.queue(rig.layer)
    rig.router.flush(rig.now_ns, lambda: rig.now_ns)
    assert isinstance(item, RtpPacket)
    assert len(view.packets) == 1
    assert rig.metrics.inside.total == 0


def test_a_subscriber_that_left_is_not_served() -> None:
    rig = Rig()
    view = rig.view()
    rig.router.unregister(view.link)
    rig.receive(*frames(1, 1))
    assert view.packets == []


def test_a_track_goes_silent_and_live_again() -> None:
    rig = Rig()
    assert rig.producer.live_change(rig.now_ns) is None
    rig.receive(packet(1, key=True))
    assert rig.producer.live_change(rig.now_ns) is True
    assert rig.producer.info().live
    rig.wait(1_999)
    assert rig.producer.live_change(rig.now_ns) is None
    rig.wait(1)
    assert rig.producer.live_change(rig.now_ns) is False
    rig.receive(packet(2))
    assert rig.producer.live_change(rig.now_ns) is True
