"""What was revoked stays so."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Unauthorized
from core.tokens import Revocations, Tokens, load_or_create_keys
from tests.core.clocks import FakeClock


def test_a_token_made_after_its_session_ended_is_void(tmp_path: Path) -> None:
    """A refresh that was under way when the person signed out must not bring the session back."""
    clock, revocations = FakeClock(), Revocations()
    tokens = Tokens(load_or_create_keys(tmp_path / "keys.pem"), clock, revocations)
    revocations.add("s_1", clock.unix_ns() // 1000)
    clock.advance(1)
    late = tokens.issue_access(sub="u_1", role="site", org="o_1", name="Li", sid="s_1")
    with pytest.raises(Unauthorized):
        tokens.verify_access(late)


def test_a_person_whose_tokens_were_revoked_may_sign_in_again(tmp_path: Path) -> None:
    clock, revocations = FakeClock(), Revocations()
    tokens = Tokens(load_or_create_keys(tmp_path / "keys.pem"), clock, revocations)
    before = tokens.issue_access(sub="u_1", role="site", org="o_1", name="Li", sid="s_1")
    revocations.add("u_1", clock.unix_ns() // 1000)
    clock.advance(1)
    tokens.verify_access(tokens.issue_access(sub="u_1", role="site", org="o_1", name="Li", sid="s_2"))
    with pytest.raises(Unauthorized):
        tokens.verify_access(before)
