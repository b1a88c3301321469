"""Behind a TLS proxy: whose word counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from core.config import Settings, load_settings
from core.errors import ConfigError, Forbidden
from signaling import proxies
from signaling.proxies import TrustedProxies
from signaling.sign_in import FREE_PER_PERSON
from tests.signaling.conftest import PASSWORD, World, make_world

PROXIES = TrustedProxies(["10.0.0.1", "10.1.0.0/16", "fd00::/64"])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "caller"),
    [
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.7"], "203.0.113.7"),  # the left one, the caller wrote itself
        ("10.0.0.1", ["1.1.1.1", "203.0.113.7, 10.1.2.3"], "203.0.113.7"),  # through two proxies
        ("10.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("10.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("fd00::9", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7, _hidden"], "10.0.0.1"),
        ("10.0.0.1", ["10.1.0.5"], "10.1.0.5"),  # everybody is a proxy: the farthest
        ("203.0.113.9", ["1.1.1.1"], "203.0.113.9"),  # no proxy of ours: its word is nothing
        ("10.2.0.1", ["1.1.1.1"], "10.2.0.1"),
        (None, ["1.1.1.1"], None),
    ],
)
def test_the_caller_is_the_nearest_address_that_is_no_proxy(
    peer: str | None, forwarded_for: list[str], caller: str | None
) -> None:
    assert PROXIES.caller(peer, forwarded_for) == caller


def test_a_very_long_header_costs_little_and_says_nothing_wrong() -> None:
    assert PROXIES.caller("10.0.0.1", ["10.0.0.1, " * 100_000 + "10.0.0.1"]) == "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [
        ("10.0.0.1", ["https"], "https"),
        ("10.0.0.1", ["http"], "http"),
        ("10.0.0.1", ["https, http"], "http"),
        ("10.0.0.1", ["javascript"], "http"),
        ("10.0.0.1", [], "http"),
        ("203.0.113.9", ["https"], "http"),
    ],
)
def test_the_scheme_is_what_the_nearest_proxy_says(peer: str, said: list[str], scheme: str) -> None:
    assert PROXIES.scheme(peer, said, "http") == scheme


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "proxy.local", "10.0.0.0/40", ""])
def test_a_setting_that_is_no_network_names_the_key(wrong: str) -> None:
    with pytest.raises(ConfigError, match="trusted-proxies"):
        load_settings(trusted_proxies=[wrong])


async def through(peer: str, path: str = "/api/v1/me", **headers: str) -> web.Request:
    """What a handler sees of a request from `peer`. Raises what the middleware raises."""
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return web.Response()

    request = make_mocked_request("GET", path, headers=headers).clone(remote=peer)
    await proxies.middleware(Settings(trusted_proxies=["10.0.0.1"]))(request, handler)
    return seen[0]


async def test_handlers_see_the_caller_and_how_it_called() -> None:
    seen = await through("10.0.0.1", **{"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"})
    assert (seen.remote, seen.scheme, seen.secure) == ("203.0.113.7", "https", True)


async def test_whoever_comes_past_the_proxy_in_clear_is_turned_away() -> None:
    with pytest.raises(Forbidden) as refused:
        await through("203.0.113.9", **{"X-Forwarded-Proto": "https"})
    assert refused.value.code == "tls_required"
    for path in ("/healthz", "/readyz", "/metrics"):
        await through("203.0.113.9", path)
    await through("127.0.0.1")  # the recorder, on the same machine


async def behind_proxy(world: World, address: str, **body: Any) -> tuple[int, Any]:
    headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
    async with world.session.post("/api/v1/auth/login", json=body, headers=headers) as response:
        return response.status, await response.json()


async def test_attempts_count_by_caller_when_the_proxy_is_trusted(tmp_path: Path) -> None:
    wrong = {"username": "wang", "password": "wrong"}
    async with make_world(tmp_path, trusted_proxies=["127.0.0.1"]) as world:
        answers = [await behind_proxy(world, "203.0.113.7", **wrong) for _ in range(7)]
        assert answers[-1][0] == 429
        status, _ = await behind_proxy(world, "203.0.113.8", username="wang", password=PASSWORD)
        assert status == 200, "somebody else's attempts shut nobody out"


async def test_a_header_counts_for_nothing_without_a_trusted_proxy(world: World) -> None:
    wrong = {"username": "wang", "password": "wrong"}
    answers = [await behind_proxy(world, f"203.0.113.{n}", **wrong) for n in range(8)]
    assert answers[-1][0] == 429


async def test_links_and_headers_are_those_of_the_https_address(tmp_path: Path) -> None:
    async with make_world(tmp_path, trusted_proxies=["127.0.0.1"]) as world:
        token = (await world.login("wang"))["access_token"]
        headers = {
            "Authorization": f"Bearer {token}",
            "X-Forwarded-Proto": "https",
            "Host": "consult.hospital.example",
        }
        async with world.session.post("/api/v1/rooms/demo/join", headers=headers) as response:
            assert (await response.json())["ws_url"].startswith("wss://consult.hospital.example/ws?")
            assert "Strict-Transport-Security" in response.headers


async def test_a_guesser_with_a_whole_ipv6_network_is_one_guesser(tmp_path: Path) -> None:
    """Whoever has one IPv6 address has 2⁶⁴ of them."""
    wrong = {"username": "wang", "password": "wrong"}
    async with make_world(tmp_path, trusted_proxies=["127.0.0.1"]) as world:
        statuses = [
            (await behind_proxy(world, f"2001:db8:1:2::{number:x}", **wrong))[0]
            for number in range(FREE_PER_PERSON + 1)
        ]
        assert statuses == [401] * FREE_PER_PERSON + [429]
        assert (await behind_proxy(world, "2001:db8:1:3::1", **wrong))[0] == 401
        mapped = [(await behind_proxy(world, f"::ffff:192.0.2.{number}", **wrong))[0] for number in range(8)]
        assert set(mapped) == {401}, "IPv4 callers written as IPv6 are not one network"
