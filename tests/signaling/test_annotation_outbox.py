"""Of pointers that wait for a slow client, only the newest is sent."""

from __future__ import annotations

from typing import Any, cast

from aiohttp.web import WebSocketResponse

from core import messages
from core.annotations import Place
from signaling.room_socket import DROP_FROM_MESSAGES, SocketConnection


class FakeSocket:
    """Takes what is written, and then the goodbye."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send_str(self, text: str) -> None:
        self.sent.append(messages.parse_server_message(text))

    async def close(self, **_: Any) -> None:
        pass


def _pointed(x: float, who: str = "p_1") -> messages.Pointed:
    return messages.Pointed(feed="ultrasound", participant_id=who, name="Wang", at=Place(x=x, y=0))


async def _written(connection: SocketConnection, socket: FakeSocket) -> list[Any]:
    connection.close(1000, "")
    await connection.write()
    return socket.sent


def _connection() -> tuple[SocketConnection, FakeSocket]:
    socket = FakeSocket()
    return SocketConnection(cast("WebSocketResponse", socket)), socket


async def test_the_newest_pointer_of_each_person_takes_the_place_of_the_older_ones() -> None:
    connection, socket = _connection()
    for x in (0.1, 0.2, 0.3):
        connection.send_latest("pointer p_1", _pointed(x))
        connection.send(messages.Pong(id=1, server_time_us=1))
    connection.send_latest("pointer p_2", _pointed(0.9, "p_2"))
    sent = await _written(connection, socket)
    assert [type(message).__name__ for message in sent] == ["Pointed", "Pong", "Pong", "Pong", "Pointed"]
    assert [message.at.x for message in sent if isinstance(message, messages.Pointed)] == [0.3, 0.9]


async def test_a_client_that_is_behind_goes_without_pointers_and_is_not_cut_off_for_them() -> None:
    connection, socket = _connection()
    for _ in range(DROP_FROM_MESSAGES):
        connection.send(messages.Pong(id=1, server_time_us=1))
    for number in range(10_000):
        connection.send_latest(f"pointer {number}", _pointed(0.5))
    assert not connection.closing
    sent = await _written(connection, socket)
    assert len(sent) == DROP_FROM_MESSAGES
