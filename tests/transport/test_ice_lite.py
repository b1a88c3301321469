"""Our ICE-lite agent: who is answered how, and which pair is in use."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from aioice import stun

from core.clock import NS_PER_MS, NS_PER_S
from rtp.sdp import IceParameters
from transport.ice_lite import FRESH_NOMINATION_NS, MAX_PAIRS, Check, CheckResult, IceLiteAgent
from transport.stun import parse_stun

LOCAL = IceParameters("server", "s" * 24, lite=True)
REMOTE = IceParameters("client", "c" * 24)


def request(
    *, pwd: str | None = LOCAL.pwd, nominate: bool = True, priority: int = 1, role: str = "ICE-CONTROLLING"
) -> bytes:
    attributes: dict[str, Any] = {"USERNAME": "unused:here", "PRIORITY": priority, role: 7}
    if nominate:
        attributes["USE-CANDIDATE"] = None
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
    if pwd is not None:
        message.add_message_integrity(pwd.encode())
    return bytes(message)


def check(
    agent: IceLiteAgent,
    source: str = "a",
    now_ns: int = 0,
    *,
    datagram: bytes | None = None,
    ufrags: tuple[str, str] = ("server", "client"),
    protocol: Literal["udp", "tcp"] = "udp",
    **options: Any,
) -> CheckResult:
    message = parse_stun(datagram or request(**options))
    return agent.check(Check(message, *ufrags, source, ("192.0.2.1", 4000), protocol), now_ns)


def made() -> IceLiteAgent:
    agent = IceLiteAgent(LOCAL)
    agent.set_remote(REMOTE)
    return agent


def source_in_use(agent: IceLiteAgent) -> object:
    return agent.selected.source if agent.selected else None


def error_of(result: CheckResult) -> int:
    return parse_stun(result.reply).error_code


def test_a_signed_check_is_answered_with_the_mapped_address_and_validates_its_source() -> None:
    agent = made()
    result = check(agent, nominate=False)
    reply = parse_stun(result.reply)
    assert reply.attributes["XOR-MAPPED-ADDRESS"] == ("192.0.2.1", 4000)
    assert reply.signed_with(LOCAL.pwd)
    assert result.accepted
    assert agent.knows("a")
    assert agent.selected is None


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"pwd": None}, 400),
        ({"pwd": "wrong" * 5}, 401),
        ({"ufrags": ("other", "client")}, 401),
        ({"ufrags": ("server", "mallory")}, 401),
        ({"role": "ICE-CONTROLLED"}, 487),
    ],
)
def test_what_is_not_a_proper_check_gets_its_error_and_validates_nothing(
    options: dict[str, Any], code: int
) -> None:
    agent = made()
    result = check(agent, **options)
    assert error_of(result) == code
    assert not result.accepted
    assert not agent.knows("a")


def test_a_role_conflict_is_signed_so_that_the_peer_believes_it() -> None:
    assert parse_stun(check(made(), role="ICE-CONTROLLED").reply).signed_with(LOCAL.pwd)


def test_a_check_that_overtakes_the_answer_counts_without_the_peers_ufrag() -> None:
    agent = IceLiteAgent(LOCAL)
    assert check(agent, ufrags=("server", "notyetknown")).accepted


def test_among_freshly_nominated_pairs_priority_decides_whatever_the_order() -> None:
    for order in (("low", "high"), ("high", "low")):
        agent = made()
        for index, source in enumerate(order):
            check(agent, source, index * 20 * NS_PER_MS, priority={"low": 1, "high": 9}[source])
        assert source_in_use(agent) == "high"


def test_among_freshly_nominated_pairs_udp_precedes_tcp() -> None:
    agent = made()
    check(agent, "tcp", 0, priority=9, protocol="tcp")
    check(agent, "udp", 1, priority=1)
    check(agent, "tcp", 2, priority=9, protocol="tcp")
    assert source_in_use(agent) == "udp"


def test_repeated_nominations_of_several_pairs_do_not_flap() -> None:
    agent = made()
    for step in range(50):
        check(agent, "low", step * 100 * NS_PER_MS, priority=1)
        check(agent, "high", step * 100 * NS_PER_MS, priority=9)
        assert source_in_use(agent) == "high"


def test_a_nomination_wins_when_the_pair_in_use_is_no_longer_nominated() -> None:
    agent = made()
    check(agent, "wifi", 0, priority=9)
    assert not check(agent, "cellular", FRESH_NOMINATION_NS, priority=1).selected
    assert check(agent, "cellular", FRESH_NOMINATION_NS + 1, priority=1).selected


def test_a_new_nat_binding_of_the_same_interface_wins_at_once() -> None:
    agent = made()
    check(agent, "old", 0, priority=5)
    assert check(agent, "new", NS_PER_MS, priority=5).selected


def test_a_plain_check_moves_nothing() -> None:
    agent = made()
    check(agent, "a", 0)
    assert not check(agent, "b", 10 * NS_PER_S, nominate=False).selected
    assert source_in_use(agent) == "a"


def test_sources_are_bounded_and_the_one_in_use_stays() -> None:
    agent = made()
    check(agent, "used", 0)
    dropped = [check(agent, f"s{n}", n + 1, nominate=False).dropped for n in range(3 * MAX_PAIRS)]
    assert agent.knows("used")
    assert "used" not in dropped
    assert sum(agent.knows(f"s{n}") for n in range(3 * MAX_PAIRS)) == MAX_PAIRS - 1


NEW_LOCAL, NEW_REMOTE = IceParameters("server2", "S" * 24, lite=True), IceParameters("client2", "C" * 24)


def restarted() -> IceLiteAgent:
    agent = made()
    check(agent, "old", 0)
    agent.restart(NEW_LOCAL)
    agent.set_remote(NEW_REMOTE)
    return agent


def test_old_credentials_work_until_the_new_ones_have_nominated() -> None:
    agent = restarted()
    assert check(agent, "old", 1).accepted
    assert agent.local == NEW_LOCAL
    assert check(agent, "new", 2, pwd=NEW_LOCAL.pwd, ufrags=("server2", "client2")).selected
    assert source_in_use(agent) == "new"
    assert error_of(check(agent, "old", 3)) == 401


def test_a_restart_that_is_only_checked_keeps_the_old_pair() -> None:
    agent = restarted()
    check(agent, "new", 2, pwd=NEW_LOCAL.pwd, ufrags=("server2", "client2"), nominate=False)
    assert source_in_use(agent) == "old"
    assert check(agent, "old", 3).accepted


def test_a_late_nomination_with_old_credentials_does_not_take_the_flow_back() -> None:
    agent = restarted()
    check(agent, "new", 2, pwd=NEW_LOCAL.pwd, ufrags=("server2", "client2"), nominate=False)
    check(agent, "old", 3, priority=99)
    check(agent, "new", 4, pwd=NEW_LOCAL.pwd, ufrags=("server2", "client2"))
    assert source_in_use(agent) == "new"


def test_two_restarts_in_a_row_leave_the_pair_in_use_and_the_newest() -> None:
    agent = restarted()
    third = IceParameters("server3", "T" * 24, lite=True)
    agent.restart(third)
    assert sorted(agent.ufrags) == ["server", "server3"]
    assert check(agent, "old", 5).accepted
    assert error_of(check(agent, "x", 5, pwd=NEW_LOCAL.pwd, ufrags=("server2", "client2"))) == 401
    assert check(agent, "x", 6, pwd=third.pwd, ufrags=("server3", "any")).selected
