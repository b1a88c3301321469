"""The service's certificate: what can be wrong with it, and that a new one is taken without a restart."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization

import signaling.tls
from core.config import Settings
from core.errors import ConfigError
from signaling.main import serving
from signaling.slow_clients import GUARD, SlowClients
from signaling.tls import ServerTls, check_tls, is_loopback
from teleconsult.authority import Authority
from tests.support.certificates import Pair, make_authority, write_authority, write_pair

WITHIN_S = 20.0


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture
def pair(authority: Authority, tmp_path: Path) -> Pair:
    return write_pair(authority, tmp_path / "tls")


def settings_for(pair: Pair, **more: Any) -> Settings:
    return Settings(port=0, tls_cert=pair.cert, tls_key=pair.key, **more)


def test_a_good_pair_is_taken(pair: Pair) -> None:
    check_tls(settings_for(pair, host="0.0.0.0"))


def test_a_missing_file_is_named(pair: Pair) -> None:
    pair.key.unlink()
    with pytest.raises(ConfigError, match=rf"{pair.key}: tls_key cannot be read: No such file"):
        check_tls(settings_for(pair))
    pair.cert.unlink()
    with pytest.raises(ConfigError, match=rf"{pair.cert}: tls_cert cannot be read: No such file"):
        check_tls(settings_for(pair))


def test_a_key_of_another_certificate_is_refused(pair: Pair, authority: Authority, tmp_path: Path) -> None:
    other = write_pair(authority, tmp_path / "other")
    with pytest.raises(ConfigError, match="does not belong to the certificate"):
        check_tls(settings_for(Pair(pair.cert, other.key)))


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o660])
def test_a_key_that_others_may_read_is_refused_with_the_fix(pair: Pair, mode: int) -> None:
    pair.key.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {pair.key}"):
        check_tls(settings_for(pair))


def test_a_key_for_a_group_is_taken_as_distributions_keep_them(pair: Pair) -> None:
    pair.key.chmod(0o640)
    check_tls(settings_for(pair))


def test_a_key_with_a_passphrase_is_refused(pair: Pair) -> None:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    sealing = serialization.BestAvailableEncryption(b"secret")
    pair.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealing)
    )
    with pytest.raises(ConfigError, match="passphrase"):
        check_tls(settings_for(pair))


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff\xfe\x00", b"-----BEGIN CERTIFICATE-----\nAA=="])
def test_files_that_are_no_pem_are_named(pair: Pair, content: bytes) -> None:
    good = pair.cert.read_bytes()
    pair.cert.write_bytes(content)
    with pytest.raises(ConfigError, match="tls_cert holds no certificate"):
        check_tls(settings_for(pair))
    pair.cert.write_bytes(good)
    pair.key.write_bytes(content)
    with pytest.raises(ConfigError, match="tls_key holds no private key"):
        check_tls(settings_for(pair))


def test_an_expired_certificate_is_refused_and_one_that_is_not_valid_yet(
    authority: Authority, tmp_path: Path
) -> None:
    past = write_pair(authority, tmp_path / "past", ends_in=timedelta(hours=-1))
    with pytest.raises(ConfigError, match=r"expired on 20\d\d-.*admin ca renew"):
        check_tls(settings_for(past))
    future = write_pair(authority, tmp_path / "future", ends_in=timedelta(days=60))
    with pytest.raises(ConfigError, match=r"not valid before .*clock"):
        check_tls(settings_for(future))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "clinic.local"])
def test_clear_http_is_served_to_this_machine_only(host: str, pair: Pair) -> None:
    with pytest.raises(
        ConfigError, match=r"--tls-cert and --tls-key .*trusted_proxies.*127\.0\.0\.1"
    ) as refused:
        check_tls(Settings(host=host))
    assert "\n" not in str(refused.value)
    check_tls(Settings(host=host, trusted_proxies=["10.0.0.1"]))
    check_tls(settings_for(pair, host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_tls(host: str) -> None:
    assert is_loopback(host)
    check_tls(Settings(host=host))


# --- on the wire -------------------------------------------------------------------------


@asynccontextmanager
async def https(pair: Pair) -> AsyncIterator[int]:
    """A service that answers everything, and echoes over WebSockets."""
    from aiohttp import web

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        if not socket.can_prepare(request):
            return web.Response(text="yes")
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    app = web.Application()
    app[GUARD] = SlowClients()
    app.router.add_get("/{path:.*}", answer)
    async with serving(app, settings_for(pair)) as port:
        yield port


def serial(port: int, trust: ssl.SSLContext) -> Any:
    """The serial number a new connection is shown."""

    async def ask() -> str:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        found = writer.get_extra_info("peercert")["serialNumber"]
        writer.close()
        return str(found)

    return ask()


async def test_a_renewed_certificate_is_shown_to_new_connections_and_open_ones_go_on(
    authority: Authority, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signaling.tls, "WATCH_S", 0.02)
    trust = ssl.create_default_context(cafile=str(write_authority(authority, tmp_path / "ca.pem")))
    async with https(pair) as port, aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{port}/"
        async with session.ws_connect(url, ssl=trust) as call:
            before = await serial(port, trust)
            write_pair(authority, pair.cert.parent)
            async with asyncio.timeout(WITHIN_S):
                while await serial(port, trust) == before:
                    await asyncio.sleep(0.02)
            await call.send_str("still here")
            assert await call.receive_str(timeout=WITHIN_S) == "still here"


async def test_half_of_a_new_pair_is_not_taken_until_the_other_half_is_there(
    authority: Authority, pair: Pair, tmp_path: Path
) -> None:
    tls = ServerTls(pair.cert, pair.key)
    old_end = tls.facts.not_after
    fresh = write_pair(authority, tmp_path / "fresh", ends_in=timedelta(days=20))
    pair.key.write_bytes(fresh.key.read_bytes())
    assert not tls.reload_if_changed()
    assert tls.facts.not_after == old_end
    pair.cert.write_bytes(fresh.cert.read_bytes())
    assert tls.reload_if_changed()
    assert tls.facts.not_after < old_end
    assert not tls.reload_if_changed(), "nothing changed since"


async def test_files_that_vanish_leave_the_certificate_in_use(authority: Authority, pair: Pair) -> None:
    tls = ServerTls(pair.cert, pair.key)
    pair.cert.unlink()
    assert not tls.reload_if_changed()
    write_pair(authority, pair.cert.parent)
    assert tls.reload_if_changed()


async def test_an_end_that_is_near_is_said_again_and_again_but_not_always(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = write_pair(authority, tmp_path, ends_in=timedelta(days=3))
    tls = ServerTls(pair.cert, pair.key)
    now = datetime.now(UTC)
    for loop_s in (0.0, 60.0, 3600.0):
        tls._warn(loop_s, now)
    assert capsys.readouterr().out.count("tls.expires_soon") == 1
    tls._warn(7 * 3600.0, now + timedelta(days=4))
    assert "tls.expired" in capsys.readouterr().out


async def connect(port: int, **settings: Any) -> tuple[str, str]:
    """TLS version and cipher that a client with those settings gets. Raises `ssl.SSLError`, `OSError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(settings.pop("ciphers", "ALL:@SECLEVEL=0"))
    for name, value in settings.items():
        setattr(context, name, value)
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    cipher = writer.get_extra_info("cipher")
    writer.close()
    return cipher[1], cipher[0]


@pytest.mark.filterwarnings("ignore:.*TLSVersion:DeprecationWarning")
async def test_old_protocols_and_weak_ciphers_are_refused(pair: Pair) -> None:
    async with https(pair) as port:
        assert (await connect(port))[0] == "TLSv1.3"
        version, cipher = await connect(port, maximum_version=ssl.TLSVersion.TLSv1_2)
        assert version == "TLSv1.2"
        assert cipher.startswith("ECDHE-")
        assert cipher.endswith(("-SHA256", "-SHA384", "POLY1305"))
        for refused in (
            {"minimum_version": ssl.TLSVersion.TLSv1_1, "maximum_version": ssl.TLSVersion.TLSv1_1},
            {"maximum_version": ssl.TLSVersion.TLSv1_2, "ciphers": "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"},
        ):
            with pytest.raises((ssl.SSLError, OSError)):
                await connect(port, **refused)
