"""Whatever a peer sends, negotiation answers or refuses it with a `ProtocolError`, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.negotiation import (
    answer_publish,
    answer_subscribe,
    answer_view,
    apply_answer,
    offer_subscribe,
    offer_view,
    read_view_answer,
)
from rtp.sdp import Session, parse_sdp
from tests.rtp.offers import CLIENT, FFMPEG_WHIP, GSTREAMER_WHIP, H264_HIGH, OBS_WHIP, SERVER, recorded, track

TRACKS = [
    track("picture", ssrc=100, fmtp=H264_HIGH),
    track("voice", "opus", ssrc=300),
    track("f", "VP8", ssrc=4),
]
OFFER = offer_subscribe(None, SERVER, TRACKS, version=1)
VIEW = offer_view(CLIENT)
TEXTS = [
    recorded("chromium_156_publish").serialize(),
    recorded("firefox_153_publish").serialize(),
    recorded("chromium_156_view").serialize(),
    FFMPEG_WHIP,
    OBS_WHIP,
    GSTREAMER_WHIP,
    answer_subscribe(OFFER, CLIENT)[0].serialize(),
    answer_view(VIEW, SERVER, TRACKS).answer.serialize(),
]
ALL_LINES = sorted({line for text in TEXTS for line in text.splitlines()[4:]})


@st.composite
def damaged_sessions(draw: st.DrawFn) -> Session:
    """A description from the field with lines removed, doubled and swapped for those of others."""
    lines = draw(st.sampled_from(TEXTS)).splitlines()
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(4, len(lines) - 1))
        lines[place : place + draw(st.integers(0, 3))] = draw(
            st.lists(st.sampled_from(ALL_LINES), max_size=2)
        )
        if len(lines) <= 5:
            break
    try:
        return parse_sdp("\n".join(lines))
    except ProtocolError:
        return parse_sdp(TEXTS[0])


def _only_protocol_errors(call: Callable[[], object]) -> None:
    try:
        call()
    except ProtocolError:
        return


@given(damaged_sessions())
@settings(max_examples=300, deadline=None)
def test_damaged_descriptions_are_answered_or_refused(session: Session) -> None:
    _only_protocol_errors(lambda: _answer_is_sound(session, answer_publish(session, SERVER)[0]))
    _only_protocol_errors(lambda: _answer_is_sound(session, answer_subscribe(session, CLIENT)[0]))
    _only_protocol_errors(lambda: _answer_is_sound(session, answer_view(session, SERVER, TRACKS).answer))
    _only_protocol_errors(lambda: apply_answer(OFFER, session))
    _only_protocol_errors(lambda: read_view_answer(VIEW, session))


def _answer_is_sound(offer: Session, answer: Session) -> None:
    assert parse_sdp(answer.serialize()) == answer
    assert [media.kind for media in answer.media] == [media.kind for media in offer.media]
    assert [media.mid for media in answer.media] == [media.mid for media in offer.media]
    live = [media.mid for media in answer.media if not media.rejected]
    assert not offer.bundle or list(answer.bundle) == live
