"""Builds the engine into wheels, with the C compiler of the package ziglang."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = "transport/native/_engine.so"


class EngineHook(BuildHookInterface[Any]):
    """Wheels with an engine are for this platform; editable installs leave building to the Makefile."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        builder = str(Path(self.root) / "scripts" / "build-engine")
        subprocess.run([builder, sys.executable], check=True)  # noqa: S603 - our own script
        if (Path(self.root) / LIBRARY).exists():
            build_data["artifacts"].append(LIBRARY)
            build_data["pure_python"] = False
            build_data["infer_tag"] = False
            build_data["tag"] = f"py3-none-{_platform()}"


def _platform() -> str:
    """The library is plain C: it fits every Python of this system."""
    from packaging.tags import platform_tags

    return next(iter(platform_tags()))
