"""The subscription's table, row by row, and that no order of events leads out of it."""

from __future__ import annotations

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from signaling.subscription import Accept, Ask, Discard, Subscription


def _stable(tracks: tuple[str, ...] = ()) -> Subscription:
    subscription = Subscription()
    subscription.subscribe(["VP8"])
    subscription.want(tracks)
    assert isinstance(subscription.step(), Ask)
    assert subscription.offered("t_1", 1)
    assert subscription.answered(1, "answer")
    assert subscription.step() == Accept("t_1", "answer")
    subscription.accepted()
    return subscription


def test_nothing_is_asked_before_the_client_subscribes() -> None:
    subscription = Subscription()
    subscription.want(["k_1"])
    assert subscription.step() is None


def test_the_first_ask_makes_a_transport_even_without_tracks() -> None:
    subscription = Subscription()
    subscription.subscribe(["VP8", "opus"])
    assert subscription.step() == Ask(None, (), ("VP8", "opus"), False)
    assert subscription.step() is None


def test_a_stable_subscription_asks_only_when_the_tracks_changed() -> None:
    subscription = _stable(("k_1",))
    subscription.want(["k_1"])
    assert subscription.step() is None
    subscription.want(["k_1", "k_2"])
    assert subscription.step() == Ask("t_1", ("k_1", "k_2"), ("VP8",), False)


def test_changes_while_an_offer_is_out_wait_for_the_answer_and_come_together() -> None:
    subscription = _stable()
    subscription.want(["k_1"])
    subscription.step()
    subscription.offered("t_1", 2)
    for wanted in (["k_1", "k_2"], ["k_2"], ["k_2", "k_3"]):
        subscription.want(wanted)
        assert subscription.step() is None
    assert subscription.answered(2, "a")
    assert isinstance(subscription.step(), Accept)
    subscription.accepted()
    assert subscription.step() == Ask("t_1", ("k_2", "k_3"), ("VP8",), False)


def test_a_change_that_was_undone_asks_nothing() -> None:
    subscription = _stable(("k_1",))
    subscription.want(["k_1", "k_2"])
    subscription.want(["k_1"])
    assert subscription.step() is None


def test_answers_to_other_offers_and_second_answers_are_not_taken() -> None:
    subscription = _stable()
    assert not subscription.answered(1, "late")
    subscription.want(["k_1"])
    subscription.step()
    assert not subscription.answered(2, "early")
    subscription.offered("t_1", 2)
    assert not subscription.answered(1, "old")
    assert subscription.answered(2, "right")
    subscription.step()
    assert not subscription.answered(2, "again")


def test_an_ice_restart_replaces_an_outstanding_offer_and_survives_a_failure() -> None:
    subscription = _stable()
    subscription.want(["k_1"])
    subscription.step()
    subscription.offered("t_1", 2)
    assert subscription.restart_ice()
    assert subscription.step() == Ask("t_1", ("k_1",), ("VP8",), True)
    subscription.failed()
    assert subscription.step() == Ask("t_1", ("k_1",), ("VP8",), True)
    subscription.offered("t_1", 3)
    assert subscription.step() is None


def test_a_refused_answer_may_be_followed_by_a_better_one_and_a_failed_one_is_repeated() -> None:
    subscription = _stable()
    subscription.want(["k_1"])
    subscription.step()
    subscription.offered("t_1", 2)
    subscription.answered(2, "bad")
    subscription.step()
    subscription.refused()
    assert subscription.step() is None
    subscription.answered(2, "good")
    assert subscription.step() == Accept("t_1", "good")
    subscription.failed()
    assert subscription.step() == Accept("t_1", "good")


def test_subscribing_again_discards_the_transport_and_begins_anew() -> None:
    subscription = _stable(("k_1",))
    subscription.subscribe(["H264"])
    assert subscription.step() == Discard("t_1")
    assert subscription.step() == Ask(None, ("k_1",), ("H264",), False)


def test_an_offer_that_comes_after_the_loss_is_not_taken() -> None:
    subscription = _stable(("k_1",))
    subscription.want([])
    subscription.step()
    assert subscription.lost()
    assert not subscription.offered("t_1", 2)
    assert subscription.step() is None
    assert not subscription.lost()
    assert not subscription.restart_ice()


class Driver(RuleBasedStateMachine):
    """Any order of what clients, workers and rooms do; the worker's calls take as long as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.subscription = Subscription()
        self.pending: Ask | Accept | None = None
        self.made = 0
        self.revision = 0
        self.out: int | None = None  # the revision the client has and has not answered
        self.wanted: tuple[str, ...] = ()

    @rule()
    def subscribe(self) -> None:
        self.subscription.subscribe(["VP8"])
        self.out = None

    @rule(tracks=strategies.sets(strategies.sampled_from("abc")))
    def change(self, tracks: set[str]) -> None:
        self.wanted = tuple(sorted(tracks))
        self.subscription.want(self.wanted)

    @rule()
    def restart(self) -> None:
        self.subscription.restart_ice()

    @rule()
    def lose(self) -> None:
        self.subscription.lost()
        self.out = None

    @precondition(lambda self: self.pending is None)
    @rule()
    def step(self) -> None:
        step = self.subscription.step()
        if isinstance(step, Ask):
            assert self.out is None or step.restart_ice
            assert step.track_ids == self.wanted
        self.pending = None if isinstance(step, Discard) else step

    @precondition(lambda self: self.pending is not None)
    @rule(how=strategies.sampled_from(["works", "fails", "refuses"]))
    def finish(self, how: str) -> None:
        pending, self.pending = self.pending, None
        if how == "fails":
            self.subscription.failed()
        elif isinstance(pending, Accept):
            (self.subscription.accepted if how == "works" else self.subscription.refused)()
        elif pending is not None:
            self.made += pending.transport_id is None
            self.revision += 1
            name = pending.transport_id or f"t_{self.made}"
            if self.subscription.offered(name, self.revision):
                self.out = self.revision

    @precondition(lambda self: self.out is not None)
    @rule(right=strategies.booleans())
    def answer(self, right: bool) -> None:
        assert self.out is not None
        taken = self.subscription.answered(self.out if right else self.out - 1, "answer")
        assert right or not taken
        if taken:
            self.out = None

    @invariant()
    def transports_only_while_on(self) -> None:
        assert self.subscription.state != "off" or self.subscription.transport_id is None

    def teardown(self) -> None:
        """Left alone, with a client that answers, it always comes to rest with the tracks wanted."""
        if self.subscription.state == "off":
            return
        for _ in range(30):
            if self.pending is not None:
                self.finish("works")
            self.step()
            if self.pending is None and self.subscription.state == "offered":
                self.subscription.answered(self.subscription.revision, "answer")
                self.out = None
        assert self.subscription.state == "stable"


Driver.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestDriver = Driver.TestCase
