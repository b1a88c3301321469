"""The database: SQLite (WAL) by default, PostgreSQL by URL, migrated to the newest version when opened."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final, Self

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from core.clock import NS_PER_US, Clock

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATION_LOCK: Final = 0x7E1EC025
"""PostgreSQL advisory lock: of several processes that start at once, one migrates."""
_BUSY_TIMEOUT_MS: Final = 10_000
_RETRY_S: Final = 0.01


class Database:
    """An engine and its sessions. What is stored: `core.people`, `core.consultations`, `core.trail`."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    @classmethod
    async def open(cls, url: str, clock: Clock) -> Self:
        """Connect and migrate. Raises SQLAlchemy's errors when the database cannot be reached."""
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            await asyncio.to_thread(_write_ahead, parsed.database)
        engine = create_async_engine(parsed, hide_parameters=True)
        if parsed.get_backend_name() == "sqlite":
            _prepare_sqlite(engine)
        try:
            async with _writing(engine) as connection:
                await connection.run_sync(_upgrade)
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, clock)

    def now_us(self) -> int:
        """Unix microseconds by the database's clock object."""
        return self._clock.unix_ns() // NS_PER_US

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session for queries; nothing is committed."""
        async with AsyncSession(self._engine) as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A session in a transaction that may write from the start; commits unless an error escapes."""
        async with (
            _writing(self._engine) as connection,
            AsyncSession(connection, expire_on_commit=False) as session,
        ):
            yield session
            await session.flush()

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self.reading() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


@asynccontextmanager
async def _writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.connect() as connection:
        await connection.execution_options(writes=True)
        async with connection.begin():
            yield connection


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _write_ahead(path: str) -> None:
    """Switch the file to WAL, which lasts. SQLite does not wait for others by itself when it does that."""
    deadline_s = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                os.chmod(path, 0o600)  # password hashes are in it; SQLite's side files take its mode
                return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(_RETRY_S)


def _prepare_sqlite(engine: AsyncEngine) -> None:
    """Transactions are begun by us: a writer takes the lock at BEGIN, so it waits instead of failing."""

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
