"""Passwords: argon2id hashes, and a comparison that takes as long for people who do not exist."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import argon2

from core.errors import Unavailable

MIN_PASSWORD_CHARS: Final = 8
MAX_PASSWORD_CHARS: Final = 1024
"""Longer input is refused before it is hashed: hashing cost grows with it."""
_PARALLEL_HASHES: Final = 2
"""Each hash takes 64 MiB; more at once would let strangers fill the memory."""
MAX_WAITING: Final = 100
"""About five seconds' work; who comes then is told to try again."""


class Passwords:
    """Hashes and checks, off the event loop, a few at a time. Make one per event loop."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher or argon2.PasswordHasher()
        self._slots = asyncio.Semaphore(_PARALLEL_HASHES)
        self._nobody = ""
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the encoded argon2id hash.

        Raises `ValueError` when the length is not acceptable, `Unavailable` when too many wait.
        """
        if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
            raise ValueError(f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters")
        async with self._slot():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Compare. `None` (no such person) costs one verification as well, so that time tells nothing.

        Raises `Unavailable` when too many wait.
        """
        if len(password) > MAX_PASSWORD_CHARS:
            return False
        async with self._slot():
            return await asyncio.to_thread(self._verify, password_hash, password)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Raises `Unavailable` when too many wait."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable("too many people sign in at this moment; try again", code="busy")
        self._waiting += 1
        try:
            async with self._slots:
                yield
        finally:
            self._waiting -= 1

    def needs_rehash(self, password_hash: str) -> bool:
        """True when the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        if password_hash is None and not self._nobody:
            self._nobody = self._hasher.hash(secrets.token_hex())
        try:
            self._hasher.verify(password_hash or self._nobody, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return password_hash is not None
