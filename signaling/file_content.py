"""Pure: what a file is by its first bytes, and what it may be called."""

from __future__ import annotations

import unicodedata
from typing import Final

SNIFF_BYTES: Final = 16
"""How many of a file's first bytes `media_type_of` needs."""
NAME_MAX_CHARS: Final = 200
UNNAMED: Final = "file"
OTHER: Final = "application/octet-stream"
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/webp"})
"""Shown in the page; everything else is only kept."""
_REPLACED: Final = frozenset('/\\:*?"<>|')
"""Separators of paths, and what Windows does not allow in a name."""


def media_type_of(head: bytes) -> str:
    """By content; what the sender says, or the name, counts for nothing."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return "application/pdf" if head.startswith(b"%PDF-") else OTHER


def clean_name(name: str) -> str:
    """A name without path, control or direction characters; at most 200 characters, the ending kept."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = (char for char in unicodedata.normalize("NFC", name) if _is_visible(char))
    cleaned = "".join("_" if char in _REPLACED else char for char in kept).strip(" .")
    if len(cleaned) > NAME_MAX_CHARS:
        stem, dot, ending = cleaned.rpartition(".")
        room = NAME_MAX_CHARS - len(dot + ending)
        cleaned = stem[:room] + dot + ending if dot and room > 0 else cleaned[:NAME_MAX_CHARS]
    return cleaned or UNNAMED


def clean_text(text: str) -> str:
    """Text without control characters but new lines and tabs. Whatever else is in it is just text."""
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) != "Cc")


def _is_visible(char: str) -> bool:
    """Control, format (such as right-to-left overrides), surrogate and private characters are not."""
    return unicodedata.category(char)[0] != "C"
