"""PostgreSQL's own programs: pg_dump, pg_restore, psql."""

from __future__ import annotations

import os
import subprocess
from typing import Final

from sqlalchemy import make_url

from core.config import Settings
from core.errors import ConfigError, Unavailable

TOOL_WITHIN_S: Final = 3600


def run(name: str, arguments: list[str], settings: Settings, *, by_dbname: bool = False) -> str:
    """With the connection in the environment: arguments are for everyone to see."""
    url = make_url(settings.database_url)
    host = url.host or url.query.get("host") or ""
    values = {
        "PGHOST": host if isinstance(host, str) else host[0],
        "PGPORT": str(url.port or ""),
        "PGUSER": url.username or "",
        "PGPASSWORD": str(url.password or ""),
        "PGDATABASE": url.database or "",
    }
    environment = {key: value for key, value in values.items() if value}
    named = [f"--dbname={url.database}"] if by_dbname else []
    return tool(name, [*named, *arguments], environment)


def tool(name: str, arguments: list[str], environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs, our arguments
            [name, *arguments],
            env={**os.environ, **environment, "PGCONNECT_TIMEOUT": "10"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TOOL_WITHIN_S,
            check=False,
        )
    except FileNotFoundError:
        raise ConfigError(f"{name} is missing; install it: apt-get install postgresql-client") from None
    if done.returncode != 0:
        reason = next(
            (line for line in done.stderr.splitlines() if line.strip()), f"exit code {done.returncode}"
        )
        raise Unavailable(f"{name}: {reason}")
    return done.stdout
