"""REST: signing in and out. Access tokens are short-lived JWTs, refresh tokens change at every use."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Final

from pydantic import Field

from core import people, sessions
from core.clock import NS_PER_US
from core.errors import Forbidden, NotFound, RemoteError, Unauthorized
from core.messages import Identifier, Model, Role
from core.passwords import MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS
from core.people import User
from core.tokens import AccessClaims
from signaling.api import PEOPLE, Call, Operation
from signaling.context import Context
from signaling.fields import RequestModel
from signaling.sign_in import Throttle, check_second_factor

SERVICES: Final = frozenset({"recorder"})
UNKNOWN: Final = "unknown"
REVOCATION_KEPT_US: Final = 31 * 24 * 3600 * 1_000_000
"""Longer than any token lives, a capture box's included."""


class Login(RequestModel):
    """`code`: of the second factor, for those who have one."""

    username: str = Field(max_length=200)
    password: str = Field(max_length=2000)
    code: str | None = Field(default=None, max_length=16, examples=["123456"])


class Refresh(RequestModel):
    refresh_token: str = Field(min_length=1, max_length=200)


class ServiceLogin(RequestModel):
    name: str = Field(max_length=64)
    secret: str = Field(max_length=1000)


class ChangePassword(RequestModel):
    password: str = Field(max_length=2000)
    new_password: str = Field(max_length=2000)


class Tokens(Model):
    """`expires_in`: seconds the access token lasts."""

    access_token: str
    expires_in: int
    refresh_token: str


class ServiceToken(Model):
    access_token: str
    expires_in: int


class Me(Model):
    user_id: Identifier
    username: str
    display_name: str
    role: Role
    organisation: str


class Accounts:
    """Handlers under /api/v1/auth, and /api/v1/me."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    async def login(self, call: Call, wanted: Login) -> Tokens:
        context = call.context
        attempt = self._throttle.begin(context, call.request, wanted.username)
        user = await people.find_user(context.database, username=wanted.username)
        known = user is not None and not user.disabled and user.guest_of is None
        password_hash = user.password_hash if user is not None and known else None
        if not await context.passwords.verify(password_hash, wanted.password) or user is None:
            await denied(context, user.user_id if user else UNKNOWN, "login")
            raise _wrong()
        await check_second_factor(context, self._throttle, attempt, user, wanted.code)
        self._throttle.admitted(attempt)
        context.metrics.logins.labels("ok").inc()
        if context.passwords.needs_rehash(user.password_hash):
            new_hash = await context.passwords.hash(wanted.password)
            await people.set_password_hash(context.database, user.user_id, new_hash)
            user = replace(user, password_hash=new_hash)
        session = await sessions.start_session(context.database, user.user_id)
        await _check_unchanged(context, user, session)
        await context.audit(user.user_id, "login", session.session_id)
        return issue_tokens(context, user, session)

    async def refresh(self, call: Call, wanted: Refresh) -> Tokens:
        context = call.context
        try:
            session = await sessions.refresh_session(context.database, wanted.refresh_token)
        except sessions.Reused as error:
            await revoke(context, error.session_id)
            await context.audit(error.user_id, "refresh", error.session_id, error.code)
            raise
        user = await people.find_user(context.database, user_id=session.user_id)
        if user is None or user.disabled:
            raise Unauthorized("this account is closed", code="account_closed")
        return issue_tokens(context, user, session)

    async def logout(self, call: Call) -> None:
        """Ends the sign-in session: its tokens, its refresh tokens, its room connections."""
        context, claims = call.context, call.caller
        if claims.sid is not None:
            await sessions.end_session(context.database, claims.sid)
        await revoke(context, claims.sid or claims.jti)
        await context.audit(claims.sub, "logout", claims.sid or claims.jti)

    async def change_password(self, call: Call, wanted: ChangePassword) -> None:
        """The person's other sessions end; this one goes on."""
        context, claims = call.context, call.caller
        user = await people.find_user(context.database, user_id=claims.sub)
        if user is None or user.disabled:
            raise Unauthorized("this account is closed", code="account_closed")
        attempt = self._throttle.begin(context, call.request, user.username)
        if not await context.passwords.verify(user.password_hash, wanted.password):
            raise Forbidden("the present password is wrong", code="wrong_credentials")
        self._throttle.admitted(attempt)
        await people.set_password_hash(context.database, user.user_id, await _new_hash(context, wanted))
        await _end_others(context, claims)
        await context.audit(user.user_id, "change_password", user.user_id)

    async def logout_others(self, call: Call) -> None:
        """The person's sessions on other machines and in other tabs end; this one goes on."""
        await _end_others(call.context, call.caller)
        await call.context.audit(call.caller.sub, "logout_others", call.caller.sid or "")

    async def service(self, call: Call, wanted: ServiceLogin) -> ServiceToken:
        """Signs in a service of this installation by the secret in `service_secret_file`.

        The right secret is heard however often others, who may share the service's address, were wrong:
        it is too long to be guessed.
        """
        context = call.context
        right = hmac.compare_digest(wanted.secret.encode(), context.service_secret.encode())
        if not right or wanted.name not in SERVICES:
            self._throttle.begin(context, call.request, f"service:{wanted.name[:20]}")
            await denied(context, UNKNOWN, "service_login")
            raise Unauthorized("wrong name or secret", code="wrong_credentials")
        token = context.tokens.issue_access(
            sub=f"service:{wanted.name}", role="recorder", org="", name=wanted.name, sid=None
        )
        return ServiceToken(access_token=token, expires_in=context.tokens.access_s)

    async def me(self, call: Call) -> Me:
        user = await people.find_user(call.context.database, user_id=call.caller.sub)
        if user is None:
            raise NotFound("services have no account")
        return Me(
            user_id=user.user_id,
            username=user.username,
            display_name=user.display_name,
            role=user.role,
            organisation=user.organisation_name,
        )


async def _check_unchanged(context: Context, user: User, session: sessions.Session) -> None:
    """Checking a password takes a while: meanwhile it may have been changed, or the account closed.

    Looked at once the session is there: what happens later ends it like any other. Raises `Unauthorized`.
    """
    now = await people.find_user(context.database, user_id=user.user_id)
    if now is None or now.disabled or now.password_hash != user.password_hash:
        await sessions.end_session(context.database, session.session_id)
        await denied(context, user.user_id, "login")
        raise _wrong()


async def _end_others(context: Context, claims: AccessClaims) -> None:
    for session_id in await sessions.end_other_sessions(context.database, claims.sub, claims.sid):
        await revoke(context, session_id)


async def denied(context: Context, actor: str, action: str) -> None:
    """Count and write down a sign-in that failed; nobody's only now and then."""
    context.metrics.logins.labels("denied").inc()
    if actor == UNKNOWN and not context.may_note_stranger():
        return
    await context.audit(actor, action, "", "denied")


async def revoke(context: Context, subject: str) -> None:
    """Void all tokens naming `subject` (token id, session or user id) and end what they opened."""
    now_us = context.clock.unix_ns() // NS_PER_US
    context.revocations.add(subject, now_us)
    await sessions.store_revocation(context.database, subject, now_us, now_us + REVOCATION_KEPT_US)
    await context.service.remove_revoked(context.tokens.is_revoked)


def issue_tokens(context: Context, user: User, session: sessions.Session) -> Tokens:
    """A session's tokens. A guest's name no organisation, but the one consultation."""
    access = context.tokens.issue_access(
        sub=user.user_id,
        role=user.role,
        org="" if user.guest_of else user.organisation_id,
        name=user.display_name,
        sid=session.session_id,
        con=user.guest_of,
    )
    return Tokens(
        access_token=access, expires_in=context.tokens.access_s, refresh_token=session.refresh_token
    )


async def _new_hash(context: Context, wanted: ChangePassword) -> str:
    """Raises `RemoteError` for a password that is too short, too long or the present one."""
    if wanted.new_password == wanted.password:
        raise RemoteError("the new password is the present one", code="same_password", status=422)
    if not MIN_PASSWORD_CHARS <= len(wanted.new_password) <= MAX_PASSWORD_CHARS:
        text = f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters"
        raise RemoteError(text, code="bad_password", status=422)
    return await context.passwords.hash(wanted.new_password)


def _wrong() -> Unauthorized:
    return Unauthorized("wrong user name or password", code="wrong_credentials")


_THROTTLED: Final = (429, "too_many_attempts")
_BUSY: Final = (503, "busy")


def operations(throttle: Throttle) -> tuple[Operation, ...]:
    """The declarations, with handlers that share `throttle`."""
    accounts = Accounts(throttle)
    everybody = (*PEOPLE, "guest", "recorder")
    return (
        Operation(
            "POST",
            "/api/v1/auth/login",
            accounts.login,
            name="login",
            summary="Sign in by user name, password and, for those who have one, a second factor's code",
            who="anyone",
            tag="sign-in",
            request=Login,
            response=Tokens,
            codes=(
                (401, "wrong_credentials"),
                (401, "totp_required"),
                (403, "totp_not_set_up"),
                _THROTTLED,
                _BUSY,
            ),
        ),
        Operation(
            "POST",
            "/api/v1/auth/refresh",
            accounts.refresh,
            name="refresh",
            summary="Exchange a refresh token, once, for fresh tokens",
            who="anyone",
            tag="sign-in",
            request=Refresh,
            response=Tokens,
            codes=((401, "session_expired"), (401, "refresh_token_reused"), (401, "account_closed")),
        ),
        Operation(
            "POST",
            "/api/v1/auth/logout",
            accounts.logout,
            name="logout",
            summary="End this sign-in session, its tokens and its room connections",
            who=everybody,
            tag="sign-in",
            scope="self",
            status=204,
        ),
        Operation(
            "POST",
            "/api/v1/auth/logout-others",
            accounts.logout_others,
            name="logout_others",
            summary="End one's own sign-in sessions except this one",
            who=PEOPLE,
            tag="sign-in",
            scope="self",
            status=204,
        ),
        Operation(
            "POST",
            "/api/v1/auth/password",
            accounts.change_password,
            name="change_password",
            summary="Change one's own password; the person's other sessions end",
            who=PEOPLE,
            tag="sign-in",
            scope="self",
            request=ChangePassword,
            status=204,
            codes=(
                (403, "wrong_credentials"),
                (422, "bad_password"),
                (422, "same_password"),
                _THROTTLED,
                _BUSY,
            ),
        ),
        Operation(
            "POST",
            "/api/v1/auth/service",
            accounts.service,
            name="service_login",
            summary="Sign in a service of this installation by its secret",
            who="anyone",
            tag="sign-in",
            request=ServiceLogin,
            response=ServiceToken,
            codes=((401, "wrong_credentials"), _THROTTLED),
        ),
        Operation(
            "GET",
            "/api/v1/me",
            accounts.me,
            name="me",
            summary="Who is signed in",
            who=(*PEOPLE, "guest"),
            tag="sign-in",
            scope="self",
            response=Me,
        ),
    )
