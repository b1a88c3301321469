"""`teleconsult archive hold · release · shred · rewrap`: what takes two people, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.text import Text

from archive import commands_decisions as decide
from archive.cli_common import (
    ApproveFile,
    AsJson,
    ConfigFile,
    OneConsultation,
    People,
    PersonKey,
    Reason,
    RequestFile,
    one_line_errors,
)
from archive.cli_output import errors, output, print_json
from archive.commands_decisions import DecisionResult, Person
from archive.decisions import Kind
from archive.store_base import Folder
from archive.store_open import Found, UsageError, find
from core.config import Settings, load_settings

HoldName = Annotated[
    str | None, typer.Option("--hold", help="The hold's name, such as a case number: letters, digits, . _ -")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (hold, release, shred, rewrap):
        app.command()(command)


def hold(
    path: OneConsultation,
    name: HoldName = None,
    reason: Reason = None,
    key: PersonKey = None,
    person: People = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Put a legal hold on a consultation: while it stands, nobody can shred it. One person is enough."""
    with one_line_errors():
        folder, who = _who(path, key, person, config)
        result = decide.ask(
            folder, "hold", _needed(reason, "--reason"), who, None, hold=_needed(name, "--hold")
        )
    show_decision(result, as_json)


def release(
    path: OneConsultation,
    name: HoldName = None,
    reason: Reason = None,
    key: PersonKey = None,
    request: RequestFile = None,
    approve: ApproveFile = None,
    person: People = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Lift a legal hold. Takes two people: one asks (--request FILE), another does it (--approve FILE)."""
    with one_line_errors():
        folder, who = _who(path, key, person, config)
        if approve is not None:
            result = _approve(folder, "release", approve, who)
        else:
            why = _needed(reason, "--reason")
            result = decide.ask(folder, "release", why, who, request, hold=_needed(name, "--hold"))
    show_decision(result, as_json)


def shred(
    path: OneConsultation,
    reason: Reason = None,
    key: PersonKey = None,
    request: RequestFile = None,
    approve: ApproveFile = None,
    remove_objects: Annotated[
        bool, typer.Option("--remove-objects", help="Remove the encrypted pictures and sound, too.")
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Carry out what was decided but could not be completed.")
    ] = False,
    person: People = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Destroy a consultation's key, here and in the store: nobody can ever look at it again.

    Takes two people: one asks (--request FILE), another does it (--approve FILE). What remains says who
    decided it and when; `verify` then exits with 14.
    """
    with one_line_errors():
        if finish:
            settings = load_settings(config)
            done = decide.finish_shredding(find(path, settings).only())
            output.print(Text(f"destroyed: {done.keys} key files, {done.objects} objects"))
            return
        folder, who = _who(path, key, person, config)
        if approve is not None:
            result = _approve(folder, "shred", approve, who)
        else:
            objects = "removed" if remove_objects else "kept"
            why = _needed(reason, "--reason")
            result = decide.ask(folder, "shred", why, who, request, objects=objects, policy=None)
    show_decision(result, as_json)


def rewrap(
    path: OneConsultation,
    identity: Annotated[
        Path | None, typer.Option("--identity", "-i", help="A present custodian's age identity file.")
    ] = None,
    reason: Reason = None,
    key: PersonKey = None,
    request: RequestFile = None,
    approve: ApproveFile = None,
    person: People = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Wrap a consultation's key for the custodians that are configured now (`recipients`).

    Takes two people: one asks, with a present custodian's identity; another does it (--approve FILE), and may
    see with their own identity (-i) that it is the right key.
    """
    with one_line_errors():
        folder, who = _who(path, key, person, config)
        if approve is not None:
            result = _approve(folder, "rewrap", approve, who, identity)
        else:
            opener = cast(Path, _needed(identity, "--identity"))
            recipients = load_settings(config).recipients
            why = _needed(reason, "--reason")
            result = decide.ask_to_rewrap(folder, opener, recipients, why, who, request)
    show_decision(result, as_json)


def who_acts(found: Found, settings: Settings, key: Path | None, people: list[str] | None) -> Person:
    """Whoever's key it is. Raises `ConfigError`."""
    return decide.person(found, _needed(key, "--key"), people or [], settings.archive_people)


def _who(path: str, key: Path | None, people: list[str] | None, config: Path | None) -> tuple[Folder, Person]:
    settings = load_settings(config)
    found = find(path, settings)
    return found.only(), who_acts(found, settings, key, people)


def _needed(value: Any, option: str) -> Any:
    if value is None:
        raise UsageError(f"{option} is missing")
    return value


def _approve(
    folder: Folder, kind: Kind, file: Path, who: Person, identity: Path | None = None
) -> DecisionResult:
    return decide.approve(
        folder, kind, file, who, identity, confirm=lambda text: errors.print(Text(f"approving: {text}"))
    )


def show_decision(result: DecisionResult, as_json: bool) -> None:
    """Say what was decided, or who has to come next."""
    if as_json:
        print_json(result.fields())
    elif result.request_file is not None:
        output.print(Text(f"request written to {result.request_file}"))
        command = (
            f"teleconsult archive {result.request.kind} … --approve {result.request_file} --key THEIRS.pem"
        )
        errors.print(Text(f"Another registered person runs: {command}"))
    else:
        done = result.destroyed
        more = (
            f"; destroyed: {done.keys} key files, {done.objects} objects" if done.keys or done.objects else ""
        )
        output.print(Text(f"decision {result.number}: {result.request.kind}{more}"))
