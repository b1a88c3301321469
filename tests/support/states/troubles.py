"""The room when something is wrong: the network, the box, the browser, a second seat."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.browser import see
from tests.support.link import Impairment
from tests.support.processes import stopped
from tests.support.states.cast import Cast, State
from tests.support.states.doors import NO_DEVICES
from tests.support.states.rooms import LIVE_WITHIN_S, with_pictures

SLOW = Impairment(delay_ms=450)
WITHOUT_H264 = """
{
  const native = RTCRtpReceiver.getCapabilities;
  RTCRtpReceiver.getCapabilities = (kind) => {
    const found = native.call(RTCRtpReceiver, kind);
    return { ...found, codecs: found.codecs.filter(({ mimeType }) => !/h264/i.test(mimeType)) };
  };
}
"""


def trouble_states(cast: Cast) -> Iterator[State]:
    network = cast.network()
    page = with_pictures(cast.in_room("specialist", network=network))
    network.impair(SLOW)
    page.locator('[data-testid="feed-ultrasound"] [data-judgement="poor"]').wait_for(
        timeout=LIVE_WITHIN_S * 1000
    )
    yield State("room-poor", page)
    network.cut()
    see(page, "reconnecting", 30_000)
    yield State("room-reconnecting", page)
    network.restore()
    with_pictures(page)
    with stopped(cast.demo.pids("edge")):
        for feed in ("ultrasound", "theatre"):
            page.locator(f'[data-testid="feed-{feed}"]:not([data-status="live"])').wait_for()
        yield State("room-feedlost", page)
    with_pictures(page)
    second = with_pictures(cast.in_room("specialist"))
    see(second, "notice-other-seat")
    yield State("room-secondseat", second)
    second.get_by_test_id("take-over").click()
    page.locator('[data-ending="taken-over"]').wait_for()
    yield State("room-takenover", page)
    yield from _devices_and_codecs(cast)


def _devices_and_codecs(cast: Cast) -> Iterator[State]:
    page = cast.in_room("specialist2", script=WITHOUT_H264)
    page.locator('[data-testid="feed-ultrasound"][data-status="unsupported"]').wait_for()
    yield State("room-unsupported", page)
    page.get_by_test_id("leave").click()
    page = with_pictures(cast.in_room("specialist2", script=NO_DEVICES))
    page.get_by_test_id("mic").click()
    see(page, "microphone-problem")
    yield State("room-nomicrophone", page)
