"""Every way to tamper with an archive is found, and named; what nobody touched is never complained about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive import canonical, layout
from archive.chain import Head, seal_entry
from archive.faults import Verdict
from archive.keys import ArchiveSigner, TrustedSigner
from archive.verify import consultations_in, overall, verify_consultation
from tests.archive import support


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return support.write(tmp_path_factory.mktemp("closed"))


@pytest.fixture(scope="module")
def still_open(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return support.write(tmp_path_factory.mktemp("open"), close=False)


@pytest.fixture
def copied(closed: Path, tmp_path: Path) -> Path:
    return support.copy(closed, tmp_path / "copy")


def lines_of(folder: Path) -> list[bytes]:
    return (folder / layout.MANIFEST).read_bytes().splitlines(keepends=True)


def put_lines(folder: Path, lines: list[bytes]) -> None:
    (folder / layout.MANIFEST).write_bytes(b"".join(lines))


def objects_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.age"))


def fields_of(line: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(line)
    return fields


def forge(fields: dict[str, Any], head: Head, signer: ArchiveSigner) -> bytes:
    """What somebody with a signing key could put in place of a line."""
    kept = {
        key: value for key, value in fields.items() if key not in ("signature", "signer", "entry", "previous")
    }
    return seal_entry(kept, head, signer)[1]


def resign_all(folder: Path, signer: ArchiveSigner) -> None:
    head, forged = Head(), []
    for line in lines_of(folder):
        forged.append(forge(fields_of(line), head, signer))
        head = head.after(forged[-1])
    put_lines(folder, forged)
    if (folder / layout.CLOSED).exists():
        (folder / layout.CLOSED).write_bytes(forged[-1])


def test_an_untouched_closed_archive_is_intact(closed: Path) -> None:
    report = support.verify(closed)
    assert (report.verdict, report.open, report.first_bad) == (Verdict.INTACT, False, None)
    assert (report.entries, report.objects) == (13, 10)
    assert (report.signer, report.trust) == (support.keys().signer.public, "test")


def test_an_untouched_open_archive_is_intact_and_open(still_open: Path) -> None:
    report = support.verify(still_open)
    assert (report.verdict, report.open, report.entries) == (Verdict.INTACT, True, 12)


def all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_in_any_file_of_a_closed_archive_is_found(closed: Path, data: st.DataObject) -> None:
    _flip_somewhere(closed, data)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_in_any_file_of_an_open_archive_is_found(
    still_open: Path, data: st.DataObject
) -> None:
    _flip_somewhere(still_open, data)


def _flip_somewhere(folder: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(all_files(folder)))
    original = path.read_bytes()
    position = data.draw(st.integers(0, len(original) - 1))
    mask = data.draw(st.integers(1, 255))
    try:
        path.write_bytes(original[:position] + bytes([original[position] ^ mask]) + original[position + 1 :])
        report = support.verify(folder)
        assert report.verdict is Verdict.ALTERED
        assert report.first_bad is not None
    finally:
        path.write_bytes(original)


def test_every_byte_of_the_manifest_matters(still_open: Path) -> None:
    """Exhaustive where it is subtle: the last line of an archive that is still open."""
    path = still_open / layout.MANIFEST
    original = path.read_bytes()
    begin = len(original) - len(lines_of(still_open)[-1]) - 1
    try:
        for position in range(begin, len(original)):
            path.write_bytes(
                original[:position] + bytes([original[position] ^ 0x77]) + original[position + 1 :]
            )
            assert support.verify(still_open).verdict is Verdict.ALTERED, position
    finally:
        path.write_bytes(original)


@pytest.mark.parametrize("number", range(9))
def test_a_changed_object_is_named_by_entry_and_path(copied: Path, number: int) -> None:
    victim = objects_of(copied)[number]
    victim.write_bytes(victim.read_bytes()[:-1] + b"\0")
    bad = support.verify(copied).first_bad
    assert bad is not None
    relative = victim.relative_to(copied).as_posix()
    assert bad.object == relative
    named = fields_of(lines_of(copied)[bad.entry])
    assert relative == named.get("object", layout.SESSION_KEY)


def test_the_first_of_several_bad_entries_is_named(copied: Path) -> None:
    victims = [fields_of(line)["object"] for line in lines_of(copied) if b'"kind":"piece"' in line]
    for victim in reversed(victims):
        (copied / victim).write_bytes(b"x")
    bad = support.verify(copied).first_bad
    assert bad is not None
    assert bad.object == victims[0]


@pytest.mark.parametrize("number", range(10))
def test_a_dropped_object_is_missing(closed: Path, tmp_path: Path, number: int) -> None:
    folder = support.copy(closed, tmp_path / "copy")
    victim = objects_of(folder)[number]
    victim.unlink()
    report = support.verify(folder)
    assert report.verdict is Verdict.MISSING
    assert report.first_bad is not None
    assert report.first_bad.object == victim.relative_to(folder).as_posix()


def test_a_missing_manifest_is_missing(copied: Path) -> None:
    (copied / layout.MANIFEST).unlink()
    assert support.verify(copied).verdict is Verdict.MISSING


def test_a_truncated_object_is_altered(copied: Path) -> None:
    victim = objects_of(copied)[-1]
    victim.write_bytes(victim.read_bytes()[:-10])
    assert support.verify(copied).verdict is Verdict.ALTERED


def test_swapped_objects_are_found(copied: Path) -> None:
    first, second = [path for path in objects_of(copied) if "init" not in path.name][:2]
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    assert support.verify(copied).verdict is Verdict.ALTERED


def test_an_object_copied_over_another_is_found(copied: Path) -> None:
    first, second = [path for path in objects_of(copied) if "init" not in path.name][:2]
    second.write_bytes(first.read_bytes())
    assert support.verify(copied).verdict is Verdict.ALTERED


def test_an_added_object_is_found_in_a_closed_archive(copied: Path) -> None:
    first = next(path for path in objects_of(copied) if path.name == "000001.m4s.age")
    first.with_name("000009.m4s.age").write_bytes(first.read_bytes())
    report = support.verify(copied)
    assert report.verdict is Verdict.ALTERED
    assert report.first_bad is not None
    assert report.first_bad.object is not None
    assert report.first_bad.object.endswith("000009.m4s.age")


def test_an_added_object_is_found_in_an_open_archive_unless_it_can_be_the_next(
    still_open: Path, tmp_path: Path
) -> None:
    folder = support.copy(still_open, tmp_path / "copy")
    pieces = folder / "tracks" / "ultrasound-device-video" / "001"
    (pieces / "000003.m4s.age").write_bytes(b"x")
    assert support.verify(folder).verdict is Verdict.ALTERED
    (pieces / "000003.m4s.age").rename(pieces / "000002.m4s.age")
    report = support.verify(folder)
    assert report.verdict is Verdict.INTACT
    assert report.unentered == ("tracks/ultrasound-device-video/001/000002.m4s.age",)


@pytest.mark.parametrize("position", range(13))
def test_a_dropped_line_is_found(copied: Path, position: int) -> None:
    lines = lines_of(copied)
    put_lines(copied, lines[:position] + lines[position + 1 :])
    report = support.verify(copied)
    assert report.verdict is (Verdict.ALTERED if position < 12 else Verdict.TRUNCATED)
    assert report.first_bad is not None
    assert report.first_bad.entry == position


@pytest.mark.parametrize("position", range(13))
def test_a_repeated_line_is_found(copied: Path, position: int) -> None:
    lines = lines_of(copied)
    put_lines(copied, lines[: position + 1] + lines[position:])
    report = support.verify(copied)
    assert report.verdict is Verdict.ALTERED
    assert report.first_bad is not None
    assert report.first_bad.entry == position + 1


@pytest.mark.parametrize("position", range(11))
def test_exchanged_lines_are_found(copied: Path, position: int) -> None:
    lines = lines_of(copied)
    lines[position], lines[position + 1] = lines[position + 1], lines[position]
    put_lines(copied, lines)
    report = support.verify(copied)
    assert report.verdict is Verdict.ALTERED
    assert report.first_bad is not None
    assert report.first_bad.entry == position


def test_every_cut_of_a_closed_manifest_is_a_truncation(copied: Path) -> None:
    whole = (copied / layout.MANIFEST).read_bytes()
    for size in [*range(0, len(whole), 97), len(whole) - 1]:
        (copied / layout.MANIFEST).write_bytes(whole[:size])
        assert support.verify(copied).verdict is Verdict.TRUNCATED, size


def test_an_open_manifest_without_its_last_lines_is_a_truncation(still_open: Path, tmp_path: Path) -> None:
    folder = support.copy(still_open, tmp_path / "copy")
    put_lines(folder, lines_of(folder)[:6])
    assert support.verify(folder).verdict is Verdict.TRUNCATED


def test_the_torn_last_line_of_an_open_archive_is_no_fault(still_open: Path, tmp_path: Path) -> None:
    folder = support.copy(still_open, tmp_path / "copy")
    lines = lines_of(folder)
    for size in (1, 20, len(lines[-1]) - 1):
        put_lines(folder, [*lines[:-1], lines[-1][:size]])
        report = support.verify(folder)
        assert (report.verdict, report.open, report.torn_bytes) == (Verdict.INTACT, True, size)
        assert report.entries == len(lines) - 1


def test_bytes_after_the_closing_entry_are_found(copied: Path) -> None:
    for extra in (b"x", b"\n", b"{}\n"):
        lines = lines_of(copied)
        put_lines(copied, [*lines, extra])
        assert support.verify(copied).verdict is Verdict.ALTERED
        put_lines(copied, lines)


def test_an_entry_signed_after_the_close_is_found(copied: Path) -> None:
    lines = lines_of(copied)
    head = Head()
    for line in lines:
        head = head.after(line)
    put_lines(copied, [*lines, forge(fields_of(lines[6]), head, support.keys().signer)])
    (copied / layout.CLOSED).unlink()
    assert support.verify(copied).verdict is Verdict.ALTERED


def test_lines_and_objects_of_another_consultation_are_found(closed: Path, tmp_path: Path) -> None:
    other = support.write(tmp_path, "con_01k9zzzzzzzzzzzzzzzzzzzzz0", salt="other ")
    for position in range(1, 13):
        folder = support.copy(closed, tmp_path / "copy")
        lines, theirs = lines_of(folder), lines_of(other)
        put_lines(folder, [*lines[:position], theirs[position], *lines[position + 1 :]])
        report = support.verify(folder)
        assert report.verdict is Verdict.ALTERED
        assert report.first_bad is not None
        assert report.first_bad.entry == position


def test_a_properly_chained_entry_of_another_consultation_is_found(copied: Path) -> None:
    lines = lines_of(copied)[:3]
    head = Head(3, Head().after(lines[-1]).previous)
    foreign = fields_of(lines_of(copied)[3]) | {"consultation": "con_other"}
    put_lines(copied, [*lines, forge(foreign, head, support.keys().signer)])
    report = support.verify(copied)
    assert report.verdict is Verdict.ALTERED
    assert report.first_bad is not None
    assert "another consultation" in report.first_bad.reason


def test_pieces_cannot_be_renumbered_or_moved_even_by_the_signer(copied: Path) -> None:
    lines = lines_of(copied)
    head = Head(2, Head().after(lines[1]).previous)
    for change in ({"number": 2}, {"generation": 1}, {"object": "tracks/other/000/000001.m4s.age"}):
        put_lines(copied, [*lines[:2], forge(fields_of(lines[2]) | change, head, support.keys().signer)])
        assert support.verify(copied).verdict is Verdict.ALTERED, change


def test_one_entry_signed_by_another_key_is_altered(copied: Path) -> None:
    lines = lines_of(copied)
    head = Head()
    for line in lines[:5]:
        head = head.after(line)
    lines[5] = forge(fields_of(lines[5]), head, ArchiveSigner.generate())
    put_lines(copied, lines)
    report = support.verify(copied)
    assert report.verdict is Verdict.ALTERED
    assert report.first_bad is not None
    assert report.first_bad.entry == 5


def test_an_archive_signed_anew_by_another_key_cannot_be_verified(copied: Path) -> None:
    resign_all(copied, ArchiveSigner.generate())
    assert support.verify(copied).verdict is Verdict.UNVERIFIABLE


def test_an_untouched_archive_cannot_be_verified_without_its_signers_key(closed: Path) -> None:
    stranger = [TrustedSigner(ArchiveSigner.generate().public, "test")]
    assert verify_consultation(closed, stranger).verdict is Verdict.UNVERIFIABLE
    assert verify_consultation(closed, []).verdict is Verdict.UNVERIFIABLE


def test_a_second_trusted_signer_may_continue_an_archive(copied: Path) -> None:
    lines = lines_of(copied)
    head = Head()
    for line in lines[:-1]:
        head = head.after(line)
    successor = ArchiveSigner.generate()
    lines[-1] = forge(fields_of(lines[-1]), head, successor)
    put_lines(copied, lines)
    (copied / layout.CLOSED).write_bytes(lines[-1])
    both = [*support.keys().trusted, TrustedSigner(successor.public, "test")]
    assert verify_consultation(copied, both).verdict is Verdict.INTACT
    assert support.verify(copied).verdict is Verdict.ALTERED


def test_the_same_meaning_spelled_differently_is_altered(copied: Path) -> None:
    lines = lines_of(copied)
    for spelled in (
        lines[2].replace(b'"frames":30', b'"frames": 30'),
        lines[2].replace(b'"frames":30', b'"frames":30,"frames":30'),
        json.dumps(fields_of(lines[2])).encode() + b"\n",
        lines[2].replace(b"\n", b"\r\n"),
    ):
        put_lines(copied, [*lines[:2], spelled, *lines[3:]])
        assert support.verify(copied).verdict is Verdict.ALTERED


def test_another_closing_marker_is_found(copied: Path, tmp_path: Path) -> None:
    other = support.write(tmp_path, "con_01k9zzzzzzzzzzzzzzzzzzzzz0")
    (copied / layout.CLOSED).write_bytes((other / layout.CLOSED).read_bytes())
    assert support.verify(copied).verdict is Verdict.ALTERED


def test_a_signature_over_another_purpose_is_not_an_entrys(copied: Path) -> None:
    lines = lines_of(copied)
    fields = fields_of(lines[4])
    del fields["signature"]
    message = canonical.encode(fields)
    fields["signature"] = support.keys().signer.sign(b"something-else/1\n" + message).hex()
    put_lines(copied, [*lines[:4], canonical.encode(fields) + b"\n", *lines[5:]])
    assert support.verify(copied).verdict is Verdict.ALTERED


def test_in_a_whole_archive_folders_cannot_change_places(closed: Path, tmp_path: Path) -> None:
    support.copy(closed, tmp_path / "con_01k9zzzzzzzzzzzzzzzzzzzzz9")
    (tmp_path / ".new-con_x").mkdir()
    (tmp_path / "unrelated").mkdir()
    folders = consultations_in(tmp_path)
    assert [path.name for path in folders] == ["con_01k9zzzzzzzzzzzzzzzzzzzzz9"]
    report = verify_consultation(folders[0], support.keys().trusted, bound_to_name=True)
    assert report.verdict is Verdict.ALTERED


def test_the_gravest_verdict_of_several_counts(closed: Path, copied: Path) -> None:
    next(copied.rglob("init.mp4.age")).unlink()
    good, missing = support.verify(closed), support.verify(copied)
    assert overall([good, missing]) is Verdict.MISSING
    assert overall([]) is Verdict.INTACT


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_arbitrary_bytes_as_a_manifest_never_crash_the_verifier(copied: Path, data: bytes) -> None:
    (copied / layout.MANIFEST).write_bytes(data)
    assert support.verify(copied).verdict in (Verdict.ALTERED, Verdict.TRUNCATED)
