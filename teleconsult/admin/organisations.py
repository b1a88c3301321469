"""`teleconsult admin organisation`: hospitals and clinics."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from core import people
from core.database import Database
from core.errors import NotFound, RemoteError
from core.people import Organisation
from teleconsult.admin.common import (
    AsJson,
    ConfigFile,
    DataDir,
    audit,
    hint,
    settings_of,
    show,
    table,
    with_database,
)

app = typer.Typer(no_args_is_help=True)
MAX_NAME_CHARS = 200


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its name, as everybody sees it.")],
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Add a hospital or clinic."""
    name = " ".join(name.split())
    if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise RemoteError(f"a name has 1 to {MAX_NAME_CHARS} printable characters")

    async def work(database: Database) -> Organisation:
        made = await people.create_organisation(database, name)
        await audit(database, "organisation_add", made.organisation_id)
        return made

    made = with_database(settings_of(config, data_dir), work, create=True)
    show(as_json, _fields(made), f"Added {made.name} ({made.organisation_id})")
    hint(
        "Next, its people: teleconsult admin user add USERNAME --role ROLE "
        f"--organisation {made.organisation_id}"
    )


@app.command("list")
def list_command(config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List them."""
    rows = [
        _fields(found) for found in with_database(settings_of(config, data_dir), people.list_organisations)
    ]
    show(
        as_json,
        rows,
        table(rows, ("organisation_id", "name"), "There is none yet: admin organisation add NAME"),
    )


async def find(database: Database, name_or_id: str) -> Organisation:
    """By name or id. Raises `NotFound` naming those there are."""
    known = await people.list_organisations(database)
    for organisation in known:
        if name_or_id in (organisation.organisation_id, organisation.name):
            return organisation
    names = ", ".join(organisation.name for organisation in known[:20]) or "none yet"
    raise NotFound(
        f"there is no organisation {name_or_id}; there are: {names}. Add it: admin organisation add NAME"
    )


def _fields(organisation: Organisation) -> dict[str, Any]:
    return {"organisation_id": organisation.organisation_id, "name": organisation.name}
