"""What people write into requests: one line or several, of sound Unicode, without characters that deceive."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field

from core.ids import ID_PATTERN
from core.messages import Model

_REORDERING: Final = frozenset(
    "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
"""They change in which order text is shown, so that a name could pass for another."""


class RequestModel(Model):
    """A request's body: unknown fields and values of another type are refused, not guessed at."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def clean_line(text: str) -> str:
    """One line, NFC, blanks and line ends joined. Raises `ValueError` for what cannot be shown."""
    return " ".join(_clean(text, allowed="\r\n\t").split())


def clean_prose(text: str) -> str:
    """The same, but lines are kept."""
    text = _clean(text.replace("\r\n", "\n"), allowed="\n\t")
    return text.strip()


def not_empty(text: str) -> str:
    """Raises `ValueError` when nothing is left."""
    if not text:
        raise ValueError("must not be empty")
    return text


class Within:
    """At most so many characters, cleaned: NFC makes some letters longer. Raises `ValueError`."""

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars

    def __call__(self, text: str) -> str:
        if len(text) > self._max_chars:
            raise ValueError(f"must have at most {self._max_chars} characters")
        return text


def _clean(text: str, allowed: str) -> str:
    text = "".join(char for char in text if char not in _REORDERING)
    for char in text:
        if char not in allowed and unicodedata.category(char) in ("Cc", "Cs", "Cn", "Co"):
            raise ValueError("contains characters that cannot be shown")
    return unicodedata.normalize("NFC", text)


Line = Annotated[str, Field(max_length=100), AfterValidator(clean_line), AfterValidator(Within(100))]
Name = Annotated[Line, AfterValidator(not_empty)]
Sentence = Annotated[str, Field(max_length=500), AfterValidator(clean_line), AfterValidator(Within(500))]
Prose = Annotated[str, Field(max_length=2000), AfterValidator(clean_prose), AfterValidator(Within(2000))]
Id = Annotated[str, Field(max_length=64, pattern=ID_PATTERN)]
ClassName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""Of a retention class."""
