"""The `admin` group: one module per kind of thing."""

from __future__ import annotations

import typer

from teleconsult.admin import backup, ca, devices, log, organisations, tokens, users

app = typer.Typer(no_args_is_help=True, help="People, devices, certificates, tokens, backups.")
app.add_typer(users.app, name="user", help="People who sign in.")
app.add_typer(organisations.app, name="organisation", help="Hospitals and clinics.")
app.add_typer(devices.app, name="device", help="Capture boxes.")
app.add_typer(tokens.app, name="token", help="Room tokens for encoders (WHIP) and players (WHEP).")
app.add_typer(ca.app, name="ca", help="A certificate authority of the hospital's own.")
app.add_typer(log.app, name="log", help="The key that signs the archive's log.")
app.add_typer(backup.app, name="backup", help="Copies of what cannot be made again.")
