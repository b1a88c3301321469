"""Properties of the SDP reader and writer on generated descriptions and on rubbish."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.sdp import (
    Candidate,
    CodecParameters,
    ExtMap,
    Fingerprint,
    Group,
    Media,
    Msid,
    Origin,
    Rid,
    Session,
    Simulcast,
    SsrcAttribute,
    SsrcGroup,
    parse_sdp,
)

LINES = (Path(__file__).parent / "data" / "chromium_156_publish.sdp").read_text().splitlines()

word = st.text("abcXYZ019-_.", min_size=1, max_size=8)
text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12).map(
    lambda t: t.strip(" ")
)
uint16, uint32 = st.integers(0, 65_535), st.integers(0, 2**32 - 1)
directions = st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"])
candidates = st.builds(
    Candidate,
    word,
    st.integers(0, 256),
    st.sampled_from(["udp", "tcp"]),
    uint32,
    word,
    uint16,
    word,
    st.none() | word,
    st.none() | uint16,
    st.none() | st.sampled_from(["active", "passive", "so"]),
    st.lists(st.tuples(st.sampled_from(["generation", "ufrag"]), word), max_size=2).map(tuple),
)
codecs = st.builds(
    CodecParameters,
    st.integers(0, 127),
    word,
    st.integers(0, 10_000_000),
    st.none() | st.integers(0, 255),
    st.just("") | st.builds("{}={}".format, word, word),
    st.lists(st.builds("{} {}".format, word, word) | word, unique=True, max_size=3).map(tuple),
)
rid_lists = st.lists(st.lists(word, min_size=1, max_size=2).map(tuple), max_size=3).map(tuple)
simulcasts = st.builds(Simulcast, rid_lists, rid_lists).filter(lambda value: value.send or value.recv)
section = {
    "ice_ufrag": st.none() | st.text("ab/+", min_size=4, max_size=9),
    "ice_pwd": st.none() | st.text("ab/+", min_size=22, max_size=30),
    "ice_options": st.lists(word, max_size=2).map(tuple),
    "fingerprints": st.lists(
        st.builds(Fingerprint, st.just("sha-256"), st.just(":".join(["0A"] * 32))), max_size=2
    ),
    "setup": st.none() | st.sampled_from(["actpass", "active", "passive", "holdconn"]),
    "direction": st.none() | directions,
    "extmap_allow_mixed": st.booleans(),
    "information": st.none() | text,
    "connection": st.none() | text,
    "bandwidths": st.lists(text, max_size=2),
    "attributes": st.lists(st.tuples(word.map("x-".__add__), st.none() | text), max_size=3),
}
extensions = st.builds(ExtMap, st.integers(1, 255), word, st.none() | directions, st.just("") | word)
media = st.builds(
    Media,
    kind=word,
    port=uint16,
    protocol=word,
    formats=st.lists(word, max_size=4),
    mid=st.none(),
    codecs=st.lists(codecs, max_size=4, unique_by=lambda codec: codec.payload_type),
    extensions=st.lists(extensions, max_size=3),
    msids=st.lists(st.builds(Msid, word, st.none() | word), max_size=2),
    ssrcs=st.lists(st.builds(SsrcAttribute, uint32, word, st.none() | text), max_size=3),
    ssrc_groups=st.lists(st.builds(SsrcGroup, word, st.lists(uint32, max_size=3).map(tuple)), max_size=2),
    rids=st.lists(st.builds(Rid, word, st.sampled_from(["send", "recv"]), st.just("") | word), max_size=3),
    simulcast=st.none() | simulcasts,
    candidates=st.lists(candidates, max_size=2),
    end_of_candidates=st.booleans(),
    rtcp_mux=st.booleans(),
    rtcp_rsize=st.booleans(),
    bundle_only=st.booleans(),
    **section,
)
sessions = st.builds(
    Session,
    origin=st.builds(Origin, st.integers(0, 2**64 - 1), uint32, word, word, word, word),
    name=text,
    timing=text,
    groups=st.lists(st.builds(Group, word, st.lists(word, max_size=3).map(tuple)), max_size=2),
    ice_lite=st.booleans(),
    media=st.lists(media, max_size=3).map(lambda entries: _number(entries)),
    other_lines=st.lists(st.builds("{}={}".format, st.sampled_from("uepzk"), text), max_size=2),
    **section,
)


def _number(entries: list[Media]) -> list[Media]:
    for index, entry in enumerate(entries):
        entry.mid = str(index) if index != 1 else None
    return entries


@given(sessions)
@settings(max_examples=150, deadline=None)
def test_reading_what_was_written_gives_the_same_session(session: Session) -> None:
    assert parse_sdp(session.serialize()) == session


@given(st.text(max_size=400))
@settings(deadline=None)
def test_random_text_is_a_protocol_error_or_a_session(data: str) -> None:
    _read(data)


@given(st.text("vosmatc=:/ -0129\r\n*", max_size=300).map("v=0\no=- 1 1 IN IP4 h\n".__add__))
@settings(deadline=None)
def test_text_of_sdp_characters_is_a_protocol_error_or_a_session(data: str) -> None:
    _read(data)


@given(
    st.lists(st.sampled_from(LINES[4:]) | st.text(max_size=20).map("a=".__add__), max_size=60),
    st.integers(0, 2_000),
    st.text(max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_shuffled_and_damaged_lines_of_a_real_offer_are_refused_or_stable(
    lines: list[str], place: int, damage: str
) -> None:
    data = "\n".join([*LINES[:4], *lines])
    _read(data)
    _read(data[:place] + damage + data[place + len(damage) :])


def _read(data: str) -> None:
    """Only `ProtocolError` may escape; what is accepted is stable under writing and reading again."""
    try:
        session = parse_sdp(data)
    except ProtocolError:
        return
    assert parse_sdp(session.serialize()) == session
