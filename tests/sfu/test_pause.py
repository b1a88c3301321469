"""Privacy pause: from the moment the worker has been told, nothing of a paused track reaches anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from core.worker_api import CreateTransport, PausedTracks
from rtp.negotiation import offer_view, read_view_answer
from rtp.packet import RtpPacket
from rtp.sdp import parse_sdp
from sfu.worker import Worker
from tests.sfu.peers import DEADLINE_S, ROOM, DirectApi, Publisher, Subscriber, h264_frame, track
from tests.sfu.rig import Rig, follow_each_other, frames, packet
from tests.sfu.test_forwarding import FRAME_S, closing

UNASKABLE = frozenset({"nack"})


# a producer and its consumers, without sockets


def test_a_pause_is_silent_and_going_on_begins_with_a_keyframe_and_leaves_no_gap_in_the_numbers() -> None:
    rig = Rig()
    view = rig.view()
    before = frames(1, 2)
    rig.receive(*before)
    rig.producer.set_paused(True, rig.now_ns)
    rig.wait(1_000)
    rig.receive(*frames(100, 3, first_frame=30))
    assert view.payloads == [item.payload for item in before]
    rig.producer.set_paused(False, rig.now_ns)
    assert rig.layer.keyframes.due(rig.now_ns), "the publisher is asked for a keyframe"
    rig.receive(packet(109, frame=33), packet(110, frame=33))
    assert len(view.packets) == len(before)
    after = frames(111, 2, first_frame=34)
    rig.receive(*after)
    assert view.payloads == [item.payload for item in [*before, *after]]
    assert follow_each_other(view.numbers)
    assert view.errors == []


@pytest.mark.parametrize("feedback", [UNASKABLE, frozenset({"nack", "nack pli"})])
def test_a_joiner_gets_no_picture_from_before_or_during_the_pause(feedback: frozenset[str]) -> None:
    rig = Rig(feedback=feedback)
    rig.receive(*frames(1, 2))
    rig.producer.set_paused(True, rig.now_ns)
    early = rig.view(0x2000)
    rig.receive(*frames(7, 2, first_frame=2))
    rig.producer.set_paused(False, rig.now_ns)
    late = rig.view(0x3000)
    rig.receive(packet(13, frame=4))
    assert early.packets == late.packets == []
    after = frames(14, 1, first_frame=5)
    rig.receive(*after)
    assert early.payloads == late.payloads == [item.payload for item in after]


@pytest.mark.parametrize("rtx", [True, False])
def test_what_was_sent_before_is_not_sent_again_during_or_after_the_pause(rtx: bool) -> None:
    rig = Rig()
    view = rig.view() if rtx else rig.view(rtx_payload_type=None, rtx_ssrc=None)
    rig.receive(*frames(1, 2))
    rig.producer.set_paused(True, rig.now_ns)
    sent = len(view.datagrams)
    for paused in (True, False):
        rig.producer.set_paused(paused, rig.now_ns)
        rig.wait(100)
        view.consumer.on_nack(view.numbers[:sent], rig.now_ns)
        view.flush()
    assert len(view.datagrams) == sent


def test_a_packet_of_the_pause_that_is_repaired_after_it_stays_private() -> None:
    rig = Rig(kind="audio", codec="opus", clock_rate=48_000, rtx_payload_type=None)
    view = rig.view(kind="audio", codec="opus", clock_rate=48_000, rtx_payload_type=None, rtx_ssrc=None)
    rig.receive(packet(1))
    rig.producer.set_paused(True, rig.now_ns)
    rig.receive(packet(2), packet(4))
    rig.producer.set_paused(False, rig.now_ns)
    rig.wait(50)
    rig.receive(packet(3))
    after = packet(5)
    rig.receive(after)
    assert view.payloads == [packet(1).payload, after.payload]
    assert follow_each_other(view.numbers)


def test_a_group_that_is_being_sent_stops_in_the_middle() -> None:
    rig = Rig(feedback=UNASKABLE)
    big = [
        packet(1, key=True),
        *[packet(number, payload=bytes((0x7C, 0x01)) + bytes(1_400)) for number in range(2, 300)],
    ]
    rig.receive(*big)
    view = rig.view()
    sent = len(view.packets)
    assert 0 < sent < len(big)
    rig.producer.set_paused(True, rig.now_ns)
    rig.wait(20)
    view.consumer.catch_up(rig.now_ns)
    view.flush()
    assert len(view.packets) == sent
    assert not view.consumer.is_catching_up


def test_nobody_asks_the_publisher_for_keyframes_during_a_pause() -> None:
    rig = Rig()
    rig.receive(*frames(1, 1))
    rig.producer.set_paused(True, rig.now_ns)
    rig.view()
    from sfu.uplink import Uplink

    uplink = Uplink(1, "cname", rig.now_ns)
    uplink.layers = [rig.layer]
    rig.wait(600)
    rig.receive(packet(4, frame=1))
    assert uplink.repairs_due(rig.now_ns) == []
    rig.producer.set_paused(False, rig.now_ns)
    assert len(uplink.repairs_due(rig.now_ns)) == 1


def test_encoder_restarts_do_not_end_a_pause() -> None:
    rig = Rig()
    view = rig.view()
    rig.receive(*frames(1, 1))
    sent = len(view.packets)
    rig.producer.set_paused(True, rig.now_ns)
    rig.producer.bind(rig.layer, 0x9999, None)
    rig.receive(*[packet(number, key=number == 50, ssrc=0x9999) for number in range(50, 60)])
    assert len(view.packets) == sent


# real peers


class _Source:
    """Sends numbered frames all the time; keyframes when asked for one."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.number = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            key = self.publisher.take_keyframe_wish()
            self.publisher.send(h264_frame(self.number, 4, keyframe=key), self.number * 3_000)
            self.publisher.send([b"sound" + self.number.to_bytes(4, "big")], self.number * 960, index=1)
            self.number += 1
            await asyncio.sleep(FRAME_S)

    async def frames(self, count: int) -> None:
        """Until so many more were sent."""
        wanted = self.number + count
        async with asyncio.timeout(DEADLINE_S):
            while self.number < wanted:
                await asyncio.sleep(FRAME_S)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def _shown(packets: list[RtpPacket]) -> list[int]:
    """The numbers of the frames and sounds received."""
    return [
        int.from_bytes(item.payload[5:9] if item.payload.startswith(b"sound") else item.payload[3:7], "big")
        for item in packets
        if item.payload
    ]


def _pause(worker: Worker, publisher: Publisher, paused: bool) -> None:
    worker.set_paused(PausedTracks(track_ids=[*publisher.track_ids, "t_unknown"], paused=paused))


async def _view(worker: Worker, viewer: Subscriber, track_ids: list[str]) -> None:
    """A WHEP player."""
    await viewer.transport.gather()
    offer = offer_view(viewer.local(), ("video", "audio"))
    description = worker.create(
        CreateTransport(
            transport_id="whep", room=ROOM, participant_id="p_9", direction="view",
            offer=offer.serialize(), track_ids=track_ids,
        )
    )  # fmt: skip
    answer = parse_sdp(description.sdp)
    viewer.media, remote = read_view_answer(offer, answer)
    viewer.receive_as(description.mids)
    await viewer.connect(remote, "active")


def _got(peer: Subscriber, publisher: Publisher, beyond: int) -> Callable[[], bool]:
    """True once both tracks brought something sent after frame `beyond`."""
    return lambda: all(
        any(number > beyond for number in _shown(peer.packets.get(track_id, [])))
        for track_id in publisher.track_ids
    )


async def test_no_packet_of_a_paused_track_reaches_a_subscriber_a_player_or_a_late_joiner(
    worker: Worker,
) -> None:
    api = DirectApi(worker)
    publisher = Publisher([track(), track("audio", "opus", rtx=False)])
    one, player, late = Subscriber(), Subscriber(), Subscriber()
    async with closing(one, player, late, publisher):
        await publisher.publish(api, "pub")
        await one.subscribe(api, "one", publisher.track_ids)
        await _view(worker, player, publisher.track_ids)
        source = _Source(publisher)
        for peer in (one, player):
            await peer.until(_got(peer, publisher, 0))

        _pause(worker, publisher, True)
        begin = source.number
        await late.subscribe(api, "late", publisher.track_ids)
        await late.until(lambda: late.states[-1:] == ["connected"])
        await source.frames(60)
        end = source.number
        assert worker.track(publisher.track_ids[0], ROOM).info().paused  # type: ignore[union-attr]  # it is there
        asked = publisher.keyframe_requests
        _pause(worker, publisher, False)

        picture = publisher.track_ids[0]
        for peer in (one, player, late):
            await peer.until(_got(peer, publisher, end))
            for track_id in publisher.track_ids:
                seen = _shown(peer.packets[track_id])
                assert not [number for number in seen if begin < number < end - 1]
            after = next(p for p in peer.packets[picture] if _shown([p])[0] >= end - 1)
            assert after.payload[1] & 0x1F == 5, "a keyframe comes first"
        assert late.packets[picture][0].payload[1] & 0x1F == 5
        assert publisher.keyframe_requests > asked
        await source.stop()


async def test_tracks_published_during_a_pause_are_born_paused_and_so_are_those_added_later(
    worker: Worker,
) -> None:
    api = DirectApi(worker)
    publisher, subscriber = Publisher([track(), track("audio", "opus", rtx=False)]), Subscriber()

    class Paused(DirectApi):
        async def create(self, request: CreateTransport):  # type: ignore[no-untyped-def]  # as its parent
            return await super().create(request.model_copy(update={"paused": True}))

    async with closing(subscriber, publisher):
        await publisher.publish(Paused(worker), "pub")
        assert publisher.info is not None
        assert [info.paused for info in publisher.info.tracks] == [True, True]
        await subscriber.subscribe(api, "sub", publisher.track_ids)
        source = _Source(publisher)
        await subscriber.until(lambda: subscriber.states[-1:] == ["connected"])
        await source.frames(40)
        assert subscriber.raw == []
        publisher.tracks = [*publisher.tracks, track()]
        changed = worker.offer("pub", publisher.next_offer())
        assert [info.paused for info in changed.tracks] == [True, True, True]
        _pause(worker, publisher, False)
        await subscriber.until(_got(subscriber, publisher, 0))
        publisher.tracks = [*publisher.tracks, track()]
        changed = worker.offer("pub", publisher.next_offer())
        assert [info.paused for info in changed.tracks] == [False, False, True, False]
        await source.stop()


async def test_other_peoples_tracks_go_on_during_a_pause(worker: Worker) -> None:
    api = DirectApi(worker)
    site = Publisher([track(), track("audio", "opus", rtx=False)])
    expert = Publisher([track(), track("audio", "opus", rtx=False)])
    subscriber = Subscriber()
    async with closing(subscriber, site, expert):
        await site.publish(api, "site")
        await expert.publish(api, "expert")
        await subscriber.subscribe(api, "sub", [*site.track_ids, *expert.track_ids])
        sources = [_Source(site), _Source(expert)]
        await subscriber.until(_got(subscriber, site, 0))
        _pause(worker, site, True)
        await subscriber.until(_got(subscriber, expert, sources[1].number + 30))
        for source in sources:
            await source.stop()
