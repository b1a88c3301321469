"""Holds, shredding, new custodians: two people, on record, and what verification makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from archive import canonical, layout
from archive.cli import app
from archive.decisions import LINE_DOMAIN, approval_holds, approve, people_of, seal_decision
from archive.keys import ArchiveSigner, create_identity, create_signer, publish_signer
from archive.opening import current_ledger, read_opening, unwrap
from archive.shred import Copies, carry_out, record
from archive.shred_request import Request, new_request
from archive.store_base import LocalFolder
from archive.store_versions import VersionedStore
from archive.verify import verify_consultation
from core.clock import SystemClock
from core.errors import ConfigError
from tests.archive import support
from tests.support.s3 import S3Server, running_s3


@dataclass
class Place:
    """An archive of one consultation, and two registered people."""

    root: Path
    folder: Path
    keys: dict[str, Path]
    environment: dict[str, str]

    def run(self, command: str, *arguments: object, who: str | None = "alice") -> Result:
        key = [] if who is None else ["--key", str(self.keys[who])]
        words = [command, str(self.folder), *(str(item) for item in arguments), *key]
        return CliRunner().invoke(app, words, env=self.environment)

    def done(self, command: str, *arguments: object, who: str | None = "alice") -> Any:
        result = self.run(command, *arguments, "--json", who=who)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def both(self, command: str, *arguments: object) -> Any:
        """Alice asks, Bob does it."""
        file = self.root.parent / f"{command}-{len(list(self.root.parent.iterdir()))}.json"
        asked = self.done(command, *arguments, "--reason", "case 7", "--request", file)
        assert asked["decided"] is False
        return self.done(command, "--approve", file, who="bob")

    def verdict(self) -> tuple[int, Any]:
        result = self.run("verify", "--json", who=None)
        return result.exit_code, json.loads(result.stdout)["consultations"][0]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    root = tmp_path / "archive"
    folder = support.write(root)
    publish_signer(root, support.keys().signer.public)
    keys = {}
    for name in ("alice", "bob", "mallory"):
        keys[name] = tmp_path / f"{name}.pem"
        signer = create_signer(keys[name])
        if name != "mallory":
            with (root / layout.TRUSTED_PEOPLE).open("a") as people:
                people.write(f"{signer.public}  # {name}\n")
    return Place(root, folder, keys, {})


def test_shredding_by_two_destroys_the_key_and_the_rest_says_so(place: Place, tmp_path: Path) -> None:
    done = place.both("shred")
    assert (done["decided"], done["keys_destroyed"]) == (True, 1)
    assert not (place.folder / layout.SESSION_KEY).exists()
    code, report = place.verdict()
    assert (code, report["verdict"], report["first_bad"]) == (14, "shredded", None)
    identity = tmp_path / "auditor"
    identity.write_text(str(support.keys().identities[0]))
    asked = place.run("export", "-i", identity, "--request", tmp_path / "x", "--reason", "r")
    assert asked.exit_code == 2
    assert "has been shredded" in asked.output


def test_shredding_may_remove_the_objects_too_and_what_is_left_still_verifies(place: Place) -> None:
    done = place.both("shred", "--remove-objects")
    assert done["objects_removed"] == len(support.steps()) - 1
    assert place.verdict()[0] == 14
    lines = (place.folder / layout.MANIFEST).read_bytes()
    (place.folder / layout.MANIFEST).write_bytes(lines.replace(b"1920", b"1921"))
    assert place.verdict()[0] == 10


def test_an_object_that_is_gone_after_a_shredding_that_kept_them_is_missing(place: Place) -> None:
    place.both("shred")
    next(place.folder.rglob("init.mp4.age")).unlink()
    assert place.verdict()[0] == 12


def test_a_key_removed_without_a_decision_is_missing(place: Place) -> None:
    (place.folder / layout.SESSION_KEY).unlink()
    assert place.verdict()[0] == 12


def test_one_person_cannot_shred_nor_approve_twice_nor_can_a_stranger(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    assert place.run("shred", "--reason", "r").exit_code == 2
    place.done("shred", "--reason", "r", "--request", file)
    alone = place.run("shred", "--approve", file)
    assert (alone.exit_code, "another one" in alone.output) == (2, True)
    stranger = place.run("shred", "--approve", file, who="mallory")
    assert (stranger.exit_code, "not a registered person" in stranger.output) == (2, True)
    assert place.run("shred", "--reason", "r", "--request", tmp_path / "m", who="mallory").exit_code == 2
    assert (place.folder / layout.SESSION_KEY).exists()
    assert not (place.folder / layout.DECISIONS).exists()
    assert place.verdict()[0] == 0


def test_a_request_is_good_for_what_it_says_and_nothing_else(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    place.done("shred", "--reason", "r", "--request", file)
    fields = json.loads(file.read_text())
    for change in ({"objects": "removed"}, {"reason": "another"}, {"request": "0" * 32}):
        file.write_text(json.dumps(fields | {"terms": fields["terms"] | change}))
        refused = place.run("shred", "--approve", file, who="bob")
        assert (refused.exit_code, "is not theirs" in refused.output) == (2, True)
    other = support.write(place.root, "con_other")
    file.write_text(json.dumps(fields))
    elsewhere = Place(place.root, other, place.keys, {}).run("shred", "--approve", file, who="bob")
    assert (elsewhere.exit_code, "another archive" in elsewhere.output) == (2, True)
    for rubbish in (b"", b"{}", b"[]", b"\xff", b'{"format": "teleconsult-archive-request/1", "terms": []}'):
        file.write_bytes(rubbish)
        broken = place.run("shred", "--approve", file, who="bob")
        assert (broken.exit_code, len(broken.output.strip().splitlines())) == (2, 1)


def test_a_hold_by_one_person_blocks_shredding_until_two_release_it(place: Place, tmp_path: Path) -> None:
    place.done("hold", "--hold", "case-7", "--reason", "court")
    file = tmp_path / "shred.json"
    blocked = place.run("shred", "--reason", "r", "--request", file)
    assert (blocked.exit_code, "hold case-7 stands" in blocked.output) == (2, True)
    assert place.verdict()[1]["holds"] == ["case-7"]
    place.both("release", "--hold", "case-7")
    assert place.verdict()[1]["holds"] == []
    place.both("shred")
    assert place.verdict()[0] == 14


def test_a_hold_put_after_a_request_to_shred_stops_it(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "shred.json"
    place.done("shred", "--reason", "r", "--request", file)
    place.done("hold", "--hold", "case-7", "--reason", "court")
    assert place.run("shred", "--approve", file, who="bob").exit_code == 2
    assert (place.folder / layout.SESSION_KEY).exists()


def test_an_open_consultation_cannot_be_shredded(place: Place, tmp_path: Path) -> None:
    going_on = support.write(place.root, "con_open", close=False)
    other = Place(place.root, going_on, place.keys, {})
    file = tmp_path / "shred.json"
    other.done("shred", "--reason", "r", "--request", file)
    refused = other.run("shred", "--approve", file, who="bob")
    assert (refused.exit_code, "goes on" in refused.output) == (2, True)


def test_a_shredding_that_was_interrupted_is_said_and_finished(place: Place, monkeypatch: Any) -> None:
    key = (place.folder / layout.SESSION_KEY).read_bytes()
    place.both("shred")
    (place.folder / layout.SESSION_KEY).write_bytes(key)  # as if the power had failed before it was removed
    code, report = place.verdict()
    assert code == 14
    assert "still here" in report["notes"][0]
    assert place.run("shred", "--finish", who=None).exit_code == 0
    assert not (place.folder / layout.SESSION_KEY).exists()
    assert place.verdict()[1]["notes"] == []


def test_a_torn_decision_is_none_and_the_next_one_replaces_it(place: Place) -> None:
    place.done("hold", "--hold", "a", "--reason", "r")
    whole = (place.folder / layout.DECISIONS).read_bytes()
    with (place.folder / layout.DECISIONS).open("ab") as file:
        file.write(whole[:40])
    assert place.verdict()[1]["decisions"] == 1
    place.done("hold", "--hold", "b", "--reason", "r")
    assert place.verdict()[1]["holds"] == ["a", "b"]


# --- new custodians ------------------------------------------------------------------------------------


def configured(place: Place, tmp_path: Path) -> tuple[Path, Path]:
    """A configuration with a third custodian instead of the first; an old and the new identity."""
    old, new = tmp_path / "old.agekey", tmp_path / "new.agekey"
    old.write_text(f"{support.keys().identities[0]}\n")
    recipient = create_identity(new)
    kept = support.keys().recipients[1]
    file = tmp_path / "service.toml"
    file.write_text(
        f'[[recipients]]\ncustodian = "Chen"\nrecipient = "{recipient}"\n'
        f'[[recipients]]\ncustodian = "{kept.custodian}"\nrecipient = "{kept.recipient}"\noffline = true\n'
    )
    place.environment = {}
    return file, new


def test_a_rewrap_by_two_lets_the_new_custodian_in_and_the_old_one_out(place: Place, tmp_path: Path) -> None:
    config, new = configured(place, tmp_path)
    old = tmp_path / "old.agekey"
    place.both("rewrap", "-i", old, "--config", config)
    assert place.verdict()[0] == 0
    opened = read_opening(place.folder)
    assert unwrap(place.folder, opened, new)
    with pytest.raises(ConfigError, match="Chen"):
        unwrap(place.folder, opened, old)
    assert [item.custodian for item in current_ledger(place.folder).recipients] == ["Chen", "Records office"]


def test_a_key_replaced_without_a_decision_is_an_altered_archive(place: Place, tmp_path: Path) -> None:
    mine = pyrage.x25519.Identity.generate()
    (place.folder / layout.SESSION_KEY).write_bytes(pyrage.encrypt(b"another", [mine.to_public()]))
    assert place.verdict()[0] == 10


def test_a_rewrap_needs_the_custodians_rule_and_the_right_key(place: Place, tmp_path: Path) -> None:
    config, new = configured(place, tmp_path)
    wrong = place.run("rewrap", "-i", new, "--config", config, "--reason", "r", "--request", tmp_path / "q")
    assert (wrong.exit_code, "does not open" in wrong.output) == (2, True)
    alone = tmp_path / "alone.toml"
    alone.write_text("".join(config.read_text().partition('[[recipients]]\ncustodian = "Records')[0]))
    few = place.run(
        "rewrap",
        "-i",
        tmp_path / "old.agekey",
        "--config",
        alone,
        "--reason",
        "r",
        "--request",
        tmp_path / "q",
    )
    assert (few.exit_code, "two recipients" in few.output) == (2, True)


def test_an_approver_can_see_with_their_own_key_that_it_is_right(place: Place, tmp_path: Path) -> None:
    config, new = configured(place, tmp_path)
    file = tmp_path / "request.json"
    place.done(
        "rewrap", "-i", tmp_path / "old.agekey", "--config", config, "--reason", "r", "--request", file
    )
    refused = place.run("rewrap", "--approve", file, "-i", tmp_path / "old.agekey", who="bob")
    assert refused.exit_code == 2
    assert place.run("rewrap", "--approve", file, "-i", new, who="bob").exit_code == 0


# --- tampering -----------------------------------------------------------------------------------------


def line_of(place: Place) -> tuple[bytes, dict[str, Any]]:
    line = (place.folder / layout.DECISIONS).read_bytes().splitlines(keepends=True)[-1]
    return line, json.loads(line)


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b"case 7", b"case 8"),
        lambda line: line.replace(b'"kept"', b'"removed"'),
        lambda line: line[:-1] + b" \n",
        lambda line: line + line,
        lambda line: line.replace(b'"decision":0', b'"decision":1'),
    ],
)
def test_a_changed_decision_is_found(place: Place, change: Any) -> None:
    place.both("shred")
    line, _ = line_of(place)
    (place.folder / layout.DECISIONS).write_bytes(change(line))
    code, report = place.verdict()
    assert (code, report["first_bad"]["object"]) == (10, layout.DECISIONS)


def test_no_byte_of_a_decision_can_be_changed_unnoticed(tmp_path: Path) -> None:
    """One decided about is never taken for one that was not, nor the reverse."""
    folder = support.write(tmp_path)
    request = new_request(
        current_ledger(folder), "shred", folder.name, "case 7", objects="removed", policy="standard"
    )
    request.add_signed_in("u_1", 1)
    request.add_signed_in("u_2", 2)
    copies = Copies(LocalFolder(folder), None)
    record(copies, request, support.keys().signer, SystemClock())
    carry_out(copies)
    file = folder / layout.DECISIONS
    whole = file.read_bytes()

    @settings(max_examples=150, deadline=None)
    @given(position=st.integers(0, len(whole) - 1), change=st.integers(1, 255), cut=st.booleans())
    def check(position: int, change: int, cut: bool) -> None:
        changed = bytes([whole[position] ^ change])
        file.write_bytes(whole[:position] if cut else whole[:position] + changed + whole[position + 1 :])
        assert int(support.verify(folder).verdict) in (10, 12)

    check()
    file.write_bytes(whole)
    assert int(support.verify(folder).verdict) == 14


def test_a_decision_by_unregistered_people_cannot_be_verified(place: Place) -> None:
    place.both("shred")
    (place.root / layout.TRUSTED_PEOPLE).write_text("")
    code, report = place.verdict()
    assert code == 13
    assert "registered people" in report["first_bad"]["reason"]


def test_one_of_two_cannot_write_the_other_persons_approval(place: Place) -> None:
    """Alice makes a line that names Bob: his key, her signature."""
    alice, bob = (ArchiveSigner.generate() for _ in range(2))
    ledger = current_ledger(place.folder)
    request = new_request(ledger, "shred", place.folder.name, "r", objects="kept", policy=None)
    request.add(alice, 1)
    forged = approve(request.terms, request.anchor, alice, 1).model_copy(
        update={"by": bob.public, "key": bob.public}
    )
    assert not approval_holds(forged, request.terms, request.anchor)
    _, line = seal_decision(request.terms, [*request.approvals, forged], 0, ledger.previous, 1, alice)
    (place.folder / layout.DECISIONS).write_bytes(line)
    assert place.verdict()[0] == 10


def test_one_persons_signature_twice_is_one_person(place: Place) -> None:
    alice = ArchiveSigner.generate()
    ledger = current_ledger(place.folder)
    request = new_request(ledger, "shred", place.folder.name, "r", objects="kept", policy=None)
    twice = [approve(request.terms, request.anchor, alice, at_us) for at_us in (1, 2)]
    assert people_of(twice) == 1
    _, line = seal_decision(request.terms, twice, 0, ledger.previous, 1, alice)
    (place.folder / layout.DECISIONS).write_bytes(line)
    assert place.verdict()[0] == 10


def test_the_services_word_counts_only_with_the_archives_key(place: Place) -> None:
    def decide(signer: ArchiveSigner) -> None:
        request = new_request(
            current_ledger(place.folder), "shred", place.folder.name, "r", objects="kept", policy="short"
        )
        request.add_signed_in("u_1", 1)
        request.add_signed_in("u_2", 2)
        copies = Copies(LocalFolder(place.folder), None)
        record(copies, request, signer, SystemClock())
        carry_out(copies)

    key = (place.folder / layout.SESSION_KEY).read_bytes()
    decide(ArchiveSigner.generate())
    assert place.verdict()[0] == 10
    (place.folder / layout.DECISIONS).unlink()
    (place.folder / layout.SESSION_KEY).write_bytes(key)
    decide(support.keys().signer)
    assert place.verdict()[0] == 14


def test_a_shredding_while_a_hold_stands_is_a_fault_even_if_it_is_signed(place: Place) -> None:
    signer = support.keys().signer
    ledger = current_ledger(place.folder)
    request = new_request(ledger, "shred", place.folder.name, "r", objects="kept", policy=None)
    hold = new_request(ledger, "hold", place.folder.name, "r", hold="h")
    for item in (request, hold):
        item.add_signed_in("u_1", 1)
        item.add_signed_in("u_2", 1)
    decision, first = seal_decision(hold.terms, hold.approvals, 0, ledger.previous, 1, signer)
    ledger.feed(first)
    _, second = seal_decision(request.terms, request.approvals, 1, ledger.previous, 2, signer)
    (place.folder / layout.DECISIONS).write_bytes(first + second)
    assert place.verdict()[0] == 10
    assert decision.kind == "hold"


def test_what_a_stranger_needs_to_check_a_decision_is_in_the_format(place: Place) -> None:
    """Only JSON, SHA-256 and Ed25519, as docs/archive-format.md says."""
    import hashlib

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    place.both("shred")
    _, fields = line_of(place)
    first = (place.folder / layout.MANIFEST).read_bytes().splitlines(keepends=True)[0]
    assert fields["previous"] == hashlib.sha256(first).hexdigest()
    signature = bytes.fromhex(fields.pop("signature"))
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(fields["signer"].removeprefix("ed25519:")))
    public.verify(signature, LINE_DOMAIN + canonical.encode(fields))
    left_out = ("decision", "previous", "at_us", "approvals", "signer")
    terms = {key: value for key, value in fields.items() if key not in left_out}
    for item in fields["approvals"]:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(item["key"].removeprefix("ed25519:")))
        said = {**terms, "anchor": fields["previous"], "by": item["by"], "approved_us": item["at_us"]}
        key.verify(
            bytes.fromhex(item["signature"]), b"teleconsult-archive-approval/1\n" + canonical.encode(said)
        )


# --- in a store ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        running.keep_versions()
        yield running


def test_shredding_destroys_the_key_in_the_store_with_every_version_and_leaves_the_tombstone(
    place: Place, server: S3Server
) -> None:
    far = server.archive("shred")
    for path in sorted(place.folder.rglob("*")):
        if path.is_file():
            far.folder(place.folder.name).write(path.relative_to(place.folder).as_posix(), path.read_bytes())
    far.folder(place.folder.name).write(layout.SESSION_KEY, b"an older version")
    place.environment = {**server.environment("shred"), "TELECONSULT_ARCHIVE_DIR": str(place.root)}
    done = place.both("shred", "--remove-objects")
    assert done["keys_destroyed"] == 3
    there = far.folder(place.folder.name)
    assert not there.has(layout.SESSION_KEY)
    assert there.objects() == []
    people = [ArchiveSigner.generate().public]
    report = verify_consultation(there, support.keys().trusted, people=people)
    assert int(report.verdict) == 13
    registered = [line.split()[0] for line in (place.root / layout.TRUSTED_PEOPLE).read_text().splitlines()]
    assert int(verify_consultation(there, support.keys().trusted, people=registered).verdict) == 14


def test_while_the_store_is_away_the_decision_stands_and_is_finished_later(
    place: Place, server: S3Server
) -> None:
    far = server.archive("away")
    far.folder(place.folder.name).write(layout.SESSION_KEY, b"the copy")
    place.environment = {
        **server.environment("away"),
        "TELECONSULT_ARCHIVE_DIR": str(place.root),
        "TELECONSULT_ARCHIVE_STORE_ENDPOINT": "http://127.0.0.1:9",
    }
    file = place.root.parent / "shred.json"
    place.done("shred", "--reason", "r", "--request", file)
    failed = place.run("shred", "--approve", file, who="bob")
    assert (failed.exit_code, "does not answer" in failed.output) == (1, True)
    assert not (place.folder / layout.SESSION_KEY).exists()
    place.environment = {**server.environment("away"), "TELECONSULT_ARCHIVE_DIR": str(place.root)}
    assert place.run("shred", "--finish", who=None).exit_code == 0
    assert not far.folder(place.folder.name).has(layout.SESSION_KEY)


def test_a_rewrap_leaves_no_older_wrapping_in_the_store(
    place: Place, server: S3Server, tmp_path: Path
) -> None:
    far = server.archive("rewrap")
    there = far.folder(place.folder.name)
    there.write(layout.SESSION_KEY, (place.folder / layout.SESSION_KEY).read_bytes())
    config, _ = configured(place, tmp_path)
    place.environment = {**server.environment("rewrap"), "TELECONSULT_ARCHIVE_DIR": str(place.root)}
    place.both("rewrap", "-i", tmp_path / "old.agekey", "--config", config)
    assert there.hash(layout.SESSION_KEY) == LocalFolder(place.folder).hash(layout.SESSION_KEY)
    key = f"{far.access.prefix}/{place.folder.name}/{layout.SESSION_KEY}"
    assert len(VersionedStore(far.access).versions(key)) == 1
    assert place.verdict()[0] == 0


def test_a_copy_that_is_in_the_store_only_can_be_held_and_shredded(
    place: Place, server: S3Server, tmp_path: Path
) -> None:
    far = server.archive("only")
    for path in sorted(place.folder.rglob("*")):
        if path.is_file():
            far.folder(place.folder.name).write(path.relative_to(place.folder).as_posix(), path.read_bytes())
    url = f"{far.place}/{place.folder.name}"
    people = ["--person", str(place.root / layout.TRUSTED_PEOPLE)]
    asked = tmp_path / "ask.json"

    def run(*words: object, who: str = "alice") -> Result:
        command = [str(word) for word in words]
        key = ["--key", str(place.keys[who])]
        options = [*people, *key] if command[0] != "verify" else people
        return CliRunner().invoke(app, [*command, *options], env=dict(server.environment("only")))

    assert run("hold", url, "--hold", "h", "--reason", "r").exit_code == 0
    assert run("shred", url, "--reason", "r", "--request", asked).exit_code == 2
    assert run("release", url, "--hold", "h", "--reason", "r", "--request", asked).exit_code == 0
    assert run("release", url, "--approve", asked, who="bob").exit_code == 0
    asked.unlink()
    assert run("shred", url, "--reason", "r", "--request", asked).exit_code == 0
    assert run("shred", url, "--approve", asked, who="bob").exit_code == 0
    assert not far.folder(place.folder.name).has(layout.SESSION_KEY)
    signer = support.keys().signer.public
    assert run("verify", url, "--signer", signer).exit_code == 14


def test_a_request_says_nothing_secret(place: Place, tmp_path: Path) -> None:
    config, _ = configured(place, tmp_path)
    file = tmp_path / "request.json"
    place.done(
        "rewrap", "-i", tmp_path / "old.agekey", "--config", config, "--reason", "r", "--request", file
    )
    assert "AGE-SECRET-KEY" not in file.read_text()
    assert Request.from_json(file.read_bytes(), "x").wrapped is not None
