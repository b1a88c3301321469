"""Before a signaling process ends: what is over gets its last leaf in the log, if its recorder is about to
say where its archive ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog
from aiohttp import web

from core.consultations import open_among
from signaling.context import CONTEXT, Context
from signaling.log_keeper import LOG_KEEPER

WITHIN_S: Final = 4.0
"""A recorder notices an end within a second, closes the archive, and tells within another."""
LOOK_S: Final = 0.1

log = structlog.get_logger()


async def ends_are_logged(app: web.Application, within_s: float = WITHIN_S) -> None:
    """Returns when no consultation that is over waits for its last leaf; after `within_s` at the latest:
    then the next start writes it.
    """
    context, keeper = app[CONTEXT], app[LOG_KEEPER]
    waiting: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while context.log.failure is None and (waiting := await _over(context)):
                for consultation in waiting:
                    keeper.ended(consultation)
                await asyncio.sleep(LOOK_S)
            return
    log.warning("draining.ends_not_logged", consultations=len(waiting))


async def _over(context: Context) -> list[str]:
    records = context.log.writer.book.records.values()
    unclosed = [one.consultation for one in records if one.closed is None]
    known = [one for one in unclosed if one not in context.opening]
    still_open = await open_among(context.database, known)
    return [one for one in known if one not in still_open]
