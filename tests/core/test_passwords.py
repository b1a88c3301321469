"""Passwords, and what they cost."""

from __future__ import annotations

import argon2
import pytest

from core.passwords import MAX_PASSWORD_CHARS, Passwords

QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


async def test_the_right_password_passes_and_another_does_not() -> None:
    passwords = Passwords(QUICK)
    stored = await passwords.hash("correct horse")
    assert "correct" not in stored
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "wrong horse")
    assert not await passwords.verify("not a hash", "correct horse")


async def test_a_person_who_does_not_exist_costs_a_verification_too() -> None:
    class Counting(argon2.PasswordHasher):
        verified = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            self.verified += 1
            return super().verify(hash, password)

    hasher = Counting(time_cost=1, memory_cost=64, parallelism=1)
    assert not await Passwords(hasher).verify(None, "whatever")
    assert hasher.verified == 1


async def test_lengths_are_bounded() -> None:
    passwords = Passwords(QUICK)
    for password in ("short", "x" * (MAX_PASSWORD_CHARS + 1)):
        with pytest.raises(ValueError, match="characters"):
            await passwords.hash(password)
    assert not await passwords.verify(await passwords.hash("long enough"), "x" * 1_000_000)


async def test_hashes_made_with_weaker_parameters_are_recognised() -> None:
    stored = await Passwords(QUICK).hash("long enough")
    assert Passwords().needs_rehash(stored)
    assert not Passwords(QUICK).needs_rehash(stored)
