"""Remote control of a device's console, as it travels: who asks for it, how far it is, what is pressed.

A control goes asked → granted (a host allows it) → active (somebody confirmed it at the box) → ended. The box
has the last word: without its confirmation nothing is pressed, whatever the server says.

What is pressed travels as a state, not as a change: all keys that are down, where the pointer is, its
buttons. A lost message leaves no key down, and the same state again is a sign of life.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.vocabulary import Identifier

CONTROL_MINUTES_MAX: Final = 15
KEYS_MAX: Final = 14
"""Eight modifiers and six keys, as many as a boot keyboard reports (HID 1.11, appendix B.1)."""
ANSWER_WITHIN_S: Final = 120
"""An ask that no host answers, and a grant that nobody confirms at the box, end after this."""
SIGN_OF_LIFE_S: Final = 0.5
"""How often whoever controls says what is down, even when nothing changes."""
RELEASE_AFTER_S: Final = 1.5
"""Without a sign of life for this long the box lets go of every key and button."""
SILENT_AFTER_S: Final = 10.0
"""And after this long it ends the control."""

ControlWay = Literal["code", "touch", "badge"]
"""How it is confirmed beside the box: a code that the box shows, typed by a host; a touch; a badge's QR."""
ControlStage = Literal["asked", "granted", "active"]
ControlEnd = Literal[
    "refused",
    "withdrawn",
    "not_answered",
    "not_confirmed",
    "wrong_code",
    "expired",
    "stopped",
    "stopped_at_box",
    "controller_left",
    "silent",
    "box_left",
    "paused",
    "device_failed",
]
"""Why it is over: a host refused; whoever asked took it back; nobody answered, or confirmed, in time; three
wrong codes; its time is up; whoever controls, or a host, or somebody at the box stopped it; whoever controls
is gone, or says nothing any more; the box is gone; a privacy pause; the gadget does not take what is pressed.
"""

_CODES: Final = re.compile(
    r"Key[A-Z]|Digit[0-9]|F(?:[1-9]|1[0-9]|2[0-4])|Arrow(?:Up|Down|Left|Right)|Numpad(?:[0-9]|Add|Subtract|Multiply|Divide"
    r"|Decimal|Enter|Equal|Comma)|(?:Shift|Control|Alt|Meta)(?:Left|Right)|Escape|Enter|Tab|Backspace|Space|Minus"
    r"|Equal|BracketLeft|BracketRight|Backslash|Semicolon|Quote|Backquote|Comma|Period|Slash|CapsLock|PrintScreen"
    r"|ScrollLock|Pause|Insert|Home|PageUp|Delete|End|PageDown|NumLock|IntlBackslash|ContextMenu"
)


def is_key(code: str) -> bool:
    """True for a `KeyboardEvent.code` that can be pressed (W3C UI Events KeyboardEvent code Values)."""
    return _CODES.fullmatch(code) is not None


def _known(code: str) -> str:
    if not is_key(code):
        raise ValueError("no key that can be pressed")
    return code


KeyCode = Annotated[str, Field(max_length=20), AfterValidator(_known)]
ControlCode = Annotated[str, Field(pattern=r"^[0-9]{6}$", repr=False)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pointer(_Model):
    """Where the pointer is in the feed's picture: (0, 0) its top left corner, (1, 1) its bottom right one."""

    x: float = Field(ge=0, le=1, allow_inf_nan=False)
    y: float = Field(ge=0, le=1, allow_inf_nan=False)
    buttons: int = Field(default=0, ge=0, le=7)
    """As `MouseEvent.buttons`: 1 left, 2 right, 4 middle."""


class Pressed(_Model):
    """All that is down now."""

    keys: tuple[KeyCode, ...] = Field(default=(), max_length=KEYS_MAX)
    pointer: Pointer | None = None
    """None: it stays where it is, with no button down."""
    wheel: int = Field(default=0, ge=-127, le=127)
    """Notches turned since the message before; positive is away from the user (scrolls up)."""


class Control(_Model):
    """One control, from asking on. At most one for each feed."""

    control_id: Identifier
    feed: Identifier
    participant_id: Identifier
    """Whose it is, or shall be."""
    name: str = Field(max_length=500)
    organisation: str = Field(default="", max_length=500)
    stage: ControlStage
    ways: tuple[ControlWay, ...] = ()
    """How this box wants it confirmed; any one of them is enough."""
    minutes: int = Field(default=0, ge=0, le=CONTROL_MINUTES_MAX)
    """As granted; 0 before."""
    tries_left: int = Field(default=3, ge=0, le=3)
    """Codes that may still be typed."""
    until_us: int
    """When this stage ends by itself: server's clock, Unix microseconds."""
