"""Nothing of a privacy pause is kept, and what is missing is declared: seen from the manifest alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive import layout
from archive.chain import Head
from archive.continuity import HOLE_US, PRIVACY_PAUSE, Hole
from archive.faults import Verdict
from archive.specs import PieceSpec, Span
from archive.writer import ArchiveWriter
from core.errors import ProtocolError
from tests.archive import support
from tests.archive.test_verify import fields_of, forge, lines_of, put_lines

TRACK = "ultrasound-device-video"
S = 1_000_000
Step = Callable[[ArchiveWriter], object]


def recorded(root: Path, *steps: Step) -> Path:
    """An archive with one video track and what `steps` write."""
    writer = support.create(root)
    writer.start_generation(TRACK, support.VIDEO, b"init", "start")
    for step in steps:
        step(writer)
    writer.close("consultation_closed")
    return writer.folder


def kept(begin_us: int, end_us: int, uncertainty_us: int = 0) -> Step:
    spec = PieceSpec(Span(begin_us, end_us), 30, True, uncertainty_us=uncertainty_us)
    return lambda writer: writer.write_piece(TRACK, 0, spec, b"piece")


def gap(begin_us: int, end_us: int, reason: str = PRIVACY_PAUSE, track: str | None = TRACK) -> Step:
    return lambda writer: writer.declare_gap(track, Span(begin_us, end_us), reason)


def moved(folder: Path, at: int, **changes: int) -> None:
    """As a service that lies would have signed it: one entry says otherwise, and all after it follow."""
    head, forged = Head(), []
    for position, line in enumerate(lines_of(folder)):
        fields = fields_of(line)
        fields.update(changes if position == at else {})
        forged.append(forge(fields, head, support.keys().signer))
        head = head.after(forged[-1])
    put_lines(folder, forged)
    (folder / layout.CLOSED).write_bytes(forged[-1])


@pytest.mark.parametrize("track", [TRACK, None])
@pytest.mark.parametrize("late", [False, True])
def test_a_piece_inside_a_privacy_pause_is_altered_whatever_its_signature_says(
    track: str | None, late: bool, tmp_path: Path
) -> None:
    steps = [gap(S, 3 * S, track=track), kept(3 * S, 4 * S)]
    folder = recorded(tmp_path, kept(0, S), *(reversed(steps) if late else steps))
    assert support.verify(folder).verdict is Verdict.INTACT
    piece = 3 if late else 4
    moved(folder, piece, begin_us=2 * S, end_us=3 * S)
    report = support.verify(folder)
    assert report.verdict is Verdict.ALTERED
    assert report.first_bad is not None
    assert (report.first_bad.entry, report.first_bad.reason) == (piece, "its piece lies in a privacy pause")


def test_another_tracks_pause_and_what_clocks_cannot_tell_are_no_fault(tmp_path: Path) -> None:
    folder = recorded(
        tmp_path, kept(0, S), gap(S, 3 * S), gap(0, 9 * S, track="theatre-device-video"),
        gap(0, 9 * S, "packet_loss"), kept(3 * S - 40_000, 4 * S, uncertainty_us=40_000),
    )  # fmt: skip
    assert support.verify(folder).verdict is Verdict.INTACT


def test_the_writer_refuses_what_lies_in_a_pause_and_goes_on(tmp_path: Path) -> None:
    def refused(writer: ArchiveWriter) -> None:
        with pytest.raises(ProtocolError, match="privacy pause"):
            kept(2 * S, 3 * S)(writer)

    folder = recorded(tmp_path, gap(S, 4 * S), refused, kept(4 * S, 5 * S))
    report = support.verify(folder)
    assert (report.verdict, report.objects) == (Verdict.INTACT, 2)


def test_a_pause_declared_over_what_is_there_claims_only_the_rest(tmp_path: Path) -> None:
    folder = recorded(tmp_path, kept(0, S), kept(2 * S, 3 * S), gap(0, 4 * S), gap(0, S))
    spans = [
        (item["begin_us"], item["end_us"])
        for item in map(fields_of, lines_of(folder))
        if item["kind"] == "gap"
    ]
    assert spans == [(S, 2 * S), (3 * S, 4 * S), (S, S)]
    assert support.verify(folder).verdict is Verdict.INTACT


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32))
def test_whatever_is_written_in_whatever_order_verifies(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = random.Random(seed)

    def step(writer: ArchiveWriter) -> None:
        begin = chance.randrange(20) * S // 2
        if chance.random() < 0.4:
            gap(begin, begin + chance.randrange(4 * S), track=chance.choice([TRACK, None]))(writer)
            return
        try:
            kept(begin, begin + chance.randrange(1, S), chance.choice([0, 40_000]))(writer)
        except ProtocolError:
            return

    def all_else(writer: ArchiveWriter) -> None:
        gap(0, 12 * S, "packet_loss")(writer)

    folder = recorded(tmp_path_factory.mktemp("any"), *[step] * chance.randrange(1, 12), all_else)
    assert support.verify(folder).verdict is Verdict.INTACT


def test_a_hole_that_nobody_declared_is_missing_and_a_declared_one_is_not(tmp_path: Path) -> None:
    plain = recorded(tmp_path / "1", kept(0, S), kept(6 * S, 7 * S))
    report = support.verify(plain)
    assert (report.verdict, report.holes) == (Verdict.MISSING, (Hole(TRACK, S, 6 * S, 3),))
    assert report.first_bad is not None
    assert report.first_bad.entry == 3
    assert report.first_bad.reason == f"before it, 5.0 s of {TRACK} are missing, and no gap says why"
    for number, declared in enumerate(
        ([gap(S, 6 * S, "disk")], [gap(S, 3 * S, "disk"), gap(3 * S, 6 * S, "x", None)])
    ):
        whole = support.verify(
            recorded(tmp_path / f"whole{number}", kept(0, S), *declared, kept(6 * S, 7 * S))
        )
        assert (whole.verdict, whole.holes) == (Verdict.INTACT, ())
    half = recorded(tmp_path / "half", kept(0, S), gap(S, 3 * S, "disk"), kept(6 * S, 7 * S))
    assert support.verify(half).holes == (Hole(TRACK, 3 * S, 6 * S, 4),)


def test_while_the_archive_is_open_the_gap_may_yet_be_declared(tmp_path: Path) -> None:
    writer = support.create(tmp_path)
    writer.start_generation(TRACK, support.VIDEO, b"init", "start")
    for step in (kept(0, S), kept(6 * S, 7 * S)):
        step(writer)
    report = support.verify(writer.folder)
    assert (report.verdict, report.open, len(report.holes)) == (Verdict.INTACT, True, 1)
    gap(S, 6 * S, "overload")(writer)
    writer.close("consultation_closed")
    assert support.verify(writer.folder).verdict is Verdict.INTACT


def test_something_altered_is_graver_than_a_hole(tmp_path: Path) -> None:
    folder = recorded(tmp_path, kept(0, S), kept(6 * S, 7 * S))
    victim = next(folder.rglob("000002.m4s.age"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"\0")
    assert support.verify(folder).verdict is Verdict.ALTERED


def test_a_signer_who_removes_pieces_and_numbers_the_rest_anew_leaves_a_hole(tmp_path: Path) -> None:
    steps = [kept(second * S, (second + 1) * S) for second in range(8)]
    assert support.verify(recorded(tmp_path / "whole", *steps)).verdict is Verdict.INTACT
    assert support.verify(recorded(tmp_path / "cut", *steps[:3], *steps[5:])).verdict is Verdict.MISSING


Spans = list[tuple[int, int]]
LEAST_LOSS_US = HOLE_US + 3 * S
"""Its neighbours' gaps may reach a second into it from both sides."""


def timeline(chance: random.Random) -> tuple[Spans, Spans]:
    """Pieces that follow one another, with now and then a loss; and the losses."""
    pieces, losses, at_us = list[tuple[int, int]](), list[tuple[int, int]](), chance.randrange(5 * S)
    for _ in range(chance.randrange(2, 9)):
        end_us = at_us + chance.randrange(1, S)
        pieces.append((at_us, end_us))
        at_us = end_us + chance.choice([0, 0, chance.randrange(HOLE_US)])
        if chance.random() < 0.4:
            losses.append((end_us, end_us + LEAST_LOSS_US + chance.randrange(20 * S)))
            at_us = losses[-1][1]
    pieces.append((at_us, at_us + S))
    return pieces, losses


def told(chance: random.Random, loss: tuple[int, int]) -> list[Step]:
    """A gap that covers a loss: for all tracks or this one, at once or in parts, perhaps more than it."""
    begin, end = loss[0] - chance.choice([0, S]), loss[1] + chance.choice([0, S])
    cut = chance.randrange(begin, end)
    spans = chance.choice([[(begin, end)], [(begin, cut), (cut, end)], [(cut - 1, end), (begin, cut)]])
    reasons = ("packet_loss", "disk", "overload", "nothing_came", "recorder_restarted")
    return [gap(max(0, one), two, chance.choice(reasons), chance.choice([TRACK, None])) for one, two in spans]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_an_archive_whose_losses_are_declared_never_complains_and_one_that_keeps_quiet_about_one_does(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = random.Random(seed)
    pieces, losses = timeline(chance)
    steps = [[kept(begin, end)] for begin, end in pieces]
    steps += [told(chance, loss) for loss in losses]
    chance.shuffle(steps)
    whole = recorded(tmp_path_factory.mktemp("told"), *(step for part in steps for step in part))
    report = support.verify(whole)
    assert (report.verdict, report.holes) == (Verdict.INTACT, ())
    if losses:
        quiet = chance.choice(losses)
        gaps = [told(random.Random(seed), loss) for loss in losses if loss != quiet]
        silent = recorded(
            tmp_path_factory.mktemp("quiet"),
            *(kept(begin, end) for begin, end in pieces),
            *(step for part in gaps for step in part),
        )
        found = support.verify(silent)
        assert found.verdict is Verdict.MISSING
        assert [hole.track for hole in found.holes] == [TRACK]


def test_a_file_is_sealed_once_and_opens_with_the_rest(tmp_path: Path) -> None:
    folder = recorded(tmp_path, kept(0, S), lambda writer: writer.write_file("fil_1", b"a letter"))
    report = support.verify(folder)
    assert (report.verdict, report.objects) == (Verdict.INTACT, 3)
    lines = lines_of(folder)
    assert fields_of(lines[3])["object"] == "files/000001.age"
    moved(folder, 3, number=2)
    assert support.verify(folder).verdict is Verdict.ALTERED
    (folder / "files" / "000001.age").unlink()
    put_lines(folder, lines)
    (folder / layout.CLOSED).write_bytes(lines[-1])
    assert support.verify(folder).verdict is Verdict.MISSING


def test_a_restarted_writer_knows_its_files_and_pauses(tmp_path: Path) -> None:
    writer = support.create(tmp_path)
    writer.start_generation(TRACK, support.VIDEO, b"init", "start")
    writer.write_file("fil_1", b"a letter")
    gap(S, 3 * S)(writer)
    writer.release()
    again = support.resume(tmp_path)
    assert again.files == {"fil_1"}
    with pytest.raises(ProtocolError, match="privacy pause"):
        again.write_piece(TRACK, 0, replace(support.piece(1), frames=1), b"piece")
    assert again.write_file("fil_2", b"another") == 2
    again.release()
