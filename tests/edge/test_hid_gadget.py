"""Writing to a gadget that blocks, breaks and comes back: nothing lost, nothing reordered, everything up."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import NS_PER_S
from edge_agents.control_config import ControlConfig
from edge_agents.hid_gadget import MAX_WAITING, RETRY_S, STUCK_S, DeviceFailed, GadgetFile, open_console
from edge_agents.hid_reports import HidReport, PointerState, keyboard_report, pointer_report
from edge_agents.pointer_mark import PointerMark
from tests.edge.support import StepClock

UP = keyboard_report(())
DOWN = [keyboard_report([f"Key{letter}"]) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]


class Host:
    """A FIFO for a device file: full, it takes nothing (EAGAIN), as a gadget whose host does not fetch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._filler = -1

    def stop_fetching(self) -> None:
        """It is full to the last byte."""
        self._filler = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        for size in (4096, 1):
            try:
                while True:
                    os.write(self._filler, b"\xff" * size)
            except BlockingIOError:
                pass

    def fetch(self) -> bytes:
        """Everything, but for what it was filled with."""
        got = b""
        try:
            while part := os.read(self._fd, 65536):
                got += part
        except BlockingIOError:
            pass
        return got.lstrip(b"\xff")

    def unplug(self) -> None:
        for fd in (self._fd, self._filler):
            if fd >= 0:
                os.close(fd)
        self._fd = self._filler = -1

    def plug_in(self) -> None:
        self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path / "hidg0")
    yield made
    made.unplug()


def later(clock: StepClock, seconds: float) -> None:
    clock.advance(int(seconds * NS_PER_S))


def test_a_report_is_written_at_once(host: Host, clock: StepClock) -> None:
    file = GadgetFile(host.path, "keyboard", clock)
    file.put(DOWN[0])
    assert host.fetch() == DOWN[0]
    assert not file.waits


def test_keys_wait_in_their_order_while_the_host_does_not_fetch(host: Host, clock: StepClock) -> None:
    file = GadgetFile(host.path, "keyboard", clock)
    host.stop_fetching()
    for report in DOWN:
        file.put(report)
    assert file.waits
    host.fetch()
    file.pump()
    assert host.fetch() == b"".join(DOWN)
    assert not file.waits


def test_of_motions_that_wait_the_latest_wins_but_no_click_and_no_turn_of_the_wheel_is_lost(
    host: Host, clock: StepClock
) -> None:
    file = GadgetFile(host.path, "pointer", clock)
    host.stop_fetching()
    moves = [pointer_report(PointerState(x, x, 0)) for x in range(100)]
    clicks = [pointer_report(PointerState(99, 99, 1)), pointer_report(PointerState(99, 99, 0))]
    wheel = [pointer_report(PointerState(99, 99, 0), 1), pointer_report(PointerState(99, 99, 0), -2)]
    for report in [*moves, *clicks, *wheel]:
        file.put(report)
    host.fetch()
    file.pump()
    assert host.fetch() == b"".join([moves[-1], *clicks, *wheel])


def test_a_press_and_a_release_keep_their_places_however_far_the_pointer_moves_after_them(
    host: Host, clock: StepClock
) -> None:
    file = GadgetFile(host.path, "pointer", clock)
    host.stop_fetching()
    said = [(100, 0), (100, 1), (500, 1), (900, 1), (900, 0), (4000, 0), (5000, 0)]
    for x, buttons in said:
        file.put(pointer_report(PointerState(x, x, buttons)))
    host.fetch()
    file.pump()
    kept = [(100, 0), (100, 1), (900, 1), (900, 0), (5000, 0)]
    assert host.fetch() == b"".join(pointer_report(PointerState(x, x, buttons)) for x, buttons in kept)


def test_a_press_keeps_its_place_though_what_was_before_it_is_written_or_owed(
    host: Host, clock: StepClock
) -> None:
    file = GadgetFile(host.path, "pointer", clock)
    moved, up, *drag = [pointer_report(PointerState(x, x, b)) for x, b in ((1, 0), (2, 0), (3, 1), (9, 1))]
    file.put(moved)
    assert host.fetch() == moved
    host.stop_fetching()
    for report in drag:
        file.put(report)
    host.fetch()
    file.pump()
    assert host.fetch() == b"".join(drag)
    host.stop_fetching()
    file.owe(up)
    for report in drag:
        file.put(report)
    host.fetch()
    file.pump()
    assert host.fetch() == b"".join([up, *drag])


def test_everything_up_goes_before_what_waits_and_instead_of_it(host: Host, clock: StepClock) -> None:
    file = GadgetFile(host.path, "keyboard", clock)
    host.stop_fetching()
    file.put(DOWN[0])
    file.owe(UP)
    file.pump()
    file.put(DOWN[1])
    host.fetch()
    file.pump()
    assert host.fetch() == UP + DOWN[1]


def test_a_host_that_never_fetches_is_a_failure_once_and_everything_up_stays_owed(
    host: Host, clock: StepClock
) -> None:
    file = GadgetFile(host.path, "keyboard", clock)
    host.stop_fetching()
    file.put(DOWN[0])
    later(clock, STUCK_S - 0.1)
    file.pump()
    later(clock, 0.1)
    with pytest.raises(DeviceFailed, match="fetch"):
        file.pump()
    file.owe(UP)
    with pytest.raises(DeviceFailed):
        file.pump(again=True)
    with pytest.raises(DeviceFailed):
        file.put(DOWN[1])
    for _ in range(3):
        later(clock, RETRY_S)
        file.pump()
    host.fetch()
    later(clock, RETRY_S)
    file.pump()
    assert host.fetch() == UP, "neither what was pressed before, nor what came while it failed"
    file.put(DOWN[2])
    assert host.fetch() == DOWN[2]


def test_too_many_reports_that_wait_are_a_failure_not_a_loss_in_the_middle(
    host: Host, clock: StepClock
) -> None:
    file = GadgetFile(host.path, "keyboard", clock)
    host.stop_fetching()
    for number in range(MAX_WAITING):
        file.put(DOWN[number % 2])
    with pytest.raises(DeviceFailed):
        file.put(DOWN[0])
    host.fetch()
    later(clock, RETRY_S)
    file.pump()
    assert host.fetch() == b""


def test_a_cable_that_is_out_is_a_failure_and_plugged_in_again_everything_up_is_the_first_report(
    host: Host, clock: StepClock
) -> None:
    file = GadgetFile(host.path, "keyboard", clock)
    file.put(DOWN[0])
    host.unplug()
    with pytest.raises(DeviceFailed, match="EPIPE"):
        file.put(DOWN[1])
    file.owe(UP)
    with pytest.raises(DeviceFailed, match="ENXIO"):
        file.pump(again=True)
    host.plug_in()
    file.pump()  # not yet
    assert host.fetch() == b""
    later(clock, RETRY_S)
    file.pump()
    assert host.fetch() == UP


@pytest.mark.parametrize("number", [errno.ESHUTDOWN, errno.ENODEV, errno.EIO])
def test_what_the_kernel_says_is_named(
    host: Host, clock: StepClock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    file = GadgetFile(host.path, "keyboard", clock)

    def refuse(_fd: int, _data: bytes) -> int:
        raise OSError(number, "no")

    monkeypatch.setattr("edge_agents.hid_gadget.os.write", refuse)
    with pytest.raises(DeviceFailed, match=errno.errorcode[number]):
        file.put(DOWN[0])


def test_a_report_that_is_taken_in_part_is_a_failure(
    host: Host, clock: StepClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = GadgetFile(host.path, "keyboard", clock)
    monkeypatch.setattr("edge_agents.hid_gadget.os.write", lambda fd, data: 3)
    with pytest.raises(DeviceFailed, match="EIO"):
        file.put(DOWN[0])


def test_closing_waits_a_moment_for_the_last_word_and_not_for_ever(host: Host, clock: StepClock) -> None:
    file = GadgetFile(host.path, "keyboard", clock)
    host.stop_fetching()
    file.owe(UP)
    file.close()
    assert host.fetch() == b""


def test_both_files_of_a_device_are_tried_though_one_fails(
    host: Host, clock: StepClock, tmp_path: Path
) -> None:
    console = open_console(
        ControlConfig(backend="usb_gadget", keyboard=tmp_path / "nothing", pointer=host.path),
        clock,
        PointerMark(tmp_path / "mark"),
    )
    up = pointer_report(PointerState(1, 1, 0))
    with pytest.raises(DeviceFailed, match="ENOENT"):
        console.let_go((HidReport("keyboard", UP), HidReport("pointer", up)))
    assert host.fetch() == up
    assert not console.waits, "tried again at leisure, not as fast as it goes"
    console.close()


def test_a_recording_is_lines_that_only_its_owner_reads(tmp_path: Path, clock: StepClock) -> None:
    file = tmp_path / "pressed.jsonl"
    console = open_console(
        ControlConfig(backend="recording", file=file), clock, PointerMark(tmp_path / "mark")
    )
    console.write(HidReport("keyboard", DOWN[0]))
    console.let_go((HidReport("keyboard", UP),))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["report"] for line in lines] == [DOWN[0].hex(), UP.hex()]
    assert lines[0]["at_us"] == clock.unix_ns() // 1000
    assert file.stat().st_mode & 0o777 == 0o600
    broken = ControlConfig(backend="recording", file=tmp_path)
    with pytest.raises(DeviceFailed):
        open_console(broken, clock, PointerMark(tmp_path / "mark")).write(lines_report())


def lines_report() -> HidReport:
    return HidReport("keyboard", UP)
