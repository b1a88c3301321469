"""TURN credentials, URLs and `Link` headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import IceServer
from core.turn import TurnUrl, ice_servers, link_headers, parse_links, parse_turn_url, turn_credential

URLS = ["turn:192.0.2.1:3478?transport=udp", "turns:[2001:db8::1]:443?transport=tcp"]


def test_a_credential_is_what_coturn_computes() -> None:
    # printf '1700000000:p-1' | openssl dgst -sha1 -hmac 'correct horse battery' -binary | base64
    assert turn_credential("correct horse battery", "p-1", 1_700_000_000) == (
        "1700000000:p-1",
        "R+q2HdSAojFo/G1Rt9w97HZR+Kg=",
    )


def test_without_urls_nobody_is_told_anything() -> None:
    assert ice_servers([], "", "p-1", 1) == []


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("turn:192.0.2.1", TurnUrl("192.0.2.1", 3478, "udp")),
        ("turn:turn.example.net:80?transport=tcp", TurnUrl("turn.example.net", 80, "tcp")),
        ("turns:[2001:db8::1]:443?transport=tcp", TurnUrl("2001:db8::1", 443, "tls")),
        ("turns:192.0.2.1", TurnUrl("192.0.2.1", 5349, "tls")),
    ],
)
def test_urls_say_where_and_what_carries_it(url: str, read: TurnUrl) -> None:
    assert parse_turn_url(url) == read


@pytest.mark.parametrize(
    "url",
    ["", "stun:192.0.2.1", "turn://192.0.2.1", "turn:192.0.2.1:0", "turn:192.0.2.1:65536",
     "turns:192.0.2.1?transport=udp", "turn:u@192.0.2.1", "turn:192.0.2.1?transport=sctp", "turn:a b"],
)  # fmt: skip
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="turn"):
        parse_turn_url(url)


def test_link_headers_come_back_as_they_were() -> None:
    server = IceServer(urls=URLS, username="1700000000:t-1", credential="a+b/c=")
    links = link_headers([server])
    assert links[0].startswith(
        '<turn:192.0.2.1:3478?transport=udp>; rel="ice-server"; username="1700000000:t-1"'
    )
    read = parse_links(links)
    assert [found.urls[0] for found in read] == URLS
    assert {(found.username, found.credential) for found in read} == {("1700000000:t-1", "a+b/c=")}
    assert parse_links([", ".join(links)]) == read, "several in one header"


def test_other_links_and_foreign_urls_are_left_out() -> None:
    assert (
        parse_links(['<https://example.net>; rel="help"', '<file:///etc/passwd>; rel="ice-server"', "<"])
        == []
    )


@given(st.text())
def test_no_header_can_do_more_than_be_left_out(text: str) -> None:
    assert len(parse_links([text, f'<{text}>; rel="ice-server"; username="{text}"'])) <= 2
