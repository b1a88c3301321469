"""What really went over a page's room WebSocket: the page may hide what it should never have been sent."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, WebSocket


class Wire:
    """Listens from before the page opens its socket."""

    def __init__(self, page: Page) -> None:
        self.received: list[dict[str, Any]] = []
        self.raw: list[str] = []
        page.on("websocket", self._opened)

    @property
    def types(self) -> set[str]:
        return {message["type"] for message in self.received}

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.received if message["type"] == kind]

    def _opened(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._take)

    def _take(self, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode()
        self.raw.append(text)
        self.received.append(json.loads(text))
