"""QR codes (ISO/IEC 18004) of what would be tedious to type: SVG for a page, blocks for a terminal."""

from __future__ import annotations

import io

import segno

_BORDER_MODULES = 4
"""The quiet zone the standard asks for: scanners need it."""


def qr_svg(text: str) -> str:
    """An SVG picture without any reference to the outside, dark on white."""
    out = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(out, kind="svg", border=_BORDER_MODULES, xmldecl=False, light="#fff", omitsize=True)
    return out.getvalue().decode()


def qr_terminal(text: str) -> str:
    """Half blocks, two rows of modules in a line of text; right on dark terminals and on light ones."""
    out = io.StringIO()
    segno.make(text, error="m", micro=False).terminal(out=out, border=_BORDER_MODULES, compact=True)
    return out.getvalue()
