"""The REST API as a person's program uses it, without a browser."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

WITHIN_S = 30.0


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Rest:
    """One caller. `token` goes with every request."""

    base_url: str
    token: str = ""

    @classmethod
    def signed_in(cls, base_url: str, credentials: tuple[str, str]) -> Self:
        caller = cls(base_url)
        login = {"username": credentials[0], "password": credentials[1]}
        caller.token = caller.expect(200, "POST", "/api/v1/auth/login", login)["access_token"]
        return caller

    def call(
        self, method: str, path: str, content: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        """`content`: bytes as they are, anything else as JSON."""
        host = urlsplit(self.base_url).netloc
        connection = http.client.HTTPConnection(host, timeout=WITHIN_S)
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if content is not None and not isinstance(content, bytes):
            content, sent["Content-Type"] = json.dumps(content).encode(), "application/json"
        try:
            connection.request(method, path, content, sent | (headers or {}))
            answer = connection.getresponse()
            return Response(answer.status, answer.read(), dict(answer.getheaders()))
        finally:
            connection.close()

    def expect(self, status: int, method: str, path: str, content: Any = None) -> Any:
        """The answer's JSON; fails when its status is another."""
        answer = self.call(method, path, content)
        assert answer.status == status, (method, path, answer.status, answer.body)
        return answer.json if answer.body else None

    def consultation(self, room: str = "demo") -> dict[str, Any]:
        """The open one in that room."""
        listed = self.expect(200, "GET", "/api/v1/consultations?state=open")
        (found,) = [each for each in listed if each["room"] == room]
        return dict(found)

    def room_token(self, room: str = "demo") -> str:
        return str(self.expect(200, "POST", f"/api/v1/rooms/{room}/join")["token"])

    def invite(
        self, name: str, organisation: str = "County hospital", *, room: str = "demo", lobby: bool = True
    ) -> dict[str, Any]:
        """A link for somebody without an account: `{invitation_id, url, expires_at_us}`."""
        wish = {"name": name, "organisation": organisation, "lobby": lobby, "minutes": 60}
        path = f"/api/v1/consultations/{self.consultation(room)['consultation_id']}/invitations"
        return dict(self.expect(201, "POST", path, wish))
