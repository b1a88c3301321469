"""Access and room tokens: JWT signed with Ed25519, short-lived, named by `kid` and `jti`, revocable.

Audience `api`: the REST API. Audience `room`: one room, with grants that say what the bearer may do there.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field

from core.clock import NS_PER_S, Clock
from core.errors import ConfigError, Unauthorized
from core.ids import new_id
from core.messages import Identifier, Model, Role, Source

ACCESS_LIFETIME_S: Final = 600
ROOM_LIFETIME_S: Final = 600
_ISSUER: Final = "teleconsult"
_LEEWAY_S: Final = 5
_MAX_TOKEN_CHARS: Final = 8192
_PEM_BLOCK: Final = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----\s*", re.DOTALL)


class Grants(Model):
    """What the bearer of a room token may do in that room.

    `feeds`: device feeds that may be published (None: any). `view`: feeds that may be watched (None: all).
    `annotate`: may draw on what may be watched, and point.
    `host`: of the site that opened the consultation; admits, removes, pauses, changes the consent.
    `lobby`: a host has to admit the bearer first.
    """

    publish: list[Source] = Field(default=[], max_length=8)
    feeds: list[Identifier] | None = Field(default=None, max_length=64)
    subscribe: bool = False
    view: list[Identifier] | None = Field(default=None, max_length=64)
    record: bool = False
    chat: bool = False
    annotate: bool = False
    host: bool = False
    lobby: bool = False

    def may_publish_feed(self, feed: str) -> bool:
        return "device" in self.publish and (self.feeds is None or feed in self.feeds)

    def may_view(self, feed: str) -> bool:
        return self.subscribe and (self.view is None or feed in self.view)


class _Claims(BaseModel):
    """What both kinds share. `sid` is the sign-in session the token came from, if any."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    sub: str = Field(min_length=1, max_length=100)
    jti: str = Field(min_length=1, max_length=64)
    sid: str | None = Field(default=None, max_length=64)
    role: Role
    org: str = Field(max_length=64)
    name: str = Field(max_length=200)
    iat: float
    exp: float


class AccessClaims(_Claims):
    """Bearer of the REST API. `org`: organisation id; empty for services and guests.

    `con`: a guest's only consultation. None for everybody else.
    """

    con: str | None = Field(default=None, max_length=64)


class RoomClaims(_Claims):
    """Bearer of one room. `con`: consultation id. `org_name`: shown to the others."""

    room: str = Field(max_length=64)
    con: str = Field(max_length=64)
    org_name: str = Field(default="", max_length=200)
    grants: Grants


_C = TypeVar("_C", bound=_Claims)
Revoked = Callable[[_Claims], bool]


class Tokens:
    """Issues and verifies. `revoked` is asked last, for tokens that are otherwise good."""

    def __init__(
        self,
        keys: list[Ed25519PrivateKey],
        clock: Clock,
        revoked: Revoked,
        *,
        access_s: int = ACCESS_LIFETIME_S,
        room_s: int = ROOM_LIFETIME_S,
    ) -> None:
        """The first key signs, all verify: to change keys, put a new one first and drop the old one later.

        `access_s`, `room_s`: how many seconds tokens last when nothing else is said.
        """
        self._signing_key = keys[0]
        self._kid = key_id(keys[0].public_key())
        self._verifying = {key_id(key.public_key()): key.public_key() for key in keys}
        self._clock = clock
        self._revoked = revoked
        self.access_s = access_s
        self.room_s = room_s

    def issue_access(
        self,
        *,
        sub: str,
        role: Role,
        org: str,
        name: str,
        sid: str | None,
        con: str | None = None,
        lifetime_s: int | None = None,
    ) -> str:
        """A token for audience `api`; `con` limits a guest to one consultation."""
        claims = {"sub": sub, "role": role, "org": org, "name": name, "sid": sid, "con": con}
        return self._issue("api", claims, lifetime_s or self.access_s)

    def issue_room(
        self,
        *,
        sub: str,
        role: Role,
        org: str,
        name: str,
        org_name: str,
        room: str,
        con: str,
        grants: Grants,
        sid: str | None = None,
        lifetime_s: int | None = None,
    ) -> str:
        """A token for audience `room`."""
        claims: dict[str, Any] = {"sub": sub, "role": role, "org": org, "name": name, "sid": sid}
        claims |= {"org_name": org_name, "room": room, "con": con, "grants": grants.model_dump()}
        return self._issue("room", claims, lifetime_s or self.room_s)

    def verify_access(self, token: str) -> AccessClaims:
        """Raises `Unauthorized`."""
        return self._verify(token, "api", AccessClaims)

    def verify_room(self, token: str) -> RoomClaims:
        """Raises `Unauthorized`."""
        return self._verify(token, "room", RoomClaims)

    def is_revoked(self, claims: _Claims) -> bool:
        """For connections that outlive their token."""
        return self._revoked(claims)

    def _issue(self, audience: str, claims: dict[str, Any], lifetime_s: int) -> str:
        now_s = self._clock.unix_ns() / NS_PER_S
        times = {"iat": now_s, "exp": now_s + lifetime_s}
        fixed = {"iss": _ISSUER, "aud": audience, "jti": new_id("t")}
        return jwt.encode(
            claims | times | fixed, self._signing_key, algorithm="EdDSA", headers={"kid": self._kid}
        )

    def _verify(self, token: str, audience: str, model: type[_C]) -> _C:
        if len(token) > _MAX_TOKEN_CHARS:
            raise Unauthorized("not a valid token", code="token_invalid")
        try:
            key = self._verifying[jwt.get_unverified_header(token)["kid"]]
            payload = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=audience,
                issuer=_ISSUER,
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            claims = model.model_validate(payload)
        except (jwt.PyJWTError, ValueError, KeyError, TypeError, RecursionError):  # whatever the bytes are
            raise Unauthorized("not a valid token", code="token_invalid") from None
        self._check_time(claims)
        if self._revoked(claims):
            raise Unauthorized("this token was revoked; sign in again", code="token_revoked")
        return claims

    def _check_time(self, claims: _Claims) -> None:
        now_s = self._clock.unix_ns() / NS_PER_S
        if now_s >= claims.exp + _LEEWAY_S:
            raise Unauthorized("this token has expired; fetch a new one", code="token_expired")
        if claims.iat > now_s + 60:
            raise Unauthorized("this token is from the future; check the clocks", code="token_invalid")


class Revocations:
    """Pure: whose tokens are void. Of a person (or device) those issued up to a moment.

    A session's, and a single token, for good: a refresh that was under way must not bring the session back.
    """

    def __init__(self, stored: dict[str, tuple[int, int]] | None = None) -> None:
        self._before_us = {subject: before for subject, (before, _) in (stored or {}).items()}

    def add(self, subject: str, before_us: int) -> None:
        """Tokens naming `subject` (issued up to `before_us`, if it is a person) are void from now on."""
        self._before_us[subject] = max(before_us, self._before_us.get(subject, 0))

    def __call__(self, claims: _Claims) -> bool:
        if claims.jti in self._before_us or claims.sid in self._before_us:
            return True
        return claims.iat * 1_000_000 <= self._before_us.get(claims.sub, -1)


def load_or_create_keys(path: Path) -> list[Ed25519PrivateKey]:
    """Read the PEM keys in `path`; make the file (mode 0600) with one key when it is not there.

    Raises `ConfigError` when it holds no Ed25519 key or others may read it.
    """
    if not path.exists():
        _create_key_file(path)
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path}: token_key_file may be read by others; run: chmod 600 {path}")
    try:
        keys = [
            serialization.load_pem_private_key(block, None) for block in _PEM_BLOCK.findall(path.read_bytes())
        ]
    except ValueError as error:
        raise ConfigError(f"{path}: token_key_file: not a PEM key: {error}") from None
    ed25519 = [key for key in keys if isinstance(key, Ed25519PrivateKey)]
    if not ed25519 or len(ed25519) != len(keys):
        raise ConfigError(f"{path}: token_key_file: must hold Ed25519 private keys (PKCS #8, PEM) only")
    return ed25519


def key_id(key: Ed25519PublicKey) -> str:
    """A name for the key, from its SHA-256."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def _create_key_file(path: Path) -> None:
    """Written aside and linked into place, so that of two processes starting at once both read one key."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret_file(path, pem)


def write_secret_file(path: Path, content: bytes) -> None:
    """Create `path` with mode 0600 and `content`, durably; leaves a file that exists already as it is."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink(missing_ok=True)
