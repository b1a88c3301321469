"""The browser masks as the server does: both are held to `masking_vectors.json` (see masking.test.ts)."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.masking import Sex, conceal, mask_name, masked_header

VECTORS: dict[str, list[list[Any]]] = json.loads(
    (Path(__file__).parent / "masking_vectors.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(("name", "masked"), VECTORS["mask_name"])
def test_a_name_is_masked_and_masking_again_changes_nothing(name: str, masked: str) -> None:
    assert mask_name(name) == masked
    assert mask_name(masked) == masked


@pytest.mark.parametrize(("identity", "header"), VECTORS["masked_header"])
def test_a_header_shows_the_masked_identity(identity: tuple[str, Sex, int, str], header: str) -> None:
    assert masked_header(*identity) == header


@pytest.mark.parametrize(("text", "name", "concealed"), VECTORS["conceal"])
def test_the_full_name_is_masked_wherever_it_is_written_out(text: str, name: str, concealed: str) -> None:
    assert conceal(text, name) == concealed
