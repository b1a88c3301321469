"""Publisher → worker → subscribers over real UDP, DTLS and SRTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from core.messages import Model
from core.worker_api import ConsumerClock, CreateTransport, TrackLive, TransportChanged
from rtp.negotiation import offer_view, read_view_answer
from rtp.packet import RtpPacket
from rtp.rtcp import SenderReport, TransportFeedback
from rtp.sdp import parse_fragment, parse_sdp
from rtp.sdp_fragment import IceFragment
from sfu.worker import Worker
from tests.sfu.peers import CLOCK, DEADLINE_S, ROOM, DirectApi, Peer, Publisher, Subscriber, h264_frame, track
from tests.sfu.rig import follow_each_other
from tests.support.impairment import ImpairmentProxy
from tests.support.link import Impairment

FRAME_S = 0.004


@asynccontextmanager
async def closing(*peers: Peer) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for peer in peers:
            await peer.close()


async def feed(publisher: Publisher, until: Callable[[], bool], *, first: int = 0, index: int = 0) -> int:
    """Send frames (a keyframe whenever asked for one) until `until`; the number of the next frame."""
    number = first
    async with asyncio.timeout(DEADLINE_S):
        while not until():
            key = publisher.take_keyframe_wish()
            publisher.send(h264_frame(number, 5, keyframe=key), number * 3_000, index)
            number += 1
            await asyncio.sleep(FRAME_S)
    return number


async def heard(worker: Worker, wanted: Callable[[Model], bool], during: Awaitable[object]) -> Model:
    """The first event that is wanted, while something else goes on."""
    async with worker.events.subscribe(worker.present_state()) as reader:
        task = asyncio.ensure_future(during)
        async with asyncio.timeout(DEADLINE_S):
            while not wanted(event := await reader.get()):
                pass
        await task
        return event


async def test_two_subscribers_get_every_packet_from_the_keyframe_on(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher, one, two = Publisher([track()]), Subscriber(), Subscriber()
    async with closing(one, two, publisher):
        await publisher.publish(api, "pub")
        for name, subscriber in (("one", one), ("two", two)):
            await subscriber.subscribe(api, name, publisher.track_ids)
        (track_id,) = publisher.track_ids
        sent: list[bytes] = []
        for number in range(40):
            payloads = h264_frame(number, 5, keyframe=number == 3)
            publisher.send(payloads, number * 3_000)
            sent += payloads if number >= 3 else []
        for subscriber in (one, two):
            await subscriber.until(lambda peer=subscriber: len(peer.packets[track_id]) >= len(sent))
            assert subscriber.payloads(track_id) == sent
        assert worker.stats()["inside_us"]["p99"] > 0


async def test_loss_is_repaired_both_ways_for_picture_and_sound(worker: Worker) -> None:
    api, port = DirectApi(worker), worker.endpoint.port.address[1]
    proxy = await ImpairmentProxy.open(("127.0.0.1", port), seed=7)
    publisher = Publisher([track(), track("audio", "opus", rtx=False)], proxy.address)
    subscriber = Subscriber(proxy.address)
    async with closing(subscriber, publisher):
        await publisher.publish(api, "pub")
        await subscriber.subscribe(api, "sub", publisher.track_ids)
        picture, sound = publisher.track_ids
        publisher.send(h264_frame(0, 3, keyframe=True), 0)
        publisher.send([b"sound 0"], 0, index=1)
        await subscriber.until(lambda: bool(subscriber.packets[picture] and subscriber.packets[sound]))
        proxy.set(Impairment(loss=0.10))
        for number in range(1, 80):
            publisher.send(h264_frame(number, 4), number * 3_000)
            publisher.send([b"sound %d" % number], number * 960, index=1)
            await asyncio.sleep(FRAME_S)
        proxy.set(Impairment())
        await feed(publisher, lambda: _complete(subscriber, picture, 80, 4, publisher, sound), first=80)
        stats = worker.stats()["counters"]
        assert proxy.up.lost > 10
        assert proxy.down.lost > 10
        assert stats["nacks_received"] > 5
        assert any(layer["repaired"] > 3 for layer in _layers(worker))
    proxy.close()


def _complete(
    subscriber: Subscriber, picture: str, frames: int, size: int, publisher: Publisher, sound: str
) -> bool:
    """Every packet of the lossy part is there; keeps sound going so that its last losses are noticed."""
    publisher.send([b"later"], 0, index=1)
    wanted = {payload for number in range(1, frames) for payload in h264_frame(number, size)}
    heard = {packet.payload for packet in subscriber.packets[sound]}
    said = {b"sound %d" % number for number in range(frames)}
    return wanted <= {packet.payload for packet in subscriber.packets[picture]} and said <= heard


def _layers(worker: Worker) -> list[dict[str, int]]:
    return [
        layer
        for session in worker.stats()["sessions"]
        for item in session["tracks"]
        if isinstance(item, dict)
        for layer in item["layers"]
    ]


async def test_a_subscriber_without_rtx_is_repaired_with_the_same_ciphertext(worker: Worker) -> None:
    api, port = DirectApi(worker), worker.endpoint.port.address[1]
    proxy = await ImpairmentProxy.open(("127.0.0.1", port), seed=3)
    publisher, subscriber = Publisher([track()]), Subscriber(proxy.address)
    async with closing(subscriber, publisher):
        await publisher.publish(api, "pub")
        await subscriber.subscribe(api, "sub", publisher.track_ids, rtx=False)
        (picture,) = publisher.track_ids
        publisher.send(h264_frame(0, 3, keyframe=True), 0)
        await subscriber.until(lambda: bool(subscriber.packets[picture]))
        proxy.down.impairment = Impairment(loss=0.15)
        for number in range(1, 60):
            publisher.send(h264_frame(number, 4), number * 3_000)
            await asyncio.sleep(FRAME_S)
        proxy.set(Impairment())
        wanted = {payload for number in range(1, 60) for payload in h264_frame(number, 4)}
        await feed(
            publisher, lambda: wanted <= {item.payload for item in subscriber.packets[picture]}, first=60
        )
        assert {item.ssrc for item in subscriber.raw} == {subscriber.media[0].ssrc}
        assert proxy.down.lost > 10
    proxy.close()


async def test_a_late_joiner_makes_the_publisher_send_one_keyframe(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher, early, late = Publisher([track()]), Subscriber(), Subscriber()
    async with closing(early, late, publisher):
        await publisher.publish(api, "pub")
        (picture,) = publisher.track_ids
        await early.subscribe(api, "early", [picture])
        producer = worker.track(picture, ROOM)
        assert producer is not None
        group = producer.layers[None].group
        await feed(publisher, lambda: bool(group.packets))
        number = await feed(publisher, lambda: group.serve(CLOCK.monotonic_ns()) is None, first=100)
        running = asyncio.create_task(feed(publisher, lambda: bool(late.packets.get(picture)), first=number))
        before = publisher.keyframe_requests
        await late.subscribe(api, "late", [picture])
        await running
        assert publisher.keyframe_requests == before + 1
        assert late.packets[picture][0].payload[1] & 0x1F == 5, "an IDR slice comes first"


async def test_feedback_and_reports_flow_both_ways(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher, subscriber = Publisher([track()]), Subscriber()
    async with closing(subscriber, publisher):
        await publisher.publish(api, "pub")
        await subscriber.subscribe(api, "sub", publisher.track_ids)
        await feed(publisher, lambda: publisher.acknowledged > 50 and bool(subscriber.of(SenderReport)))
        publisher.send_report()
        await subscriber.until(lambda: bool(worker.stats()["sessions"][1]["rtt_ms"]))
        assert publisher.of(TransportFeedback)
        assert 0 < worker.stats()["sessions"][1]["rtt_ms"] < 1_000


async def test_the_clock_event_names_the_frame_the_viewer_holds(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher, subscriber = Publisher([track()]), Subscriber()
    async with closing(subscriber, publisher):
        await publisher.publish(api, "pub")
        await subscriber.subscribe(api, "sub", publisher.track_ids)
        (picture,) = publisher.track_ids
        event = await heard(
            worker,
            lambda event: isinstance(event, ConsumerClock),
            feed(publisher, lambda: len(subscriber.packets[picture]) > 50),
        )
        assert isinstance(event, ConsumerClock)
        packet = subscriber.packets[picture][0]
        ticks = ((packet.timestamp - event.rtp_timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        capture_us = event.capture_time_us + ticks * 1_000_000 // event.clock_rate
        assert abs(capture_us - packet.arrival_ns // 1_000) < 1_000_000
        assert (event.mid, event.track_id) == (subscriber.media[0].mid, picture)


async def test_events_tell_of_connections_and_of_live_tracks(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher = Publisher([track()])
    async with closing(publisher):
        connected = await heard(
            worker, lambda event: isinstance(event, TransportChanged), publisher.publish(api, "pub")
        )
        assert connected == TransportChanged(transport_id="pub", state="connected")
        publisher.send(h264_frame(0, 2, keyframe=True), 0)
        live = await heard(worker, lambda event: isinstance(event, TrackLive), asyncio.sleep(0))
        assert live == TrackLive(track_id=publisher.track_ids[0], kind="video", live=True)
        worker.delete("pub", "deleted")
        await publisher.until(lambda: publisher.states[-1] == "closed")


async def test_tracks_are_added_and_removed_without_disturbing_the_others(worker: Worker) -> None:
    api = DirectApi(worker)
    one, two, subscriber = Publisher([track()]), Publisher([track()]), Subscriber()
    async with closing(subscriber, one, two):
        await one.publish(api, "pub-1")
        await two.publish(api, "pub-2", feed="theatre")
        (first,), (second,) = one.track_ids, two.track_ids
        await subscriber.subscribe(api, "sub", [first])
        number = await feed(one, lambda: len(subscriber.packets[first]) > 20)
        ssrc = subscriber.media[0].ssrc
        await subscriber.change(api, [first, second])
        assert subscriber.media[0].ssrc == ssrc
        await feed(two, lambda: len(subscriber.packets[second]) > 20)
        await feed(one, lambda: len(subscriber.packets[first]) > 60, first=number)
        assert _consecutive(subscriber.raw, ssrc or 0)
        await subscriber.change(api, [second])
        assert [media.ssrc for media in subscriber.media] == [subscriber.media[0].ssrc]
        assert [stats["consumers"] for stats in _tracks(worker)] == [0, 1]


def _consecutive(packets: list[RtpPacket], ssrc: int) -> bool:
    numbers = [packet.sequence_number for packet in packets if packet.ssrc == ssrc]
    return follow_each_other(numbers)


def _tracks(worker: Worker) -> list[dict[str, int]]:
    return [
        item for session in worker.stats()["sessions"] for item in session["tracks"] if isinstance(item, dict)
    ]


async def test_tracks_of_another_room_do_not_exist(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher = Publisher([track()])
    async with closing(publisher):
        await publisher.publish(api, "pub")
        description = worker.create(
            CreateTransport(
                transport_id="spy",
                room="room-2",
                participant_id="p",
                direction="subscribe",
                track_ids=publisher.track_ids,
            )
        )
        assert description.mids == {}


async def test_a_whep_viewer_offers_and_receives(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher, viewer = Publisher([track()]), Subscriber()
    async with closing(viewer, publisher):
        await publisher.publish(api, "pub")
        (picture,) = publisher.track_ids
        await viewer.transport.gather()
        offer = offer_view(viewer.local(), ("video",))
        description = worker.create(
            CreateTransport(
                transport_id="view",
                room=ROOM,
                participant_id="p",
                direction="view",
                offer=offer.serialize(),
                track_ids=[picture],
            )
        )
        assert description.mids == {"0": picture}
        answer = parse_sdp(description.sdp)
        viewer.media, remote = read_view_answer(offer, answer)
        viewer.receive_as(description.mids)
        await viewer.connect(remote, "active")
        await feed(publisher, lambda: len(viewer.packets[picture]) > 20)


async def test_a_viewer_that_cannot_decode_the_codec_is_told(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher = Publisher([track()])
    async with closing(publisher):
        await publisher.publish(api, "pub")
        description = worker.create(
            CreateTransport(
                transport_id="sub",
                room=ROOM,
                participant_id="p",
                direction="subscribe",
                track_ids=publisher.track_ids,
                codecs=["VP8", "opus"],
            )
        )
        assert [item.codec for item in description.unsupported] == ["H264"]
        assert description.mids == {}


async def test_an_ice_restart_by_fragment_brings_fresh_credentials(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher = Publisher([track()])
    async with closing(publisher):
        await publisher.publish(api, "pub")
        assert publisher.info is not None
        before = parse_sdp(publisher.info.sdp).media[0].ice_ufrag
        same = IceFragment(ice=publisher.transport.local, mid="0").serialize()
        assert worker.patch("pub", same) is None
        fresh = "a=ice-ufrag:newufrag\r\na=ice-pwd:" + "p" * 24 + "\r\n"
        answer = worker.patch("pub", fresh)
        assert answer is not None
        ice = parse_fragment(answer).ice
        assert ice is not None
        assert ice.ufrag != before
        assert publisher.transport.state == "connected", "the old path works on"


async def test_the_publishers_end_ends_its_tracks(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher, subscriber = Publisher([track()]), Subscriber()
    async with closing(subscriber, publisher):
        await publisher.publish(api, "pub")
        await subscriber.subscribe(api, "sub", publisher.track_ids)
        await feed(publisher, lambda: len(subscriber.raw) > 10)
        worker.delete("pub", "deleted")
        assert worker.track(publisher.track_ids[0], ROOM) is None
        assert subscriber.transport.state == "connected"
        assert [session["transport_id"] for session in worker.stats()["sessions"]] == ["sub"]


async def test_strange_packets_of_a_publisher_are_dropped_and_counted(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher, subscriber = Publisher([track()]), Subscriber()
    async with closing(subscriber, publisher):
        await publisher.publish(api, "pub")
        await subscriber.subscribe(api, "sub", publisher.track_ids)
        sealer = publisher.transport.sealer
        assert sealer is not None
        stranger = RtpPacket(ssrc=99, payload_type=50, sequence_number=1, payload=b"x")
        broken = RtpPacket(ssrc=98, payload_type=96, extension_profile=0xBEDE, extension=b"\x1f\0\0\0")
        for packet in (stranger, broken):
            publisher.transport.send([sealer.seal(packet.header(), packet.payload)])
        publisher.transport.send_rtcp(b"\x80\xc8\0\x01\0\0\0\x05")
        await feed(publisher, lambda: len(subscriber.raw) > 10)
        counters = worker.stats()["counters"]
        assert (counters["unknown_ssrc"], counters["malformed"]) == (1, 2)
        assert counters["session_errors"] == 0


@pytest.mark.interpreted
async def test_a_bug_met_by_one_publisher_closes_only_its_session(worker: Worker) -> None:
    api = DirectApi(worker)
    one, two, subscriber = Publisher([track()]), Publisher([track()]), Subscriber()
    async with closing(subscriber, one, two):
        await one.publish(api, "pub-1")
        await two.publish(api, "pub-2")
        await subscriber.subscribe(api, "sub", two.track_ids)
        producer = worker.track(one.track_ids[0], ROOM)
        assert producer is not None
        producer.layers[None].history = None  # type: ignore[assignment]
        one.send(h264_frame(0, 2, keyframe=True), 0)
        await one.until(lambda: one.states[-1] == "closed")
        await feed(two, lambda: len(subscriber.raw) > 10)
        assert worker.stats()["counters"]["session_errors"] == 1
