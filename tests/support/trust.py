"""Whom a browser trusts."""

from __future__ import annotations

import subprocess
from pathlib import Path


def trusting(home: Path, *authorities: Path) -> None:
    """Chromium on Linux keeps what its user trusts in ~/.pki/nssdb; `home`: of that user, without one."""
    trusting_database(home / ".pki" / "nssdb", *authorities)


def trusting_database(database: Path, *authorities: Path) -> None:
    """A folder with such a database, as a Firefox profile is one, too."""
    database.mkdir(parents=True)
    where = ("-d", f"sql:{database}")
    subprocess.run(["certutil", *where, "-N", "--empty-password"], check=True)
    for number, authority in enumerate(authorities):
        trust = ("-A", "-t", "C,,", "-n", f"hospital-{number}", "-i", str(authority))
        subprocess.run(["certutil", *where, *trust], check=True)
