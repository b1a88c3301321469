"""Trickle ICE fragments (RFC 8840)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.sdp import Candidate, IceFragment, IceParameters, parse_fragment, serialize_fragment

BODY = """a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:0
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1
a=candidate:3471623853 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0
a=end-of-candidates
"""


def test_a_fragment_gives_credentials_candidates_and_their_end() -> None:
    fragment = parse_fragment(BODY)
    assert fragment.ice == IceParameters("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert [candidate.port for candidate in fragment.candidates] == [61764, 9]
    assert fragment.candidates[1].tcp_type == "active"
    assert fragment.end_of_candidates
    assert fragment.mid == "0"


def test_credentials_may_stand_under_the_m_line() -> None:
    body = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
    assert parse_fragment(body).ice == IceParameters("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")


def test_an_empty_fragment_says_nothing() -> None:
    assert parse_fragment("") == IceFragment()
    assert serialize_fragment(IceFragment()) == ""


def test_a_restart_answer_of_a_lite_agent_survives_writing() -> None:
    fragment = IceFragment(
        ice=IceParameters("abcd", "p" * 24, lite=True),
        candidates=[Candidate("1", 1, "udp", 2_130_706_431, "192.0.2.9", 8443, "host")],
        end_of_candidates=True,
        mid="1",
    )
    assert parse_fragment(serialize_fragment(fragment)) == fragment


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("a=candidate:1 1 udp 5 192.0.2.1 9 typ host\r\n", "line 1: candidate needs an m-line"),
        ("v=0\r\n", "line 1: a fragment has only"),
        ("m=audio 9 RTP/AVP 0\r\na=candidate:1\r\n", "line 2: candidate is incomplete"),
        (BODY + f"m=video 9 RTP/AVP 0\r\na=ice-ufrag:other\r\na=ice-pwd:{'q' * 24}\r\n", "different ICE"),
    ],
)
def test_a_malformed_fragment_is_refused(body: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse_fragment(body)


@given(st.lists(st.sampled_from(BODY.splitlines()) | st.text(max_size=30), max_size=12))
@settings(deadline=None)
def test_any_fragment_survives_writing_or_is_a_protocol_error(lines: list[str]) -> None:
    try:
        fragment = parse_fragment("\n".join(lines))
    except ProtocolError:
        return
    assert parse_fragment(serialize_fragment(fragment)) == fragment
