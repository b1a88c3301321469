"""A test that failed and passed when run once more is shown in full; too many of them fail the run.

The tests that play a whole consultation in real time share two cores with a browser: a machine that stands
still for a second must not stop a change, a fault that shows every tenth time must not hide.
"""

from __future__ import annotations

from typing import Final

import pytest

MOST: Final = 3
"""So many in one run are forgiven."""


class Reruns:
    """Registered once, in the process that reports."""

    def __init__(self) -> None:
        self._failures: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome == "rerun":
            self._failures.append((report.nodeid, report.longreprtext))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if len(self._failures) > MOST and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._failures:
            return
        terminalreporter.section("failed, and were run once more")
        for name, told in self._failures:
            terminalreporter.write_line(f"{name}\n{told}\n")
        if len(self._failures) > MOST:
            terminalreporter.write_line(f"{len(self._failures)} are too many: at most {MOST} are forgiven.")
