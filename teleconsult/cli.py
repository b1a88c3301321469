"""The command line. Groups are imported only when asked for: a restarted worker must not wait for OpenCV."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import typer

from core.compiled import use_compiled
from core.errors import TeleconsultError
from core.supervisor import die_with_parent

EXIT_FAILED: Final = 1
GROUPS: Final = {
    "archive": ("teleconsult.archive_cli", "Keys, verification and export of archived consultations."),
    "edge": ("edge_agents.cli", "The capture box beside an imaging device."),
    "admin": ("teleconsult.admin.cli", "People, devices, certificates, tokens, backups."),
    "bench": ("teleconsult.bench", "Measurements, as tables and JSON."),
}
COMMANDS: Final = {"serve": "teleconsult.serve", "demo": "teleconsult.demo"}
HIDDEN: Final = {"spare": "teleconsult.spare"}
SERVING: Final = frozenset({"serve", "spare", "edge"})
"""Processes that carry media."""


def build_app(wanted: str | None) -> typer.Typer:
    """The application with just the group or command `wanted`; with everything when that names none."""
    app = typer.Typer(
        name="teleconsult",
        help="Remote consultation: live pictures, voice, and an archive that can be proven.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,  # a traceback must not print tokens
    )

    @app.callback()
    def _root() -> None:
        """Remote consultation: live pictures, voice, and an archive that can be proven."""

    everything = wanted not in {*GROUPS, *COMMANDS, *HIDDEN}
    for name, module in {**COMMANDS, **HIDDEN}.items():
        if name == wanted or (everything and name not in HIDDEN):
            app.command(name, hidden=name in HIDDEN)(importlib.import_module(module).command)
    for name, (module, summary) in GROUPS.items():
        if everything or name == wanted:
            app.add_typer(importlib.import_module(module).app, name=name, help=summary)
    return app


def run(arguments: list[str]) -> None:
    """Run one command line. An error of ours is one line on stderr; anything else is a bug with its trace."""
    wanted = next((argument for argument in arguments if not argument.startswith("-")), None)
    if wanted in SERVING:
        use_compiled()
    try:
        build_app(wanted)(args=arguments, prog_name="teleconsult")
    except TeleconsultError as error:
        sys.stderr.write(f"teleconsult: {error}\n")
        raise SystemExit(EXIT_FAILED) from None


def main() -> None:
    """Entry point."""
    die_with_parent()
    run(sys.argv[1:])
