"""What lies in an archive, its log and its keys' files; what a browser asks of an archive's object."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from aiohttp.test_utils import make_mocked_request

from archive import canonical
from archive.audit import ManifestAuditor
from archive.chain import read_line
from archive.checkpoint import ED25519, Checkpoint, Note, NoteSignature, VerifierKey
from archive.decisions import Ledger, read_ledger
from archive.entries import OpenEntry
from archive.faults import ArchiveFault, Verdict
from archive.keys import parse_identities, parse_signer, read_trust
from archive.log_book import LogBook
from archive.log_entries import parse_leaf, spell_leaf
from archive.log_heads import head_holds
from archive.log_kept import KeptReader
from archive.log_keyring import Keyring, find_rotations
from archive.log_keys import parse_key_lines
from archive.log_records import parse_record, spell_record
from core.errors import ConfigError, ProtocolError
from signaling.archive_api_ranges import Served, _has_it, _wanted
from tests.fuzz.targets.descriptions import text_of

FILE: Final = Served("c_1", "tracks/x/000/000001.m4s.age", 1_000, "e" * 64)


def lines_of(data: bytes) -> list[bytes]:
    """As files are read: a newline ends a line, nothing else does."""
    *whole, rest = data.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])


def manifest(data: bytes) -> None:
    """Read to the end, or to the first fault. A line that is taken has one spelling."""
    audit, lines, found = ManifestAuditor(set()), lines_of(data), None
    try:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            audit.feed(line)
            assert canonical.encode(canonical.decode(line[:-1])) + b"\n" == line
        audit.finish(b"" if not lines or lines[-1].endswith(b"\n") else lines[-1], None)
        audit.check_unentered(())
    except ArchiveFault as fault:
        found = fault
    if found is not None:
        assert found.verdict in (Verdict.ALTERED, Verdict.TRUNCATED)
        assert found.entry <= len(lines)
    assert all(hole.begin_us < hole.end_us for hole in audit.continuity.holes())


def decisions(data: bytes) -> None:
    """The first line is the manifest's. With whom to trust, and without."""
    first, *lines = lines_of(data) or [b""]
    try:
        opened, _ = read_line(first)
    except ProtocolError:
        return
    if not isinstance(opened, OpenEntry):
        return
    for signers in (None, {opened.signer}):
        ledger = Ledger(first, opened, signers)
        with suppress(ArchiveFault):
            read_ledger(ledger, lines)
        assert len(ledger.decisions) <= len(lines)
        assert ledger.session_key_sha256 in ledger.wrappings


def notes(data: bytes) -> None:
    """What is taken is written as it was."""
    text = text_of(data)
    with suppress(ProtocolError):
        note = Note.parse(text)
        assert note.spell() == text
        keys = [VerifierKey(one.name, ED25519, bytes(32)) for one in note.signatures]
        with suppress(ProtocolError):
            note.signed_by(keys)
        checkpoint = Checkpoint.parse(note.text)
        assert note.text.startswith(checkpoint.text)
    for line in text.split("\n")[:200]:
        with suppress(ProtocolError):
            assert NoteSignature.parse(line).line == line + "\n"
        with suppress(ProtocolError):
            assert VerifierKey.parse(line).text == line


def log_lines(data: bytes) -> None:
    """Leaves, what is said of checkpoints, and what witnesses keep."""
    book = LogBook()
    for line in lines_of(data)[:200]:
        with suppress(ProtocolError):
            leaf = parse_leaf(line.rstrip(b"\n"))
            assert spell_leaf(leaf) == line.rstrip(b"\n")
            book.add(leaf)
        with suppress(ProtocolError):
            record = parse_record(line.rstrip(b"\n"))
            assert spell_record(record) == line.rstrip(b"\n") + b"\n"
    assert book.size <= len(lines_of(data))
    few = lines_of(data)[:2_000]  # each costs the same, and files may be long
    keys = Keyring([VerifierKey("log", ED25519, bytes(32))], find_rotations(few))
    kept = KeptReader(keys, ["ed25519:" + "0" * 64]).read("x", few)
    assert all(head_holds(head) for head in kept.heads)


def key_files(data: bytes) -> None:
    """Taken, or refused in a few words that hold nothing of what was read."""
    readers: list[Callable[[], object]] = [
        lambda: parse_signer(data, "x"),
        lambda: parse_identities(text_of(data), "x"),
        lambda: read_trust(data, "x"),
        lambda: parse_key_lines(data, "x", ED25519),
    ]
    for read in readers:
        refusal = ""
        try:
            read()
        except ConfigError as error:
            refusal = str(error)
        assert len(refusal) < 300
        assert "AGE-SECRET-KEY" not in refusal


def ranges(data: bytes) -> None:
    """Whatever is asked for, it lies in the file."""
    text = "".join(char for char in data.decode("latin-1") if char.isprintable())
    name, _, rest = text.partition("|")
    headers = {"Range": name, "If-Range": rest[:80], "If-None-Match": rest} if rest else {"Range": name}
    request = make_mocked_request("GET", "/", headers=headers)
    assert _has_it(request, FILE.etag) in (True, False)
    wanted = _wanted(request, FILE)
    if wanted is not None:
        begin, end, step = wanted.indices(FILE.size)
        assert 0 <= begin <= FILE.size
        assert 0 <= end <= FILE.size
        assert step == 1
