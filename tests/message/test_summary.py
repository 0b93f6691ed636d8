"""What each run keeps for the page."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

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


def test_of_a_fleet_it_counts_the_warehouses_that_were_not_seen_and_names_none() -> None:
    gaps = tuple(Gap(f"warehouse-{number}", "unseen", "shows no event") for number in range(100))
    coverage = Coverage(
        "sys_connection_log_s3", "partial", "100 of 200 were not evaluated", fleet=Fleet(200, 100, 0, gaps)
    )
    said = summarise(make_verdict(coverage=coverage), make_run())["coverage"]["fleet"]
    assert said == {"warehouses": 200, "unseen": 100, "partial": 0, "gaps": ()}
