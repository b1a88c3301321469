"""A capture box whose device has a console: shows a picture, offers control, and notes what is pressed.

Its picture is 4 : 3, so that in a wide box there are bars beside it.
"""

from __future__ import annotations

import fractions
from typing import Any, Final, Self

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack

from tests.support.demo import Demo
from tests.support.seat import Seat

FEED: Final = "console"
CODE: Final = "042137"
SIZE: Final = (480, 640)


class Screen(VideoStreamTrack):
    """A calm picture that still moves: a device's menu, and a bar that grows."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = np.full((*SIZE, 3), 38, dtype=np.uint8)
        self._picture[:60] = (52, 60, 72)
        self._picture[100:420, 60:580] = (24, 28, 34)

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        picture = self._picture.copy()
        picture[430:440, 60 : 60 + pts // 3000 % 520] = (125, 184, 238)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, fractions.Fraction(time_base)
        return frame


class ConsoleBox(Seat):
    """`with ConsoleBox(demo) as box:`. It has no gadget and no screen: a test answers in its place."""

    def __init__(self, demo: Demo) -> None:
        self._whip_url = f"{demo.base_url}/whip/demo/{FEED}"
        self._whip_token = demo.info["whip_token"]
        super().__init__(demo.base_url, "demo", self._whip_token)
        self._peer: RTCPeerConnection

    def __enter__(self) -> Self:
        super().__enter__()
        self.wait_for("welcome")
        self._loop.run(self._show())
        self.wait(self._is_own_picture, "its picture")
        self.offer("code", "touch")
        return self

    def __exit__(self, *gone: object) -> None:
        self._loop.run(self._peer.close())
        super().__exit__(*gone)

    def offer(self, *ways: str) -> None:
        self.say({"type": "offer_control", "feed": FEED, "ways": list(ways)})

    def answer(self, control_id: str, answer: str, **how: str) -> None:
        self.say({"type": "control_answer", "control_id": control_id, "answer": answer, **how})

    def granted(self) -> dict[str, Any]:
        """The newest control that a host allowed."""
        for message in reversed(list(self.heard)):
            if message["type"] == "control_changed" and (message["control"] or {}).get("stage") == "granted":
                return dict(message["control"])
        raise AssertionError(f"none was granted: {self.types}")

    @property
    def pressed(self) -> list[dict[str, Any]]:
        """All states it was told, oldest first."""
        return [message["pressed"] for message in list(self.heard) if message["type"] == "control_pressed"]

    @staticmethod
    def _is_own_picture(message: dict[str, Any]) -> bool:
        return bool(message["type"] == "track_added" and message["track"]["feed"] == FEED)

    async def _show(self) -> None:
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.addTransceiver(Screen(), direction="sendonly")
        await self._peer.setLocalDescription(await self._peer.createOffer())
        headers = {"Authorization": f"Bearer {self._whip_token}", "Content-Type": "application/sdp"}
        offer = self._peer.localDescription.sdp
        async with self._http.post(self._whip_url, data=offer, headers=headers) as response:
            assert response.status == 201, await response.text()
            await self._peer.setRemoteDescription(RTCSessionDescription(await response.text(), "answer"))
