"""Where our own clients find the service, and whom they trust there."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.config import Settings
from core.errors import ConfigError, Unavailable
from core.local_service import local_trust, private_authority, service_trust, service_url
from tests.support.certificates import Pair, make_authority, write_authority, write_pair


async def answer(pair: Pair, trust: Any) -> str:
    """What an HTTPS server with that pair answers a client that trusts `trust`. Raises `ClientError`."""

    async def yes(_request: web.Request) -> web.Response:
        return web.Response(text="yes")

    app = web.Application()
    app.router.add_get("/", yes)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port = runner.addresses[0][1]
        async with (
            asyncio.timeout(20),
            aiohttp.ClientSession() as session,
            session.get(f"https://127.0.0.1:{port}/", ssl=trust) as response,
        ):
            return await response.text()
    finally:
        await runner.cleanup()


def settings_for(pair: Pair, **more: Any) -> Settings:
    return Settings(tls_cert=pair.cert, tls_key=pair.key, **more)


async def test_on_this_machine_exactly_its_own_certificate_is_trusted(tmp_path: Path) -> None:
    authority = make_authority()
    ours = write_pair(authority, tmp_path / "ours", "consult.local")  # reached as 127.0.0.1 all the same
    other = write_pair(authority, tmp_path / "other", "127.0.0.1")
    trust = local_trust(settings_for(ours))
    assert await answer(ours, trust) == "yes"
    with pytest.raises(aiohttp.ServerFingerprintMismatch):
        await answer(other, trust)


async def test_recording_goes_on_with_a_certificate_that_has_expired(tmp_path: Path) -> None:
    ours = write_pair(make_authority(), tmp_path, ends_in=timedelta(days=-1))
    assert await answer(ours, local_trust(settings_for(ours))) == "yes"


async def test_on_another_machine_the_hospitals_authority_and_the_name_count(tmp_path: Path) -> None:
    authority, stranger = make_authority(), make_authority("Somebody else")
    ca = write_authority(authority, tmp_path / "ca.pem")
    settings = Settings(service_url="https://127.0.0.1:1", tls_ca=ca)
    trust = service_trust(settings)
    assert await answer(write_pair(authority, tmp_path / "a", "127.0.0.1"), trust) == "yes"
    for pair in (
        write_pair(stranger, tmp_path / "b", "127.0.0.1"),
        write_pair(authority, tmp_path / "c", "other.local"),
    ):
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await answer(pair, trust)


def test_a_secret_is_not_sent_in_clear_over_a_network() -> None:
    with pytest.raises(ConfigError, match="https://"):
        service_url(Settings(service_url="http://consult.local:8080"))
    assert str(service_url(Settings(service_url="http://127.0.0.1:8080"))) == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:8080"), ("::", "http://[::1]:8080"), ("10.0.0.5", "http://10.0.0.5:8080")],
)
def test_a_service_on_every_address_is_found_on_this_machine(host: str, url: str) -> None:
    assert str(service_url(Settings(host=host))) == url


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match=rf"{path}: tls_ca"):
            private_authority(path)
    with pytest.raises(Unavailable, match="tls_cert"):
        local_trust(settings_for(Pair(tmp_path / "missing.pem", tmp_path / "key.pem")))
    with pytest.raises(ConfigError, match="port"):
        service_url(Settings(port=0))
