"""DTLS-SRTP (RFC 5764) for one transport: aiortc's handshake in, SRTP keys out. SRTP never passes through
here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters

from core.clock import NS_PER_S
from rtp.sdp import Fingerprint
from rtp.srtp import SrtpKeys, SrtpProfile
from transport.aiortc_private import DatagramPipe, KeyExporter
from transport.api import DtlsRole
from transport.token_bucket import TokenBucket

ALL_PROFILES: Final = (
    SrtpProfile.AEAD_AES_256_GCM,
    SrtpProfile.AEAD_AES_128_GCM,
    SrtpProfile.AES_CM_128_HMAC_SHA1_80,
)
"""In order of preference. As DTLS server the order decides; as client the peer decides."""

RETRANSMIT_AFTER_S: Final = (0.1, 0.2, 0.4)
"""A lost flight is repeated sooner than OpenSSL's first timer of 1 s; the wire cannot tell it from
duplication.
"""
MAX_FLIGHT_DATAGRAMS: Final = 16
IDLE_DATAGRAMS_PER_S: Final = 50.0
"""What a peer may send after the handshake, as there are no data channels: goodbyes and repetitions."""

_log = structlog.get_logger()


def new_certificate() -> RTCCertificate:
    """A fresh ECDSA P-256 key with its self-signed certificate."""
    return RTCCertificate.generateCertificate()


def fingerprint_of(certificate: RTCCertificate) -> Fingerprint:
    """The certificate's SHA-256, for `a=fingerprint`."""
    for found in certificate.getFingerprints():
        if found.algorithm == "sha-256":
            return Fingerprint(found.algorithm, found.value)
    raise LookupError("the certificate has no SHA-256 fingerprint")


class DtlsSession:
    """One handshake and what follows it.

    `send(datagram)`: towards the peer. `on_keys(send_keys, receive_keys)`: once, when the peer proved one
    of `remote` fingerprints.
    `on_closed(reason)`: once, when the handshake failed or the peer said goodbye; not after `close()`.
    """

    def __init__(
        self,
        certificate: RTCCertificate,
        role: DtlsRole,
        remote: Sequence[Fingerprint],
        *,
        send: Callable[[bytes], None],
        on_keys: Callable[[SrtpKeys, SrtpKeys], None],
        on_closed: Callable[[str], None],
        profiles: Sequence[SrtpProfile] = ALL_PROFILES,
    ) -> None:
        self.dropped = 0
        """Datagrams beyond `IDLE_DATAGRAMS_PER_S`."""
        self._role = role
        self._send = send
        self._on_keys = on_keys
        self._on_closed = on_closed
        self._remote = [RTCDtlsFingerprint(found.algorithm, found.value) for found in remote]
        self._pipe = DatagramPipe("controlled", self._send_flight)
        self._dtls = KeyExporter(self._pipe, certificate, role, profiles)
        self._flight: list[bytes] = []
        self._heard = False
        self._idle_budget = TokenBucket(IDLE_DATAGRAMS_PER_S, IDLE_DATAGRAMS_PER_S, _now_ns())
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._done = False

    def start(self) -> None:
        """Begin the handshake on the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def feed(self, datagram: bytes) -> None:
        """A DTLS datagram (first byte 20…63) from a validated address."""
        if self._dtls.keys is not None and not self._idle_budget.take(_now_ns()):
            self.dropped += 1
            return
        self._heard = True
        self._pipe.feed(datagram)

    async def close(self) -> None:
        """Say goodbye (close_notify) when there is somebody to say it to, and stop."""
        self._done = True
        self._stop_timer()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._dtls.stop()

    async def _run(self) -> None:
        reason = "dtls_failed"
        try:
            self._dtls.on("statechange", self._state_changed)
            await self._dtls.start(RTCDtlsParameters(fingerprints=self._remote))
        except Exception:
            _log.exception("dtls_handshake_error")
            reason = "dtls_error"
        keys = self._dtls.keys
        if not self._sent_the_last_flight():
            self._stop_timer()
        if self._dtls.state == "connected" and keys is not None:
            self._on_keys(*keys)
        else:
            self._finish(reason)

    def _state_changed(self) -> None:
        if self._dtls.state == "closed":
            self._finish("peer_closed")

    def _finish(self, reason: str) -> None:
        if not self._done:
            self._done = True
            self._on_closed(reason)

    def _send_flight(self, datagram: bytes) -> None:
        """The first datagram after something was heard begins a new flight; the one before has arrived then.

        Hearing alone proves nothing: it may be the peer's repetition, because ours was lost.
        """
        self._send(datagram)
        if self._dtls.keys is not None:
            return
        if self._heard or self._timer is None:
            self._flight.clear()
            self._heard = False
        if len(self._flight) < MAX_FLIGHT_DATAGRAMS:
            self._flight.append(datagram)
        self._repeat_later(0)

    def _sent_the_last_flight(self) -> bool:
        """The server ends a DTLS 1.2 handshake, so only repetition tells whether its end arrived."""
        return self._role == "server" and self._dtls.keys is not None

    def _repeat_later(self, attempt: int) -> None:
        self._stop_timer()
        if attempt < len(RETRANSMIT_AFTER_S) and not self._done:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(RETRANSMIT_AFTER_S[attempt], self._repeat, attempt)

    def _repeat(self, attempt: int) -> None:
        for datagram in self._flight:
            self._send(datagram)
        self._repeat_later(attempt + 1)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _now_ns() -> int:
    """The event loop's own time: flights are repeated on its timers."""
    return int(asyncio.get_running_loop().time() * NS_PER_S)
