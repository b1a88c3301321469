"""Behind a TLS proxy: who really calls, and how. Only what the configured proxies say is believed.

`X-Forwarded-For` is read from its right end: each proxy appends the address it was called from, so the first
one that is no proxy of ours is the caller; what stands left of it, anyone may have written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from aiohttp import web

from core.config import Settings
from core.errors import Forbidden
from signaling.problems import HSTS, HSTS_VALUE

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Address = IPv4Address | IPv6Address

FORWARDED_FOR: Final = "X-Forwarded-For"
FORWARDED_PROTO: Final = "X-Forwarded-Proto"
MAX_HOPS: Final = 20
_HOST_BITS: Final = 64
"""Of an IPv6 address: RFC 4291 §2.5.1."""
PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Nothing in them is worth protecting, and who asks has no certificate."""


class TrustedProxies:
    """Pure: whom to believe."""

    def __init__(self, items: Iterable[str]) -> None:
        """Addresses and networks. Raises `ValueError`."""
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(item) for item in items]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trusts(self, address: str | None) -> bool:
        """True for a peer that is one of our proxies."""
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def caller(self, peer: str | None, forwarded_for: Sequence[str]) -> str | None:
        """The address of whoever calls. `forwarded_for`: the header's values, as received."""
        hops = [hop.strip() for value in forwarded_for for hop in value.split(",")][-MAX_HOPS:]
        found = peer
        while hops and self.trusts(found):
            address = _parse(hops.pop())
            if address is None:  # a proxy that passes on what is no address: the last sure one counts
                break
            found = str(address)
        return found

    def scheme(self, peer: str | None, forwarded_proto: Sequence[str], actual: str) -> str:
        """http or https, as the caller sees it."""
        said = forwarded_proto[-1].rpartition(",")[2].strip().lower() if forwarded_proto else ""
        return said if self.trusts(peer) and said in ("http", "https") else actual


def middleware(settings: Settings) -> Any:
    """Requests as the caller made them: `remote`, `scheme`. It comes before every other middleware.

    Where a proxy does the TLS, strangers who come past it in clear are turned away: they would send passwords
    over the network in clear.
    """
    proxies = TrustedProxies(settings.trusted_proxies)

    @web.middleware
    async def forwarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not proxies:
            return await handler(request)
        peer = request.remote
        if not proxies.trusts(peer):
            if not request.secure and not _is_here(peer) and request.path not in PROBES:
                raise Forbidden("use the https address", code="tls_required")
            return await handler(request)
        caller = proxies.caller(peer, request.headers.getall(FORWARDED_FOR, []))
        scheme = proxies.scheme(peer, request.headers.getall(FORWARDED_PROTO, []), request.scheme)
        response = await handler(request.clone(remote=caller or "", scheme=scheme))
        if scheme == "https" and not response.prepared:  # it will be, for the request as it came
            response.headers.setdefault(HSTS, HSTS_VALUE)
        return response

    return forwarded


def network_of(address: str | None) -> str:
    """What counts as one caller: an IPv4 address, or an IPv6 network, all of which one subscriber has."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((int(parsed) >> _HOST_BITS << _HOST_BITS, 128 - _HOST_BITS)))
    return str(parsed) if parsed is not None else "unknown"


def _is_here(peer: str | None) -> bool:
    """A process of this machine (a Unix socket has no address)."""
    address = _parse(peer)
    return address is None or address.is_loopback


def _parse(text: str | None) -> Address | None:
    """An address, perhaps with a port (`1.2.3.4:5`, `[::1]:5`) or zone. IPv4 within IPv6 becomes IPv4."""
    if not text:
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
