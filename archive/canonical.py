"""Pure: canonical JSON, the one spelling of a value, so that a signature covers meaning and bytes alike.

The subset of RFC 8785 (JCS) an archive needs: objects with keys in ascending order, arrays, strings,
integers of at most 53 bits, `true`, `false`, `null`; no white space; UTF-8; only `"`, `\\` and control
characters escaped. Floats, duplicate keys, lone surrogates and every other spelling of the same value are
refused.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from core.errors import ProtocolError

INTEGER_LIMIT: Final = 2**53 - 1
"""Largest magnitude that every JSON reader keeps exactly (RFC 8259 §6)."""
_JSON: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def encode(value: Any) -> bytes:
    """Canonical UTF-8 bytes of `value`. Raises `ProtocolError` for what canonical JSON cannot say."""
    _check(value)
    return spell(value)


def spell(value: Any) -> bytes:
    """As `encode`, for what was checked already but for its strings."""
    text = _JSON.encode(value)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ProtocolError("a string holds a lone surrogate") from None


def decode(data: bytes) -> Any:
    """The value `data` spells canonically. Raises `ProtocolError` for any other spelling or broken JSON."""
    try:
        value = json.loads(
            data.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float, parse_int=_integer
        )
        spelled = encode(value)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ProtocolError("not JSON") from None
    if spelled != data:
        raise ProtocolError("not canonical JSON")
    return value


def _no_float(text: str) -> NoReturn:
    raise ProtocolError(f"{text[:20]} is not an integer")


def _integer(text: str) -> int:
    if len(text) > 17:
        raise ProtocolError("an integer is out of range")
    return int(text)


def _check(value: Any) -> None:
    if type(value) is str:  # nearly all there is
        return
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int):
        if abs(value) > INTEGER_LIMIT:
            raise ProtocolError("an integer is out of range")
    elif isinstance(value, list):
        for item in value:
            _check(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise ProtocolError("a key is not ASCII text")
            _check(item)
    else:
        raise ProtocolError(f"canonical JSON has no {type(value).__name__}")
