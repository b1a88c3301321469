"""The server's offers to subscribers over a connection's life, and what subscribers answer."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.extensions import ABS_CAPTURE_TIME, ABS_SEND_TIME, AUDIO_LEVEL, MID, PLAYOUT_DELAY, TRANSPORT_CC
from rtp.negotiation import (
    OutgoingTrack,
    answer_subscribe,
    apply_answer,
    offer_subscribe,
    remote_transport,
    track_mids,
)
from rtp.sdp import IceParameters, Session, parse_sdp
from tests.rtp.offers import CLIENT, H264_HIGH, SERVER, track

PICTURE = track("picture", ssrc=100)
THEATRE = track("theatre", ssrc=110)
VOICE = track("voice", "opus", ssrc=300)
FACE = track("face", "VP8", ssrc=400)


def offers(*steps: list[OutgoingTrack]) -> list[Session]:
    """One offer after the other; each is read back from its text."""
    made: list[Session] = []
    for version, tracks in enumerate(steps, start=1):
        previous = made[-1] if made else None
        made.append(parse_sdp(offer_subscribe(previous, SERVER, tracks, version=version).serialize()))
    return made


def test_a_first_offer_sends_every_track_on_a_line_of_its_own() -> None:
    [offer] = offers([PICTURE, VOICE, FACE])
    assert track_mids(offer) == {"0": "picture", "1": "voice", "2": "face"}
    assert offer.bundle == ("0", "1", "2")
    assert offer.ice_lite
    assert {media.setup for media in offer.media} == {"actpass"}
    assert {media.direction for media in offer.media} == {"sendonly"}
    transport = remote_transport(offer)
    assert transport.candidates == SERVER.candidates
    assert {extension.uri for extension in offer.media[0].extensions} == {
        MID,
        TRANSPORT_CC,
        ABS_SEND_TIME,
        ABS_CAPTURE_TIME,
        PLAYOUT_DELAY,
    }
    assert AUDIO_LEVEL not in {extension.uri for extension in offer.media[1].extensions}


def test_a_removed_track_leaves_an_inactive_line_that_a_track_of_its_codec_reuses() -> None:
    first, second, third = offers([PICTURE, VOICE, FACE], [VOICE, FACE], [VOICE, FACE, THEATRE])
    assert track_mids(second) == {"1": "voice", "2": "face"}
    assert [media.direction for media in second.media] == ["inactive", "sendonly", "sendonly"]
    assert second.media[0].ssrcs == []
    assert second.media[0].codecs == first.media[0].codecs
    assert track_mids(third) == {"0": "theatre", "1": "voice", "2": "face"}
    assert third.media[0].ssrcs[0].ssrc == 110
    assert third.bundle == ("0", "1", "2")


def test_a_line_is_not_reused_for_another_codec() -> None:
    _, _, third = offers([PICTURE, VOICE], [VOICE], [VOICE, FACE])
    assert track_mids(third) == {"1": "voice", "2": "face"}


def test_a_track_with_a_new_ssrc_may_take_its_old_line_at_once() -> None:
    _, second = offers([PICTURE, VOICE], [replace(PICTURE, ssrc=900, rtx_ssrc=901), VOICE])
    assert track_mids(second) == {"0": "picture", "1": "voice"}
    assert second.media[0].ssrc_groups[0].ssrcs == (900, 901)


def test_an_unchanged_set_changes_nothing_but_the_version() -> None:
    first, second = offers([PICTURE, VOICE], [PICTURE, VOICE])
    assert (first.origin.version, second.origin.version) == (1, 2)
    second.origin = first.origin
    assert second == first


def test_an_ice_restart_changes_only_the_credentials() -> None:
    [first] = offers([PICTURE, VOICE])
    fresh = replace(SERVER, ice=IceParameters("newU", "n" * 24, lite=True))
    second = offer_subscribe(first, fresh, [PICTURE, VOICE], version=1)
    text = second.serialize().replace("newU", "srvU").replace("n" * 24, "s" * 24)
    assert text == first.serialize()


def test_tracks_of_one_configuration_share_payload_types_and_others_do_not() -> None:
    high = track("high", ssrc=500, fmtp=H264_HIGH)
    [offer] = offers([PICTURE, THEATRE, high, FACE, track("p2", "VP9", ssrc=600, fmtp="profile-id=2")])
    formats = [media.formats for media in offer.media]
    assert formats[0] == formats[1]
    assert formats[2][2:] == formats[0]  # the fallback of a high-profile track is the baseline's payload type
    assert len({*formats[0], *formats[2], *formats[3], *formats[4]}) == 8


def test_payload_types_stay_what_they_were_when_tracks_go() -> None:
    first, _, third = offers([PICTURE, FACE], [FACE], [FACE, THEATRE])
    assert third.media[0].codecs == first.media[0].codecs
    assert third.media[1].codecs == first.media[1].codecs


def test_too_many_codec_configurations_are_refused() -> None:
    tracks = [
        track(f"t{index}", ssrc=10 * index, fmtp=f"packetization-mode=1;profile-level-id={index:02x}0000")
        for index in range(1, 40)
    ]
    with pytest.raises(ProtocolError, match="payload type"):
        offers(tracks)


@given(st.lists(st.sets(st.integers(0, 9)), min_size=1, max_size=8))
@settings(deadline=None)
def test_lines_never_move_and_ids_are_never_used_twice(steps: list[set[int]]) -> None:
    pool = [track(f"t{i}", ("H264", "VP8", "opus")[i % 3], ssrc=100 + 10 * i) for i in range(10)]
    made = offers(*([pool[index] for index in sorted(step)] for step in steps))
    for step, offer in zip(steps, made, strict=True):
        assert sorted(track_mids(offer).values()) == sorted(f"t{index}" for index in step)
        assert [media.mid for media in offer.media] == [str(index) for index in range(len(offer.media))]
        meanings = {(codec.payload_type, codec.rtpmap()) for media in offer.media for codec in media.codecs}
        assert len(meanings) == len({payload_type for payload_type, _ in meanings})
    for before, after in itertools.pairwise(made):
        assert len(after.media) >= len(before.media)
        for old, new in zip(before.media, after.media, strict=False):
            assert (old.mid, old.kind) == (new.mid, new.kind)
        kept = set(track_mids(before).values()) & set(track_mids(after).values())
        for mid, name in track_mids(before).items():
            assert name not in kept or track_mids(after)[mid] == name


def test_the_recorder_takes_what_it_can_use_and_is_the_dtls_client() -> None:
    [offer] = offers([PICTURE, VOICE, FACE])
    answer, received = answer_subscribe(offer, CLIENT, codecs=["H264", "opus"])
    assert [(media.track_id, media.codec, media.ssrc, media.rtx_ssrc) for media in received] == [
        ("picture", "H264", 100, 101),
        ("voice", "opus", 300, None),
    ]
    assert [media.rejected for media in answer.media] == [False, False, True]
    assert answer.bundle == ("0", "1")
    assert {media.setup for media in answer.media if not media.rejected} == {"active"}
    assert remote_transport(offer, prefer="client").dtls_role == "client"
    result = apply_answer(offer, parse_sdp(answer.serialize()))
    assert [(media.mid, media.track_id) for media in result.media] == [("0", "picture"), ("1", "voice")]
    assert result.transport.dtls_role == "server"
    assert result.transport.ice == CLIENT.ice
    for ours, theirs in zip(result.media, received, strict=True):
        assert (ours.payload_type, ours.rtx_payload_type) == (theirs.payload_type, theirs.rtx_payload_type)
        assert (ours.ssrc, ours.rtx_ssrc, ours.extensions) == (
            theirs.ssrc,
            theirs.rtx_ssrc,
            theirs.extensions,
        )
        assert ours.feedback == theirs.feedback


def test_an_inactive_line_is_answered_inactive_and_delivers_nothing() -> None:
    _, second = offers([PICTURE, VOICE], [VOICE])
    answer, received = answer_subscribe(second, CLIENT)
    assert answer.media[0].direction == "inactive"
    assert [media.track_id for media in received] == ["voice"]
    assert [media.track_id for media in apply_answer(second, answer).media] == ["voice"]


def test_the_subscriber_decides_between_a_profile_and_its_fallback() -> None:
    [offer] = offers([track("high", ssrc=500, fmtp=H264_HIGH)])
    answer, _ = answer_subscribe(offer, CLIENT)
    first, first_rtx, fallback, fallback_rtx = (codec.payload_type for codec in offer.media[0].codecs)
    assert apply_answer(offer, answer).media[0].payload_type == first
    declined = parse_sdp(answer.serialize())
    keep = [codec for codec in offer.media[0].codecs if codec.payload_type in (fallback, fallback_rtx)]
    declined.media[0].codecs = keep
    declined.media[0].formats = [str(codec.payload_type) for codec in keep]
    accepted = apply_answer(offer, declined).media[0]
    assert (accepted.payload_type, accepted.rtx_payload_type) == (fallback, fallback_rtx)
    assert "42e01f" in accepted.fmtp
    assert first_rtx != fallback_rtx


def test_what_the_answer_leaves_out_is_not_used() -> None:
    [offer] = offers([PICTURE])
    answer, _ = answer_subscribe(offer, CLIENT)
    media = answer.media[0]
    media.codecs = [replace(media.codecs[0], feedback=("nack", "x-unknown"))]
    media.formats = media.formats[:1]
    media.extensions = [replace(media.extensions[0]), replace(media.extensions[1], id=9)]
    accepted = apply_answer(offer, answer).media[0]
    assert accepted.rtx_payload_type is None
    assert accepted.feedback == {"nack"}
    assert [uri for _, uri in accepted.extensions.items()] == [MID]


def test_a_rejected_line_is_not_accepted() -> None:
    [offer] = offers([PICTURE, VOICE])
    answer, _ = answer_subscribe(offer, CLIENT, codecs=["opus"])
    assert [media.track_id for media in apply_answer(offer, answer).media] == ["voice"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (("a=rtcp-mux\r\n", ""), "rtcp-mux"),
        (("a=mid:0", "a=mid:7"), "does not match"),
        (("a=rtpmap:96 H264", "a=rtpmap:96 VP8"), "no codec of the offer"),
        (("m=video", "m=audio"), "does not match"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(damage: tuple[str, str], says: str) -> None:
    [offer] = offers([PICTURE])
    answer, _ = answer_subscribe(offer, CLIENT)
    with pytest.raises(ProtocolError, match=says):
        apply_answer(offer, parse_sdp(answer.serialize().replace(*damage)))


def test_an_answer_to_a_shorter_offer_is_refused() -> None:
    first, second = offers([PICTURE], [PICTURE, VOICE])
    answer, _ = answer_subscribe(first, CLIENT)
    with pytest.raises(ProtocolError, match="1 m-lines, the offer 2"):
        apply_answer(second, answer)


def test_an_answer_that_refuses_everything_has_no_transport() -> None:
    [offer] = offers([PICTURE])
    answer, received = answer_subscribe(offer, CLIENT, codecs=["opus"])
    assert received == []
    with pytest.raises(ProtocolError, match="no live"):
        apply_answer(offer, answer)
