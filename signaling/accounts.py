"""REST: signing in and out. Access tokens are short-lived JWTs, refresh tokens change at every use."""

from __future__ import annotations

import hmac
from typing import Any, Final

from aiohttp import web
from pydantic import Field

from core import people, sessions
from core.clock import NS_PER_US
from core.errors import NotFound, Unauthorized
from core.messages import Model
from core.people import User
from core.tokens import ACCESS_LIFETIME_S
from signaling.bodies import read_model
from signaling.context import CONTEXT, Context, access_claims
from signaling.problems import TooManyAttempts
from signaling.rate import LoginThrottle

FREE_PER_PERSON: Final = 5
FREE_PER_ADDRESS: Final = 50
SERVICES: Final = frozenset({"recorder"})
_REVOCATION_KEPT_US: Final = 31 * 24 * 3600 * 1_000_000
"""Longer than any token lives, a capture box's included."""


class Login(Model):
    username: str = Field(max_length=200)
    password: str = Field(max_length=2000)


class Refresh(Model):
    refresh_token: str = Field(min_length=1, max_length=200)


class ServiceLogin(Model):
    name: str = Field(max_length=64)
    secret: str = Field(max_length=1000)


class Accounts:
    """Handlers under /api/v1/auth, and /api/v1/me."""

    def __init__(self) -> None:
        self._per_person = LoginThrottle(FREE_PER_PERSON)
        self._per_address = LoginThrottle(FREE_PER_ADDRESS)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/api/v1/auth/login", self.login)
        router.add_post("/api/v1/auth/refresh", self.refresh)
        router.add_post("/api/v1/auth/logout", self.logout)
        router.add_post("/api/v1/auth/service", self.service)
        router.add_get("/api/v1/me", self.me)

    async def login(self, request: web.Request) -> web.Response:
        context = request.app[CONTEXT]
        wanted = await read_model(request, Login)
        keys = self._check_throttle(context, request, wanted.username)
        user = await people.find_user(context.database, username=wanted.username)
        known = user is not None and not user.disabled
        password_hash = user.password_hash if user is not None and known else None
        if not await context.passwords.verify(password_hash, wanted.password) or user is None:
            await self._denied(context, user.user_id if user else "unknown", "login")
            raise Unauthorized("wrong user name or password", code="wrong_credentials")
        self._admitted(keys)
        context.metrics.logins.labels("ok").inc()
        if context.passwords.needs_rehash(user.password_hash):
            new_hash = await context.passwords.hash(wanted.password)
            await people.set_password_hash(context.database, user.user_id, new_hash)
        session = await sessions.start_session(context.database, user.user_id)
        await context.audit(user.user_id, "login", session.session_id)
        return _tokens(context, user, session)

    async def refresh(self, request: web.Request) -> web.Response:
        context = request.app[CONTEXT]
        wanted = await read_model(request, Refresh)
        try:
            session = await sessions.refresh_session(context.database, wanted.refresh_token)
        except sessions.Reused as error:
            await revoke(context, error.session_id)
            await context.audit(error.user_id, "refresh", error.session_id, error.code)
            raise
        user = await people.find_user(context.database, user_id=session.user_id)
        if user is None or user.disabled:
            raise Unauthorized("this account is closed", code="account_closed")
        return _tokens(context, user, session)

    async def logout(self, request: web.Request) -> web.Response:
        """Ends the sign-in session: its tokens, its refresh tokens, its room connections."""
        context = request.app[CONTEXT]
        claims = access_claims(request)
        if claims.sid is not None:
            await sessions.end_session(context.database, claims.sid)
        await revoke(context, claims.sid or claims.jti)
        await context.audit(claims.sub, "logout", claims.sid or claims.jti)
        return web.Response(status=204)

    async def service(self, request: web.Request) -> web.Response:
        """Signs in a service of this installation by the secret in `service_secret_file`.

        The right secret is heard however often others, who may share the service's address, were wrong:
        it is too long to be guessed.
        """
        context = request.app[CONTEXT]
        wanted = await read_model(request, ServiceLogin)
        right = hmac.compare_digest(wanted.secret.encode(), context.service_secret.encode())
        if not right or wanted.name not in SERVICES:
            self._check_throttle(context, request, f"service:{wanted.name[:20]}")
            await self._denied(context, "unknown", "service_login")
            raise Unauthorized("wrong name or secret", code="wrong_credentials")
        token = context.tokens.issue_access(
            sub=f"service:{wanted.name}", role="recorder", org="", name=wanted.name, sid=None
        )
        return web.json_response({"access_token": token, "expires_in": ACCESS_LIFETIME_S})

    async def me(self, request: web.Request) -> web.Response:
        context = request.app[CONTEXT]
        claims = access_claims(request)
        user = await people.find_user(context.database, user_id=claims.sub)
        if user is None:
            raise NotFound("services have no account")
        return web.json_response(_me(user))

    def _check_throttle(self, context: Context, request: web.Request, name: str) -> tuple[str, str]:
        """Raises `TooManyAttempts`. The peer's address counts: a header anyone can write does not."""
        address = request.remote or "unknown"
        keys = (f"{address} {name}", address)
        now_ns = context.clock.monotonic_ns()
        wait_s = max(self._per_person.wait_s(keys[0], now_ns), self._per_address.wait_s(keys[1], now_ns))
        if wait_s > 0:
            context.metrics.logins.labels("throttled").inc()
            raise TooManyAttempts(wait_s)
        # Counted before the answer is known, so that attempts made at the same time count as well.
        self._per_person.failed(keys[0], now_ns)
        self._per_address.failed(keys[1], now_ns)
        return keys

    def _admitted(self, keys: tuple[str, str]) -> None:
        self._per_person.succeeded(keys[0])
        self._per_address.forgiven(keys[1])

    async def _denied(self, context: Context, actor: str, action: str) -> None:
        context.metrics.logins.labels("denied").inc()
        await context.audit(actor, action, "", "denied")


async def revoke(context: Context, subject: str) -> None:
    """Void all tokens naming `subject` (token id, session or user id) and end what they opened."""
    now_us = context.clock.unix_ns() // NS_PER_US
    context.revocations.add(subject, now_us)
    await sessions.store_revocation(context.database, subject, now_us, now_us + _REVOCATION_KEPT_US)
    await context.service.remove_revoked(context.tokens.is_revoked)


def _tokens(context: Context, user: User, session: sessions.Session) -> web.Response:
    access = context.tokens.issue_access(
        sub=user.user_id,
        role=user.role,
        org=user.organisation_id,
        name=user.display_name,
        sid=session.session_id,
    )
    return web.json_response(
        {
            "access_token": access,
            "expires_in": ACCESS_LIFETIME_S,
            "refresh_token": session.refresh_token,
        }
    )


def _me(user: User) -> dict[str, Any]:
    return {
        "user_id": user.user_id,
        "username": user.username,
        "display_name": user.display_name,
        "role": user.role,
        "organisation": user.organisation_name,
    }
