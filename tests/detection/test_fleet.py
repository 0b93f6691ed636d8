"""The statement on tables as Redshift publishes them to S3 Tables, many warehouses in one, by Athena's stand-in."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redshift_auth_alert.detection.coverage import GAPS_KEPT
from redshift_auth_alert.detection.findings import Coverage, FailedAt, Verdict
from sandbox.athena_engine import QueryFailedError
from sandbox.log_files import FAILURE, LOGIN, ConnectionEvent, heartbeat
from sandbox.published_log import NAMESPACE
from tests.conftest import NOON, candidates, judged, make_run, render_statement
from tests.detection.oracle import Event, all_failures, expected, warehouses_failed_at
from tests.detection.s3 import Logs
from tests.detection.test_logs_in_s3 import without_clients
from tests.detection.test_measurement import TICK, TICKS_PER_MINUTE, measured, run_over, streams

START = NOON.replace(tzinfo=None)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FLEET = {"source": "sys_connection_log_s3", "athena_conn_id": "athena_default", "namespace": NAMESPACE}
QUIET = heartbeat(START - 6 * HOUR, START + 6 * HOUR)


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


def failures(number: int, at: float = 0, host: str = "203.0.113.7", user: str = "ann") -> list[ConnectionEvent]:
    """So many failures, one a minute from so many minutes after noon."""
    return [ConnectionEvent(FAILURE, START + (at + each) * MINUTE, host, user) for each in range(number)]


def sign_in(at: float, host: str = "203.0.113.7", user: str = "ann") -> list[ConnectionEvent]:
    return [ConnectionEvent(LOGIN, START + at * MINUTE, host, user)]


def verdict(logs: Logs, **settings_in_force: Any) -> Verdict:
    run = make_run(**FLEET | settings_in_force)
    return judged(logs.measure(run), run)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stream=streams(), data=st.data())
def test_the_tables_give_the_oracles_measures_for_the_same_events(
    tmp_path: Path, stream: dict[str, Any], data: st.DataObject
) -> None:
    end, threshold = stream["end"], stream["thresholds"][0]
    group_by = data.draw(st.sampled_from([stream["group_by"], ("warehouse", *stream["group_by"])]))
    events = [
        Event(each.kind, each.at, each.remote_host, each.user_name, each.database_name, warehouse=warehouse)
        for each in stream["events"]
        for warehouse in [data.draw(st.sampled_from(["lab", "ops", "sales"]))]
    ]
    shutil.rmtree(tmp_path)
    logs = Logs(tmp_path)
    logs.publish({"ops": QUIET[-2:]} | published(events))
    asked = {"window_minutes": stream["window_minutes"], "group_by": group_by, "count": stream["count"]}
    run = run_over(0, end, threshold=threshold, **FLEET | asked)
    window = stream["window_minutes"] * TICKS_PER_MINUTE
    truth = expected(
        events, start=0, end=end, window=window, threshold=threshold, group_by=group_by, count=stream["count"],
        since_any_event=True,
    )  # fmt: skip
    rows = logs.measure(run)
    assert all_of(rows)[0]["all_failures"] == all_failures(events, 0, end)
    assert without_clients(measured(rows, group_by)) == without_clients(truth)
    if "warehouse" not in group_by:
        found = {
            tuple(row[column] for column in group_by): warehouses(row) for row in rows if row["failures"] is not None
        }
        assert found == {group: warehouses_failed_at(events, group, group_by, 0, end) for group in truth}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("group_by", [("remote_host",), ("user_name",), ("warehouse", "remote_host")], ids="-".join)
def test_rows_of_failures_are_the_oracles_where_each_host_tries_some_of_the_warehouses(
    logs: Logs, group_by: tuple[str, ...], seed: int
) -> None:
    choose = random.Random(seed)
    window = 30 * TICKS_PER_MINUTE
    reached = {"192.0.2.1": ["lab"], "192.0.2.2": ["lab", "sales"], "192.0.2.3": ["lab", "ops", "sales"]}
    events = [
        Event(kind, choose.randrange(-2 * window, window), host, user, "dev", warehouse=choose.choice(reached[host]))
        for host, user in itertools.product(reached, ["ann", "bob", "eve"])
        for kind in choose.choices([FAILURE, LOGIN], [20, 1], k=choose.randrange(1, 40))
    ]
    logs.publish({"ops": QUIET[-2:]} | published(events))
    rows = all_of(logs.measure(run_over(0, window, threshold=1, **FLEET, group_by=group_by)))
    truth = expected(events, start=0, end=window, window=window, threshold=1, group_by=group_by, since_any_event=True)
    assert without_clients(measured(rows, group_by)) == without_clients(truth)


def published(events: Iterable[Event]) -> dict[str, list[ConnectionEvent]]:
    by_warehouse: dict[str, list[ConnectionEvent]] = {"ops": QUIET[-2:]}
    for each in events:
        at = START + each.at * TICK
        event = ConnectionEvent(each.kind, at, each.remote_host, each.user_name, each.database_name)
        by_warehouse.setdefault(each.warehouse, []).append(event)
    return by_warehouse


def all_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are not about the coverage of one warehouse."""
    return [row for row in rows if row["covered_warehouse"] is None]


def warehouses(row: dict[str, Any]) -> tuple[int, list[tuple[str, int]]]:
    top = [(row[f"warehouse_{place}"], row[f"warehouse_{place}_failures"]) for place in range(1, 6)]
    return row["warehouses"], [each for each in top if each[0] is not None]


THIN = {"sales": QUIET + failures(4, 1), "ops": QUIET + failures(4, 3), "lab": QUIET + failures(4, 5)}


def test_a_host_with_four_failures_at_each_of_three_warehouses_is_one_breach_that_names_the_three(logs: Logs) -> None:
    logs.publish(THIN)
    (breach,) = verdict(logs).breaches
    assert (breach.group, breach.failures) == ({"remote_host": "203.0.113.7"}, 12)
    assert breach.details
    assert breach.details.warehouses == 3
    assert breach.details.top_warehouses == (FailedAt("lab", 4), FailedAt("ops", 4), FailedAt("sales", 4))


@pytest.mark.parametrize("warehouse", sorted(THIN))
def test_the_same_host_is_no_breach_at_one_of_them_alone(logs: Logs, warehouse: str) -> None:
    logs.publish(THIN)
    found = verdict(logs, cluster=warehouse)
    assert (found.failures, found.breaches) == (4, ())


def test_a_warehouse_of_a_padded_name_is_found_by_its_name(logs: Logs) -> None:
    logs.publish({"sales   ": QUIET + failures(12)})
    assert verdict(logs, cluster="sales").failures == 12


def test_of_more_than_five_warehouses_those_with_the_most_failures_are_listed(logs: Logs) -> None:
    logs.publish({f"dwh-{number}": QUIET + failures(number) for number in range(1, 8)})
    (breach,) = verdict(logs).breaches
    assert breach.details
    assert breach.details.warehouses == 7
    assert [(each.warehouse, each.failures) for each in breach.details.top_warehouses] == [
        ("dwh-7", 7), ("dwh-6", 6), ("dwh-5", 5), ("dwh-4", 4), ("dwh-3", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("group_by", "in_a_row"),
    [(["remote_host"], [4]), (["warehouse", "remote_host"], [4, 3])],
    ids=["host", "warehouse"],
)
def test_each_warehouse_locks_its_own_users(logs: Logs, group_by: list[str], in_a_row: list[int]) -> None:
    logs.publish({"sales": QUIET + failures(4), "lab": QUIET + failures(3), "ops": QUIET + sign_in(10, "192.0.2.1")})
    found = verdict(logs, group_by=group_by, threshold=3)
    assert [each.details.top_users[0].in_a_row for each in found.breaches if each.details] == in_a_row


def test_failures_at_a_warehouse_that_the_group_did_not_try_lock_nobody_that_it_tried(logs: Logs) -> None:
    logs.publish({"sales": QUIET + failures(12), "lab": QUIET + failures(25, host="192.0.2.1")})
    found = verdict(logs, lockout_after=20)
    rows = {each.group["remote_host"]: each.details.top_users[0] for each in found.breaches if each.details}
    assert {host: (user.in_a_row, user.may_be_locked_out) for host, user in rows.items()} == {
        "203.0.113.7": (12, False),
        "192.0.2.1": (25, True),
    }


def test_who_got_in_says_at_which_warehouse(logs: Logs) -> None:
    logs.publish({"sales": QUIET + failures(6), "lab": QUIET + failures(6, 6) + sign_in(20)})
    (breach,) = verdict(logs).breaches
    assert breach.critical
    assert breach.details
    assert breach.details.got_in
    assert (breach.details.got_in.user, breach.details.got_in.warehouse) == ("ann", "lab")


def test_entries_may_name_warehouses_by_a_pattern(logs: Logs) -> None:
    logs.publish({name: QUIET + failures(12) for name in ("lab-1", "lab-2", "sales")})
    ignore = [{"warehouse": "lab-*", "reason": "test data"}]
    thresholds = [{"warehouse": "sales", "threshold": 13}]
    found = verdict(logs, group_by=["warehouse", "remote_host"], ignore=ignore, thresholds=thresholds)
    assert (found.totals.ignored, found.totals.reported) == (2, 0)


def stopped(at: timedelta) -> list[ConnectionEvent]:
    return [event for event in QUIET if event.at <= START + at]


def coverage(logs: Logs, by_warehouse: dict[str, list[ConnectionEvent]], **settings_in_force: Any) -> Coverage:
    logs.publish(by_warehouse)
    return verdict(logs, **settings_in_force).coverage


@pytest.mark.parametrize(
    ("lab", "judged_as", "says"),
    [
        pytest.param(QUIET, "seen", "", id="quiet"),
        pytest.param(
            stopped(-HOUR),
            "unseen",
            "1 of 2 warehouses was not evaluated: lab has stopped: its newest event is of 2026-03-01 11:00:00 UTC",
            id="stopped",
        ),
        pytest.param(
            stopped(timedelta()),
            "partial",
            "1 of 2 warehouses was seen in part: lab shows events up to 2026-03-01 12:00:00 UTC only; it is late",
            id="late",
        ),
        pytest.param(
            [event for event in QUIET if event.at > START],
            "unseen",
            "1 of 2 warehouses was not evaluated: lab begins only after the interval",
            id="publishes since later",
        ),
        pytest.param(
            [], "unseen", "1 of 2 warehouses was not evaluated: lab shows no event in the scanned days", id="never seen"
        ),
    ],
)
def test_a_warehouse_of_a_fleet_is_judged_by_its_own_events(
    logs: Logs, lab: list[ConnectionEvent], judged_as: str, says: str
) -> None:
    found = coverage(logs, {"sales": QUIET, "lab": lab}, expect_warehouses=["sales", "lab"])
    assert found.fleet
    assert [gap.verdict for gap in found.fleet.gaps] == ([] if judged_as == "seen" else [judged_as])
    assert found.verdict == ("seen" if judged_as == "seen" else "partial")
    assert found.reason.startswith(says)
    assert bool(found.not_evaluated) is (judged_as == "unseen")
    assert found.is_reported is (judged_as == "partial")


def test_the_others_are_evaluated_where_one_has_stopped(logs: Logs) -> None:
    logs.publish(THIN | {"down": stopped(-HOUR)})
    found = verdict(logs)
    assert [breach.failures for breach in found.breaches] == [12]
    assert found.coverage.fleet
    assert (found.coverage.fleet.warehouses, found.coverage.fleet.unseen) == (4, 1)


def test_a_fleet_of_which_nothing_is_seen_is_unseen(logs: Logs) -> None:
    found = coverage(logs, {"sales": stopped(-HOUR), "lab": stopped(-2 * HOUR)})
    assert (found.verdict, found.fleet and found.fleet.unseen) == ("unseen", 2)
    assert found.not_evaluated.startswith("the interval is unseen: 2 of 2 warehouses were not evaluated: lab has")


def test_a_table_without_any_event_in_the_scanned_days_is_unseen(logs: Logs) -> None:
    found = coverage(logs, {"sales": heartbeat(START - 9 * DAY, START - 8 * DAY)})
    assert found.verdict == "unseen"
    assert found.reason.startswith("SYS_CONNECTION_LOG in S3 Tables shows no event in the scanned days; check that")


def test_a_warehouse_that_is_not_expected_is_evaluated_and_may_stop(logs: Logs) -> None:
    logs.publish({"sales": QUIET, "retired": stopped(-HOUR) + failures(12, -300), "new": QUIET + failures(12)})
    found = verdict(logs, expect_warehouses=["sales"])
    assert found.coverage.verdict == "seen"
    assert [breach.failures for breach in found.breaches] == [12]


def test_without_a_list_of_warehouses_those_of_the_scanned_days_are_expected(logs: Logs) -> None:
    found = coverage(logs, {"sales": QUIET, "lab": stopped(-HOUR), "hr": heartbeat(START - 9 * DAY, START - 8 * DAY)})
    assert found.fleet
    assert [gap.warehouse for gap in found.fleet.gaps] == ["lab"]


def test_a_run_about_one_warehouse_is_seen_as_far_as_that_one(logs: Logs) -> None:
    found = coverage(logs, {"sales": stopped(-HOUR), "lab": QUIET}, cluster="sales", expect_warehouses=["lab"])
    assert (found.verdict, found.fleet and [gap.warehouse for gap in found.fleet.gaps]) == ("unseen", ["sales"])


def test_of_thousands_of_warehouses_a_hundred_are_named_and_all_are_counted(logs: Logs) -> None:
    names = [f"dwh-{number}" for number in range(3_000)]
    logs.publish({"dwh-0": QUIET, "dwh-1": stopped(timedelta())})
    run = make_run(**FLEET, expect_warehouses=names)
    found = judged(logs.measure(run), run).coverage
    assert found.fleet
    assert (found.fleet.unseen, found.fleet.partial, len(found.fleet.gaps)) == (2_998, 1, GAPS_KEPT)
    assert "2,998 of 3,000 warehouses were not evaluated: dwh-2 shows no event" in found.reason
    assert " and 2,990 more; 1 of 3,000 warehouses was seen in part; " in found.reason


def test_what_the_warehouses_showed_does_not_go_through_xcom_where_all_was_seen(logs: Logs) -> None:
    logs.publish({f"dwh-{number}": QUIET for number in range(50)})
    run = make_run(**FLEET)
    found = candidates(logs.measure(run), run)
    assert found["log"]["fleet"] == {"warehouses": 50, "unseen": 0, "partial": 0, "gaps": ()}
    assert found["rows"] == []


@pytest.mark.parametrize(
    ("start", "length", "days"),
    [
        pytest.param(START, 30 * MINUTE, ["03/day=01", "03/day=02"], id="half an hour at noon"),
        pytest.param(
            START.replace(hour=0), 30 * MINUTE, ["02/day=28", "03/day=01", "03/day=02"], id="the first of a month"
        ),
    ],
)
def test_only_the_partitions_of_the_days_that_the_interval_needs_are_read(
    logs: Logs, start: datetime, length: timedelta, days: list[str]
) -> None:
    logs.publish({"sales": heartbeat(START - 20 * DAY, START + 20 * DAY)})
    utc = start.replace(tzinfo=NOON.tzinfo)
    read = logs.engine.run(render_statement(make_run(**FLEET, start=utc, end=utc + length))).partitions
    assert sorted(folder.split("month=")[1] for folder in read) == days


def test_a_failure_a_microsecond_before_the_intervals_end_counts_and_one_at_it_does_not(logs: Logs) -> None:
    end = START + 30 * MINUTE
    just_before = [ConnectionEvent(FAILURE, end - timedelta(microseconds=1), "203.0.113.7", "ann")]
    logs.publish({"sales": QUIET + just_before + failures(1, 30)})
    assert verdict(logs, threshold=1).failures == 1


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"namespace": "other_sys"}, "SCHEMA_NOT_FOUND: line 1:1: Schema 'other_sys' does not exist"),
        (
            {"catalog": "s3tablescatalog/other"},
            "CATALOG_NOT_FOUND: line 1:1: Catalog 's3tablescatalog/other' not found",
        ),
    ],
)
def test_a_table_that_is_not_there_fails_the_query(logs: Logs, changed: dict[str, str], says: str) -> None:
    logs.publish(THIN)
    with pytest.raises(QueryFailedError, match=says):
        verdict(logs, **changed)


def test_a_fleet_that_is_seen_in_part_shows_no_part_of_the_interval_for_all(logs: Logs) -> None:
    found = coverage(logs, {"sales": QUIET, "down": stopped(-HOUR)})
    assert (found.verdict, found.shown) == ("partial", None)
