"""The WHIP client gives its token to nobody else and takes no nonsense for an answer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ProtocolError, Unauthorized, Unavailable
from edge_agents.backoff import Backoff
from edge_agents.whip import WhipClient, WhipRefused, WhipResource

Handler = Callable[[web.Request], Awaitable[web.Response]]


@contextlib.asynccontextmanager
async def client_of(handler: Handler) -> AsyncIterator[WhipClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession() as session:
        yield WhipClient(session, f"http://127.0.0.1:{port}/whip/demo/one", lambda: "secret")
    await runner.cleanup()


def answering(status: int, headers: dict[str, str] | None = None, body: str = "v=0") -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers, text=body)

    return handler


@pytest.mark.parametrize(
    ("location", "path"), [("/r/1", "/r/1"), ("two", "/whip/demo/two"), ("../x?y=1", "/whip/x?y=1")]
)
async def test_the_location_may_be_relative(location: str, path: str) -> None:
    async with client_of(answering(201, {"Location": location})) as client:
        resource = await client.publish("v=0")
        assert resource.url.path_qs == path
        assert resource.answer == "v=0"


async def test_a_resource_on_another_host_is_refused() -> None:
    async with client_of(answering(201, {"Location": "http://elsewhere.example/r"})) as client:
        with pytest.raises(ProtocolError, match="another host"):
            await client.publish("v=0")


@pytest.mark.parametrize("handler", [answering(201), answering(201, {"Location": "/r"}, "")])
async def test_an_answer_without_location_or_sdp_is_refused(handler: Handler) -> None:
    async with client_of(handler) as client:
        with pytest.raises(ProtocolError, match="lacks"):
            await client.publish("v=0")


@pytest.mark.parametrize(
    ("status", "error"), [(401, Unauthorized), (403, Unauthorized), (409, WhipRefused), (503, WhipRefused)]
)
async def test_an_error_status_is_told_apart(status: int, error: type[Exception]) -> None:
    async with client_of(answering(status)) as client:
        with pytest.raises(error) as caught:
            await client.publish("v=0")
        assert getattr(caught.value, "status", None) == status


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with client_of(handler) as client:
        with pytest.raises(WhipRefused):
            await client.publish("v=0")
    assert seen == ["/whip/demo/one"]


async def test_a_server_that_is_not_there_is_unavailable_and_ending_there_is_no_error() -> None:
    async with client_of(answering(201, {"Location": "/r"})) as client:
        resource = await client.publish("v=0")
    async with aiohttp.ClientSession() as session:
        gone = WhipClient(session, str(resource.url), lambda: "secret")
        with pytest.raises(Unavailable):
            await gone.publish("v=0")
        await gone.delete(WhipResource(resource.url, ""))


@given(st.lists(st.floats(0, 0.999), min_size=30, max_size=30))
def test_delays_stay_short_for_four_seconds_and_never_exceed_two(randoms: list[float]) -> None:
    backoff, waited_s = Backoff(), 0.0
    for random in randoms:
        delay_s = backoff.next_delay_s(random)
        assert 0.05 <= delay_s <= (0.2 if waited_s < 4.0 else 2.0)
        waited_s += delay_s
    assert delay_s >= 0.8 or waited_s < 12
    backoff.reset()
    assert backoff.next_delay_s(0.0) == 0.05
