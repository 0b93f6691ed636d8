"""What each run keeps for the page."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta

import pytest

from redshift_auth_alert.detection.coverage import judge_coverage, judge_fleet
from redshift_auth_alert.detection.findings import Coverage, Fleet, Gap
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.message.summary import LIMIT, summarise
from tests.conftest import NOON, make_run
from tests.message.findings import GOT_IN, make_breach, make_verdict


def test_a_quiet_run_has_its_numbers() -> None:
    summary = summarise(make_verdict(), make_run(dry_run=True))
    assert (summary["failures"], summary["groups"]["reported"], summary["worst"]) == (12, 0, [])
    assert summary["run"] == {"type": "scheduled", "dry_run": True}


def test_it_says_which_part_of_the_interval_the_log_shows() -> None:
    shown = Interval(NOON, NOON + timedelta(minutes=20))
    coverage = Coverage("stl_connection_log", "partial", "up to 12:20 only", shown=shown)
    assert summarise(make_verdict(coverage=coverage), make_run())["coverage"] == {
        "verdict": "partial", "reason": "up to 12:20 only", "unreadable_lines": 0,
        "shown": {"start": "2026-03-01T12:00:00Z", "end": "2026-03-01T12:20:00Z"},
        "fleet": None,
    }  # fmt: skip


def test_it_names_the_worst_groups_in_order() -> None:
    summary = summarise(make_verdict(GOT_IN, make_breach(outcome="ignored")), make_run())
    assert [(each["outcome"], each["critical"]) for each in summary["worst"]] == [
        ("reported", True),
        ("ignored", False),
    ]


@pytest.mark.parametrize("name", ["203.0.113.7", "\N{PILE OF POO}" * 50], ids=["an address", "the longest name"])
def test_it_keeps_to_its_limit_and_leaves_out_the_last_groups(name: str) -> None:
    columns = ("remote_host", "user_name", "database_name")
    breaches = [make_breach(group=dict.fromkeys(columns, name)) for _ in range(50)]
    coverage = Coverage("stl_connection_log", "unseen", "a reason that takes its time " * 12)
    summary = summarise(
        make_verdict(*breaches, coverage=coverage), make_run(environment="x" * 40, warehouse="w" * 64, group_by=columns)
    )
    assert len(json.dumps(summary)) <= LIMIT
    assert summary["groups"]["reported"] == 50


@pytest.mark.parametrize("length", [12, 64])
def test_of_a_fleet_with_many_gaps_it_keeps_to_its_limit_and_names_the_worst_group(length: int) -> None:
    """8 of 40 warehouses show nothing, 8 a part, 24 all; a warehouse's name has 64 characters at most."""
    names = [f"sales-{number:02}".ljust(length, "x") for number in range(40)]
    late, seen = (
        {"oldest_event_at": "2026-02-28T10:00:00", "newest_event_at": newest, "shows_others": 1}
        for newest in ("2026-03-01T12:10:00", "2026-03-01T12:40:00")
    )
    run = make_run(
        environment="x" * 40,
        source="sys_connection_log_s3",
        athena_conn_id="athena",
        namespace="123456789012_sys",
        expect_warehouses=names,
    )
    fleet = judge_fleet(dict.fromkeys(names[8:16], late) | dict.fromkeys(names[16:], seen), run)
    log = {"source": run.settings.source, "unreadable_lines": 0, "fleet": asdict(fleet)}
    coverage = judge_coverage(log | seen, run.interval)
    assert (fleet.unseen, fleet.partial, len(coverage.reason) > 700) == (8, 8, True)
    summary = summarise(make_verdict(GOT_IN, coverage=coverage), run)
    assert len(json.dumps(summary)) <= LIMIT
    assert [(each["group"], each["critical"]) for each in summary["worst"]] == [({"remote_host": "203.0.113.7"}, True)]
    assert summary["coverage"]["reason"].startswith("8 of 40 warehouses were not evaluated: sales-00")


def test_of_a_fleet_it_counts_the_warehouses_that_were_not_seen_and_names_none() -> None:
    gaps = tuple(Gap(f"warehouse-{number}", "unseen", "shows no event") for number in range(100))
    coverage = Coverage(
        "sys_connection_log_s3", "partial", "100 of 200 were not evaluated", fleet=Fleet(200, 100, 0, gaps)
    )
    said = summarise(make_verdict(coverage=coverage), make_run())["coverage"]["fleet"]
    assert said == {"warehouses": 200, "unseen": 100, "partial": 0, "gaps": ()}
