"""Deadlines, budgets and client checks, on a clock that only the tests move."""

from __future__ import annotations

import pytest

from core.clock import NS_PER_MS, NS_PER_S
from rtp.sdp import IceParameters
from transport.api import TransportState
from transport.liveness import GONE, HANDSHAKE_DEADLINE, Liveness, LivenessLimits
from transport.path_check import MAX_OUTSTANDING, PathChecker
from transport.stun import UNAUTHENTICATED, error_response, parse_stun, success_response
from transport.token_bucket import TokenBucket

LIMITS = LivenessLimits()
LOCAL, REMOTE = IceParameters("abcd", "l" * 24), IceParameters("wxyz", "r" * 24)


def test_a_transport_that_never_connects_is_given_up_after_its_deadline() -> None:
    liveness = Liveness(LIMITS, 0)
    liveness.heard(29 * NS_PER_S)
    assert liveness.tick(30 * NS_PER_S - 1) is None
    assert liveness.tick(30 * NS_PER_S) == HANDSHAKE_DEADLINE


def state_at(liveness: Liveness, seconds: float) -> TransportState:
    liveness.tick(int(seconds * NS_PER_S))
    return liveness.state


def test_silence_is_noticed_undone_by_a_word_and_ends_after_ninety_seconds() -> None:
    liveness = Liveness(LIMITS, 0)
    liveness.connected(0)
    assert state_at(liveness, 2.999) == "connected"
    assert state_at(liveness, 3) == "silent"
    liveness.heard(80 * NS_PER_S)
    assert state_at(liveness, 80) == "connected"
    assert liveness.tick(170 * NS_PER_S - 1) is None
    assert liveness.tick(170 * NS_PER_S) == GONE


def test_nothing_more_is_sent_to_a_peer_that_has_been_silent_for_thirty_seconds() -> None:
    liveness = Liveness(LIMITS, 0)
    liveness.connected(0)
    liveness.tick(10 * NS_PER_S)
    assert liveness.may_send(30 * NS_PER_S - 1)
    assert not liveness.may_send(30 * NS_PER_S)


def test_the_first_reason_for_closing_stays() -> None:
    liveness = Liveness(LIMITS, 0)
    liveness.close("peer_closed")
    liveness.close("shutdown")
    assert liveness.close_reason == "peer_closed"
    liveness.connected(1)
    assert liveness.state == "closed"


def test_a_budget_allows_a_burst_then_its_rate() -> None:
    bucket = TokenBucket(per_second=10, burst=3, now_ns=0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(100 * NS_PER_MS)
    assert not bucket.take(100 * NS_PER_MS)
    assert [bucket.take(60 * NS_PER_S) for _ in range(4)] == [True, True, True, False]


def checker(now_ns: int = 0) -> PathChecker:
    return PathChecker(LOCAL, REMOTE, tie_breaker=1, controlling=True, now_ns=now_ns)


def ask(checks: PathChecker, number: int, now_ns: int, path: str = "p") -> bytes:
    transaction_id = number.to_bytes(12, "big")
    checks.request(path, transaction_id, now_ns)
    return transaction_id


def answer(transaction_id: bytes, pwd: str = REMOTE.pwd) -> bytes:
    return success_response(transaction_id, ("192.0.2.1", 4000), pwd)


def test_a_check_is_signed_for_the_peer_and_nominates() -> None:
    message = parse_stun(checker().request("p", b"\x01" * 12, 0))
    assert message.attributes["USERNAME"] == "wxyz:abcd"
    assert message.signed_with(REMOTE.pwd)
    assert "USE-CANDIDATE" in message.attributes


def test_answers_measure_the_round_trip_and_end_silence() -> None:
    checks = checker()
    sent = ask(checks, 1, 2 * NS_PER_S)
    assert checks.is_silent(2 * NS_PER_S)
    assert checks.response(parse_stun(answer(sent)), "p", 2 * NS_PER_S + 40 * NS_PER_MS)
    assert checks.rtt_ns == 40 * NS_PER_MS
    assert not checks.is_silent(3 * NS_PER_S)
    assert checks.is_silent(3 * NS_PER_S + 40 * NS_PER_MS)


@pytest.mark.parametrize("what", ["wrong password", "other path", "unknown transaction", "answered before"])
def test_an_answer_that_proves_nothing_is_ignored(what: str) -> None:
    checks = checker()
    sent = ask(checks, 1, 0)
    if what == "answered before":
        assert checks.response(parse_stun(answer(sent)), "p", 0)
    reply = answer(
        b"\xff" * 12 if what == "unknown transaction" else sent, "x" * 24 if what[0] == "w" else REMOTE.pwd
    )
    assert not checks.response(parse_stun(reply), "q" if what == "other path" else "p", 1)


def refuse(checks: PathChecker, number: int, now_ns: int) -> None:
    checks.response(parse_stun(error_response(ask(checks, number, now_ns), UNAUTHENTICATED)), "p", now_ns)


def test_two_refusals_and_half_a_second_without_a_good_answer_mean_the_server_forgot_us() -> None:
    checks = checker()
    refuse(checks, 1, 100 * NS_PER_MS)
    assert not checks.is_refused(600 * NS_PER_MS)
    refuse(checks, 2, 350 * NS_PER_MS)
    assert not checks.is_refused(499 * NS_PER_MS)
    assert checks.is_refused(500 * NS_PER_MS)


def test_forged_refusals_do_nothing_while_the_server_answers() -> None:
    checks = checker()
    for number in range(0, 40, 2):
        now_ns = number * 125 * NS_PER_MS
        refuse(checks, number, now_ns)
        sent = ask(checks, number + 1, now_ns)
        assert not checks.is_refused(now_ns + 200 * NS_PER_MS)
        assert checks.response(parse_stun(answer(sent)), "p", now_ns + NS_PER_MS)


def test_a_refusal_of_a_check_we_never_sent_is_ignored() -> None:
    checks = checker()
    for number in range(3):
        checks.response(parse_stun(error_response(bytes([number]) * 12, UNAUTHENTICATED)), "p", 0)
    assert not checks.is_refused(NS_PER_S)


def test_unanswered_checks_are_remembered_within_a_bound() -> None:
    checks = checker()
    first = ask(checks, 0, 0)
    for number in range(1, MAX_OUTSTANDING + 1):
        ask(checks, number, 0)
    assert not checks.expects(first)
    assert checks.expects((1).to_bytes(12, "big"))
