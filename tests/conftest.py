"""Fixtures for all tests."""

import os

import pytest
from hypothesis import settings

from core.compiled import WANTED_VARIABLE, use_compiled
from tests.support.databases import database_url, empty_database_url, migrated, postgresql
from tests.support.reruns import Reruns

__all__ = ["database_url", "empty_database_url", "migrated", "postgresql"]

COMPILED = os.environ.get("SFU_TESTED") == "compiled"
"""The compiled media path is tested, not its source. Said here: other conftests import it already."""
if COMPILED:
    os.environ[WANTED_VARIABLE] = "1"
if COMPILED and (state := use_compiled()) != "compiled":
    raise pytest.UsageError(f"the media path cannot be tested compiled: {state}")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reruns())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if COMPILED:
        left_out = [item for item in items if item.get_closest_marker("interpreted")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


# How long an example takes says how busy the machine is.
settings.register_profile("no-deadline", settings.get_profile("default"), deadline=None)
settings.register_profile("no-deadline-ci", settings.get_profile("ci"), deadline=None)
settings.load_profile(f"no-deadline{'-ci' if settings().derandomize else ''}")
