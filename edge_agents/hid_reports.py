"""Pure: what is pressed → USB HID reports of a boot keyboard and of a pointer that knows its place.

HID 1.11: Device Class Definition for Human Interface Devices. HUT 1.4: HID Usage Tables.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable
from typing import Final, Literal, NamedTuple

HidDevice = Literal["keyboard", "pointer"]

KEYBOARD_REPORT_BYTES: Final = 8
POINTER_REPORT_BYTES: Final = 6
KEYS_AT_ONCE: Final = 6
ERROR_ROLL_OVER: Final = 0x01
"""In all six places when more keys are down than fit; modifiers are told anyway (HID 1.11, appendix C)."""
AXIS_MAX: Final = 32767
_POINTER: Final = struct.Struct("<BHHb")

KEYBOARD_DESCRIPTOR: Final = bytes.fromhex(
    "0501"  # Usage Page (Generic Desktop)
    "0906"  # Usage (Keyboard)
    "a101"  # Collection (Application)
    "0507"  # . Usage Page (Keyboard/Keypad)
    "19e0 29e7 1500 2501 7501 9508 8102"  # . eight modifiers, a bit each: Input (Data, Variable, Absolute)
    "7508 9501 8101"  # . a byte that is reserved: Input (Constant)
    "0508 1901 2905 7501 9505 9102"  # . five LEDs: Output (Data, Variable, Absolute)
    "7503 9501 9101"  # . and what is left of their byte: Output (Constant)
    "0507 1900 29ff 1500 26ff00 7508 9506 8100"  # . six keys, a usage each: Input (Data, Array)
    "c0"
)
"""HID 1.11, appendix E.6, but with usages up to 0xFF: the keypad's comma is 0x85. Boot: appendix B.1."""
POINTER_DESCRIPTOR: Final = bytes.fromhex(
    "0501 0902 a101"  # Generic Desktop, Mouse, Collection (Application)
    "0901 a100"  # . Pointer, Collection (Physical)
    "0509 1901 2903 1500 2501 7501 9503 8102"  # . three buttons, a bit each
    "7505 9501 8101"  # . and what is left of their byte
    "0501 0930 0931 1500 26ff7f 7510 9502 8102"  # . X and Y, 0 to 32767: Input (Data, Variable, Absolute)
    "0938 1581 257f 7508 9501 8106"  # . Wheel, -127 to 127: Input (Data, Variable, Relative)
    "c0 c0"
)
"""HUT 1.4, section 4: a mouse whose X and Y say where it is, so it follows what is pointed at."""

_KEYPAD: Final = {
    "NumLock": 0x53, "NumpadDivide": 0x54, "NumpadMultiply": 0x55, "NumpadSubtract": 0x56, "NumpadAdd": 0x57,
    "NumpadEnter": 0x58, "Numpad0": 0x62, "NumpadDecimal": 0x63, "NumpadEqual": 0x67, "NumpadComma": 0x85,
} | {f"Numpad{digit}": 0x58 + digit for digit in range(1, 10)}  # fmt: skip
_EDITING: Final = {
    "Enter": 0x28, "Escape": 0x29, "Backspace": 0x2A, "Tab": 0x2B, "Space": 0x2C, "Minus": 0x2D,
    "Equal": 0x2E, "BracketLeft": 0x2F, "BracketRight": 0x30, "Backslash": 0x31, "Semicolon": 0x33,
    "Quote": 0x34,
    "Backquote": 0x35, "Comma": 0x36, "Period": 0x37, "Slash": 0x38, "CapsLock": 0x39, "PrintScreen": 0x46,
    "ScrollLock": 0x47, "Pause": 0x48, "Insert": 0x49, "Home": 0x4A, "PageUp": 0x4B, "Delete": 0x4C,
    "End": 0x4D, "PageDown": 0x4E, "ArrowRight": 0x4F, "ArrowLeft": 0x50, "ArrowDown": 0x51, "ArrowUp": 0x52,
    "IntlBackslash": 0x64, "ContextMenu": 0x65,
}  # fmt: skip
USAGES: Final[dict[str, int]] = (
    {f"Key{chr(ord('A') + number)}": 0x04 + number for number in range(26)}
    | {f"Digit{digit}": 0x1D + digit for digit in range(1, 10)}
    | {"Digit0": 0x27}
    | {f"F{number}": 0x39 + number for number in range(1, 13)}
    | {f"F{number}": 0x5B + number for number in range(13, 25)}
    | _EDITING
    | _KEYPAD
)
"""`KeyboardEvent.code` → usage on page 0x07 (HUT 1.4, section 10)."""
MODIFIERS: Final[dict[str, int]] = {
    name: 1 << bit
    for bit, name in enumerate(
        f"{name}{side}" for side in ("Left", "Right") for name in ("Control", "Shift", "Alt", "Meta")
    )
}
"""`KeyboardEvent.code` → its bit in the report's first byte (usages 0xE0 to 0xE7; HID 1.11, section 8.3)."""


class HidReport(NamedTuple):
    """One input report, and whose it is."""

    device: HidDevice
    data: bytes


class Screen(NamedTuple):
    """The feed's picture, and the device's own one in it, in pixels. The device's 0: not known, all of it."""

    feed_width: int
    feed_height: int
    width: int = 0
    height: int = 0

    def place(self, x: float, y: float) -> tuple[int, int]:
        """A point of the feed's picture, 0 to 1 → of the device's screen, 0 to `AXIS_MAX`; bars: its edge."""
        width, height = self._shown()
        return (
            _on_axis(x, self.feed_width, width),
            _on_axis(y, self.feed_height, height),
        )

    def _shown(self) -> tuple[int, int]:
        """The size of the device's picture in the feed's, as `sources.fit` makes it: whole, even numbers."""
        if not self.width or not self.height:
            return self.feed_width, self.feed_height
        wide = min(self.feed_width, round(self.feed_height * self.width / self.height))
        high = min(self.feed_height, round(self.feed_width * self.height / self.width))
        return max(2, wide // 2 * 2), max(2, high // 2 * 2)


def _on_axis(at: float, whole: int, shown: int) -> int:
    bar = (whole - shown) // 2 & ~1
    within = (at * whole - bar) / shown
    return round(min(1.0, max(0.0, within)) * AXIS_MAX)


class PointerState(NamedTuple):
    """Where it is, 0 to `AXIS_MAX`, and its buttons as `MouseEvent.buttons`, which are HID's, too."""

    x: int
    y: int
    buttons: int


def keyboard_report(keys: Iterable[str]) -> bytes:
    """Eight bytes for the keys that are down, by `KeyboardEvent.code`; unknown ones are not pressed."""
    modifiers, usages = 0, list[int]()
    for key in keys:
        modifiers |= MODIFIERS.get(key, 0)
        usage = USAGES.get(key)
        if usage is not None and usage not in usages:
            usages.append(usage)
    if len(usages) > KEYS_AT_ONCE:
        usages = [ERROR_ROLL_OVER] * KEYS_AT_ONCE
    return bytes([modifiers, 0, *usages]).ljust(KEYBOARD_REPORT_BYTES, b"\0")


def pointer_report(state: PointerState, wheel: int = 0) -> bytes:
    """Six bytes. `wheel`: -127 to 127, positive away from the user."""
    return _POINTER.pack(state.buttons & 0x07, state.x, state.y, wheel)


def read_pointer_report(report: bytes) -> PointerState:
    """What those six bytes say, but for the wheel."""
    buttons, x, y, _wheel = _POINTER.unpack(report)
    return PointerState(x, y, buttons)


class Hands:
    """What lies on the device's keyboard and pointer: only changes become reports.

    `at`: where the pointer is, if that is known. Before it is, no report tells a place: it would move there.
    """

    def __init__(self, devices: Collection[HidDevice], at: PointerState | None = None) -> None:
        self._devices = frozenset(devices)
        self._down: tuple[str, ...] = ()
        self._pointer = at
        self._held_off_keys = frozenset[str]()
        self._held_off_buttons = 0
        """What was down when everything was let go of, and was not said to be up since."""

    @property
    def idle(self) -> bool:
        """Nothing is down."""
        return not self._down and not self._buttons

    @property
    def _buttons(self) -> int:
        return 0 if self._pointer is None else self._pointer.buttons

    def press(self, keys: Collection[str], pointer: PointerState | None, wheel: int = 0) -> list[HidReport]:
        """This is down now, and nothing else. `pointer` None: it stays, with no button down."""
        self._held_off_keys &= frozenset(keys)
        self._held_off_buttons &= 0 if pointer is None else pointer.buttons
        down = tuple(key for key in keys if key not in self._held_off_keys)
        state = _with_buttons(self._pointer, 0)
        if pointer is not None:
            state = _with_buttons(pointer, pointer.buttons & ~self._held_off_buttons)
        reports = list[HidReport]()
        if keyboard_report(down) != keyboard_report(self._down):
            reports.append(HidReport("keyboard", keyboard_report(down)))
        if state is not None and (state != self._pointer or wheel):
            reports.append(HidReport("pointer", pointer_report(state, wheel)))
        self._down, self._pointer = down, state
        return [one for one in reports if one.device in self._devices]

    def let_go(self) -> tuple[HidReport, ...]:
        """Everything up, said again even if it is. Whatever is pressed next goes down."""
        self._down, self._pointer = (), _with_buttons(self._pointer, 0)
        self._held_off_keys, self._held_off_buttons = frozenset(), 0
        reports = [HidReport("keyboard", keyboard_report(()))]
        if self._pointer is not None:
            reports.append(HidReport("pointer", pointer_report(self._pointer)))
        return tuple(one for one in reports if one.device in self._devices)

    def hold_off(self) -> tuple[HidReport, ...]:
        """Everything up, if it is not. What was down goes down again only once it was said to be up."""
        keys, buttons = self._held_off_keys.union(self._down), self._held_off_buttons | self._buttons
        reports = () if self.idle else self.let_go()
        self._held_off_keys, self._held_off_buttons = keys, buttons
        return reports

    def hold_off_all(self, keys: Iterable[str], buttons: int) -> tuple[HidReport, ...]:
        """As `hold_off`, told what is down meanwhile: no key or button of that goes down, either."""
        reports = self.hold_off()
        self._held_off_keys, self._held_off_buttons = frozenset(keys), buttons
        return reports


def _with_buttons(state: PointerState | None, buttons: int) -> PointerState | None:
    return None if state is None else state._replace(buttons=buttons)
