"""Whom a verifier in the browser is told to trust, and what those who decided are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from archive import layout
from archive.keys import TrustedSigner, parse_trust, read_trust_file
from core.config import Settings
from core.database import Database
from core.errors import ConfigError
from core.people import find_user
from signaling.archive_api_store import ArchiveReader
from signaling.archive_api_views import Decider, Signer

MAX_DECISIONS_BYTES: Final = 1 << 20
MAX_DECIDERS: Final = 100


def signers(settings: Settings) -> list[Signer]:
    """Whose archives this service trusts: those configured, and those listed in the archive's root. A list
    that cannot be read names nobody: then archives cannot be verified, and that is what is told.
    """
    found = [one for value in settings.trusted_signers for one in _configured(value, "trusted_signers")]
    known = {one.public for one in found}
    return found + [one for one in _listed(settings, layout.TRUSTED_SIGNERS) if one.public not in known]


def people(settings: Settings) -> list[Signer]:
    """Whose personal signature under a decision counts: those configured; else those listed in the root."""
    found = [one for value in settings.archive_people for one in _configured(value, "archive_people")]
    return found or _listed(settings, layout.TRUSTED_PEOPLE)


async def deciders(
    reader: ArchiveReader, database: Database, consultation: str, organisation: str
) -> list[Decider]:
    """The organisation's own people among those who approved a decision, by their present names."""
    data = await reader.read(consultation, layout.DECISIONS, 0, MAX_DECISIONS_BYTES)
    found = []
    for subject in _subjects(data)[:MAX_DECIDERS]:
        user = await find_user(database, user_id=subject)
        if user is not None and user.organisation_id == organisation:
            found.append(Decider(subject=subject, name=user.display_name))
    return found


def _subjects(lines: bytes) -> list[str]:
    """Everybody named in approvals, once; a line that is none names nobody."""
    found: dict[str, None] = {}
    for line in lines.splitlines():
        try:
            decision: Any = json.loads(line)
        except ValueError:
            continue
        approvals = decision.get("approvals") if isinstance(decision, dict) else None
        for one in approvals if isinstance(approvals, list) else ():
            if isinstance(one, dict) and isinstance(one.get("by"), str):
                found[one["by"]] = None
    return list(found)


def _configured(value: str, name: str) -> list[Signer]:
    try:
        return _signers(parse_trust(value, name), "settings")
    except ConfigError:
        return []


def _listed(settings: Settings, name: str) -> list[Signer]:
    path = settings.archive_dir / name
    try:
        return _signers(read_trust_file(path), "archive") if path.exists() else []
    except ConfigError:
        return []


def _signers(found: Sequence[TrustedSigner], source: str) -> list[Signer]:
    return [Signer.model_validate({"public": one.public, "source": source}) for one in found]
