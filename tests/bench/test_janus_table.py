"""Ratios, summaries, table and JSON of the comparison with Janus."""

from __future__ import annotations

import dataclasses
import json

from bench.janus import turns
from bench.janus_table import COLUMNS, Run, as_json, doubts, headroom, ratios, summaries, table


def a_run(server: str, subscribers: int, number: int, cost_us: float, **others: float) -> Run:
    run = Run(
        server=server,
        subscribers=subscribers,
        round=number,
        seconds=10.0,
        sent_per_s=445.0,
        delivered_per_s=445.0 * subscribers,
        cpu_us_per_packet=cost_us,
        cpu_user_us_per_packet=cost_us / 2,
        cpu_percent=30.0,
        loss_percent=0.0,
        undelivered_percent=0.5,
        memory_per_subscriber_kb=200.0,
        transit_p50_us=1_000,
        transit_p99_us=9_000,
        publisher_cpu_percent=3.0,
        publisher_late_ms=2.0,
        receiver_cpu_percent=20.0,
        receiver_overflowed=0,
        idle_percent=40.0,
        steal_percent=0.0,
        reference_us=1.0,
        srtp_profile="SRTP_AEAD_AES_256_GCM",
        verified_packets=100,
        rejected_packets=0,
        viewer_feedback=100 * subscribers,
        publisher_feedback=50,
    )
    return dataclasses.replace(run, **others)


def three_rounds() -> list[Run]:
    """The third round met a machine twice as slow, for both."""
    runs = []
    for number, (ours_us, theirs_us) in enumerate([(5.0, 20.0), (6.0, 20.0), (8.0, 40.0)], 1):
        runs += [a_run("teleconsult", 60, number, ours_us), a_run("janus", 60, number, theirs_us)]
    return runs


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    (ratio,) = ratios(three_rounds())
    assert ratio.per_round == [0.25, 0.3, 0.2]
    assert ratio.median == 0.25


def test_a_round_only_one_server_has_done_gives_no_ratio() -> None:
    assert ratios([a_run("teleconsult", 10, 1, 5.0), a_run("janus", 30, 1, 5.0)]) == []
    assert [ratio.per_round for ratio in ratios([*three_rounds(), a_run("janus", 60, 4, 1.0)])] == [
        [0.25, 0.3, 0.2]
    ]


def test_each_number_of_subscribers_has_its_own_ratio() -> None:
    runs = [a_run("teleconsult", 10, 1, 6.0), a_run("janus", 10, 1, 12.0), *three_rounds()]
    assert [(ratio.subscribers, ratio.median) for ratio in ratios(runs)] == [(10, 0.5), (60, 0.25)]


def test_a_summary_takes_the_middle_cost_and_the_worst_loss() -> None:
    runs = three_rounds()
    runs[0] = dataclasses.replace(runs[0], loss_percent=1.5, idle_percent=3.0)
    ours, theirs = summaries(runs)
    assert (ours.server, ours.cpu_us_per_packet, ours.rounds) == ("teleconsult", 6.0, 3)
    assert (theirs.server, theirs.cpu_us_per_packet) == ("janus", 20.0)
    assert (ours.worst_loss_percent, theirs.worst_loss_percent) == (1.5, 0.0)
    assert ours.least_idle_percent == 3.0


def test_the_table_has_a_row_per_server_and_shows_the_ratio_once() -> None:
    shown = table(three_rounds())
    assert shown.row_count == 2
    assert len(shown.columns) == len(COLUMNS) + 1
    assert list(shown.columns[-1].cells) == ["0.25", ""]


def test_the_json_holds_the_machine_every_run_and_the_ratios() -> None:
    found = json.loads(json.dumps(as_json(three_rounds(), "1.1.2")))
    assert found["janus"] == "1.1.2"
    assert found["machine"]["cores"] >= 1
    assert len(found["runs"]) == 6
    assert found["ratios"] == [{"subscribers": 60, "per_round": [0.25, 0.3, 0.2], "median": 0.25}]
    assert [row["server"] for row in found["summaries"]] == ["teleconsult", "janus"]
    assert {field.name for field in dataclasses.fields(Run)} == set(found["runs"][0])


def test_headroom_tells_of_the_busiest_process_and_of_what_the_generator_lost() -> None:
    runs = three_rounds()
    runs[1] = dataclasses.replace(runs[1], receiver_cpu_percent=71.0, receiver_overflowed=12)
    text = headroom(runs)
    assert "71 % of a core" in text
    assert "lost 12 datagrams" in text


def test_runs_that_measured_the_machine_instead_of_a_server_are_named() -> None:
    runs = three_rounds()
    assert doubts(runs) == []
    runs[0] = dataclasses.replace(runs[0], idle_percent=0.4)
    runs[3] = dataclasses.replace(runs[3], undelivered_percent=24.0)
    runs[4] = dataclasses.replace(runs[4], viewer_feedback=2_000)
    first, second, third = doubts(runs)
    assert "60 viewers, teleconsult, round 1" in first
    assert "60 viewers, janus, round 2" in second
    assert "24 % not there" in second
    assert "33 % of the feedback" in third


def test_the_server_that_begins_changes_from_round_to_round() -> None:
    assert turns(3) == [
        (1, "teleconsult"),
        (1, "janus"),
        (2, "janus"),
        (2, "teleconsult"),
        (3, "teleconsult"),
        (3, "janus"),
    ]
