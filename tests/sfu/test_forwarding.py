"""Publisher → worker → subscribers over real UDP, DTLS and SRTP."""

from __future__ import annotations

import asyncio

from sfu.worker import Worker
from tests.sfu.peers import DirectApi, Publisher, Subscriber, h264_frame, track


async def test_two_subscribers_get_every_packet_from_the_keyframe_on(worker: Worker) -> None:
    api = DirectApi(worker)
    publisher, one, two = Publisher([track()]), Subscriber(), Subscriber()
    await publisher.publish(api, "pub")
    for name, subscriber in (("one", one), ("two", two)):
        await subscriber.subscribe(api, name, publisher.track_ids)
    (track_id,) = publisher.track_ids
    sent: list[bytes] = []
    for number in range(40):
        payloads = h264_frame(number, 5, keyframe=number == 3)
        publisher.send(payloads, number * 3000)
        sent += payloads if number >= 3 else []
        await asyncio.sleep(0.005)
    for subscriber in (one, two):
        await subscriber.until(lambda subscriber=subscriber: len(subscriber.packets[track_id]) >= len(sent))
        assert subscriber.payloads(track_id) == sent
    for peer in (one, two, publisher):
        await peer.close()
