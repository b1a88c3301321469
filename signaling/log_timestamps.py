"""Has checkpoints of the log stamped by somebody else's clock (RFC 3161), where `timestamp_url` names one."""

from __future__ import annotations

import asyncio
import base64
from typing import Final

import aiohttp
import structlog

from archive.checkpoint import Checkpoint
from archive.log_store import LogStore
from archive.timestamp import MAX_RESPONSE_BYTES, REQUEST_TYPE, Question
from core.errors import ProtocolError, Unavailable
from signaling.log_writer import LogWriter

log = structlog.get_logger()

EVERY_S: Final = 600.0
ANSWER_WITHIN_S: Final = 10.0
CHUNK_BYTES: Final = 16 * 1024


class Timestamps:
    """Run `run` as a task."""

    def __init__(self, url: str, writer: LogWriter) -> None:
        self._url, self._writer = url, writer
        self._stamped_size = -1

    async def run(self) -> None:
        """Until cancelled: the newest checkpoint every ten minutes, if there is a new one."""
        await self._writer.opened.wait()
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    await self.step(session)
                except (ProtocolError, Unavailable) as error:
                    log.warning("log.not_stamped", url=self._url, reason=str(error))
                except Exception:
                    log.exception("log.stamping_failed")
                await asyncio.sleep(EVERY_S)

    async def step(self, session: aiohttp.ClientSession) -> int | None:
        """The stamp's time (seconds since 1970); None when there is nothing new. Raises `ProtocolError`,
        `Unavailable`.
        """
        note = await self._writer.ask(LogStore.publish)
        size = Checkpoint.parse(note.text).size
        if size == self._stamped_size:
            return None
        question = Question(note.text)
        answer = await self._ask(session, question.der)
        at_s = question.accepts(answer)
        token = base64.b64encode(answer).decode()
        await self._writer.ask(lambda store: store.add_timestamp(size, token))
        self._stamped_size = size
        log.info("log.stamped", leaves=size, at_s=at_s)
        return at_s

    async def _ask(self, session: aiohttp.ClientSession, question: bytes) -> bytes:
        headers, timeout = {"Content-Type": REQUEST_TYPE}, aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        try:
            async with session.post(
                self._url, data=question, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise Unavailable(f"the time stamp authority answers {response.status}")
                answer = bytearray()
                async for part in response.content.iter_chunked(CHUNK_BYTES):
                    answer += part
                    if len(answer) > MAX_RESPONSE_BYTES:
                        raise ProtocolError("the time stamp is too long")
                return bytes(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"the time stamp authority does not answer ({type(error).__name__})") from None
