"""The server's answers to publishers: browsers and WHIP encoders."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from core.errors import ProtocolError
from rtp.extensions import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    DEPENDENCY_DESCRIPTOR,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
)
from rtp.negotiation import (
    OutgoingTrack,
    ReceivedMedia,
    answer_publish,
    apply_answer,
    offer_publish,
    remote_transport,
)
from rtp.sdp import Fingerprint, IceParameters, Rid, Session, Simulcast, parse_sdp
from tests.rtp.offers import (
    CLIENT,
    DIGEST,
    FFMPEG_WHIP,
    GSTREAMER_WHIP,
    H264_HIGH,
    OBS_WHIP,
    ONE_LINE,
    SERVER,
    recorded,
    track,
)


def answered(text: str) -> tuple[Session, list[ReceivedMedia]]:
    """The answer as the publisher reads it."""
    answer, received = answer_publish(parse_sdp(text), SERVER, version=3)
    assert parse_sdp(answer.serialize()) == answer
    return answer, received


def test_chromium_gets_one_codec_per_m_line_with_its_rtx_and_simulcast() -> None:
    offer = recorded("chromium_156_publish")
    answer, received = answer_publish(offer, SERVER, version=3)
    audio, simulcast, video = received
    assert (audio.codec, audio.payload_type, audio.channels, audio.feedback) == (
        "opus",
        111,
        2,
        {"transport-cc"},
    )
    assert (simulcast.codec, simulcast.payload_type, simulcast.rtx_payload_type) == ("VP8", 96, 97)
    assert simulcast.rids == ("q", "h", "f")
    assert (simulcast.ssrc, simulcast.rtx_ssrc) == (None, None)
    assert (video.ssrc, video.rtx_ssrc) == (1678165007, 1474167637)
    assert video.feedback == {"nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"}
    assert video.cname == "xPUgM8foyqCvZuf5"
    assert video.track_id == "2ee04445-2eef-4120-8780-ba52ecca6248"
    assert answer.media[1].simulcast == Simulcast(recv=(("q",), ("h",), ("f",)))
    assert {rid.direction for rid in answer.media[1].rids} == {"recv"}
    assert dict(map(reversed, audio.extensions.items())) == {
        AUDIO_LEVEL: 1,
        ABS_SEND_TIME: 2,
        TRANSPORT_CC: 3,
        MID: 4,
    }
    assert {uri for _, uri in video.extensions.items()} == {
        ABS_SEND_TIME,
        TRANSPORT_CC,
        PLAYOUT_DELAY,
        MID,
        RID,
        REPAIRED_RID,
        DEPENDENCY_DESCRIPTOR,
    }


def test_the_offers_first_codec_that_we_relay_is_taken() -> None:
    _, received = answer_publish(recorded("chromium_156_publish"), SERVER)
    assert received[1].codec == "VP8"
    text = (
        recorded("chromium_156_publish").serialize().replace("SAVPF 96 97 102 103", "SAVPF 118 102 103 96 97")
    )
    _, received = answered(text)
    assert (received[1].codec, received[1].payload_type, received[1].rtx_payload_type) == ("H264", 102, 103)
    text = text.replace("SAVPF 118 102 103 96 97", "SAVPF 104 107 45 46 102 103")
    _, received = answered(text)
    assert (received[1].codec, received[1].payload_type) == ("AV1", 45)


def test_a_data_channel_is_rejected_and_left_out_of_the_bundle() -> None:
    answer, _ = answer_publish(recorded("chromium_156_publish"), SERVER)
    assert answer.media[3].rejected
    assert answer.media[3].kind == "application"
    assert answer.media[3].formats == ["webrtc-datachannel"]
    assert answer.bundle == ("0", "1", "2")


def test_the_answer_carries_our_transport_and_the_role_of_dtls_server() -> None:
    answer, _ = answer_publish(recorded("chromium_156_publish"), SERVER, version=3)
    transport = remote_transport(answer)
    assert transport.ice == IceParameters("srvU", "s" * 24, lite=True)
    assert transport.setup == "passive"
    assert transport.fingerprints == (Fingerprint(*SERVER.fingerprint),)
    assert transport.candidates == SERVER.candidates
    assert transport.end_of_candidates
    assert (answer.origin.session_id, answer.origin.version) == (42, 3)
    live = [media for media in answer.media if not media.rejected]
    assert all(media.rtcp_mux and media.ice_ufrag == "srvU" and media.setup == "passive" for media in live)
    assert all(media.direction == "recvonly" for media in live)


def test_nothing_is_answered_that_was_not_offered() -> None:
    for name in ("chromium_156_publish", "firefox_153_publish"):
        offer = recorded(name)
        answer, _ = answer_publish(offer, SERVER)
        for ours, theirs in zip(answer.media, offer.media, strict=True):
            offered = {(extension.id, extension.uri) for extension in theirs.extensions}
            assert {(extension.id, extension.uri) for extension in ours.extensions} <= offered
            for codec in ours.codecs:
                same = theirs.codec(codec.payload_type)
                assert same is not None
                assert (codec.name, codec.clock_rate) == (same.name, same.clock_rate)
                assert set(codec.feedback) <= set(same.feedback)
            assert ours.rtcp_rsize <= theirs.rtcp_rsize


def test_sound_that_is_resent_under_its_own_number_carries_nothing_that_changes_between_sendings() -> None:
    text = recorded("chromium_156_publish").serialize()
    plain, _ = answer_publish(parse_sdp(text), SERVER)
    repaired, received = answer_publish(
        parse_sdp(text.replace("a=rtcp-fb:111 transport-cc", "a=rtcp-fb:111 nack")), SERVER
    )
    changing = {TRANSPORT_CC, ABS_SEND_TIME}
    assert changing <= {line.uri for line in plain.media[0].extensions}
    assert not changing & {line.uri for line in repaired.media[0].extensions}
    assert changing <= {line.uri for line in repaired.media[1].extensions}, "video has RTX"
    assert received[0].feedback == {"nack"}


def test_firefox_gets_its_bundle_only_line_and_no_extension_of_the_wrong_way() -> None:
    answer, received = answer_publish(recorded("firefox_153_publish"), SERVER)
    assert [media.codec for media in received] == ["opus", "VP8", "VP8"]
    assert answer.bundle == ("0", "1", "2")
    assert answer.media[2].port != 0
    assert received[1].rids == ("h", "l")
    rid = next(extension for extension in answer.media[1].extensions if extension.uri == RID)
    assert rid.direction == "recvonly"
    assert received[2].extensions.id_of(PLAYOUT_DELAY) is None
    assert received[2].extensions.id_of(TRANSPORT_CC) == 7
    assert (received[2].ssrc, received[2].rtx_ssrc) == (1706875645, 1063528702)
    assert received[2].fmtp == ""


def test_ffmpeg_is_the_dtls_server_and_keeps_its_feedback() -> None:
    answer, received = answered(FFMPEG_WHIP)
    assert {media.setup for media in answer.media} == {"active"}
    assert remote_transport(parse_sdp(FFMPEG_WHIP)).dtls_role == "client"
    audio, video = received
    assert (audio.codec, audio.payload_type, audio.ssrc) == ("opus", 111, 3184534)
    assert (video.codec, video.payload_type, video.ssrc) == ("H264", 106, 3184535)
    assert (video.rtx_payload_type, video.rtx_ssrc) == (None, None)
    assert video.feedback == {"nack"}
    assert not list(video.extensions.items())
    assert video.fmtp == "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42c01f"
    assert (video.stream_id, video.track_id) == ("FFmpeg", "video")


def test_obs_states_its_transport_once_for_all_m_lines() -> None:
    answer, received = answered(OBS_WHIP)
    assert answer.bundle == ("0", "1")
    assert [media.codec for media in received] == ["opus", "H264"]
    transport = remote_transport(parse_sdp(OBS_WHIP))
    assert transport.ice == IceParameters("JkKR", "UrmJkKRdUEnYyA4bTCPgHx")
    assert transport.fingerprints == (Fingerprint("sha-256", DIGEST),)
    assert [candidate.port for candidate in transport.candidates] == [40411]
    assert transport.dtls_role == "server"
    assert "stereo=1" in received[0].fmtp
    assert "sprop" not in received[0].fmtp


def test_gstreamer_offers_a_codec_we_do_not_relay_first() -> None:
    answer, received = answered(GSTREAMER_WHIP)
    video, audio = received
    assert (video.mid, audio.mid) == ("video0", "audio1")
    assert (video.codec, video.payload_type, video.rtx_payload_type) == ("H264", 97, 98)
    assert video.fmtp == "packetization-mode=1;profile-level-id=64001f"
    assert (audio.codec, audio.payload_type) == ("opus", 100)
    assert answer.media[1].port != 0
    assert answer.bundle == ("video0", "audio1")


def test_one_m_line_needs_neither_bundle_nor_mid_and_may_use_packetization_mode_0_as_a_last_resort() -> None:
    answer, received = answered(ONE_LINE)
    assert [media.mid for media in received] == ["0"]
    assert received[0].codec == "H264"
    assert answer.groups == []
    assert {media.setup for media in answer.media} == {"passive"}


def test_a_paused_or_withdrawn_m_line_stays_and_receives_nothing() -> None:
    text = OBS_WHIP.replace("a=mid:1\na=sendonly", "a=mid:1\na=inactive")
    answer, received = answered(text)
    assert [media.mid for media in received] == ["0"]
    assert (answer.media[1].direction, answer.media[1].port) == ("inactive", 9)
    answer, received = answered(OBS_WHIP.replace("m=video 40411", "m=video 0"))
    assert [media.mid for media in received] == ["0"]
    assert answer.media[1].rejected
    assert answer.bundle == ("0",)


def test_an_m_line_outside_the_bundle_is_rejected() -> None:
    answer, received = answered(OBS_WHIP.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"))
    assert answer.media[1].rejected
    assert [media.mid for media in received] == ["0"]


def test_simulcast_takes_the_first_alternative_that_our_codec_may_use() -> None:
    text = recorded("chromium_156_publish").serialize()
    text = text.replace("a=rid:q send\r\n", "a=rid:q send pt=45\r\n").replace("q;h;f", "q,h;~f;x")
    answer, received = answered(text)
    assert received[1].rids == ("h", "f")
    assert answer.media[1].simulcast == Simulcast(recv=(("h",), ("f",)))


def test_without_the_rid_extension_there_is_no_simulcast() -> None:
    text = re.sub(r"a=extmap:\d+ urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n", "", _chromium())
    answer, received = answered(text)
    assert received[1].rids == ()
    assert answer.media[1].simulcast is None


def _chromium() -> str:
    return recorded("chromium_156_publish").serialize()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (("a=group:BUNDLE 0 1\n", ""), "BUNDLE"),
        (("a=rtcp-mux\n", ""), "rtcp-mux"),
        (("a=ice-ufrag:JkKR\n", ""), "ice-ufrag"),
        ((f"a=fingerprint:sha-256 {DIGEST}\n", ""), "fingerprint"),
        (("opus/48000/2", "PCMU/8000"), None),
        (("H264/90000", "H263/90000"), None),
    ],
)
def test_what_an_offer_lacks_is_named(damage: tuple[str, str], says: str | None) -> None:
    text = OBS_WHIP.replace(*damage)
    if says is None:
        assert len(answered(text)[1]) == 1
        return
    with pytest.raises(ProtocolError, match=says):
        answer_publish(parse_sdp(text), SERVER)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (OBS_WHIP.replace("H264/", "H263/").replace("opus/", "G729/"), "no m-line offers a codec"),
        (OBS_WHIP.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "no live audio or video"),
        ("v=0\no=- 1 1 IN IP4 h\ns=-\nt=0 0\n", "no live audio or video"),
    ],
)
def test_an_offer_with_nothing_for_us_is_refused(text: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        answer_publish(parse_sdp(text), SERVER)


def test_our_own_publisher_and_server_agree() -> None:
    sources = [track("picture", ssrc=100, fmtp=H264_HIGH), track("voice", "opus", ssrc=200)]
    offer = parse_sdp(offer_publish(CLIENT, sources).serialize())
    answer, received = answer_publish(offer, SERVER)
    result = apply_answer(offer, parse_sdp(answer.serialize()))
    assert [(media.mid, media.track_id, media.ssrc, media.rtx_ssrc) for media in result.media] == [
        ("0", "picture", 100, 101),
        ("1", "voice", 200, None),
    ]
    assert [(media.ssrc, media.rtx_ssrc, media.track_id) for media in received] == [
        (100, 101, "picture"),
        (200, None, "voice"),
    ]
    for ours, theirs in zip(result.media, received, strict=True):
        assert (ours.codec, ours.payload_type, ours.rtx_payload_type, ours.fmtp) == (
            theirs.codec,
            theirs.payload_type,
            theirs.rtx_payload_type,
            theirs.fmtp,
        )
        assert ours.extensions == theirs.extensions
        assert ours.feedback == theirs.feedback
    assert result.transport.dtls_role == "client"
    assert remote_transport(offer).dtls_role == "server"
    assert received[0].fmtp == H264_HIGH


def simulcast_track(track_id: str = "picture") -> OutgoingTrack:
    return replace(track(track_id, ssrc=100, fmtp=H264_HIGH), rids=("f", "q"))


def test_a_publisher_offers_simulcast_by_rid_and_the_server_takes_it() -> None:
    offer = parse_sdp(
        offer_publish(CLIENT, [simulcast_track(), track("voice", "opus", ssrc=200)]).serialize()
    )
    text = offer.serialize()
    assert "a=rid:f send" in text
    assert "a=rid:q send" in text
    assert "a=simulcast:send f;q" in text
    assert not offer.media[0].ssrcs, "packets say by MID and RID what they are"
    answer, received = answer_publish(offer, SERVER)
    assert "a=simulcast:recv f;q" in answer.serialize()
    result = apply_answer(offer, parse_sdp(answer.serialize()))
    picture, voice = result.media
    assert (picture.rids, received[0].rids) == (("f", "q"), ("f", "q"))
    assert {RID, REPAIRED_RID} <= {uri for _, uri in picture.extensions.items()}
    assert picture.extensions == received[0].extensions
    assert picture.rtx_payload_type == received[0].rtx_payload_type is not None
    assert (voice.rids, voice.ssrc) == ((), 200)


@pytest.mark.parametrize(("simulcast", "taken"), [(None, ()), (("q",), ("q",)), (("q", "f"), ("f", "q"))])
def test_a_server_may_take_some_streams_or_none(
    simulcast: tuple[str, ...] | None, taken: tuple[str, ...]
) -> None:
    offer = offer_publish(CLIENT, [simulcast_track()])
    answer, _ = answer_publish(offer, SERVER)
    media = answer.media[0]
    media.rids = [Rid(rid, "recv") for rid in simulcast or ()]
    media.simulcast = None if simulcast is None else Simulcast(recv=tuple((rid,) for rid in simulcast))
    assert apply_answer(offer, parse_sdp(answer.serialize())).media[0].rids == taken


def test_a_simulcast_publisher_keeps_its_m_line_when_it_offers_again() -> None:
    first = offer_publish(CLIENT, [simulcast_track()])
    again = offer_publish(
        CLIENT, [simulcast_track(), track("voice", "opus", ssrc=200)], previous=first, version=2
    )
    assert [media.kind for media in again.media] == ["video", "audio"]
    assert again.media[0] == first.media[0]


def test_a_publisher_restarts_ice_on_the_same_m_lines() -> None:
    sources = [track("picture", ssrc=100), track("voice", "opus", ssrc=200)]
    first = offer_publish(CLIENT, sources)
    again = offer_publish(CLIENT, sources, previous=first, version=2)
    assert again.origin.version == 2
    again.origin = first.origin
    assert again == first


def test_a_session_description_is_never_changed_by_answering_it() -> None:
    offer = recorded("chromium_156_publish")
    answer_publish(offer, SERVER)
    assert offer == recorded("chromium_156_publish")
