"""A real Chromium takes our offers and answers, over several rounds on one connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from rtp.negotiation import (
    OutgoingTrack,
    answer_publish,
    answer_view,
    apply_answer,
    offer_subscribe,
    track_mids,
)
from rtp.sdp import Session, parse_sdp
from tests.rtp.offers import H264_HIGH, SERVER, track
from tests.support.browser import chromium

pytestmark = pytest.mark.browser

SETUP = """() => {
  window.pc = new RTCPeerConnection();
  window.seen = [];
  const streams = (e) => e.streams.map((s) => s.id).join();
  pc.ontrack = (e) => seen.push(e.transceiver.mid + " " + e.track.kind + " " + streams(e));
  const canvas = document.createElement("canvas");
  canvas.getContext("2d");
  window.picture = canvas.captureStream(5);
  window.voice = new AudioContext().createMediaStreamDestination().stream;
}"""
OFFER = """async (options) => {
  await pc.setLocalDescription(await pc.createOffer(options));
  return pc.localDescription.sdp;
}"""
TAKE_ANSWER = """async (sdp) => {
  await pc.setRemoteDescription({type: "answer", sdp});
  return pc.getTransceivers().map((t) => [t.mid, t.currentDirection]);
}"""
TAKE_OFFER = """async (sdp) => {
  await pc.setRemoteDescription({type: "offer", sdp});
  await pc.setLocalDescription();
  return pc.localDescription.sdp;
}"""


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    with chromium() as browser:
        yield browser.new_page()


@pytest.fixture
def page(browser_page: Page) -> Iterator[Page]:
    browser_page.goto("about:blank")
    browser_page.evaluate(SETUP)
    yield browser_page
    browser_page.evaluate("() => pc.close()")


def test_chromium_takes_our_answers_to_its_publishing_through_changes_and_an_ice_restart(page: Page) -> None:
    page.evaluate("""() => {
      const encodings = [{rid: "l", scaleResolutionDownBy: 2}, {rid: "h"}];
      pc.addTransceiver(picture.getVideoTracks()[0], {direction: "sendonly", sendEncodings: encodings});
      pc.addTransceiver(voice.getAudioTracks()[0], {direction: "sendonly"});
      pc.createDataChannel("refused");
    }""")
    assert _publish(page, 1) == [["0", "sendonly"], ["1", "sendonly"]]
    assert page.evaluate("() => pc.getSenders()[0].getParameters().encodings.map((e) => e.rid)") == ["l", "h"]
    codecs = page.evaluate("() => pc.getSenders()[0].getParameters().codecs.map((c) => c.mimeType)")
    assert codecs == ["video/VP8", "video/rtx"]
    page.evaluate(
        "() => { pc.addTransceiver(picture.getVideoTracks()[0].clone(), {direction: 'sendonly'}); }"
    )
    page.evaluate("() => { pc.getTransceivers()[1].direction = 'inactive'; }")
    directions = dict(map(tuple, _publish(page, 2)))
    assert (directions["0"], directions["1"]) == ("sendonly", "inactive")
    assert sorted(directions.values()) == ["inactive", "sendonly", "sendonly"]
    _publish(page, 3, iceRestart=True)
    assert page.evaluate("() => pc.signalingState") == "stable"


def _publish(page: Page, version: int, **options: Any) -> list[list[str]]:
    offer = parse_sdp(page.evaluate(OFFER, options))
    answer, _ = answer_publish(offer, SERVER, version=version)
    directions: list[list[str]] = page.evaluate(TAKE_ANSWER, answer.serialize())
    return directions


def test_chromium_takes_our_answer_to_its_viewing(page: Page) -> None:
    page.evaluate("""() => {
      pc.addTransceiver("video", {direction: "recvonly"});
      pc.addTransceiver("audio", {direction: "recvonly"});
    }""")
    tracks = [track("picture", ssrc=100, fmtp=H264_HIGH), track("voice", "opus", ssrc=300)]
    result = answer_view(parse_sdp(page.evaluate(OFFER, {})), SERVER, tracks)
    directions = page.evaluate(TAKE_ANSWER, result.answer.serialize())
    assert directions == [["0", "recvonly"], ["1", "recvonly"]]
    assert page.evaluate("() => seen") == ["0 video theatre", "1 audio theatre"]


def test_chromium_follows_our_offers_while_tracks_come_and_go(page: Page) -> None:
    high, voice = track("high", ssrc=500, fmtp=H264_HIGH), track("voice", "opus", ssrc=300)
    face, theatre = track("face", "VP8", ssrc=400), track("theatre", ssrc=110)
    steps = [
        [high, voice],
        [voice],
        [voice, theatre, face],
        [voice, face],
        [face, high, voice, track("scope", "AV1", ssrc=700), track("wall", "VP9", ssrc=800)],
    ]
    offer: Session | None = None
    for version, tracks in enumerate(steps, start=1):
        offer = _subscribe(page, offer, tracks, version)
        assert track_mids(offer).keys() == _receiving(page)
    seen = page.evaluate("() => seen")
    assert [entry.split()[:2] for entry in seen][:2] == [["0", "video"], ["1", "audio"]]


def _subscribe(page: Page, previous: Session | None, tracks: list[OutgoingTrack], version: int) -> Session:
    offer = offer_subscribe(previous, SERVER, tracks, version=version)
    result = apply_answer(offer, parse_sdp(page.evaluate(TAKE_OFFER, offer.serialize())))
    assert {media.track_id for media in result.media} == {entry.track_id for entry in tracks}
    assert {media.ssrc for media in result.media} == {entry.ssrc for entry in tracks}
    assert result.transport.dtls_role == "server"
    for media in result.media:
        assert media.extensions.id_of("urn:ietf:params:rtp-hdrext:sdes:mid") == 1
        assert media.kind == "audio" or (media.rtx_payload_type and "nack pli" in media.feedback)
    return offer


def _receiving(page: Page) -> set[str]:
    return set(
        page.evaluate(
            "() => pc.getTransceivers().filter((t) => t.currentDirection === 'recvonly').map((t) => t.mid)"
        )
    )


def test_a_line_chromium_refuses_does_not_stop_the_others_nor_later_tracks(page: Page) -> None:
    strange, voice = track("strange", "VP9", ssrc=900, fmtp="profile-id=7"), track("voice", "opus", ssrc=300)
    offer = offer_subscribe(None, SERVER, [strange, voice], version=1)
    result = apply_answer(offer, parse_sdp(page.evaluate(TAKE_OFFER, offer.serialize())))
    assert [media.track_id for media in result.media] == ["voice"]
    again = offer_subscribe(offer, SERVER, [voice, track("wall", "VP9", ssrc=800)], version=2)
    result = apply_answer(again, parse_sdp(page.evaluate(TAKE_OFFER, again.serialize())))
    assert {media.track_id for media in result.media} == {"voice", "wall"}
