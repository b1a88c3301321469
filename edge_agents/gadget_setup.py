"""The kernel's USB gadget that makes a box a device's keyboard and pointer: a folder tree in configfs.

Linux: Documentation/usb/gadget_configfs.rst; Documentation/ABI/testing/configfs-usb-gadget-hid.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import ConfigError, Unavailable
from edge_agents.hid_reports import (
    KEYBOARD_DESCRIPTOR,
    KEYBOARD_REPORT_BYTES,
    POINTER_DESCRIPTOR,
    POINTER_REPORT_BYTES,
)

NAME: Final = "teleconsult"
_LINUX_FOUNDATION: Final = 0x1D6B
_COMPOSITE_GADGET: Final = 0x0104
_BUS_AND_SELF_POWERED: Final = 0xC0
_ENGLISH: Final = "strings/0x409"
_CONFIG: Final = "configs/c.1"
_HID: Final = ("hid.usb0", "hid.usb1")
"""The keyboard, and the pointer, made in this order: on a box without others hidg0 and hidg1."""

_VALUES: Final[dict[str, int | str]] = {
    "idVendor": _LINUX_FOUNDATION,
    "idProduct": _COMPOSITE_GADGET,
    "bcdUSB": 0x0200,
    "bcdDevice": 0x0100,
    f"{_ENGLISH}/serialnumber": "1",
    f"{_ENGLISH}/manufacturer": "Teleconsult",
    f"{_ENGLISH}/product": "Teleconsult capture box",
    f"{_CONFIG}/{_ENGLISH}/configuration": "Keyboard and pointer",
    f"{_CONFIG}/bmAttributes": _BUS_AND_SELF_POWERED,
    f"{_CONFIG}/MaxPower": 100,
    "functions/hid.usb0/protocol": 1,  # keyboard, boot interface: HID 1.11, sections 4.2 and 4.3
    "functions/hid.usb0/subclass": 1,
    "functions/hid.usb0/report_length": KEYBOARD_REPORT_BYTES,
    "functions/hid.usb1/protocol": 0,  # no boot mouse: its reports are others
    "functions/hid.usb1/subclass": 0,
    "functions/hid.usb1/report_length": POINTER_REPORT_BYTES,
}
_DESCRIPTORS: Final = {
    "functions/hid.usb0/report_desc": KEYBOARD_DESCRIPTOR,
    "functions/hid.usb1/report_desc": POINTER_DESCRIPTOR,
}
_NO_OUT_ENDPOINT: Final = "no_out_endpoint"
"""Newer kernels have it: LEDs then come by the control endpoint, and no host waits for a reader."""


@dataclass(frozen=True)
class Gadget:
    """As it is set up. `state`: what the controller says, `configured` when a host has taken it."""

    udc: str
    keyboard: str
    pointer: str
    state: str
    changed: bool


class GadgetTree:
    """`root`: of the file system, `/` but for tests."""

    def __init__(self, root: Path) -> None:
        self._configfs = root / "sys/kernel/config"
        self._udcs = root / "sys/class/udc"
        self._gadget = self._configfs / "usb_gadget" / NAME

    def set_up(self, udc: str = "") -> Gadget:
        """Make it and bind it to that USB device controller, or the first. As it should be, it is left alone.

        Raises `ConfigError` for a controller that there is not, `Unavailable` for what this machine lacks.
        """
        self._check_kernel()
        chosen = self._choose(udc)
        with _explained():
            changed = not self._is_right(chosen)
            if changed:
                self._take_down()
                self._build()
                (self._gadget / "UDC").write_text(chosen)
            return Gadget(chosen, self._device(_HID[0]), self._device(_HID[1]), self._state(chosen), changed)

    def remove(self) -> bool:
        """Unplug it, for the device's host; False: there was none. Raises `Unavailable`."""
        with _explained():
            return self._take_down()

    def _check_kernel(self) -> None:
        if not self._configfs.is_dir():
            raise Unavailable(f"no {self._configfs}: mount -t configfs none /sys/kernel/config")
        if not self._gadget.parent.is_dir():
            raise Unavailable(
                f"no {self._gadget.parent}: this kernel has not loaded libcomposite: modprobe libcomposite"
            )

    def _choose(self, udc: str) -> str:
        found = sorted(one.name for one in self._udcs.iterdir()) if self._udcs.is_dir() else []
        if not found:
            raise Unavailable(
                "no USB device controller: this machine has no port that can be a device"
                " (on a Raspberry Pi 4 or 5: dtoverlay=dwc2,dr_mode=peripheral)"
            )
        if udc and udc not in found:
            raise ConfigError(f"--udc {udc}: no such USB device controller; there is {', '.join(found)}")
        return udc or found[0]

    def _is_right(self, udc: str) -> bool:
        try:
            values = all(self._has(name, value) for name, value in _VALUES.items())
            descriptors = all(
                (self._gadget / name).read_bytes() == wanted for name, wanted in _DESCRIPTORS.items()
            )
            bound = (self._gadget / "UDC").read_text().strip() == udc
        except FileNotFoundError:
            return False
        return values and descriptors and bound and all(self._link(name).is_symlink() for name in _HID)

    def _has(self, name: str, wanted: int | str) -> bool:
        text = (self._gadget / name).read_text().strip()
        if isinstance(wanted, str):
            return text == wanted
        try:
            return int(text, 0) == wanted
        except ValueError:
            return False

    def _build(self) -> None:
        for name in ("", _ENGLISH, f"{_CONFIG}/{_ENGLISH}", *(f"functions/{one}" for one in _HID)):
            (self._gadget / name).mkdir(parents=True, exist_ok=True)
        for name, value in _VALUES.items():
            (self._gadget / name).write_text(value if isinstance(value, str) else hex(value))
        for name, descriptor in _DESCRIPTORS.items():
            (self._gadget / name).write_bytes(descriptor)
        for one in _HID:
            function = self._gadget / "functions" / one
            if (function / _NO_OUT_ENDPOINT).exists():
                (function / _NO_OUT_ENDPOINT).write_text("1")
            self._link(one).symlink_to(function)

    def _take_down(self) -> bool:
        """In the order that configfs wants: unbound, unlinked, then what was made, innermost first."""
        if not self._gadget.is_dir():
            return False
        with contextlib.suppress(FileNotFoundError):
            if (self._gadget / "UDC").read_text().strip():
                (self._gadget / "UDC").write_text("\n")
        for one in _HID:
            self._link(one).unlink(missing_ok=True)
        inner = (f"{_CONFIG}/{_ENGLISH}", _CONFIG, *(f"functions/{one}" for one in _HID), _ENGLISH, "")
        for name in inner:
            with contextlib.suppress(FileNotFoundError):
                (self._gadget / name).rmdir()
        return True

    def _link(self, function: str) -> Path:
        return self._gadget / _CONFIG / function

    def _device(self, function: str) -> str:
        """The kernel says `major:minor`; the files are numbered by the minor."""
        text = (self._gadget / "functions" / function / "dev").read_text().strip()
        return f"/dev/hidg{int(text.rpartition(':')[2])}"

    def _state(self, udc: str) -> str:
        try:
            return (self._udcs / udc / "state").read_text().strip()
        except OSError:
            return "unknown"


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What the kernel refuses → `Unavailable`."""
    try:
        yield
    except PermissionError as error:
        raise Unavailable(f"{error.filename or NAME}: only root sets up a gadget: sudo") from None
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise Unavailable(
                f"{error.filename or NAME}: in use: another gadget has this controller"
            ) from None
        raise Unavailable(f"{error.filename or NAME}: {os.strerror(error.errno or 0)}") from None
