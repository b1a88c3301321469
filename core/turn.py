"""Pure: TURN servers as clients are told of them: URLs, credentials for a limited time, `Link` headers."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from core.messages import IceServer

LINK_REL: Final = "ice-server"
MAX_SERVERS: Final = 8
"""Of those a server names, so many are used."""

_URL: Final = re.compile(
    r"(?P<scheme>turns?):(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)
_LINK: Final = re.compile(r'<(?P<url>[^<>\s]{1,300})>(?P<rest>(?:\s*;\s*[\w-]+=(?:"[^"]*"|[^\s;,"]*))*)')
_PARAMETER: Final = re.compile(r';\s*(?P<name>[\w-]+)=(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s;,"]*))')


@dataclass(frozen=True, slots=True)
class TurnUrl:
    """One `turn:` or `turns:` URL (RFC 7065): an address, and what carries TURN to it."""

    host: str
    port: int
    carrier: Literal["udp", "tcp", "tls"]


def parse_turn_url(url: str) -> TurnUrl:
    """Read a URL. Raises `ValueError`; TURN over DTLS (`turns:` with UDP) is not supported."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(f"{url!r} is not turn:HOST:PORT?transport=udp|tcp or turns:HOST:PORT?transport=tcp")
    secure = found["scheme"] == "turns"
    port = int(found["port"] or (5349 if secure else 3478))
    transport = found["transport"] or ("tcp" if secure else "udp")
    if not 0 < port < 65536 or (secure and transport == "udp"):
        raise ValueError(f"{url!r}: turns: is TLS over TCP here, and a port is 1–65535")
    carrier: Literal["udp", "tcp", "tls"] = "tls" if secure else "tcp" if transport == "tcp" else "udp"
    return TurnUrl(found["host"].strip("[]"), port, carrier)


def turn_credential(secret: str, subject: str, expires_s: int) -> tuple[str, str]:
    """User name and password as coturn's `use-auth-secret` checks them.

    `expires_s`: Unix seconds. The password is the Base64 of HMAC-SHA1(secret, "<expires_s>:<subject>")
    (draft-uberti-behave-turn-rest-00 §2.2); TURN itself prescribes SHA-1.
    """
    username = f"{expires_s}:{subject}"
    return username, base64.b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode()


def ice_servers(urls: Sequence[str], secret: str, subject: str, expires_s: int) -> list[IceServer]:
    """What one client is told; empty without `urls`."""
    if not urls:
        return []
    username, credential = turn_credential(secret, subject, expires_s)
    return [IceServer(urls=list(urls), username=username, credential=credential)]


def link_headers(servers: Iterable[IceServer]) -> list[str]:
    """One `Link` header per URL (RFC 9725 §4.6)."""
    return [
        f'<{url}>; rel="{LINK_REL}"; username="{server.username}"; credential="{server.credential}"; '
        'credential-type="password"'
        for server in servers
        for url in server.urls
    ]


def parse_links(headers: Iterable[str]) -> list[IceServer]:
    """The ICE servers among `Link` headers; whatever else there is, or is malformed, is left out."""
    found: list[IceServer] = []
    for header in headers:
        for link in _LINK.finditer(header[:4_096]):
            names = {
                item["name"].lower(): item["quoted"] if item["quoted"] is not None else item["plain"]
                for item in _PARAMETER.finditer(link["rest"])
            }
            if names.get("rel") == LINK_REL and _URL.fullmatch(link["url"]) and len(found) < MAX_SERVERS:
                username, credential = names.get("username", ""), names.get("credential", "")
                found.append(IceServer(urls=[link["url"]], username=username, credential=credential))
    return found
