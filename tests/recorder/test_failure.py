"""What a room is told when nothing can be recorded."""

from __future__ import annotations

import errno
import os

import pytest

from core.errors import ConfigError
from recorder.failure import failure_of


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EIO, "disk_fails"),
        (errno.EACCES, "disk_fails"),
        (errno.EROFS, "disk_fails"),
    ],
)
def test_what_the_disk_says_becomes_a_word_and_no_path_goes_out(number: int, problem: str) -> None:
    failure = failure_of(OSError(number, os.strerror(number), "/archive/secret"))
    assert (failure.problem, failure.reason) == (problem, os.strerror(number))


def test_an_error_without_a_number_still_has_a_reason() -> None:
    assert failure_of(OSError()).reason != ""


def test_wrong_settings_are_called_that() -> None:
    assert failure_of(ConfigError("recording needs at least two recipients")).problem == "setup"
