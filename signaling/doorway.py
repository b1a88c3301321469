"""Room sockets that have not said hello yet: few at a time, of one caller and of all together.

Whoever means to come in says hello at once. So where there are too many, the one that has been silent longest
goes, and nobody new is refused: silence cannot keep others out.
"""

from __future__ import annotations

from typing import Final

from signaling.connection import CLOSE_TIMEOUT, Connection

MAX_SILENT: Final = 512
MAX_SILENT_PER_NETWORK: Final = 64
"""A hospital behind one address has that many browsers coming back within one round trip, at most."""


class Doorway:
    """Pure but for the closing of connections. Networks are those of `proxies.network_of`."""

    def __init__(self, most: int = MAX_SILENT, most_per_network: int = MAX_SILENT_PER_NETWORK) -> None:
        self._most, self._most_per_network = most, most_per_network
        self._silent: dict[Connection, str] = {}
        """Oldest first."""
        self._by_network: dict[str, dict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._silent)

    def enter(self, connection: Connection, network: str) -> Connection | None:
        """A connection was made. The one that had to go for it, if any."""
        self._silent[connection] = network
        same = self._by_network.setdefault(network, {})
        same[connection] = None
        if len(same) > self._most_per_network:
            return self._send_away(next(iter(same)))
        if len(self._silent) > self._most:
            return self._send_away(next(iter(self._silent)))
        return None

    def leave(self, connection: Connection) -> None:
        """It said hello, or is gone. Again: nothing changes."""
        network = self._silent.pop(connection, None)
        if network is None:
            return
        same = self._by_network[network]
        del same[connection]
        if not same:
            del self._by_network[network]

    def _send_away(self, connection: Connection) -> Connection:
        self.leave(connection)
        connection.close(CLOSE_TIMEOUT, "no hello")
        return connection
