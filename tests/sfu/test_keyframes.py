"""Keyframe requests are coalesced, repeated while unanswered, and never a flood."""

from __future__ import annotations

from core.clock import NS_PER_MS, NS_PER_S
from sfu.keyframes import MAX_REPEATS, MIN_INTERVAL_NS, PATIENCE_NS, KeyframeRequests


def test_nothing_is_asked_for_while_nobody_waits() -> None:
    requests = KeyframeRequests()
    assert not requests.due(0)


def test_the_first_request_goes_out_at_once() -> None:
    requests = KeyframeRequests()
    requests.request()
    assert requests.due(5)


def test_sixty_viewers_asking_at_once_make_one_request() -> None:
    requests = KeyframeRequests()
    sent = 0
    for _ in range(60):
        requests.request()
        sent += requests.due(1_000)
    assert sent == 1


def test_at_most_two_requests_a_second_however_often_viewers_ask() -> None:
    requests = KeyframeRequests()
    sent = 0
    for now_ns in range(0, 10 * NS_PER_S, 5 * NS_PER_MS):
        requests.request()
        sent += requests.due(now_ns)
        if now_ns % (100 * NS_PER_MS) == 0:
            requests.received()
    assert 18 <= sent <= 20


def test_a_keyframe_satisfies_everyone() -> None:
    requests = KeyframeRequests()
    requests.request()
    assert requests.due(0)
    requests.received()
    assert not requests.due(10 * NS_PER_S)


def test_an_unanswered_request_is_repeated_ever_more_slowly_but_never_given_up() -> None:
    requests = KeyframeRequests()
    requests.request()
    seconds = [step for step in range(60) if requests.due(step * PATIENCE_NS)]
    assert seconds == [*range(MAX_REPEATS + 1), 20, 30, 40, 50]


def test_a_new_request_within_the_pause_goes_out_when_the_pause_ends() -> None:
    requests = KeyframeRequests()
    requests.request()
    assert requests.due(0)
    requests.received()
    requests.request()
    assert not requests.due(MIN_INTERVAL_NS - 1)
    assert requests.due(MIN_INTERVAL_NS)
