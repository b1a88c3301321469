"""Masking, whatever the name: properties besides the examples in `masking_vectors.json`."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from core.masking import conceal, mask_name, masked_header

HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=6)
LATIN = st.lists(st.text("abcdefghijklmnopqrstuvwxyzéü", min_size=2, max_size=9), min_size=1, max_size=4)
ANYTHING = st.text(max_size=40)


@given(ANYTHING)
def test_masking_what_is_masked_changes_nothing(name: str) -> None:
    masked = mask_name(name)
    assert mask_name(masked) == masked
    assert masked


@given(ANYTHING)
def test_at_most_two_letters_of_a_name_are_ever_shown(name: str) -> None:
    shown = [char for char in mask_name(name) if char.isalnum()]
    assert len(shown) <= 2


@given(HAN)
def test_a_chinese_name_is_not_in_its_header_nor_in_the_texts_beside_it(name: str) -> None:
    header = masked_header(name, "female", 57, f"US-{name}")
    texts = [header, conceal(f"患者{name}，{' '.join(name)}", name)]
    for text in texts:
        assert name not in text
        assert " ".join(name) not in text


@given(LATIN)
def test_no_part_of_a_latin_name_is_in_its_header(words: list[str]) -> None:
    name = " ".join(words).title()
    header = masked_header(name, "unknown", 57, "7").partition(" · ")[0].lower()
    assert not any(unicodedata.normalize("NFKC", word) in header.replace("*", "") for word in words)


@given(ANYTHING, ANYTHING)
def test_any_text_beside_any_name_can_be_concealed(text: str, name: str) -> None:
    conceal(text, name)
