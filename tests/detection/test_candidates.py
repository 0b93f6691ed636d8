"""Which groups come out of the statement, and which of them go through XCom."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from typing import Any

import psycopg
import pytest

from redshift_auth_alert.detection import evaluation
from redshift_auth_alert.detection.candidates import BRIEF, Mark, read_candidates
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.verdict import BUDGET, fit_budget, judge
from tests.conftest import LONG_AGO, NOON, ROOT, candidates, judged, make_run, measure
from tests.detection.events import HEARTBEAT, MINUTE, Events, failures, hosts, sign_ins


def attack(hosts: int, number: int, network: int = 1, user: str = "admin", *, since: int = 0) -> Events:
    """So many failures of each of so many hosts, within a few minutes."""
    minutes = [since + each / 10 for each in range(number)]
    return [
        event
        for host in range(hosts)
        for event in failures(*minutes, host=f"10.{network}.{host // 256}.{host % 256}", user=user)
    ]


def host_rows(rows: list[dict[str, Any]]) -> list[str]:
    return [row["remote_host"] for row in rows]


WORST_FIRST = (
    failures(*range(12), host="192.0.2.1")
    + sign_ins(20, host="192.0.2.1")  # got in
    + failures(*range(-25, -5), *range(6), host="192.0.2.2")  # the highest count, and the fewest failures
    + failures(*range(-5, 10), host="192.0.2.3")  # the same count as the next one, and fewer failures
    + failures(*range(15), host="192.0.2.4")
    + failures(*range(16), host="192.0.2.5")
)


def test_the_statement_puts_got_in_first_then_the_highest_count_then_the_most_failures(
    logs: psycopg.Connection,
) -> None:
    rows = measure(logs, make_run(), WORST_FIRST)
    assert host_rows(rows) == ["192.0.2.1", "192.0.2.2", "192.0.2.5", "192.0.2.4", "192.0.2.3"]
    assert [row["most_at_failure"] for row in rows] == [12, 25, 16, 15, 15]
    assert [row["failures"] for row in rows] == [12, 6, 16, 15, 10]


def test_the_statement_cuts_the_least_severe_and_counts_all_that_breached(
    logs: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "CANDIDATES", 2)
    rows = measure(logs, make_run(), WORST_FIRST)
    assert host_rows(rows) == ["192.0.2.1", "192.0.2.2"]
    assert {row["breaching_groups"] for row in rows} == {5}


def test_the_statement_cuts_a_group_with_its_rows_for_all_thresholds(
    logs: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "CANDIDATES", 4)
    own = [{"remote_host": "198.51.100.1", "threshold": 5}]
    rows = measure(logs, make_run(thresholds=own), WORST_FIRST)
    assert [(row["remote_host"], row["threshold"]) for row in rows] == [
        ("192.0.2.1", 5), ("192.0.2.1", 10), ("192.0.2.2", 5), ("192.0.2.2", 10),
    ]  # fmt: skip


def test_groups_that_the_statement_cut_are_reported_as_unjudged(
    logs: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "CANDIDATES", 2)
    run = make_run()
    totals = judged(measure(logs, run, WORST_FIRST + HEARTBEAT), run).totals
    assert (totals.new, totals.ongoing, totals.unjudged, totals.reported) == (1, 1, 3, 5)


NOISE = [{"remote_host": f"198.51.100.{number}", "threshold": 3 + number} for number in range(20)]


def test_the_limit_counts_rows_so_many_own_thresholds_leave_room_for_as_many_groups(logs: psycopg.Connection) -> None:
    run = make_run(threshold=100, thresholds=[{"remote_host": "203.0.113.7", "threshold": 3}, *NOISE[1:]])
    log = attack(600, 3) + failures(2, 3, 4, host="203.0.113.7") + HEARTBEAT
    verdict = judged(measure(logs, run, log), run)
    assert (hosts(verdict.breaches), verdict.totals.reported) == (["203.0.113.7"], 1)


@pytest.mark.parametrize("gets_in", [False, True])
def test_a_group_at_the_monitors_threshold_comes_before_those_at_a_lower_one_of_others(
    logs: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, *, gets_in: bool
) -> None:
    monkeypatch.setattr(evaluation, "CANDIDATES", 6)
    noise = [*attack(9, 3), *(sign_ins(1, host=f"10.1.0.{host}")[0] for host in range(9) if gets_in)]
    run = make_run(thresholds=[{"remote_host": "198.51.100.1", "threshold": 3}])
    verdict = judged(measure(logs, run, noise + failures(*range(10), host="203.0.113.8") + HEARTBEAT), run)
    assert hosts(verdict.breaches) == ["203.0.113.8"]


def test_a_group_that_was_cut_and_reached_only_a_lower_threshold_of_others_is_not_reported(
    logs: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "CANDIDATES", 4)
    run = make_run(thresholds=[{"remote_host": "198.51.100.1", "threshold": 3}])
    rows = measure(logs, run, attack(9, 3) + WORST_FIRST + HEARTBEAT)
    totals = judged(rows, run).totals
    assert (totals.new, totals.ongoing, totals.unjudged) == (1, 1, 3)
    assert (rows[0]["breaching_groups"], rows[0]["breaching_at_threshold"]) == (14, 5)


def test_a_group_whose_rows_do_not_all_fit_is_cut_as_a_whole(
    logs: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "CANDIDATES", 3)
    run = make_run(thresholds=[{"remote_host": "198.51.100.1", "threshold": 5}])
    assert host_rows(measure(logs, run, WORST_FIRST)) == ["192.0.2.1", "192.0.2.1"]


def test_a_group_that_is_over_is_not_cut_for_those_at_a_lower_threshold_of_others(logs: psycopg.Connection) -> None:
    run = make_run(notify_when_over=True, thresholds=[{"remote_host": "198.51.100.1", "threshold": 5}, *NOISE[2:]])
    before = failures(*[-20 + each / 10 for each in range(12)], host="203.0.113.7")
    verdict = judged(measure(logs, run, attack(600, 5) + before + HEARTBEAT), run)
    assert hosts(verdict.having("over")) == ["203.0.113.7"]


def in_xcom(logs: psycopg.Connection, run: Evaluation, log: Events) -> Any:
    found = candidates(measure(logs, run, log + HEARTBEAT), run)
    assert len(json.dumps(found)) <= BUDGET
    return found


IGNORED = {"remote_host": "10.1.0.0/16", "reason": "load test"}


@pytest.mark.parametrize("ignored", [2_000, 6_000])
def test_ignored_groups_that_are_all_worse_do_not_displace_an_attacker(logs: psycopg.Connection, ignored: int) -> None:
    run = make_run(ignore=[IGNORED])
    found = in_xcom(logs, run, attack(ignored, 12) + failures(*range(10), host="192.0.2.1"))
    verdict = judge(found, run)
    assert host_rows([breach.group for breach in verdict.having("reported")]) == ["192.0.2.1"]
    assert verdict.having("reported")[0].details
    assert verdict.totals.ignored == ignored


def test_held_back_groups_that_are_all_worse_do_not_displace_a_new_one(logs: psycopg.Connection) -> None:
    half_past = {"start": NOON + 30 * MINUTE, "end": NOON + 60 * MINUTE}
    run = make_run(remind_every_minutes=240, reported_since=LONG_AGO, **half_past)
    ongoing = attack(2_500, 12, since=25) + attack(2_500, 12, since=31)
    verdict = judge(in_xcom(logs, run, ongoing + failures(*range(35, 45), host="192.0.2.1")), run)
    assert host_rows([breach.group for breach in verdict.having("reported")]) == ["192.0.2.1"]
    assert (verdict.totals.new, verdict.totals.held_back) == (1, 2_500)


def test_more_than_1000_groups_with_names_of_20_characters_come_through(logs: psycopg.Connection) -> None:
    run = make_run(group_by=["user_name"], max_groups=100)
    names = [f"user{number:016}" for number in range(1_500)]
    log = [event for name in names for event in failures(*range(10), user=name)]
    verdict = judge(in_xcom(logs, run, log), run)
    assert sorted(breach.group["user_name"] for breach in verdict.breaches) == names
    assert sum(breach.details is not None for breach in verdict.breaches) == 100


def test_names_of_50_four_byte_characters_leave_room_for_groups_beside_the_details(logs: psycopg.Connection) -> None:
    run = make_run(group_by=["user_name"], max_groups=100, threshold=1)
    log = [e for number in range(600) for e in failures(1, user=f"{number:03}" + "\N{PILE OF POO}" * 47)]
    verdict = judge(in_xcom(logs, run, log), run)
    assert len(verdict.breaches) > 200
    assert (verdict.totals.new, verdict.totals.unjudged) == (600, 0)


def test_what_fits_goes_through_as_it_is(logs: psycopg.Connection) -> None:
    run = make_run(max_groups=1)
    rows = measure(logs, run, WORST_FIRST)
    plain = [[value.isoformat() if isinstance(value, datetime) else value for value in row.values()] for row in rows]
    found = read_candidates({"columns": list(rows[0]), "rows": plain}, run)
    assert fit_budget(found, run) is found


def test_a_row_without_details_takes_120_bytes_at_most() -> None:
    row = ["255.255.255.255", 1_000_000, 1_000_000, 1_000_000, 1_000_000, *["2026-03-01T12:00:00.123456"] * 2]
    row.append(sum(Mark))
    assert len(row) == len(BRIEF) + 1
    assert len(json.dumps(row)) <= 120


QUIET = """
import json, sys, types
from redshift_auth_alert.tasks import record
from redshift_auth_alert.tasks.check import check_threshold
from tests.conftest import LONG_AGO, make_run
record.Variable = types.SimpleNamespace(get=lambda *_, **__: None)  # which only a running task can reach
ti = types.SimpleNamespace(xcom_push=lambda **_: None)
print(check_threshold(json.loads(sys.argv[1]), make_run(), ti), "pandas" in sys.modules)
"""


@pytest.mark.parametrize(("log", "says"), [([], "no_alert False"), (failures(*range(35, 45)), "no_alert False")])
def test_a_run_in_which_no_group_came_back_does_not_import_pandas(
    logs: psycopg.Connection, log: Events, says: str
) -> None:
    found = in_xcom(logs, make_run(), log)
    env = {"PYTHONPATH": f"{ROOT}:{ROOT}/plugins", "HOME": "/nonexistent", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", QUIET, json.dumps(found)], env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == [says], done.stderr
