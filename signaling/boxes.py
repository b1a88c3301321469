"""What a signaling process knows of capture boxes besides what is stored: challenges, health, log levels."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from core.clock import NS_PER_S
from core.device_access import from_base64, to_base64
from core.device_health import DeviceHealth, LogLevel
from signaling.rate import LoginThrottle, Throttle, TokenBucket

CHALLENGE_S: Final = 60
ONLINE_S: Final = 90
"""A box that said nothing for so long is away."""
MAX_BOXES: Final = 10_000
FREE_CODES: Final = 10
"""Wrong codes of one address, before each costs a wait."""
CODES_PER_S: Final = 1.0
CODES_BURST: Final = 60
"""Codes that all the world together may try: a guess every second finds one of 2⁶⁰ codes never."""
SIGNATURES_PER_S: Final = 1.0
SIGNATURES_BURST: Final = 50
"""Wrong ones of one address that get an answer that says so."""
ASKS_PER_S: Final = 2.0
ASKS_BURST: Final = 20
REPORTS_PER_S: Final = 0.5
REPORTS_BURST: Final = 5
LINKS_PER_S: Final = 1 / 60
LINKS_BURST: Final = 5
_NONCE_BYTES: Final = 16
_MAC_BYTES: Final = 16
_SIZE: Final = _NONCE_BYTES + 8 + _MAC_BYTES


class Challenges:
    """Made without being remembered, so that strangers cost no memory; good once, for `CHALLENGE_S`.

    The secret is this process's: after a restart nothing that was signed before is good.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._used: OrderedDict[str, int] = OrderedDict()

    def make(self, device_id: str, now_ns: int) -> str:
        """For that box alone."""
        body = secrets.token_bytes(_NONCE_BYTES) + struct.pack(">q", now_ns + CHALLENGE_S * NS_PER_S)
        return to_base64(body + self._mac(device_id, body))

    def is_good(self, device_id: str, challenge: str, now_ns: int) -> bool:
        """True for one of ours that is not over and was not used."""
        raw = from_base64(challenge, _SIZE)
        if raw is None:
            return False
        body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(device_id, body)) or challenge in self._used:
            return False
        return bool(now_ns < struct.unpack(">q", body[_NONCE_BYTES:])[0])

    def use(self, challenge: str, now_ns: int) -> None:
        """It is good no more. Only who signed one rightly can have it remembered."""
        self._used[challenge] = now_ns + CHALLENGE_S * NS_PER_S
        while self._used and next(iter(self._used.values())) <= now_ns:
            self._used.popitem(last=False)

    def _mac(self, device_id: str, body: bytes) -> bytes:
        return hmac.digest(self._secret, device_id.encode() + b"\n" + body, hashlib.sha256)[:_MAC_BYTES]


class CodeThrottle:
    """How often somebody may try an enrolment code: for each address, and for all together."""

    def __init__(self) -> None:
        self._addresses = LoginThrottle(FREE_CODES)
        self._everybody = TokenBucket(CODES_PER_S, CODES_BURST, 0)

    def begin(self, address: str, now_ns: int) -> int:
        """Seconds to wait; 0: it may be tried, and is counted as wrong until `was_right`."""
        wait_s = self._addresses.wait_s(address, now_ns)
        if wait_s > 0:
            return wait_s
        if not self._everybody.take(1, now_ns):
            return 1
        self._addresses.failed(address, now_ns)
        return 0

    def was_right(self, address: str) -> None:
        self._addresses.succeeded(address)


@dataclass(frozen=True, slots=True)
class Told:
    """The newest a box said of itself, and when (Unix µs, monotonic ns)."""

    health: DeviceHealth
    at_us: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class WantedLog:
    """What an administrator wants to see in a box's log, until then."""

    level: LogLevel
    until_ns: int


@dataclass
class Boxes:
    """In memory: after a restart boxes say it all again within seconds."""

    challenges: Challenges = field(default_factory=Challenges)
    codes: CodeThrottle = field(default_factory=CodeThrottle)
    signatures: Throttle = field(default_factory=lambda: Throttle(SIGNATURES_PER_S, SIGNATURES_BURST))
    asks: Throttle = field(default_factory=lambda: Throttle(ASKS_PER_S, ASKS_BURST))
    links: Throttle = field(default_factory=lambda: Throttle(LINKS_PER_S, LINKS_BURST))
    reports: Throttle = field(default_factory=lambda: Throttle(REPORTS_PER_S, REPORTS_BURST))
    told: OrderedDict[str, Told] = field(default_factory=OrderedDict)
    seen_ns: OrderedDict[str, int] = field(default_factory=OrderedDict)
    """When each box last signed something rightly or said how it is."""
    logs: dict[str, WantedLog] = field(default_factory=dict)
    assigned: OrderedDict[str, str] = field(default_factory=OrderedDict)
    """The consultation each box last got a token for: written into the trail when it is another one."""

    def heard(self, device_id: str, now_ns: int) -> None:
        """The box is there."""
        self.seen_ns.pop(device_id, None)
        self.seen_ns[device_id] = now_ns
        _shorten(self.seen_ns)

    def tell(self, device_id: str, health: DeviceHealth, now_us: int, now_ns: int) -> bool:
        """Keep what a box says of itself; False when it comes too fast, and is dropped."""
        if not self.reports.allows(device_id, now_ns):
            return False
        self.heard(device_id, now_ns)
        self.told.pop(device_id, None)
        self.told[device_id] = Told(health, now_us, now_ns)
        _shorten(self.told)
        return True

    def forget(self, device_id: str) -> None:
        """Its key is void."""
        for kept in (self.told, self.seen_ns, self.logs, self.assigned):
            kept.pop(device_id, None)

    def is_online(self, device_id: str, now_ns: int) -> bool:
        seen_ns = self.seen_ns.get(device_id)
        return seen_ns is not None and now_ns - seen_ns < ONLINE_S * NS_PER_S

    def online(self, now_ns: int) -> list[DeviceHealth]:
        """Of the boxes that are there and said how they are."""
        return [told.health for device_id, told in self.told.items() if self.is_online(device_id, now_ns)]

    def wanted_log(self, device_id: str, now_ns: int) -> tuple[LogLevel, int] | None:
        """The level, and for how many seconds more."""
        wanted = self.logs.get(device_id)
        if wanted is None or wanted.until_ns <= now_ns:
            self.logs.pop(device_id, None)
            return None
        return wanted.level, -((now_ns - wanted.until_ns) // NS_PER_S)

    def is_new_assignment(self, device_id: str, consultation_id: str) -> bool:
        """True once for each consultation in turn."""
        if self.assigned.get(device_id) == consultation_id:
            return False
        self.assigned.pop(device_id, None)
        self.assigned[device_id] = consultation_id
        _shorten(self.assigned)
        return True


def _shorten(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > MAX_BOXES:
        kept.popitem(last=False)
