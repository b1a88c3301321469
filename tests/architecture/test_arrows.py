"""Which package may import which (docs/design.md, "Arrows"), and what pure modules must not import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "core": set(),
    "rtp": {"core"},
    "transport": {"rtp", "core"},
    "archive": {"rtp", "core"},
    "sfu": {"transport", "archive", "rtp", "core"},
    "signaling": {"transport", "archive", "rtp", "core", "annotation"},
    "annotation": {"transport", "archive", "rtp", "core"},
    "recorder": {"transport", "archive", "rtp", "core", "annotation"},
    "edge_agents": {"transport", "archive", "rtp", "core", "annotation"},
    "teleconsult": {
        "core",
        "rtp",
        "transport",
        "archive",
        "sfu",
        "signaling",
        "annotation",
        "recorder",
        "edge_agents",
        "bench",
    },
}
AIORTC_ONLY_IN = {"transport"}
IMPURE = {
    "aiohttp",
    "aioice",
    "aiortc",
    "asyncio",
    "datetime",
    "http",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "sqlalchemy",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
    "uvloop",
}
IMPURE_CALLS = {"open", "print", "input"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def is_pure(path: Path) -> bool:
    if path.relative_to(ROOT).parts[0] == "rtp":
        return True
    return (ast.get_docstring(ast.parse(path.read_text())) or "").startswith("Pure:")


def imported_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module:
                yield node.module


ALL_MODULES = [path for package in MAY_IMPORT for path in modules(package)]
PURE_MODULES = [path for path in ALL_MODULES if is_pure(path)]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", ALL_MODULES, ids=name_of)
def test_a_module_imports_only_what_its_package_may(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    own = {name.split(".")[0] for name in imported_names(path)} & set(MAY_IMPORT)
    wrong = own - MAY_IMPORT[package] - {package}
    assert not wrong, f"{package} must not import {sorted(wrong)}"


@pytest.mark.parametrize("path", ALL_MODULES, ids=name_of)
def test_only_transport_knows_aiortc_and_aioice(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    used = {name.split(".")[0] for name in imported_names(path)} & {"aiortc", "aioice"}
    assert not used or package in AIORTC_ONLY_IN


@pytest.mark.parametrize("path", PURE_MODULES, ids=name_of)
def test_a_pure_module_has_no_io_clock_or_randomness(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported_names(path)}
    assert not roots & IMPURE
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & IMPURE_CALLS


def test_the_checks_see_the_code() -> None:
    assert len(ALL_MODULES) > 30
    assert len(PURE_MODULES) > 10
