"""The recorder's side of the public HTTP API: it signs in, asks what is open, joins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError
from yarl import URL

from archive.ring_messages import BackfillAnswer, BackfillQuestion
from core.clock import NS_PER_S, Clock
from core.errors import Conflict, NotFound, Unauthorized, Unavailable
from core.local_service import Trust
from core.messages import SignedHead

SERVICE_NAME: Final = "recorder"
REQUEST_TIMEOUT_S: Final = 5.0
FILE_TIMEOUT_S: Final = 60.0
NO_CONTENT: Final = 204
RENEW_AT: Final = 0.8
"""Of a token's lifetime: then a new one is fetched."""


class OpenConsultation(BaseModel):
    """One row of `GET /api/v1/consultations`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    consultation_id: str
    room: str
    state: str
    record: bool
    consent_record: bool = True
    opened_at_us: int

    @property
    def withdrawn(self) -> bool:
        """It may not be recorded any more; else one that is not recorded may be later."""
        return not self.record and not self.consent_record


@dataclass(frozen=True, slots=True)
class RoomTicket:
    """What lets the recorder into a room."""

    token: str
    consultation_id: str


class ServiceApi:
    """Raises `Unavailable` for anything that may pass, `Unauthorized` when the secret is refused."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: URL,
        secret_file: Path,
        clock: Clock,
        trust: Callable[[], Trust] = lambda: True,
    ) -> None:
        """`trust`: asked for every connection, because certificates are renewed."""
        self.session, self.base_url = session, base_url
        self._trust = trust
        self._secret_file = secret_file
        self._clock = clock
        self._token: str | None = None
        self._renew_ns = 0

    @property
    def tls(self) -> Trust:
        """Whom to trust now. Raises `Unavailable`."""
        return self._trust()

    async def open_consultations(self) -> list[OpenConsultation]:
        """Every open consultation, recorded or not."""
        rows = await self._call("GET", "api/v1/consultations", query={"state": "open"})
        try:
            return [OpenConsultation.model_validate(row) for row in rows]
        except (ValidationError, TypeError):
            raise Unavailable("the list of consultations cannot be read") from None

    async def join(self, room: str) -> RoomTicket:
        """A token for one room. Raises `NotFound` when its consultation has ended."""
        answer = await self._call("POST", f"api/v1/rooms/{room}/join", body={})
        try:
            return RoomTicket(answer["token"], answer["consultation_id"])
        except (KeyError, TypeError):
            raise Unavailable("the answer to join cannot be read") from None

    async def report_head(self, head: SignedHead) -> None:
        """Where an archive stands. Raises `NotFound` for a consultation the service does not know."""
        path = f"api/v1/consultations/{head.consultation}/archive-head"
        await self._call("POST", path, body=head.model_dump(mode="json"))

    async def awaited_heads(self) -> list[str]:
        """Consultations whose archive's end the service does not know yet."""
        answer = await self._call("GET", "api/v1/log/awaited")
        if not isinstance(answer, list) or not all(isinstance(item, str) for item in answer):
            raise Unavailable("the list of awaited archives cannot be read")
        return answer

    async def next_question(self) -> BackfillQuestion | None:
        """What a box asks about what it kept; None when nothing came for a while."""
        found = await self._call("POST", "api/v1/backfill/next")
        try:
            return None if found is None else BackfillQuestion.model_validate(found)
        except ValidationError:
            raise Unavailable("a box's question cannot be read") from None

    async def answer_question(self, question_id: str, answer: BackfillAnswer) -> None:
        """Raises `NotFound` when nobody waits for it any more."""
        body = answer.model_dump(mode="json")
        await self._call("POST", f"api/v1/backfill/{question_id}/answer", body=body)

    async def question_piece(self, question_id: str, size_bytes: int) -> bytes:
        """What came with a question. Raises as `file`."""
        return await self._bytes(f"api/v1/backfill/{question_id}/piece", size_bytes)

    async def file(self, consultation: str, file_id: str, size_bytes: int) -> bytes:
        """A file of the chat. Raises `NotFound` when it is gone, `Unavailable` also for a longer one."""
        return await self._bytes(f"api/v1/consultations/{consultation}/files/{file_id}", size_bytes)

    async def _bytes(self, path: str, size_bytes: int) -> bytes:
        headers = {"Authorization": f"Bearer {await self._access_token()}"}
        timeout = aiohttp.ClientTimeout(total=FILE_TIMEOUT_S)
        try:
            async with self.session.get(
                self.base_url / path, headers=headers, timeout=timeout, ssl=self.tls
            ) as response:
                if response.status == 401:
                    self._token = None
                    raise Unavailable("the service wants a new token")
                _check(response.status, path)
                data = bytearray()
                async for chunk in response.content.iter_any():
                    data += chunk
                    if len(data) > size_bytes:
                        raise Unavailable("a file is longer than it was")
                return bytes(data)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"the service does not answer ({type(error).__name__})") from None

    async def _call(
        self, method: str, path: str, *, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Any:
        try:
            return await self._request(method, path, body, query, await self._access_token())
        except Unauthorized:
            self._token = None  # revoked, or the service has new keys
            return await self._request(method, path, body, query, await self._access_token())

    async def _access_token(self) -> str:
        if self._token is not None and self._clock.monotonic_ns() < self._renew_ns:
            return self._token
        try:
            secret = self._secret_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Unavailable(f"{self._secret_file}: {error.strerror}") from None
        credentials = {"name": SERVICE_NAME, "secret": secret}
        answer = await self._request("POST", "api/v1/auth/service", credentials, None, None)
        lifetime_ns = int(float(answer.get("expires_in", 60)) * RENEW_AT * NS_PER_S)
        self._token, self._renew_ns = answer["access_token"], self._clock.monotonic_ns() + lifetime_ns
        return str(self._token)

    async def _request(
        self, method: str, path: str, body: Any, query: Mapping[str, str] | None, token: str | None
    ) -> Any:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        try:
            async with self.session.request(
                method,
                self.base_url / path,
                json=body,
                params=query,
                headers=headers,
                timeout=timeout,
                ssl=self.tls,
            ) as response:
                _check(response.status, path)
                if response.status == NO_CONTENT:
                    return None
                return await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the service does not answer ({type(error).__name__})") from None


def _check(status: int, path: str) -> None:
    if status == 401:
        raise Unauthorized("the service refused the recorder's credentials")
    if status in (403, 404):
        raise NotFound(f"{path} answers {status}")
    if status == 409:
        raise Conflict(f"{path} answers {status}")
    if status >= 300:
        raise Unavailable(f"{path} answers {status}")
