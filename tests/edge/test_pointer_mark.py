"""A process that dies with a button down: the next one lets go of it where it was, and else moves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agents.config import EdgeConfig, parse_config
from edge_agents.control import Controls
from edge_agents.hid_gadget import DeviceFailed, GadgetFile
from edge_agents.hid_reports import AXIS_MAX, PointerState, pointer_report
from edge_agents.pointer_mark import PointerMark
from tests.edge.support import StepClock
from tests.edge.test_hid_gadget import Host

MOVED = pointer_report(PointerState(50, 60, 0))
PRESSED = pointer_report(PointerState(100, 200, 1))
DRAGGED = pointer_report(PointerState(900, 800, 1))
RELEASED = pointer_report(PointerState(900, 800, 0))


@pytest.fixture
def box(tmp_path: Path) -> tuple[Host, EdgeConfig, GadgetFile]:
    """A pointer's host, a box's configuration, and the gadget's file of a process of it that will die."""
    host = Host(tmp_path / "hidg1")
    feed = {
        "name": "us", "source": {"kind": "testcard"}, "width": 320, "height": 180, "still_mb": 8,
        "control": {"backend": "usb_gadget", "pointer": str(host.path)},
    }  # fmt: skip
    values = {"server": "http://127.0.0.1:1", "ring_dir": "new/ring", "feeds": [feed]}
    config = parse_config(values, tmp_path / "edge.toml")
    file = GadgetFile(host.path, "pointer", StepClock(), PointerMark(config.ring_dir / "pointer-down.us"))
    return host, config, file


def begin(config: EdgeConfig) -> None:
    """Another process of that box."""
    Controls(config.feeds, StepClock(), config.ring_dir).close()


def test_a_button_that_was_down_goes_up_where_it_was_and_once(
    box: tuple[Host, EdgeConfig, GadgetFile],
) -> None:
    host, config, file = box
    for report in (MOVED, PRESSED, DRAGGED):
        file.put(report)
    host.fetch()
    begin(config)
    assert host.fetch() == RELEASED
    begin(config)
    assert host.fetch() == b""


def test_with_no_button_down_the_pointer_is_told_nothing(box: tuple[Host, EdgeConfig, GadgetFile]) -> None:
    host, config, file = box
    begin(config)
    assert host.fetch() == b""
    for report in (MOVED, PRESSED, RELEASED):
        file.put(report)
    host.fetch()
    begin(config)
    assert host.fetch() == b""


def test_a_release_that_the_host_has_not_fetched_yet_leaves_the_mark(
    box: tuple[Host, EdgeConfig, GadgetFile],
) -> None:
    host, config, file = box
    file.put(DRAGGED)
    host.stop_fetching()
    file.put(RELEASED)
    host.fetch()
    begin(config)
    assert host.fetch() == RELEASED


def test_what_cannot_be_marked_is_not_pressed(box: tuple[Host, EdgeConfig, GadgetFile]) -> None:
    host, config, file = box
    config.ring_dir.parent.write_text("no folder")
    file.put(MOVED)
    with pytest.raises(DeviceFailed):
        file.put(PRESSED)
    assert host.fetch() == MOVED


@pytest.mark.parametrize(
    "content", [b"", DRAGGED[:-1], DRAGGED * 2, pointer_report(PointerState(AXIS_MAX + 1, 0, 1))]
)
def test_a_mark_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mark").write_bytes(content)
    assert PointerMark(tmp_path / "mark").read() is None
