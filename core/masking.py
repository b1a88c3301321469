"""Pure: the masked identity everyone sees. What it is made from is never stored, logged or sent back.

张三 → 张*, 张三丰 → 张*丰, 张*三 stays, John Smith → J* S*. Masking what is masked changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

Sex = Literal["male", "female", "other", "unknown"]
STAR: Final = "*"
SEPARATOR: Final = " · "
_HAN: Final[dict[Sex, str]] = {"male": "男", "female": "女", "other": "其他", "unknown": "未知"}
_LATIN: Final[dict[Sex, str]] = {"male": "M", "female": "F", "other": "other", "unknown": "unknown"}
_MASKED: Final = re.compile(r"([^*])\*+([^*]?)")
_SYLLABLES: Final = ("CJK ", "HANGUL ", "HIRAGANA ", "KATAKANA ", "BOPOMOFO ")
"""Scripts whose names are written without blanks between their parts, by the beginning of a letter's name."""


def mask_name(name: str) -> str:
    """At most the first and the last letter (or initial); of a name of two letters only the first."""
    text = unicodedata.normalize("NFKC", name)
    joined = "".join(char for char in text if _is_syllable(char) or char == STAR)
    if joined.strip(STAR):
        return _mask_letters(joined)
    words = ["".join(filter(_is_letter, word)) for word in text.split()]
    initials = [word[0] + STAR for word in words if word]
    return " ".join([*initials[:1], *initials[1:][-1:]]) or STAR


def masked_header(name: str, sex: Sex, age: int, number: str) -> str:
    """`张*三 · 男 · 57 · US-20417`, in the language the name is written in. `age` in years."""
    masked = mask_name(name)
    sexes = _HAN if any(map(_is_syllable, masked)) else _LATIN
    return SEPARATOR.join((masked, sexes[sex], str(age), conceal(number, name)))


def conceal(text: str, name: str) -> str:
    """`text` with the full name masked wherever it is written out."""
    name = unicodedata.normalize("NFC", name)
    letters = [re.escape(char) for char in name if not char.isspace()]
    masked = mask_name(name)
    if len(letters) < 2 or _same(name, masked):
        return text
    written = r"\s*".join(letters)
    if not any(map(_is_syllable, name)):
        written = rf"(?<!\w){written}(?!\w)"  # Li, but not the middle of clinic
    return re.sub(written, lambda _: masked, unicodedata.normalize("NFC", text), flags=re.IGNORECASE)


def _mask_letters(text: str) -> str:
    already = _MASKED.fullmatch(text)
    if already is not None:
        return already[1] + STAR + already[2]
    letters = text.replace(STAR, "")
    return letters[0] + STAR + (letters[-1] if len(letters) > 2 else "")


def _is_letter(char: str) -> bool:
    return char.isalnum()


def _is_syllable(char: str) -> bool:
    return unicodedata.name(char, "").startswith(_SYLLABLES) and char.isalpha()


def _same(one: str, other: str) -> bool:
    return "".join(one.split()) == "".join(other.split())
