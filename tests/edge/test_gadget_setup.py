"""`edge gadget` in a tree that behaves as configfs does."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import ConfigError, Unavailable
from edge_agents.cli import app
from edge_agents.gadget_setup import GadgetTree
from edge_agents.hid_reports import KEYBOARD_DESCRIPTOR, POINTER_DESCRIPTOR

UDC = "fe980000.usb"
GADGET = "sys/kernel/config/usb_gadget/teleconsult"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders get their files when they are made, and lose them when they are removed; others' stay."""
    (tmp_path / "sys/kernel/config/usb_gadget").mkdir(parents=True)
    for name in (UDC, "zz.usb"):
        (tmp_path / "sys/class/udc" / name).mkdir(parents=True)
        (tmp_path / "sys/class/udc" / name / "state").write_text("not attached\n")
    make, remove = Path.mkdir, os.rmdir

    def mkdir(self: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        make(self, mode, parents, exist_ok)
        if self.name.startswith("hid.usb"):
            (self / "dev").write_text(f"236:{self.name[-1]}\n")
            (self / "no_out_endpoint").write_text("0\n")

    def rmdir(self: Path) -> None:
        for inside in self.iterdir():
            if inside.is_symlink() or (inside.is_dir() and any(inside.iterdir())):
                raise OSError(errno.EBUSY, "busy", str(self))
            inside.rmdir() if inside.is_dir() else inside.unlink()
        remove(self)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(Path, "rmdir", rmdir)
    return tmp_path


def test_a_keyboard_and_a_pointer_are_made_and_bound_to_the_first_controller(root: Path) -> None:
    made = GadgetTree(root).set_up()
    assert (made.udc, made.keyboard, made.pointer, made.changed) == (UDC, "/dev/hidg0", "/dev/hidg1", True)
    assert made.state == "not attached"
    gadget = root / GADGET
    keyboard, pointer = gadget / "functions/hid.usb0", gadget / "functions/hid.usb1"
    assert (keyboard / "report_desc").read_bytes() == KEYBOARD_DESCRIPTOR
    assert (pointer / "report_desc").read_bytes() == POINTER_DESCRIPTOR
    values = {
        name: int((keyboard / name).read_text(), 0) for name in ("protocol", "subclass", "report_length")
    }
    assert values == {"protocol": 1, "subclass": 1, "report_length": 8}
    assert int((pointer / "report_length").read_text(), 0) == 6
    assert (keyboard / "no_out_endpoint").read_text() == "1"
    assert (gadget / "configs/c.1/hid.usb0").resolve() == keyboard.resolve()
    assert (gadget / "UDC").read_text() == UDC


def test_done_again_nothing_changes_and_a_device_in_use_is_not_disturbed(root: Path) -> None:
    tree = GadgetTree(root)
    tree.set_up()
    before = {path: path.lstat().st_mtime_ns for path in (root / GADGET).rglob("*")}
    assert not tree.set_up().changed
    assert {path: path.lstat().st_mtime_ns for path in (root / GADGET).rglob("*")} == before


@pytest.mark.parametrize(
    ("name", "content"), [("UDC", "\n"), ("functions/hid.usb0/report_desc", "x"), ("bcdUSB", "junk")]
)
def test_what_is_half_or_otherwise_is_made_anew(root: Path, name: str, content: str) -> None:
    tree = GadgetTree(root)
    tree.set_up()
    (root / GADGET / name).write_text(content)
    assert tree.set_up().changed
    assert not tree.set_up().changed


def test_one_that_was_made_in_part_is_finished(root: Path) -> None:
    (root / GADGET / "functions/hid.usb0").mkdir(parents=True)
    assert GadgetTree(root).set_up().changed
    assert not GadgetTree(root).set_up().changed


def test_another_controller_can_be_named_and_one_that_is_not_there_cannot(root: Path) -> None:
    tree = GadgetTree(root)
    assert tree.set_up().udc == UDC
    assert tree.set_up("zz.usb").changed
    with pytest.raises(ConfigError, match=f"there is {UDC}, zz.usb"):
        tree.set_up("other")


def test_removed_nothing_is_left_and_others_gadgets_are(root: Path) -> None:
    other = root / "sys/kernel/config/usb_gadget/other"
    other.mkdir()
    tree = GadgetTree(root)
    tree.set_up()
    assert tree.remove()
    assert not (root / GADGET).exists()
    assert other.is_dir()
    assert not tree.remove()


def test_what_this_machine_lacks_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="mount -t configfs"):
        GadgetTree(tmp_path).set_up()
    (tmp_path / "sys/kernel/config").mkdir(parents=True)
    with pytest.raises(Unavailable, match="modprobe libcomposite"):
        GadgetTree(tmp_path).set_up()
    (tmp_path / "sys/kernel/config/usb_gadget").mkdir()
    with pytest.raises(Unavailable, match="no USB device controller"):
        GadgetTree(tmp_path).set_up()


@pytest.mark.parametrize(
    ("number", "says"), [(errno.EACCES, "sudo"), (errno.EBUSY, "in use"), (errno.ENOSPC, "No space")]
)
def test_what_the_kernel_refuses_is_explained(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(self: Path, *_args: object) -> None:
        raise OSError(number, "no", str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(Unavailable, match=says):
        GadgetTree(root).set_up()


def test_the_command_says_what_belongs_into_the_file(root: Path) -> None:
    done = CliRunner().invoke(app, ["gadget", "--root", str(root)])
    assert done.exit_code == 0, done.exception
    assert 'keyboard = "/dev/hidg0"' in done.stdout
    again = json.loads(CliRunner().invoke(app, ["gadget", "--root", str(root), "--json"]).stdout)
    assert (again["changed"], again["udc"]) == (False, UDC)
    removed = json.loads(
        CliRunner().invoke(app, ["gadget", "--root", str(root), "--remove", "--json"]).stdout
    )
    assert removed == {"removed": True}
