"""The box's key: made here, readable by its owner alone, never half written."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from core.device_access import is_signed
from core.errors import ConfigError
from edge_agents.identity import Identity, read_identity


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "box.json"


def test_the_key_s_file_is_for_its_owner_alone(path: Path) -> None:
    Identity("https://consult").write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_stays_so_where_a_file_that_others_may_read_was_before(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{}")
    path.chmod(0o644)
    Identity("https://consult").write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_written_is_read_and_signs_the_same(path: Path) -> None:
    made = Identity("https://consult").enrolled_as("d_1", "手术室 3")
    made.write(path)
    found = read_identity(path)
    assert found is not None
    assert (found.server, found.device_id, found.name) == ("https://consult", "d_1", "手术室 3")
    assert is_signed(made.public, found.sign(b"text"), b"text")


def test_a_key_that_others_may_read_is_not_used(path: Path) -> None:
    Identity("https://consult").write(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_identity(path)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "\u00ff", '{"server": "x", "device_id": "", "name": "", "private_key": "AA"}']
)
def test_a_damaged_file_is_named(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_bytes(content.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"box\.json"):
        read_identity(path)


def test_there_may_be_none_yet(path: Path) -> None:
    assert read_identity(path) is None


def test_the_key_is_in_no_text_about_it(path: Path) -> None:
    made = Identity("https://consult")
    made.write(path)
    secret = path.read_text().partition('"private_key": "')[2].partition('"')[0]
    assert len(secret) > 40
    assert secret not in repr(made) + str(made)
