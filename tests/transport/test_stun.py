"""STUN from hostile networks."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ProtocolError
from transport.stun import (
    UNAUTHENTICATED,
    check_request,
    error_response,
    is_stun,
    parse_stun,
    peek_request,
    success_response,
)

REQUEST = check_request(
    b"t" * 12, "server:client", "p" * 24, priority=1, tie_breaker=2**64 - 1, controlling=True
)
RESPONSE = success_response(b"t" * 12, ("2001:db8::1", 4000), "p" * 24)
ERROR = error_response(b"t" * 12, UNAUTHENTICATED)
GOOD = [REQUEST, RESPONSE, ERROR]


def survive(datagram: bytes) -> None:
    peek_request(datagram)
    is_stun(datagram)
    with contextlib.suppress(ProtocolError):
        message = parse_stun(datagram)
        message.signed_with("p" * 24)
        assert message.error_code >= 0


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_protocol_errors(noise: bytes) -> None:
    survive(noise)
    survive(REQUEST[:8] + noise)


@given(st.sampled_from(GOOD), st.data())
def test_changed_bytes_raise_nothing_but_protocol_errors(datagram: bytes, data: st.DataObject) -> None:
    changed = bytearray(datagram)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    survive(bytes(changed))


@pytest.mark.parametrize("datagram", GOOD)
def test_every_truncation_is_refused(datagram: bytes) -> None:
    for size in range(len(datagram)):
        survive(datagram[:size])
        with pytest.raises(ProtocolError):
            parse_stun(datagram[:size])


@given(st.integers(0, 255), st.integers(0, len(REQUEST) - 25))
def test_no_change_of_a_signed_request_keeps_its_signature(value: int, position: int) -> None:
    changed = bytearray(REQUEST)
    changed[position] = value
    if bytes(changed) == REQUEST:
        return
    with contextlib.suppress(ProtocolError):
        assert not parse_stun(bytes(changed)).signed_with("p" * 24)


def test_the_cheap_look_agrees_with_the_parser() -> None:
    assert peek_request(REQUEST) == ("server", "client")
    assert peek_request(RESPONSE) is None
    assert parse_stun(REQUEST).attributes["USERNAME"] == "server:client"


def test_a_request_without_a_name_is_recognised_as_such() -> None:
    assert peek_request(b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12) == ("", "")
