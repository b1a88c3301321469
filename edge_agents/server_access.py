"""The box's way to the service by its own key: enrolment, tokens, the on-site page's link."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from archive.ring_messages import BackfillAnswer, BackfillAsk, BackfillLease
from core.clock import NS_PER_S, NS_PER_US, Clock
from core.device_access import (
    ChallengeRequest,
    DeviceAnswer,
    DeviceChallenge,
    Enrolled,
    EnrolRequest,
    KioskLink,
    LeaseRequest,
    SignedRequest,
    TokenRequest,
    backfill_statement,
    enrol_statement,
    kiosk_statement,
    normal_code,
    to_base64,
    token_statement,
)
from core.device_health import DeviceHealth
from core.errors import ProtocolError, TeleconsultError, Unavailable
from edge_agents.clock_offset import ClockOffset
from edge_agents.identity import Identity

TIMEOUT: Final = aiohttp.ClientTimeout(total=8.0, connect=3.0)
PIECE_TIMEOUT: Final = aiohttp.ClientTimeout(total=110.0, connect=3.0)
MAX_ANSWER_BYTES: Final = 128_000
SEALED: Final = "application/octet-stream"
CHALLENGE_MARGIN_S: Final = 10
_A = TypeVar("_A", bound=BaseModel)


class Refused(TeleconsultError):
    """The service said no; `code` and `status` are its own, the text is for a person."""

    code = "refused"

    def __init__(self, message: str, *, code: str, status: int, retry_after_s: int = 0) -> None:
        super().__init__(message, code=code, status=status)
        self.retry_after_s = retry_after_s


class ServerAccess:
    """One box's; ask one thing at a time. `offset` learns from every answer."""

    def __init__(self, session: aiohttp.ClientSession, identity: Identity, clock: Clock) -> None:
        self._session, self._identity, self._clock = session, identity, clock
        self._base = identity.server.rstrip("/") + "/api/v1/devices"
        self._next: DeviceChallenge | None = None
        self._next_until_ns = 0
        self.offset = ClockOffset()

    async def enrol(self, code: str) -> Enrolled:
        """Register the box's key. Raises `Refused`, `Unavailable`, `ProtocolError`."""
        normal = normal_code(code)
        if normal is None:
            raise Refused("this is no code; it has twelve letters and digits", code="bad_code", status=422)
        signature = self._identity.sign(enrol_statement(normal, self._identity.public))
        wanted = EnrolRequest(code=normal, public_key=to_base64(self._identity.public), signature=signature)
        return await self._post("enrol", wanted, Enrolled)

    async def ask(self, health: DeviceHealth | None = None) -> DeviceAnswer:
        """What there is to do, and the token for it. Raises as `enrol`."""
        challenge = await self._challenge()
        signature = self._identity.sign(token_statement(self._identity.device_id, challenge))
        wanted = TokenRequest(
            device_id=self._identity.device_id, challenge=challenge, signature=signature, health=health
        )
        answer = await self._post("token", wanted, DeviceAnswer)
        self._keep(
            DeviceChallenge(
                challenge=answer.challenge,
                challenge_in=answer.challenge_in,
                server_time_us=answer.server_time_us,
            )
        )
        return answer

    async def kiosk(self) -> KioskLink:
        """Raises as `enrol`."""
        challenge = await self._challenge()
        signature = self._identity.sign(kiosk_statement(self._identity.device_id, challenge))
        wanted = SignedRequest(device_id=self._identity.device_id, challenge=challenge, signature=signature)
        return await self._post("kiosk", wanted, KioskLink)

    @property
    def device_id(self) -> str:
        """As the service calls this box."""
        return self._identity.device_id

    async def backfill_lease(self, consultation_id: str) -> BackfillLease:
        """The right to deliver to a consultation, and its key to seal to. Raises as `enrol`."""
        challenge = await self._challenge()
        statement = backfill_statement(self.device_id, consultation_id, challenge)
        wanted = LeaseRequest(
            device_id=self.device_id,
            challenge=challenge,
            signature=self._identity.sign(statement),
            consultation_id=consultation_id,
        )
        return await self._post("backfill", wanted, BackfillLease)

    async def backfill_ask(self, asked: BackfillAsk) -> BackfillAnswer:
        """Raises as `enrol`."""
        return await self._post("backfill/ask", asked, BackfillAnswer)

    async def backfill_piece(
        self, lease: str, ring: str, entry: int, chunks: AsyncIterator[bytes], size_bytes: int
    ) -> BackfillAnswer:
        """Send an object of the ring as fast as `chunks` come. Raises as `enrol`, and what they raise."""
        headers = {"X-Lease": lease, "Content-Type": SEALED, "Content-Length": str(size_bytes)}
        try:
            async with self._session.post(
                f"{self._base}/backfill/{ring}/{entry}",
                data=chunks,
                headers=headers,
                timeout=PIECE_TIMEOUT,
                allow_redirects=False,
            ) as response:
                body = await response.content.read(MAX_ANSWER_BYTES)
                if response.status != 200:
                    raise _refusal(response.status, body, response.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"cannot reach the server: {_reason(error)}") from None
        return _parsed(BackfillAnswer, body)

    async def _challenge(self) -> str:
        """The one the last answer brought, if it is still good: each is used once."""
        held, self._next = self._next, None
        if held is not None and self._clock.monotonic_ns() < self._next_until_ns:
            return held.challenge
        wanted = ChallengeRequest(device_id=self._identity.device_id)
        return (await self._post("challenge", wanted, DeviceChallenge)).challenge

    def _keep(self, challenge: DeviceChallenge) -> None:
        good_s = max(0, challenge.challenge_in - CHALLENGE_MARGIN_S)
        self._next, self._next_until_ns = challenge, self._clock.monotonic_ns() + good_s * NS_PER_S

    async def _post(self, path: str, wanted: BaseModel, model: type[_A]) -> _A:
        sent_us = self._clock.unix_ns() // NS_PER_US
        try:
            async with self._session.post(
                f"{self._base}/{path}",
                json=wanted.model_dump(mode="json", exclude_none=True),
                timeout=TIMEOUT,
                allow_redirects=False,
            ) as response:
                body = await response.content.read(MAX_ANSWER_BYTES)
                status, headers = response.status, response.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"cannot reach the server: {_reason(error)}") from None
        received_us = self._clock.unix_ns() // NS_PER_US
        if status != 200:
            raise _refusal(status, body, headers.get("Retry-After", ""))
        answer = _parsed(model, body)
        if isinstance(answer, DeviceAnswer | DeviceChallenge):
            self.offset.add(sent_us, answer.server_time_us, received_us)
        return answer


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "its certificate is not trusted here (see tls_ca)"
    return type(error).__name__


def _parsed(model: type[_A], body: bytes) -> _A:
    try:
        return model.model_validate_json(body)
    except ValidationError:
        raise ProtocolError("the server's answer is not one of ours; is the address right?") from None


def _refusal(status: int, body: bytes, retry_after: str) -> TeleconsultError:
    """What the problem document says (RFC 9457). What is no such document is no refusal of the service's."""
    try:
        fields: dict[str, Any] = _Problem.model_validate_json(body).model_dump()
    except ValidationError:
        return Unavailable(f"the server answered {status}")
    if status >= 500:
        return Unavailable(str(fields["detail"]))
    wait_s = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0
    return Refused(fields["detail"], code=fields["code"], status=status, retry_after_s=min(wait_s, 3600))


class _Problem(BaseModel):
    code: str
    detail: str
