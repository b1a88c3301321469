"""Subscribers that fall silent, change their minds, or have nothing to connect for yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.clock import NS_PER_S
from core.worker_api import CreateTransport, Subscriptions
from rtp.keyframe import is_keyframe
from rtp.negotiation import answer_subscribe
from rtp.sdp import parse_sdp
from sfu.subscriber import PAUSE_NS
from sfu.worker import Worker
from tests.sfu.peers import CLOCK, ROOM, DirectApi, Publisher, Subscriber, track
from tests.sfu.rig import follow_each_other
from tests.sfu.test_forwarding import closing, feed
from tests.support.impairment import ImpairmentProxy
from transport.server import ServerTransport


def transport_of(worker: Worker, transport_id: str) -> ServerTransport:
    return next(found for found in worker.endpoint.transports if found.id == transport_id)


async def test_a_subscriber_back_from_a_long_silence_goes_on_with_a_keyframe_and_the_next_number(
    worker: Worker,
) -> None:
    api = DirectApi(worker)
    publisher, subscriber = Publisher([track()]), Subscriber()
    async with closing(subscriber, publisher):
        await publisher.publish(api, "pub")
        (track_id,) = publisher.track_ids
        await subscriber.subscribe(api, "sub", [track_id])
        number = await feed(publisher, lambda: len(subscriber.packets[track_id]) > 20)

        transport, now_ns = transport_of(worker, "sub"), CLOCK.monotonic_ns()
        transport.tick(now_ns)
        transport.tick(now_ns + 4 * NS_PER_S)
        assert transport.state == "silent"
        worker.tick(now_ns + PAUSE_NS + NS_PER_S)
        before = len(subscriber.packets[track_id])
        await subscriber.until(lambda: transport.state == "connected")  # its checks went on all the time
        await feed(publisher, lambda: len(subscriber.packets[track_id]) > before + 20, first=number)
        assert is_keyframe("H264", subscriber.packets[track_id][before].payload)
        ssrc = subscriber.media[0].ssrc
        assert follow_each_other([packet.sequence_number for packet in subscriber.raw if packet.ssrc == ssrc])


async def test_a_subscriber_that_was_silent_for_a_while_gets_a_keyframe_without_asking(
    worker: Worker,
) -> None:
    async with watching(worker) as (publisher, subscriber, transport):
        asked, now_ns = publisher.keyframe_requests, CLOCK.monotonic_ns()
        transport.tick(now_ns)
        transport.tick(now_ns + 4 * NS_PER_S)
        assert transport.state == "silent"
        await subscriber.until(lambda: transport.state == "connected")
        await feed(publisher, lambda: publisher.keyframe_requests > asked, first=30)


async def test_a_subscriber_that_shows_up_elsewhere_gets_a_keyframe_without_asking(worker: Worker) -> None:
    host, port = worker.endpoint.port.address[:2]
    nat = await ImpairmentProxy.open((host, port))
    async with watching(worker, through=nat.address) as (publisher, _, transport):
        asked, before = publisher.keyframe_requests, transport.remote_address
        nat.rebind()
        await feed(publisher, lambda: publisher.keyframe_requests > asked, first=30)
        assert transport.remote_address != before
    nat.close()


@asynccontextmanager
async def watching(
    worker: Worker, through: tuple[str, int] | None = None
) -> AsyncIterator[tuple[Publisher, Subscriber, ServerTransport]]:
    """A picture flows; the transport is the subscriber's."""
    publisher, subscriber = Publisher([track()]), Subscriber(through)
    async with closing(subscriber, publisher):
        await publisher.publish(DirectApi(worker), "pub")
        (track_id,) = publisher.track_ids
        await subscriber.subscribe(DirectApi(worker), "sub", [track_id])
        await feed(publisher, lambda: len(subscriber.packets[track_id]) > 20)
        yield publisher, subscriber, transport_of(worker, "sub")


async def test_a_track_taken_on_other_terms_goes_on_with_the_numbers_of_its_ssrc(worker: Worker) -> None:
    """Its SSRC is in the offer and stays; a number used before would end the session."""
    api = DirectApi(worker)
    publisher, subscriber = Publisher([track()]), Subscriber()
    async with closing(subscriber, publisher):
        await publisher.publish(api, "pub")
        (track_id,) = publisher.track_ids
        await subscriber.subscribe(api, "sub", [track_id])
        number = await feed(publisher, lambda: len(subscriber.packets[track_id]) > 20)
        for rejected in (True, False) * 8:  # a random number would be refused every other time
            offer = parse_sdp(worker.subscribe("sub", Subscriptions(track_ids=[track_id])).sdp)
            answer, _ = answer_subscribe(offer, subscriber.local())
            if rejected:
                answer.media[0].direction = "inactive"
            worker.answer("sub", answer.serialize())
        wanted = len(subscriber.packets[track_id]) + 20
        await feed(publisher, lambda: len(subscriber.packets[track_id]) > wanted, first=number)
        ssrc = subscriber.media[0].ssrc
        assert follow_each_other([packet.sequence_number for packet in subscriber.raw if packet.ssrc == ssrc])


async def test_a_subscriber_in_an_empty_room_waits_as_long_as_it_takes(worker: Worker) -> None:
    worker.create(CreateTransport(transport_id="sub", room=ROOM, participant_id="p_1", direction="subscribe"))
    transport, now_ns = transport_of(worker, "sub"), CLOCK.monotonic_ns()
    worker.tick(now_ns + NS_PER_S)
    created_ns = now_ns - 1
    transport.tick(created_ns + 30 * NS_PER_S)
    assert transport.state == "connecting"


async def test_a_track_that_ended_is_not_attached_to_again_by_a_later_answer(worker: Worker) -> None:
    api = DirectApi(worker)
    gone, stays, subscriber = Publisher([track()]), Publisher([track()]), Subscriber()
    async with closing(subscriber, gone, stays):
        await gone.publish(api, "pub-1")
        await stays.publish(api, "pub-2")
        await subscriber.subscribe(api, "sub", [*gone.track_ids, *stays.track_ids])
        producer = worker.track(gone.track_ids[0], ROOM)
        assert producer is not None
        await subscriber.until(lambda: len(producer.consumers) == 1)
        description = subscriber.description
        assert description is not None
        worker.delete("pub-1", "deleted")
        answer, _ = answer_subscribe(parse_sdp(description.sdp), subscriber.local())
        worker.answer("sub", answer.serialize())
        assert producer.consumers == []
