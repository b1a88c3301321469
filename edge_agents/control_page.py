"""Remote control on the box's own page: who asks, the code, *Allow*, *Refuse*, *Stop*, and a badge's field.

Whoever can open that page on this machine may confirm: that is the boundary of trust, and why it is bound to
127.0.0.1. A page from elsewhere in the same browser may not: what is sent must come from this page (its
origin), with a token that only this page shows.
"""

from __future__ import annotations

import hmac
import html
import string
from collections.abc import Callable, Sequence
from typing import Final, get_args

from aiohttp import web

from edge_agents.control import Act
from edge_agents.control_words import CONTROL_WORDS, ControlWords
from edge_agents.status import ControlStatus
from edge_agents.status_words import WORDS, Language, language_of

Acting = Callable[[Act, str, str, str], None]
"""Act, feed, control id, what a badge says."""

CONTROL_STYLE: Final = """\
.control { border: 2px solid #7cc4ff; border-radius: .5rem; padding: 0 1rem 1rem; margin: 1rem 0; }
.control.active { border-color: #ff9b93; }
.control form { display: inline-block; margin: .5rem 1rem 0 0; }
.control button { min-height: 64px; min-width: 10rem; font: inherit; font-size: 1.3rem; color: #fff;
  background: #2f6fa8; border: 0; border-radius: .5rem; padding: 0 1.5rem; }
.control button.stop { background: #b3261e; min-width: 16rem; min-height: 80px; }
.control button.refuse { background: #4a4f57; }
.control input[type=password] { min-height: 64px; font: inherit; font-size: 1.3rem; width: 20rem;
  background: #0c0d0f; color: #e8e8e8; border: 1px solid #7cc4ff; border-radius: .5rem; padding: 0 1rem; }
.code { font: 600 3rem/1.2 ui-monospace, monospace; letter-spacing: .3rem; margin: .3rem 0; }
.time { font-size: 1.6rem; font-weight: 600; margin: .3rem 0; }
body.wrapped { max-width: none; } iframe { border: 0; width: 100%; height: 75vh; }
"""
_WRAPPED: Final = string.Template("""\
<!doctype html>
<html lang="$lang"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="$refresh">
<link rel="stylesheet" href="/status.css"></head>
<body class="wrapped">$fields<iframe src="/now?lang=$language" title="$title"></iframe></body></html>
""")


def has_badge_field(controls: Sequence[ControlStatus]) -> bool:
    """Somebody may hold a badge before the scanner now."""
    return any(_takes_badge(one) for one in controls)


def panels(controls: Sequence[ControlStatus], language: Language, form_token: str) -> str:
    """What waits and what is active, with its buttons."""
    return "".join(_panel(one, language, form_token) for one in controls)


def wrapped(controls: Sequence[ControlStatus], language: Language, form_token: str) -> str:
    """The badge's field, which is not loaded again while somebody may be reading a badge into it, and a frame
    with everything else, which is. It is loaded again when the request's time is up.
    """
    asking = [one for one in controls if _takes_badge(one)]
    return _WRAPPED.substitute(
        lang=WORDS[language].tag,
        language=language,
        title=html.escape(CONTROL_WORDS[language].title),
        refresh=min(one.left_s for one in asking) + 1,
        fields="".join(
            _badge_field(one, language, form_token, first=number == 0) for number, one in enumerate(asking)
        ),
    )


def _takes_badge(one: ControlStatus) -> bool:
    return one.stage == "granted" and "badge" in one.ways


def _badge_field(one: ControlStatus, language: Language, form_token: str, *, first: bool) -> str:
    """A scanner types what it reads, and Enter."""
    words = CONTROL_WORDS[language]
    label = f"<label>{html.escape(words.badge)} ({html.escape(one.feed)})<br>"
    focus = " autofocus" if first else ""
    field = f"<input type='password' name='badge' maxlength='500' autocomplete='off'{focus}></label>"
    return f"<section class='control'>{_form(one, 'badge', language, form_token, label + field)}</section>"


def _panel(one: ControlStatus, language: Language, form_token: str) -> str:
    words = CONTROL_WORDS[language]
    who = f"{one.name} ({one.organisation})" if one.organisation else one.name
    said = {"who": who, "feed": one.feed, "minutes": one.minutes, "tries": one.tries_left}
    time = f"{one.left_s // 60}:{one.left_s % 60:02d}"
    if one.stage == "active":
        inside = (
            _line("state", words.controls.format(**said))
            + _line("time", words.left.format(time=time))
            + _button(one, "stop", words.stop, language, form_token)
        )
    else:
        inside = (
            _line("state", words.wants.format(**said))
            + _line("", words.wait.format(time=time))
            + _buttons(one, words, language, form_token)
            + _code(one, words)
        )
    heading = f"<h2>{html.escape(words.title)}</h2>"
    return f"<section class='control {one.stage}'>{heading}{inside}</section>"


def _buttons(one: ControlStatus, words: ControlWords, language: Language, form_token: str) -> str:
    allow = _button(one, "allow", words.allow, language, form_token) if "touch" in one.ways else ""
    wrong = _line("bad", words.wrong_badge) if one.wrong_badge else ""
    return wrong + allow + _button(one, "refuse", words.refuse, language, form_token)


def _code(one: ControlStatus, words: ControlWords) -> str:
    if "code" not in one.ways:
        return ""
    if not one.code:
        return _line("bad", words.code_rests)
    tries = words.tries.format(tries=one.tries_left)
    return _line("", words.code) + _line("code", f"{one.code[:3]} {one.code[3:]}") + _line("", tries)


def _line(style: str, text: str) -> str:
    return f'<p class="{style}">{html.escape(text)}</p>'


def _button(one: ControlStatus, act: Act, label: str, language: Language, form_token: str) -> str:
    button = f"<button class='{act}'>{html.escape(label)}</button>"
    return _form(one, act, language, form_token, button)


def _form(one: ControlStatus, act: Act, language: Language, form_token: str, inside: str) -> str:
    hidden = {
        "token": form_token, "act": act, "feed": one.feed, "control_id": one.control_id, "lang": language,
    }  # fmt: skip
    fields = "".join(
        f"<input type='hidden' name='{name}' value='{html.escape(value)}'>" for name, value in hidden.items()
    )
    return f"<form method='post' action='/control' target='_top'>{fields}{inside}</form>"


def add_acting(app: web.Application, act: Acting, form_token: str) -> None:
    """What the forms send."""

    async def acted(request: web.Request) -> web.Response:
        if not _is_own_page(request):
            return web.Response(status=403, text="only from this page itself\n")
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        if not hmac.compare_digest(form.get("token", "").encode(), form_token.encode()):
            return web.Response(status=403, text="this page is an old one: load it again\n")
        wanted: Act | None = next((one for one in get_args(Act) if one == form.get("act")), None)
        if wanted is None:
            return web.Response(status=400, text="nothing that can be done\n")
        act(wanted, form.get("feed", ""), form.get("control_id", ""), form.get("badge", ""))
        language: Language = "zh" if form.get("lang", language_of(request)) == "zh" else "en"
        return web.Response(status=303, headers={"Location": f"/?lang={language}"})

    app.router.add_post("/control", acted)


def _is_own_page(request: web.Request) -> bool:
    """By what the browser says of where it comes from (Fetch Metadata; RFC 6454, section 7), which no page
    can make up. A browser that says neither is not let in.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("Origin") == f"http://{request.host}"
