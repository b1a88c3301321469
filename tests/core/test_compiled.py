"""Compiled modules are used while they are their source, unless somebody forbade it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import compiled


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree as if it had been compiled."""
    folder = tmp_path / "core" / "_compiled"
    (folder / "rtp").mkdir(parents=True)
    (tmp_path / "rtp").mkdir()
    (tmp_path / "rtp" / "unheard_of.py").write_text("NUMBER = 1\n")
    (folder / "rtp" / f"unheard_of{compiled._suffix()}").write_bytes(b"")
    monkeypatch.setattr(compiled, "FOLDER", folder)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.delenv(compiled.WANTED_VARIABLE, raising=False)
    (folder / "DIGEST").write_text(compiled.digest())
    return tmp_path


def test_what_was_built_from_this_very_source_is_used(built: Path) -> None:
    before = len(sys.meta_path)
    assert compiled.use_compiled() == "compiled"
    assert compiled.use_compiled() == "compiled"
    assert len(sys.meta_path) == before + 1
    spec = sys.meta_path[0].find_spec("rtp.unheard_of", None)
    assert spec is not None
    assert spec.origin == str(compiled.FOLDER / "rtp" / f"unheard_of{compiled._suffix()}")
    assert sys.meta_path[0].find_spec("rtp", None) is None


def test_a_changed_byte_of_the_source_is_enough_not_to_use_it(built: Path) -> None:
    (built / "rtp" / "unheard_of.py").write_text("NUMBER = 2\n")
    assert compiled.use_compiled() == "stale"


def test_a_new_module_is_enough_too(built: Path) -> None:
    (built / "core" / "new.py").write_text("")
    assert compiled.use_compiled() == "stale"


def test_it_is_not_used_where_a_module_was_imported_from_its_source_already(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rtp.unheard_of", sys)
    assert compiled.use_compiled() == "too_late"


def test_it_is_not_used_where_that_is_forbidden(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.WANTED_VARIABLE, "0")
    assert compiled.use_compiled() == "not_wanted"


def test_half_of_what_is_being_built_is_not_used(built: Path) -> None:
    (compiled.FOLDER / "DIGEST").unlink()
    assert compiled.use_compiled() == "not_built"


def test_where_nothing_was_built_the_source_is_read(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "FOLDER", built / "core" / "elsewhere")
    assert compiled.use_compiled() == "not_built"


def test_everything_that_serves_can_be_imported_with_it() -> None:
    """No class of the interpreted part may inherit from a compiled one."""
    lines = [
        "from core.compiled import use_compiled",
        "state = use_compiled()",
        "import sfu.main, signaling.main, recorder.main, edge_agents.cli, edge_agents.agent",
        "print(state)",
    ]
    environment = {**os.environ, compiled.WANTED_VARIABLE: "1"}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("compiled", "stale", "not_built")
