"""A capture box's side of enrolment, as tests need it: a key, and what it signs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.device_access import (
    backfill_statement,
    enrol_statement,
    kiosk_statement,
    normal_code,
    to_base64,
    token_statement,
)
from core.enrolments import create_code
from tests.signaling.conftest import World

Answer = tuple[int, Any]


@dataclass
class Box:
    """One key, and the id it was registered for."""

    world: World
    device_id: str = ""
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> str:
        return to_base64(self.key.public_key().public_bytes_raw())

    def enrolment(self, code: str) -> dict[str, Any]:
        """The request's body."""
        statement = enrol_statement(normal_code(code) or "", self.key.public_key().public_bytes_raw())
        return {"code": code, "public_key": self.public, "signature": to_base64(self.key.sign(statement))}

    async def enrol(self, code: str) -> Answer:
        status, answer = await self.world.post("/api/v1/devices/enrol", self.enrolment(code))
        if status == 200:
            self.device_id = answer["device_id"]
        return status, answer

    async def challenge(self) -> str:
        status, answer = await self.world.post("/api/v1/devices/challenge", {"device_id": self.device_id})
        assert status == 200, answer
        return str(answer["challenge"])

    async def signed(self, challenge: str | None = None, *, for_kiosk: bool = False) -> dict[str, Any]:
        """A request's body."""
        challenge = challenge or await self.challenge()
        state = kiosk_statement if for_kiosk else token_statement
        signature = to_base64(self.key.sign(state(self.device_id, challenge)))
        return {"device_id": self.device_id, "challenge": challenge, "signature": signature}

    async def backfill_request(self, consultation_id: str) -> dict[str, Any]:
        """For the right to deliver to that consultation."""
        challenge = await self.challenge()
        statement = backfill_statement(self.device_id, consultation_id, challenge)
        return {
            "device_id": self.device_id,
            "challenge": challenge,
            "signature": to_base64(self.key.sign(statement)),
            "consultation_id": consultation_id,
        }

    async def ask(self, **more: Any) -> Answer:
        return await self.world.post("/api/v1/devices/token", await self.signed() | more)

    async def token(self) -> str:
        """The room token it gets."""
        status, answer = await self.ask()
        assert status == 200, answer
        return str(answer["assignment"]["token"])


async def enrolled(world: World) -> Box:
    """The clinic's box, with a key of its own."""
    code = await create_code(world.database, world.box.device_id)
    box = Box(world)
    status, answer = await box.enrol(code.code)
    assert status == 200, answer
    return box
