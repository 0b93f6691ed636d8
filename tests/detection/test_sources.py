from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from redshift_auth_alert.detection.evaluation import choose_source
from redshift_auth_alert.detection.interval import Interval, IntervalError
from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.model import RunSettings, Settings
from redshift_auth_alert.settings.monitors import load_monitors
from tests.conftest import NOON, TOPIC, make_run

DAY, HALF_AN_HOUR, MOMENT = timedelta(days=1), timedelta(minutes=30), timedelta(microseconds=1)
OWN = {"environment": "test", "sns_topic_arn": TOPIC}


def chosen(start: datetime, *, days: int = 6, past: str | None = "audit_log_s3") -> str:
    """What is read of the half hour from ``start`` on by a run that started at noon."""
    interval = Interval(start, start + HALF_AN_HOUR)
    return choose_source(
        interval, NOON, window=HALF_AN_HOUR, recent="sys_connection_log", past=past, retention=days * DAY
    )


@pytest.mark.parametrize(
    ("start", "source"),
    [
        (NOON - HALF_AN_HOUR, "sys_connection_log"),
        (NOON - 6 * DAY + HALF_AN_HOUR, "sys_connection_log"),
        (NOON - 6 * DAY + HALF_AN_HOUR - MOMENT, "audit_log_s3"),
        (NOON - 30 * DAY, "audit_log_s3"),
    ],
)
def test_auto_reads_the_clusters_log_only_where_the_window_before_the_interval_lies_within_the_retention_too(
    start: datetime, source: str
) -> None:
    assert chosen(start) == source


@pytest.mark.parametrize(
    ("days", "source"), [(1, "audit_log_s3"), (2, "sys_connection_log"), (7, "sys_connection_log")]
)
def test_the_retention_can_be_set(days: int, source: str) -> None:
    assert chosen(NOON - 2 * DAY + HALF_AN_HOUR, days=days) == source


@pytest.mark.parametrize(("minutes", "source"), [(30, "stl_connection_log"), (60, "audit_log_s3")])
def test_the_window_before_the_interval_is_that_of_the_run(minutes: int, source: str) -> None:
    start = NOON - 6 * DAY + HALF_AN_HOUR
    run = make_run(
        start=start, end=start + HALF_AN_HOUR, source="auto", athena_conn_id="athena", window_minutes=minutes
    )
    assert run.with_source(NOON).settings.source == source


def test_auto_without_a_connection_to_athena_says_which_source_would_reach_that_far() -> None:
    with pytest.raises(
        IntervalError, match=r"audit_log_s3 reaches further back: name the Airflow connection .* athena_conn_id"
    ):
        chosen(NOON - 30 * DAY, past=None)


def test_auto_without_a_connection_to_athena_reads_what_is_recent() -> None:
    assert chosen(NOON - DAY, past=None) == "sys_connection_log"


@pytest.mark.parametrize(
    ("ago", "source", "connection"),
    [(DAY, "stl_connection_log", "redshift_default"), (9 * DAY, "audit_log_s3", "athena")],
)
def test_a_run_reads_the_chosen_source_through_its_own_connection(ago: timedelta, source: str, connection: str) -> None:
    run = make_run(start=NOON - ago, end=NOON - ago + HALF_AN_HOUR, source="auto", athena_conn_id="athena")
    resolved = run.with_source(NOON)
    assert (resolved.settings.source, resolved.settings.read_through) == (source, connection)


def test_a_run_of_auto_with_a_namespace_reads_older_intervals_from_the_tables_that_redshift_publishes() -> None:
    ago = NOON - 9 * DAY
    of_sales = {"athena_conn_id": "athena", "namespace": "n_sys", "cluster": "sales"}
    run = make_run(start=ago, end=ago + HALF_AN_HOUR, source="auto", **of_sales)
    resolved = run.with_source(NOON)
    assert (resolved.settings.source, resolved.settings.read_through) == ("sys_connection_log_s3", "athena")


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        (NOON, NOON + HALF_AN_HOUR, [((2026, 3, 1), (2026, 3, 2))]),
        (NOON.replace(hour=0), NOON, [((2026, 2, 28), (2026, 2, 28)), ((2026, 3, 1), (2026, 3, 2))]),
        (NOON - 60 * DAY, NOON - 31 * DAY, [((2025, 12, 31), (2025, 12, 31)), ((2026, 1, 1), (2026, 1, 30))]),
    ],
    ids=["a day", "two months", "two years"],
)
def test_the_scanned_days_by_month(first: datetime, last: datetime, months: list[tuple[tuple[int, ...], ...]]) -> None:
    found = make_run(start=first, end=last).scanned_months
    assert [tuple((day.year, day.month, day.day) for day in month) for month in found] == months


def test_a_month_of_days_is_read_from_one_source_each_and_from_both_in_all() -> None:
    run = make_run(source="auto", athena_conn_id="athena")
    days = [Interval(NOON - day * DAY, NOON - (day - 1) * DAY) for day in range(1, 31)]
    sources = [replace(run, interval=day).with_source(NOON).settings.source for day in days]
    assert sources == ["stl_connection_log"] * 5 + ["audit_log_s3"] * 25


def test_a_source_that_is_named_is_read_whatever_the_interval() -> None:
    run = make_run(start=NOON - 30 * DAY, end=NOON - 29 * DAY)
    assert run.with_source(NOON) is run


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        pytest.param(NOON, NOON + HALF_AN_HOUR, 1, 2, id="half an hour at noon"),
        pytest.param(NOON.replace(hour=0), NOON, 28, 2, id="the window before reaches into the day before"),
        pytest.param(NOON.replace(hour=1), NOON, 1, 2, id="the window before begins with the day"),
        pytest.param(NOON, NOON.replace(hour=0) + DAY, 1, 2, id="up to midnight"),
        pytest.param(NOON, NOON.replace(hour=0) + DAY + MOMENT, 1, 3, id="just over midnight"),
    ],
)
def test_the_scanned_days_are_those_of_the_range_and_the_day_after(
    start: datetime, end: datetime, first: int, last: int
) -> None:
    assert [day.day for day in make_run(start=start, end=end).scanned_days] == [first, last]


@pytest.mark.parametrize("source", ["audit_log_s3", "cloudtrail"])
def test_a_log_in_s3_needs_a_connection_to_athena(source: str) -> None:
    with pytest.raises(SettingsError, match=f"athena_conn_id is missing: source {source} is queried through Athena"):
        Settings.model_validate(OWN).for_run({"source": source})


@pytest.mark.parametrize(
    ("source", "settle", "problem"),
    [
        ("audit_log_s3", 119, "settle_minutes is 119: too soon for source audit_log_s3, as Redshift delivers"),
        ("audit_log_s3", 120, ""),
        ("cloudtrail", 14, "settle_minutes is 14: too soon for source cloudtrail, as CloudTrail delivers to S3"),
        ("cloudtrail", 15, ""),
        ("auto", 0, ""),
        ("stl_connection_log", 0, ""),
    ],
)  # fmt: skip
def test_a_scheduled_monitor_waits_for_the_delivery_of_its_log(
    tmp_path: Path, source: str, settle: int, problem: str
) -> None:
    (tmp_path / "default.yaml").write_text(
        f"environment: test\nsns_topic_arn: {TOPIC}\nathena_conn_id: a\nsource: {source}\nsettle_minutes: {settle}\n"
    )
    monitors, problems = load_monitors(tmp_path)
    assert len(monitors) == (0 if problem else 1)
    assert problem in "".join(problems)


def test_a_triggered_run_may_read_a_log_in_s3_whatever_the_monitors_settle_delay() -> None:
    run = Settings.model_validate(OWN).for_run({"source": "audit_log_s3", "athena_conn_id": "athena"})
    assert (run.source, run.settle_minutes) == ("audit_log_s3", 5)


@pytest.mark.parametrize("value", ["Analytics", "a'b", "a_b", "", "-a", "a" * 65])
def test_a_cluster_is_named_as_redshift_names_it(value: Any) -> None:
    with pytest.raises(ValueError, match="cluster"):
        RunSettings.model_validate(OWN | {"cluster": value})
