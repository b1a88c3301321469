"""One tree of exceptions. Each says whose fault it was, so that callers can answer with the right status."""

from __future__ import annotations


class TeleconsultError(Exception):
    """Base of every error this project raises on purpose.

    `code` is stable and machine-readable (it appears in problem documents and WebSocket errors);
    `str(error)` is one line for a person and says what to do.
    """

    code = "error"
    status = 500

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status


class RemoteError(TeleconsultError):
    """The other side sent something wrong (HTTP 4xx)."""

    code = "bad_request"
    status = 400


class ProtocolError(RemoteError):
    """Bytes from the network that are not what their protocol allows. Always safe to drop."""

    code = "protocol_error"


class Unauthorized(RemoteError):
    """No valid credentials."""

    code = "unauthorized"
    status = 401


class Forbidden(RemoteError):
    """Valid credentials, but this grant does not cover the request."""

    code = "forbidden"
    status = 403


class NotFound(RemoteError):
    """The named thing does not exist, or the caller may not know that it does."""

    code = "not_found"
    status = 404


class Conflict(RemoteError):
    """The request contradicts the present state."""

    code = "conflict"
    status = 409


class ConfigError(TeleconsultError):
    """Configuration names the file, the key and what is allowed."""

    code = "config_error"
    status = 500


class Unavailable(TeleconsultError):
    """A part this request needs is not there at the moment; trying again makes sense."""

    code = "unavailable"
    status = 503
