"""Answers to viewers (WHEP), and a Python viewer's own offer."""

from __future__ import annotations

import pytest

from core.errors import ProtocolError
from rtp.extensions import ABS_CAPTURE_TIME, MID, PLAYOUT_DELAY, TRANSPORT_CC
from rtp.negotiation import OutgoingTrack, answer_view, offer_view, read_view_answer, remote_transport
from rtp.sdp import Msid, SsrcAttribute, SsrcGroup, parse_sdp
from tests.rtp.offers import CLIENT, H264_HIGH, SERVER, recorded, track


def test_chromium_gets_the_tracks_by_kind_with_ssrcs_and_rtx() -> None:
    tracks = [track("voice", "opus", ssrc=300), track("picture", ssrc=100)]
    result = answer_view(recorded("chromium_156_view"), SERVER, tracks, version=2)
    assert parse_sdp(result.answer.serialize()) == result.answer
    video, audio = result.accepted
    assert (video.mid, video.track_id, video.codec, video.payload_type, video.rtx_payload_type) == (
        "0",
        "picture",
        "H264",
        108,
        109,
    )
    assert (video.ssrc, video.rtx_ssrc) == (100, 101)
    assert (audio.mid, audio.track_id, audio.payload_type, audio.rtx_payload_type) == (
        "1",
        "voice",
        111,
        None,
    )
    assert result.unsupported == []
    media = result.answer.media[0]
    assert media.direction == "sendonly"
    assert media.msids == [Msid("theatre", "picture")]
    assert media.ssrc_groups == [SsrcGroup("FID", (100, 101))]
    assert SsrcAttribute(101, "cname", "room") in media.ssrcs
    assert video.feedback == {"nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"}
    assert {MID, TRANSPORT_CC, PLAYOUT_DELAY} <= {uri for _, uri in video.extensions.items()}
    assert remote_transport(result.answer).setup == "passive"


@pytest.mark.parametrize(
    ("profile", "payload_type"),
    [("42e01f", 108), ("42c02a", 108), ("42001f", 102), ("4d0028", 116), ("4d8028", 108), ("64002a", 102)],
)
def test_h264_goes_to_the_same_profile_else_to_any_of_packetization_mode_1(
    profile: str, payload_type: int
) -> None:
    fmtp = f"packetization-mode=1;profile-level-id={profile}"
    result = answer_view(recorded("chromium_156_view"), SERVER, [track("t", ssrc=1, fmtp=fmtp)])
    assert [media.payload_type for media in result.accepted] == [payload_type]


def test_a_stream_of_packetization_mode_0_may_go_where_mode_1_is_taken() -> None:
    fmtp = "packetization-mode=0;profile-level-id=42e01f"
    offer = recorded("chromium_156_view")
    offer.media[0].codecs = [codec for codec in offer.media[0].codecs if codec.payload_type in (108, 109)]
    result = answer_view(offer, SERVER, [track("t", ssrc=1, fmtp=fmtp)])
    assert [media.payload_type for media in result.accepted] == [108]


@pytest.mark.parametrize(
    ("codec", "fmtp", "payload_type"),
    [
        ("VP8", "", 96),
        ("VP9", "profile-id=2", 100),
        ("VP9", "", 98),
        ("AV1", "profile=0;level-idx=8;tier=0", 45),
        ("AV1", "profile=1", 47),
    ],
)
def test_other_codecs_need_the_same_profile(codec: str, fmtp: str, payload_type: int) -> None:
    result = answer_view(recorded("chromium_156_view"), SERVER, [track("t", codec, ssrc=1, fmtp=fmtp)])
    assert [media.payload_type for media in result.accepted] == [payload_type]


def test_a_viewer_that_cannot_decode_a_track_is_told_and_keeps_its_connection() -> None:
    tracks = [track("picture", ssrc=100), track("voice", "opus", ssrc=300)]
    result = answer_view(recorded("firefox_153_view"), SERVER, tracks)
    assert [media.track_id for media in result.accepted] == ["voice"]
    assert [entry.track_id for entry in result.unsupported] == ["picture"]
    assert [media.direction for media in result.answer.media] == ["inactive", "sendonly"]
    assert not any(media.rejected for media in result.answer.media)
    assert result.answer.media[0].ssrcs == []


def test_the_next_track_of_a_kind_takes_the_place_of_one_that_cannot_be_decoded() -> None:
    tracks = [track("full", ssrc=100), track("small", "VP8", ssrc=200)]
    result = answer_view(recorded("firefox_153_view"), SERVER, tracks)
    assert [media.track_id for media in result.accepted] == ["small"]
    assert [entry.track_id for entry in result.unsupported] == ["full"]


def test_a_track_without_rtx_is_answered_without_group() -> None:
    result = answer_view(recorded("chromium_156_view"), SERVER, [track("t", ssrc=1, rtx=False)])
    assert result.answer.media[0].ssrc_groups == []
    assert (result.accepted[0].rtx_payload_type, result.accepted[0].rtx_ssrc) == (None, None)


def test_a_viewer_that_offers_to_send_too_only_receives() -> None:
    offer = recorded("chromium_156_view")
    offer.media[0].direction = "sendrecv"
    result = answer_view(offer, SERVER, [track("t", ssrc=1)])
    assert [media.direction for media in result.answer.media] == ["sendonly", "inactive"]


def test_a_line_that_only_sends_gets_no_track() -> None:
    result = answer_view(recorded("chromium_156_publish"), SERVER, [track("t", "VP8", ssrc=1)])
    assert result.accepted == []
    assert [entry.track_id for entry in result.unsupported] == ["t"]


def test_a_viewer_without_rtcp_mux_is_refused() -> None:
    text = recorded("chromium_156_view").serialize().replace("a=rtcp-mux\r\n", "")
    with pytest.raises(ProtocolError, match="rtcp-mux"):
        answer_view(parse_sdp(text), SERVER, [])


TRACKS = [track("picture", ssrc=100, fmtp=H264_HIGH), track("voice", "opus", ssrc=300)]


def python_viewer(tracks: list[OutgoingTrack]) -> None:
    offer = parse_sdp(offer_view(CLIENT).serialize())
    result = answer_view(offer, SERVER, tracks)
    received, transport = read_view_answer(offer, parse_sdp(result.answer.serialize()))
    assert [(media.mid, media.track_id, media.codec) for media in received] == [
        (media.mid, media.track_id, media.codec) for media in result.accepted
    ]
    for ours, theirs in zip(received, result.accepted, strict=True):
        assert (ours.payload_type, ours.rtx_payload_type) == (theirs.payload_type, theirs.rtx_payload_type)
        assert (ours.ssrc, ours.rtx_ssrc, ours.extensions) == (
            theirs.ssrc,
            theirs.rtx_ssrc,
            theirs.extensions,
        )
    assert transport.ice.lite
    assert transport.dtls_role == "client"


@pytest.mark.parametrize("codec", ["H264", "VP8", "VP9", "AV1"])
def test_our_own_viewer_and_server_agree_for_every_codec(codec: str) -> None:
    python_viewer([track("picture", codec, ssrc=100), TRACKS[1]])


def test_our_own_viewer_takes_a_high_profile_stream_and_capture_times() -> None:
    python_viewer(TRACKS)
    result = answer_view(offer_view(CLIENT), SERVER, TRACKS)
    assert all(media.extensions.id_of(ABS_CAPTURE_TIME) for media in result.accepted)


def test_an_answer_with_other_m_lines_or_codecs_is_refused() -> None:
    offer = offer_view(CLIENT)
    answer = answer_view(offer, SERVER, TRACKS).answer
    swapped = parse_sdp(answer.serialize())
    swapped.media.reverse()
    with pytest.raises(ProtocolError, match="does not match"):
        read_view_answer(offer, swapped)
    fewer = parse_sdp(answer.serialize())
    del fewer.media[1]
    with pytest.raises(ProtocolError, match="1 m-lines"):
        read_view_answer(offer, fewer)
    other = parse_sdp(answer.serialize().replace("SAVPF 96 97", "SAVPF 126").replace(":96 ", ":126 "))
    with pytest.raises(ProtocolError, match="no codec of the offer"):
        read_view_answer(offer, other)
