"""WHIP over HTTP (RFC 9725): a resource is made by an offer and ended by DELETE."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from core.errors import ProtocolError, TeleconsultError, Unauthorized, Unavailable
from core.messages import IceServer
from core.turn import parse_links

SDP_TYPE: Final = "application/sdp"
MAX_ANSWER_BYTES: Final = 200_000
POST_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0, connect=2.0)
DELETE_TIMEOUT: Final = aiohttp.ClientTimeout(total=1.5, connect=1.0)


class WhipRefused(TeleconsultError):
    """The server answered with an error. `status` is its status; trying again may help."""

    code = "whip_refused"


@dataclass(frozen=True, slots=True)
class WhipResource:
    """What a successful POST gives: the answer and where the resource lives."""

    url: URL
    answer: str
    ice_servers: tuple[IceServer, ...] = ()
    """Of the answer's `Link` headers (RFC 9725 §4.6)."""


class WhipClient:
    """Talks to one feed's endpoint. `token` is asked for at every request, so that it may be renewed.

    `tls`: whom to trust besides, for media through a TURN server; None: the machine's authorities.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: str,
        token: Callable[[], str],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._session, self._endpoint, self._token = session, URL(endpoint), token
        self.tls = tls

    async def publish(self, offer: str) -> WhipResource:
        """POST the offer.

        Raises `Unauthorized`, `WhipRefused` or `Unavailable` (no connection), `ProtocolError` for nonsense.
        """
        headers = self._headers() | {"Content-Type": SDP_TYPE, "Accept": SDP_TYPE}
        try:
            async with self._session.post(
                self._endpoint,
                data=offer.encode(),
                headers=headers,
                timeout=POST_TIMEOUT,
                allow_redirects=False,
            ) as response:
                return await self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"cannot reach the server: {type(error).__name__}") from None

    async def _read(self, response: aiohttp.ClientResponse) -> WhipResource:
        if response.status in (401, 403):
            raise Unauthorized("the server refuses this device's token", status=response.status)
        if response.status != 201:
            raise WhipRefused(f"the server answered {response.status}", status=response.status)
        location = response.headers.get("Location")
        body = await response.content.read(MAX_ANSWER_BYTES)
        if not location or not body:
            raise ProtocolError("the WHIP answer lacks its Location or its SDP")
        url = self._same_origin(response.url.join(URL(location)))
        relays = parse_links(response.headers.getall("Link", ()))
        return WhipResource(url, body.decode("utf-8", "replace"), tuple(relays))

    def _same_origin(self, url: URL) -> URL:
        """The token must go to no other host, whatever `Location` says."""
        if url.origin() != self._endpoint.origin():
            raise ProtocolError("the WHIP resource is on another host")
        return url

    async def delete(self, resource: WhipResource) -> None:
        """End the resource. A server that is gone, or has forgotten it, is as good."""
        try:
            async with self._session.delete(resource.url, headers=self._headers(), timeout=DELETE_TIMEOUT):
                return
        except (aiohttp.ClientError, TimeoutError, OSError, TeleconsultError):
            return

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}"}
