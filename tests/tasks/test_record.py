"""What is reported of failures that share a cause. Airflow's Variables are a stand-in; tests/faults has real ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.tasks.record import cause_of, load_record
from redshift_auth_alert.tasks.versions import AirflowFailException
from tests.conftest import NOON, make_run
from tests.detection.events import HEARTBEAT, MINUTE
from tests.tasks.conftest import Variables

REFUSED = cause_of("query_auth_failures", "Connection 'x': refused (at 12:00)", "topic")


def fails(number: int, cause: str = REFUSED, **of: Any) -> Interval | None:
    """Report that the run of that half hour failed; return the span that the report names, None where none is made."""
    start = NOON + number * 30 * MINUTE
    run = make_run(start=start, end=start + 30 * MINUTE, **of)
    record = load_record(run)
    assert record
    try:
        record = record.failed(cause, run.interval)
    except AirflowFailException:
        return None
    record.save()
    return record.missing


def test_48_failures_of_one_cause_are_reported_once() -> None:
    assert [fails(number) is not None for number in range(48)] == [True] + 47 * [False]


@pytest.mark.parametrize(("later", "reported"), [(timedelta(minutes=59), False), (timedelta(minutes=61), True)])
def test_the_same_cause_is_reported_again_after_an_hour(clock: Any, later: timedelta, *, reported: bool) -> None:
    fails(0)
    clock.moved = later
    assert (fails(1) is not None) is reported


def test_the_next_report_names_all_that_is_missing_in_whatever_order_it_failed(clock: Any) -> None:
    for number in (3, 1, 2):
        fails(number)
    clock.moved = timedelta(hours=2)
    assert fails(4) == Interval(NOON + 30 * MINUTE, NOON + 150 * MINUTE)


def test_another_cause_is_reported_at_once() -> None:
    fails(0)
    assert fails(1, cause_of("query_auth_failures", "the interval is unseen: no event", "topic"))


@pytest.mark.parametrize("length", [207, 208, 250])
def test_a_record_and_its_turn_have_a_key_that_airflow_takes_however_long_the_monitors_id(length: int) -> None:
    run = replace(make_run(), monitor="m" * length)
    other = replace(run, monitor="m" * (length - 1) + "n")
    first, second = load_record(run), load_record(other)
    assert first
    assert second
    assert len(f"{first.key}_turn") <= 250
    assert first.key != second.key


def test_a_backfill_and_the_schedule_have_a_record_each() -> None:
    fails(0)
    assert fails(1, run_type="backfill")


def test_a_report_that_was_not_published_leaves_no_record(variables: Variables) -> None:
    run = make_run()
    record = load_record(run)
    assert record
    record.failed(REFUSED, run.interval)
    assert variables == {}


def test_a_manual_run_leaves_no_record() -> None:
    assert load_record(make_run(run_type="manual")) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the oldest event is of 2026-03-01 12:00", "the oldest event is of 2026-03-02 13:30"),
        ("the warehouse refused the sign-in (ProgrammingError: no)", "the warehouse refused the sign-in (not tried)"),
        ("no event at all; GRANT SELECT", "no event at all; GRANT ROLE"),
    ],
    ids=["numbers", "details in brackets", "what to do"],
)
def test_reasons_have_one_cause_if_they_differ_only_in(one: str, other: str) -> None:
    assert cause_of("query", one, "topic") == cause_of("query", other, "topic")


@pytest.mark.parametrize(
    "other",
    [("check", "refused", "topic"), ("query", "unseen", "topic"), ("query", "refused", "another topic")],
    ids=["task", "reason", "topic"],
)
def test_reasons_have_causes_of_their_own_if_they_differ_in_the(other: tuple[str, str, str]) -> None:
    assert cause_of("query", "refused", "topic") != cause_of(*other)


def test_the_first_run_that_succeeds_reports_what_is_missing_and_the_next_is_quiet(check: Any) -> None:
    fails(-2)
    fails(-1)
    branch, pushed = check(HEARTBEAT)
    assert (branch, pushed["attributes"]["severity"]) == ("publish_alert", "recovered")
    assert "intervals within 2026-03-01 11:00:00 to 2026-03-01 12:00:00 UTC" in " ".join(pushed["body"].split())
    assert check(HEARTBEAT)[0] == "no_alert"


@pytest.mark.parametrize(
    ("log", "settings"),
    [(HEARTBEAT, {"dry_run": True}), ([], {"when_unseen": "warn"})],
    ids=["dry run", "unseen"],
)
def test_a_run_that_evaluates_or_publishes_nothing_does_not_report_that_it_works_again(
    check: Any, variables: Variables, log: Any, settings: dict[str, Any]
) -> None:
    fails(-1)
    assert check(log, **settings)[0] == "no_alert"
    assert len(variables) == 1
