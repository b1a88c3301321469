"""Both databases the service runs on: a test that asks for `database_url` runs on each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.database import Database
from tests.support.postgres import PostgreSQL, name_of, running_postgresql

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One server for all tests of this process."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgresql: PostgreSQL) -> str:
    """The name of a database with all tables and no rows, to make others like it."""
    url = postgresql.new_database()
    asyncio.run(_migrate(url))
    return name_of(url)


async def _migrate(url: str) -> None:
    await (await Database.open(url, SystemClock())).close()


@pytest.fixture(params=KINDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables, of the one kind and of the other."""
    yield from _database(request, tmp_path, None)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without rows, of the one kind and of the other."""
    yield from _database(request, tmp_path, "migrated")


def _database(request: pytest.FixtureRequest, tmp_path: Path, like: str | None) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/d/test.db"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    url = server.new_database(request.getfixturevalue(like) if like else "template1")
    yield url
    server.drop_database(url)
