"""WHIP and WHEP for programs that are not ours: aiortc's own peer connection, as others use it."""

from __future__ import annotations

import asyncio
import fractions
from collections.abc import AsyncIterator

import aiohttp
import av
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack, VideoStreamTrack

from tests.support.demo import Demo

pytestmark = pytest.mark.browser

DEADLINE_S = 20


class MovingPicture(VideoStreamTrack):
    """Small, and every frame different."""

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        picture = np.full((240, 320, 3), pts // 3000 % 256, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, fractions.Fraction(time_base)
        return frame


def connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


async def exchange(url: str, token: str, peer: RTCPeerConnection) -> str:
    """Offer, answer; returns the session's `Location`."""
    await peer.setLocalDescription(await peer.createOffer())
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=peer.localDescription.sdp, headers=headers) as response,
    ):
        assert response.status == 201, await response.text()
        assert response.content_type == "application/sdp"
        await peer.setRemoteDescription(RTCSessionDescription(await response.text(), "answer"))
        return response.headers["Location"]


def prefer(peer: RTCPeerConnection, mime_type: str) -> None:
    codecs = RTCRtpSender.getCapabilities("video").codecs
    wanted = [codec for codec in codecs if codec.mimeType in {mime_type, "video/rtx"}]
    for transceiver in peer.getTransceivers():
        transceiver.setCodecPreferences(wanted)


async def frames(track: MediaStreamTrack, count: int) -> list[av.VideoFrame]:
    async with asyncio.timeout(DEADLINE_S):
        return [await track.recv() for _ in range(count)]  # type: ignore[misc]  # video tracks give frames


@pytest.fixture
async def peers() -> AsyncIterator[list[RTCPeerConnection]]:
    made = [connection(), connection()]
    yield made
    await asyncio.gather(*(peer.close() for peer in made))


async def watch(demo: Demo, peer: RTCPeerConnection, feed: str, mime_type: str) -> MediaStreamTrack:
    arriving: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
    peer.on("track", lambda track: arriving.set_result(track))
    peer.addTransceiver("video", direction="recvonly")
    prefer(peer, mime_type)
    await exchange(f"{demo.base_url}/whep/demo/{feed}", demo.info["whep_token"], peer)
    return await asyncio.wait_for(arriving, DEADLINE_S)


async def test_a_foreign_player_sees_the_ultrasound(demo: Demo, peers: list[RTCPeerConnection]) -> None:
    track = await watch(demo, peers[0], "ultrasound", "video/H264")
    seen = await frames(track, 20)
    assert (seen[-1].width, seen[-1].height) == (1920, 1080)


@pytest.mark.parametrize("mime_type", ["video/H264", "video/VP8"])
async def test_a_foreign_encoder_is_seen_by_a_foreign_player(
    demo: Demo, peers: list[RTCPeerConnection], mime_type: str
) -> None:
    encoder, player = peers
    encoder.addTransceiver(MovingPicture(), direction="sendonly")
    prefer(encoder, mime_type)
    token = demo.info["whip_token"]
    location = await exchange(f"{demo.base_url}/whip/demo/microscope", token, encoder)
    seen = await frames(await watch(demo, player, "microscope", mime_type), 10)
    assert (seen[-1].width, seen[-1].height) == (320, 240)
    async with (
        aiohttp.ClientSession(demo.base_url) as session,
        session.delete(location, headers={"Authorization": f"Bearer {token}"}) as response,
    ):
        assert response.status == 200


@pytest.mark.parametrize("token", [None, "nonsense"])
async def test_without_a_token_nothing_is_shown(demo: Demo, token: str | None) -> None:
    headers = {"Content-Type": "application/sdp"} | ({"Authorization": f"Bearer {token}"} if token else {})
    async with (
        aiohttp.ClientSession(demo.base_url) as session,
        session.post("/whep/demo/ultrasound", data="v=0", headers=headers) as response,
    ):
        assert response.status == 401
        assert response.content_type == "application/problem+json"
