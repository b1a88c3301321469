"""Pure: AWS Signature Version 4 (for requests with a small body, or none).

Only for what the object-store library has no call for: listing an object's versions and deleting one of
them (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signs requests to a store. Only the key's id may be shown."""

    key_id: str
    secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def quote(text: str, *, keep_slash: bool = False) -> str:
    """Percent-encode as SigV4 wants it: everything but RFC 3986's unreserved characters."""
    keep = _UNRESERVED | {ord("/")} if keep_slash else _UNRESERVED
    return "".join(chr(byte) if byte in keep else f"%{byte:02X}" for byte in text.encode())


def query_string(query: Mapping[str, str]) -> str:
    """In the order in which it is signed."""
    return "&".join(f"{quote(key)}={quote(value)}" for key, value in sorted(query.items()))


def sign(
    method: str,
    host: str,
    path: str,
    query: Mapping[str, str],
    *,
    region: str,
    credentials: Credentials,
    moment: str,
    body: bytes = b"",
) -> dict[str, str]:
    """Headers of a signed request; `path` is not quoted yet, `moment`: UTC, such as `20260401T120000Z`."""
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": moment}
    if credentials.session_token is not None:
        headers["x-amz-security-token"] = credentials.session_token
    names = ";".join(sorted(headers))
    listed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join([method, quote(path, keep_slash=True), query_string(query), listed, names, digest])
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    to_sign = "\n".join([_ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{credentials.secret}".encode()
    for part in (moment[:8], region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers
