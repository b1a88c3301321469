"""Asks the service what boxes ask, and answers: one question at a time, of all consultations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from archive.ring_messages import BackfillAnswer, BackfillQuestion
from core.errors import NotFound, TeleconsultError
from recorder.api import ServiceApi
from recorder.backfill import BackfillDesk
from recorder.backoff import Backoff

PAUSE_S: Final = 0.02
"""Between questions: recording comes first."""

log = structlog.get_logger()


class BackfillClerk:
    """`desk_of`: who takes what is delivered to a consultation now."""

    def __init__(self, api: ServiceApi, desk_of: Callable[[str], BackfillDesk | None]) -> None:
        self._api, self._desk_of = api, desk_of

    async def run(self) -> None:
        """Until cancelled."""
        backoff = Backoff()
        while True:
            try:
                question = await self._api.next_question()
                backoff.reset()
                if question is not None:
                    await self._serve(question)
                    await asyncio.sleep(PAUSE_S)
            except TeleconsultError as error:
                log.debug("recorder.no_question", reason=str(error))
                await asyncio.sleep(backoff.next_delay_s())
            except Exception:  # one box's question must not end everybody's recording
                log.exception("recorder.question_failed")
                await asyncio.sleep(backoff.next_delay_s())

    async def _serve(self, question: BackfillQuestion) -> None:
        desk = self._desk_of(question.consultation)
        answer = BackfillAnswer(refused="not_recorded")
        try:
            if desk is not None:
                fetch = partial(self._api.question_piece, question.question_id, question.size)
                answer = await desk.answer(question, fetch)
            await self._api.answer_question(question.question_id, answer)
        except NotFound:
            log.debug("recorder.question_over")  # the box gave up waiting, and asks again
