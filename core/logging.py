"""Structured logs: a JSON object a line on stderr, coloured on a terminal; secrets never get through."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

REDACTED: Final = "[redacted]"
_SECRET_KEYS: Final = frozenset(
    {
        "token",
        "access_token",
        "refresh_token",
        "resume_token",
        "password",
        "secret",
        "authorization",
        "ice_pwd",
    }
)
_JWT: Final = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]+")
_URL_PASSWORD: Final = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_AGE_SECRET: Final = re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]+")


def configure_logging(level: str, role: str = "service", *, changeable: bool = False) -> None:
    """Send structlog's and the standard library's loggers through one redacting chain, marked with `role`.

    `changeable`: `change_level` works later, for loggers that were made before, too.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[
            *((_by_root_level,) if changeable else ()),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if changeable else logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(role=role)
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    change_level(level)


def change_level(level: str) -> None:
    """From now on. Libraries that say too much stay at `warning`."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    for noisy in ("aiosqlite", "alembic", "sqlalchemy", "aioice", "aiortc", "asyncio", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def _by_root_level(_logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: what is below the level of this moment goes nowhere."""
    number = logging.ERROR if method == "exception" else logging.getLevelNamesMapping()[method.upper()]
    if number < logging.getLogger().level:
        raise structlog.DropEvent
    return event


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: hide values of secret keys, and anything that looks like a token or a key."""
    for key, value in event.items():
        if key.lower() in _SECRET_KEYS:
            event[key] = REDACTED
        elif isinstance(value, str):
            event[key] = _scrub(value)
    return event


def _scrub(text: str) -> str:
    text = _JWT.sub(REDACTED, text)
    text = _URL_PASSWORD.sub(rf"\1{REDACTED}@", text)
    return _AGE_SECRET.sub(REDACTED, text)
