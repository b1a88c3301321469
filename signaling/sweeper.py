"""What was said in the chat is not kept longer than `chat_kept_hours` after the consultation; drawings no
longer than it.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from core import chat, drawings
from signaling.context import Context
from signaling.file_store import FileStore

log = structlog.get_logger()

SWEEP_S: Final = 600.0
_US_PER_HOUR: Final = 3_600 * 1_000_000


async def sweep(context: Context, store: FileStore) -> list[str]:
    """Delete the texts and files of consultations that are over for long enough; which ones."""
    kept_us = context.settings.chat_kept_hours * _US_PER_HOUR
    over = await chat.closed_before(context.database, context.service.now_us() - kept_us)
    if over:
        await store.delete(over)
        await chat.delete_messages(context.database, over)
    for consultation in over:
        await context.audit("service:signaling", "chat_deleted", consultation)
    await store.delete_stale()
    await drawings.delete_over(context.database)
    return over


async def keep_sweeping(context: Context, store: FileStore) -> None:
    """Until cancelled."""
    while True:
        try:
            await sweep(context, store)
        except Exception:
            log.exception("sweep.failed")
        await asyncio.sleep(SWEEP_S)
