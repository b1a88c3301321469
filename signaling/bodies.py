"""Reading request bodies: of the expected type, not too large, not too slowly."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from aiohttp import web
from pydantic import BaseModel

from core.errors import RemoteError

BODY_MAX_BYTES: Final = 256 * 1024
BODY_WITHIN_S: Final = 10.0

_M = TypeVar("_M", bound=BaseModel)


async def read_text(request: web.Request, content_type: str) -> str:
    """The body as UTF-8. Raises `RemoteError` 415 (other type), 413, 408 (too slow) or 400 (unreadable)."""
    if request.content_type != content_type:
        raise RemoteError(f"send {content_type}", code="unsupported_media_type", status=415)
    if (request.content_length or 0) > BODY_MAX_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return (await request.read()).decode()
    except TimeoutError:
        raise RemoteError("the body came too slowly", code="too_slow", status=408) from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except web.RequestPayloadError:
        raise RemoteError("the body cannot be decoded", code="bad_body") from None
    except UnicodeDecodeError:
        raise RemoteError("the body is not UTF-8", code="bad_encoding") from None


def _too_large() -> RemoteError:
    return RemoteError("the body is too large", code="too_large", status=413)


async def read_model(request: web.Request, model: type[_M]) -> _M:
    """A JSON body; asking for that type keeps other sites' forms out. Raises `ValidationError`."""
    return model.model_validate_json(await read_text(request, "application/json"))
