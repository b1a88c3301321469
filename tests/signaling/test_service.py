"""The service's own face: pages, headers, health, metrics, slow clients, logs."""

from __future__ import annotations

import asyncio
import gzip
import logging
from pathlib import Path

import pytest
import structlog

from core import messages
from core.logging import configure_logging
from signaling.problems import CONTENT_SECURITY_POLICY
from tests.signaling.conftest import PASSWORD, World, bearer


def _web(world: World) -> Path:
    assert world.settings.web_root is not None
    return world.settings.web_root


@pytest.mark.parametrize("path", ["/", "/rooms/demo", "/replay/c_1?t=5"])
async def test_page_routes_get_the_page_with_a_strict_policy(world: World, path: str) -> None:
    async with world.session.get(path) as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        assert "Teleconsult" in await response.text()
        policy = response.headers["Content-Security-Policy"]
        assert policy == CONTENT_SECURITY_POLICY
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "camera=(self)" in response.headers["Permissions-Policy"]
        assert response.headers["Cache-Control"] == "no-cache"


async def test_hashed_assets_are_kept_for_ever_and_sent_compressed(world: World) -> None:
    asset = _web(world) / "assets" / "index-4f2a.js"
    asset.write_text("console.log(1)")
    Path(f"{asset}.gz").write_bytes(gzip.compress(b"console.log(1)"))
    async with world.session.get("/assets/index-4f2a.js", headers={"Accept-Encoding": "gzip"}) as response:
        assert response.status == 200
        assert response.headers["Content-Encoding"] == "gzip"
        assert "immutable" in response.headers["Cache-Control"]
        assert response.content_type == "text/javascript"
        assert await response.text() == "console.log(1)"
    async with world.session.get("/assets/index-4f2a.js", headers={"Accept-Encoding": "identity"}) as plain:
        assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize(
    "path",
    [
        "/assets/none.js",
        "/assets/none",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/%00",
        "/link.txt",
        "/.hidden",
        "/keys/tokens.pem",
        "//etc/passwd.txt",
        "/api/v1/none",
        "/favicon.ico",
    ],
)
async def test_nothing_outside_the_client_is_served(world: World, path: str) -> None:
    (_web(world).parent / "secret.txt").write_text("secret")
    (_web(world) / "link.txt").symlink_to(_web(world).parent / "secret.txt")
    (_web(world) / ".hidden").write_text("secret")
    host, port = world.base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 5)).decode()
    writer.close()
    assert answer.split()[1] in ("404", "400")
    assert "secret" not in answer.partition("\r\n\r\n")[2]


async def test_every_error_is_a_problem_document_with_the_security_headers(world: World) -> None:
    async with world.session.get("/api/v1/none") as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
        problem = await response.json()
        assert problem["status"] == 404
        assert problem["code"] == "not_found"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
    async with world.session.put("/api/v1/auth/login") as response:
        assert response.status == 405
        assert (await response.json())["code"] == "method_not_allowed"


async def test_an_unexpected_error_tells_a_number_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("core.people.find_user", broken)
    status, problem = await world.post("/api/v1/auth/login", {"username": "a", "password": "b"})
    assert (status, problem["code"]) == (500, "internal")
    assert "hunter2" not in str(problem)


async def test_ready_means_a_database_and_a_worker(world: World) -> None:
    assert await world.get("/healthz") == (200, {"status": "ok"})
    status, found = await world.get("/readyz")
    assert status == 200
    assert (found["ready"], found["database"], found["worker"], found["waiting_for"]) == (
        True,
        True,
        True,
        [],
    )
    await world.worker.crash()
    async with asyncio.timeout(5):
        while world.context.service.pool.connected:
            await asyncio.sleep(0.005)
    status, found = await world.get("/readyz")
    assert (status, found["worker"]) == (503, False)
    assert found["waiting_for"] == [f"a media worker at {world.worker.address}"]
    await world.database.close()
    assert (await world.get("/healthz"))[0] == 200


async def test_metrics_count_without_naming_anybody(world: World) -> None:
    await world.login("wang")
    client, _ = await world.join("u_1", "specialist")
    await world.publish(client, "video/camera")
    async with world.session.get("/metrics") as response:
        assert response.status == 200
        text = await response.text()
    assert 'teleconsult_participants{role="specialist"} 1.0' in text
    assert "teleconsult_rooms 1.0" in text
    assert "teleconsult_transports 1.0" in text
    assert "teleconsult_workers_connected 1.0" in text
    assert 'teleconsult_logins_total{outcome="ok"} 1.0' in text
    assert 'route="/api/v1/auth/login"' in text
    for name in ("wang", "demo", "u_1"):
        assert f'"{name}"' not in text


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow:"])
async def test_a_client_that_never_finishes_its_first_request_is_let_go(world: World, first: bytes) -> None:
    host, port = world.base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(first)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    client, _ = await world.join("u_1", "specialist")
    await asyncio.sleep(1.2)  # longer than the guard's time: a busy connection is none of its business
    await client.sync()


async def test_logs_hold_no_token_password_or_name_of_a_patient(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    configure_logging("debug", "signaling")
    try:
        secrets = await _do_everything(world)
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    out, err = capfd.readouterr()
    text = out + err
    assert "audit" in text
    assert "http.answered" in text
    for secret in secrets:
        assert secret not in text


async def _do_everything(world: World) -> list[str]:
    tokens = await world.login("wang")
    await world.post("/api/v1/auth/login", {"username": "wang", "password": "wrong-hunter2"})
    status, fresh = await world.post("/api/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert status == 200
    _, joined = await world.post("/api/v1/rooms/demo/join", None, tokens["access_token"])
    client = await world.connect(joined["token"])
    welcome = await client.next(messages.Welcome)
    await world.publish(client, "video/camera")
    await client.socket.send_str('{"type": "hello", "token": "tok-in-a-bad-message", "x": 1}')
    await client.sync()
    device = world.room_token("device:box", "device")
    location = (await world.whip("ultrasound", device)).headers["Location"]
    async with world.session.delete(location, headers=bearer(device)):
        pass
    async with world.session.get("/ws?room=demo&token=tok-in-a-url") as response:
        assert response.status == 400
    await world.post("/api/v1/auth/service", {"name": "recorder", "secret": "wrong-secret-1234"})
    await world.post("/api/v1/auth/logout", {}, fresh["access_token"])
    return [
        PASSWORD,
        "hunter2",
        "tok-in-a",
        "wrong-secret-1234",
        "张*三",
        world.settings.service_secret_file.read_text().strip(),
        welcome.resume_token,
        device,
        joined["token"],
        *(tokens[key] for key in ("access_token", "refresh_token")),
        *(fresh[key] for key in ("access_token", "refresh_token")),
    ]
