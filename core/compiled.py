"""The media path, compiled (mypyc): the same modules, from `core/_compiled` instead of their source.

`scripts/build-compiled` makes them. They are used only while they were built from exactly the source there is
now, by exactly this Python: a change in the source is never ignored because of them. And only by processes
that serve, unless `SFU_COMPILED=0` forbids it.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

FOLDER: Final = Path(__file__).resolve().parent / "_compiled"
PACKAGES: Final = ("core", "rtp", "transport", "sfu")
"""Compiled modules hold constants of all of these."""
WANTED_VARIABLE: Final = "SFU_COMPILED"

State = Literal["compiled", "not_wanted", "not_built", "stale", "too_late"]


class _Finder(MetaPathFinder):
    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        file = self._files.get(fullname)
        return None if file is None else spec_from_file_location(fullname, file)


def use_compiled() -> State:
    """Call it before anything of the media path is imported. Returns what is used, or why not."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return "compiled"
    if os.environ.get(WANTED_VARIABLE) == "0":
        return "not_wanted"
    files = {_module(path): path for path in FOLDER.rglob("*" + _suffix())}
    if not files:
        return "not_built"
    try:
        built = (FOLDER / "DIGEST").read_text()
    except OSError:  # they are being built
        return "not_built"
    if built != digest():
        return "stale"
    if not files.keys().isdisjoint(sys.modules):
        return "too_late"  # half and half: one class would be two
    sys.meta_path.insert(0, _Finder(files))
    return "compiled"


def digest() -> str:
    """Of all source the libraries depend on, and of who reads it."""
    total = hashlib.sha256(f"{sys.version} {_suffix()}".encode())
    root = FOLDER.parent.parent
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            total.update(f"{path.relative_to(root)}\n".encode())
            total.update(path.read_bytes())
    return total.hexdigest()


def _suffix() -> str:
    return str(sysconfig.get_config_var("EXT_SUFFIX"))


def _module(path: Path) -> str:
    return ".".join(path.relative_to(FOLDER).parts).removesuffix(_suffix())
