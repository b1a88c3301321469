"""Signing out everywhere else."""

from __future__ import annotations

from tests.signaling.conftest import World


async def test_signing_out_elsewhere_ends_the_other_sessions_and_keeps_this_one(world: World) -> None:
    here, there, colleague = [await world.login(name) for name in ("wang", "wang", "li")]
    status, _ = await world.post("/api/v1/auth/logout-others", {}, here["access_token"])
    assert status == 204
    status, problem = await world.get("/api/v1/me", there["access_token"])
    assert (status, problem["code"]) == (401, "token_revoked")
    status, problem = await world.post("/api/v1/auth/refresh", {"refresh_token": there["refresh_token"]})
    assert (status, problem["code"]) == (401, "session_expired")
    for tokens in (here, colleague):
        assert (await world.get("/api/v1/me", tokens["access_token"]))[0] == 200
        refresh = {"refresh_token": tokens["refresh_token"]}
        assert (await world.post("/api/v1/auth/refresh", refresh))[0] == 200
    assert ("logout_others", "ok") in [row[1:] for row in await world.audit()]
