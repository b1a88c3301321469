"""The audit trail of a running demo, read from its database as an administrator's tool would."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def denied_and_done(data_dir: Path, consultation: str) -> set[tuple[str, str, str]]:
    """(actor, action, outcome) of every record about that consultation."""
    connection = sqlite3.connect(f"file:{data_dir / 'teleconsult.db'}?mode=ro", uri=True)
    try:
        rows = connection.execute(
            "SELECT actor, action, outcome FROM audit WHERE target LIKE ?", (f"{consultation}%",)
        )
        return {(str(actor), str(action), str(outcome)) for actor, action, outcome in rows}
    finally:
        connection.close()
