/** Eight modifiers and six keys, as many as a boot keyboard reports. */
export const KEYS_MAX = 14;

/** As in core/control.py; a test compares the two. */
export const CODES =
  /^(?:Key[A-Z]|Digit[0-9]|F(?:[1-9]|1[0-9]|2[0-4])|Arrow(?:Up|Down|Left|Right)|Numpad(?:[0-9]|Add|Subtract|Multiply|Divide|Decimal|Enter|Equal|Comma)|(?:Shift|Control|Alt|Meta)(?:Left|Right)|Escape|Enter|Tab|Backspace|Space|Minus|Equal|BracketLeft|BracketRight|Backslash|Semicolon|Quote|Backquote|Comma|Period|Slash|CapsLock|PrintScreen|ScrollLock|Pause|Insert|Home|PageUp|Delete|End|PageDown|NumLock|IntlBackslash|ContextMenu)$/;

/** A `KeyboardEvent.code` that the device's keyboard has, too. */
export const isKey = (code: string) => CODES.test(code);

export const isModifier = (code: string) => /^(?:Shift|Control|Alt|Meta)(?:Left|Right)$/.test(code);
