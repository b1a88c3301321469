"""`teleconsult admin ca`: certificates for a hospital that has no public ones."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from cryptography import x509

from core.config import Settings
from core.database import Database
from core.errors import ConfigError
from teleconsult import authority
from teleconsult.admin.common import (
    AsJson,
    ConfigFile,
    DataDir,
    ask_secret,
    audit,
    hint,
    settings_of,
    show,
    with_database,
)
from teleconsult.authority import Authority
from teleconsult.authority_files import AuthorityFolder, Issued, due, read_server_certificate

app = typer.Typer(no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option("--dir", help="The authority's folder; else DATA_DIR/ca.")]
PassphraseFile = Annotated[Path | None, typer.Option(help="A file whose first line is the key's passphrase.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder for server.pem and server-key.pem; else DATA_DIR/tls.")
]
Days = Annotated[int, typer.Option(help=f"How long it is valid, at most {authority.SERVER_DAYS} days.")]

CERTIFICATE: Final = "server.pem"
KEY: Final = "server-key.pem"
TRUST: Final = """\
Every computer that opens the service has to trust {file} once:
  Windows     certutil -addstore Root ca.pem   (or by group policy: Trusted Root Certification Authorities)
  macOS       open it in Keychain Access, trust it for SSL
  Debian      copy it to /usr/local/share/ca-certificates/teleconsult.crt, run update-ca-certificates
  Chromium    Settings > Privacy and security > Security > Manage certificates > Import
  Firefox     Settings > Privacy & Security > View Certificates > Authorities > Import
  iPhone      send it, install the profile, then Settings > General > About > Certificate Trust Settings
  Android     Settings > Security > Encryption & credentials > Install a certificate > CA certificate
  capture box copy it there; in edge.toml: tls_ca = "/path/to/ca.pem"
Compare the fingerprint: {fingerprint}"""


@app.command()
def init(
    name: Annotated[str, typer.Option(help="What the authority is called.")] = "Teleconsult hospital CA",
    permit: Annotated[
        list[str] | None,
        typer.Option(help="A domain or network besides the private ones it may vouch for. Repeatable."),
    ] = None,
    days: Annotated[
        int, typer.Option(min=30, max=7300, help="How long it is valid.")
    ] = authority.AUTHORITY_DAYS,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Seal its key; asks for the passphrase.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    folder: Folder = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make the hospital's certificate authority. Its certificate is to be trusted by every computer, once."""
    settings = settings_of(config, data_dir)
    place = AuthorityFolder(folder or settings.data_dir / "ca")
    permitted = [authority.parse_permitted(item) for item in permit or []]
    secret = _read_passphrase(passphrase_file)
    if secret is None and passphrase:
        secret = ask_secret("Passphrase", from_stdin=False)
    made = place.create(name, permitted, days, secret)
    _note(settings, place, "ca_init", made.certificate)
    show(as_json, _describe(place, made.certificate), f"Made {place.certificate_file}")
    hint(TRUST.format(file=place.certificate_file, fingerprint=authority.fingerprint(made.certificate)))
    hint("Next: teleconsult admin ca issue NAME-OR-ADDRESS …")


@app.command("issue")
def issue_command(
    names: Annotated[list[str], typer.Argument(help="Every host name and IP address people will type.")],
    days: Days = authority.SERVER_DAYS,
    out: Out = None,
    passphrase_file: PassphraseFile = None,
    folder: Folder = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make the server's certificate and key. A running service takes them by itself."""
    settings = settings_of(config, data_dir)
    place = AuthorityFolder(folder or settings.data_dir / "ca")
    wanted = list(dict.fromkeys(authority.parse_server_name(name) for name in names))
    target = _out(settings, out)
    issued = place.issue(_open(place, passphrase_file), wanted, days, target / CERTIFICATE, target / KEY)
    _told(settings, place, "ca_issue", issued, as_json)


@app.command()
def renew(
    within_days: Annotated[int, typer.Option(help="Only when it ends within so many days.", min=1)] = 30,
    force: Annotated[bool, typer.Option("--force", help="Whenever it ends.")] = False,
    days: Days = authority.SERVER_DAYS,
    out: Out = None,
    passphrase_file: PassphraseFile = None,
    folder: Folder = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make the server's certificate anew, for the same names, when it is about to end. Run it every day."""
    settings = settings_of(config, data_dir)
    place = AuthorityFolder(folder or settings.data_dir / "ca")
    target = _out(settings, out)
    present = read_server_certificate(target / CERTIFICATE)
    if not force and not due(present, timedelta(days=within_days)):
        fields = {"renewed": False, "not_after": present.not_valid_after_utc.isoformat()}
        show(as_json, fields, f"Nothing to do: it is valid until {present.not_valid_after_utc:%Y-%m-%d}")
        return
    names = authority.names_of(present)
    issued = place.issue(_open(place, passphrase_file), names, days, target / CERTIFICATE, target / KEY)
    _told(settings, place, "ca_renew", issued, as_json)


@app.command("show")
def show_command(
    folder: Folder = None, config: ConfigFile = None, data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Show the authority, what it issued, and how to trust it."""
    settings = settings_of(config, data_dir)
    place = AuthorityFolder(folder or settings.data_dir / "ca")
    certificate = place.certificate()
    fields = _describe(place, certificate) | {"issued": place.issued()}
    lines = [
        f"{fields['name']}, valid until {certificate.not_valid_after_utc:%Y-%m-%d}",
        f"Certificate: {place.certificate_file}",
        f"SHA-256 fingerprint: {fields['fingerprint']}",
        f"May vouch for: {', '.join(fields['permitted'])}",
        "Key: sealed with a passphrase" if fields["passphrase"] else "Key: protected by its file mode only",
        *(f"Issued: {', '.join(row['names'])}, until {row['not_after'][:10]}" for row in fields["issued"]),
    ]
    show(as_json, fields, "\n".join(lines))
    hint(TRUST.format(file=place.certificate_file, fingerprint=fields["fingerprint"]))


def _out(settings: Settings, out: Path | None) -> Path:
    return (out or settings.data_dir / "tls").absolute()


def _open(place: AuthorityFolder, passphrase_file: Path | None) -> Authority:
    place.certificate()  # or the error that says how to make one
    secret = _read_passphrase(passphrase_file)
    if secret is None and place.needs_passphrase():
        if not sys.stdin.isatty():
            raise ConfigError(f"{place.folder}: its key has a passphrase; give --passphrase-file FILE")
        secret = ask_secret("Passphrase of the authority's key", from_stdin=False, twice=False)
    return place.open(secret)


def _read_passphrase(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").split("\n")[0].rstrip("\r")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def _told(settings: Settings, place: AuthorityFolder, action: str, issued: Issued, as_json: bool) -> None:
    certificate = issued.certificate
    _note(settings, place, action, certificate)
    names = [str(name) for name in authority.names_of(certificate)]
    fields: dict[str, Any] = {
        "renewed": True,
        "tls_cert": str(issued.cert),
        "tls_key": str(issued.key),
        "names": names,
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "fingerprint": authority.fingerprint(certificate),
    }
    show(as_json, fields, f"Made {issued.cert} for {', '.join(names)}, until {fields['not_after'][:10]}")
    hint(f"Serve with it: --tls-cert {issued.cert} --tls-key {issued.key} (a running service sees it)")


def _describe(place: AuthorityFolder, certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "name": certificate.subject.rfc4514_string().removeprefix("CN="),
        "certificate": str(place.certificate_file),
        "fingerprint": authority.fingerprint(certificate),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "permitted": [str(item) for item in authority.permitted_of(certificate)],
        "passphrase": place.needs_passphrase(),
    }


def _note(settings: Settings, place: AuthorityFolder, action: str, certificate: x509.Certificate) -> None:
    """In the audit trail, when this is the service's own; elsewhere the folder's list is the record."""
    if not place.folder.absolute().is_relative_to(settings.data_dir):
        return

    async def note(database: Database) -> None:
        await audit(database, action, f"{certificate.serial_number:x}")

    with_database(settings, note, create=True)
