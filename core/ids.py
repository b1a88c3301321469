"""Identifiers: a prefix that says what it names, then a time-ordered random part (ULID)."""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,63}$"
"""What a room or feed may be called: it appears in URLs, so nothing else is accepted anywhere."""
ID_PATTERN: Final = r"^[a-z]{1,4}_[0-9a-hjkmnp-tv-z]{26}$"

_NAME: Final = re.compile(NAME_PATTERN)
_ID: Final = re.compile(ID_PATTERN)


def new_id(prefix: str) -> str:
    """Return `prefix_` + 26 characters that sort by creation time (48 bits of ms, 80 random bits)."""
    number = ((time.time_ns() // 1_000_000) << 80) | secrets.randbits(80)
    return prefix + "_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))


def is_name(text: str) -> bool:
    """True when `text` may name a room or a feed."""
    return _NAME.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """True when `text` may be an identifier made by `new_id`."""
    return _ID.fullmatch(text) is not None
