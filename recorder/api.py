"""The recorder's side of the public HTTP API: it signs in, asks what is open, joins."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError
from yarl import URL

from core.clock import NS_PER_S, Clock
from core.config import Settings
from core.errors import ConfigError, NotFound, Unauthorized, Unavailable

SERVICE_NAME: Final = "recorder"
REQUEST_TIMEOUT_S: Final = 5.0
RENEW_AT: Final = 0.8
"""Of a token's lifetime: then a new one is fetched."""
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


class OpenConsultation(BaseModel):
    """One row of `GET /api/v1/consultations`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    consultation_id: str
    room: str
    state: str
    record: bool
    opened_at_us: int


@dataclass(frozen=True, slots=True)
class RoomTicket:
    """What lets the recorder into a room."""

    token: str
    consultation_id: str


def server_url(settings: Settings) -> URL:
    """Where signaling serves on this machine. Raises `ConfigError` when the port is not fixed."""
    if not settings.port:
        raise ConfigError("the recorder needs a fixed `port` to find the service")
    scheme = "http" if settings.tls_cert is None else "https"
    host = _ANYWHERE.get(settings.host, settings.host)
    return URL.build(scheme=scheme, host=host, port=settings.port)


def tls_context(settings: Settings) -> ssl.SSLContext | bool:
    """Trust exactly the service's own certificate: we may reach it by another name than it carries."""
    if settings.tls_cert is None:
        return True
    context = ssl.create_default_context(cafile=str(settings.tls_cert))
    context.check_hostname = False
    return context


class ServiceApi:
    """Raises `Unavailable` for anything that may pass, `Unauthorized` when the secret is refused."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: URL,
        secret_file: Path,
        clock: Clock,
        tls: ssl.SSLContext | bool = True,
    ) -> None:
        self.session, self.base_url, self.tls = session, base_url, tls
        self._secret_file = secret_file
        self._clock = clock
        self._token: str | None = None
        self._renew_ns = 0

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
                return await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the service does not answer ({type(error).__name__})") from None


def _check(status: int, path: str) -> None:
    if status == 401:
        raise Unauthorized("the service refused the recorder's credentials")
    if status in (403, 404):
        raise NotFound(f"{path} answers {status}")
    if status >= 300:
        raise Unavailable(f"{path} answers {status}")
