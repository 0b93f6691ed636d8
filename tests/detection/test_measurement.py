"""The statement on PostgreSQL against the oracle."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redshift_auth_alert.detection.evaluation import Evaluation
from tests.conftest import NOON, make_run, measure
from tests.detection.oracle import FAILURE, LOGIN, Event, all_failures, expected

TICK = timedelta(seconds=20)
TICKS_PER_MINUTE = 3
KINDS = [FAILURE, FAILURE, FAILURE, LOGIN, "disconnecting session"]
TOTALS = ("new_groups", "ongoing_groups", "critical_groups", "ongoing_critical_groups", "over_groups")
COLUMNS = ("remote_host", "user_name", "database_name")
MOMENTS = ("first_failure_at", "last_failure_at", "first_breach_at", "last_breach_at")
HOSTS = ["192.0.2.1", "192.0.2.2", ""]
USERS = ["ann", "Bob", "böb", "", "a|b\n", "eve", "zoe"]
GROUPINGS = [
    ("remote_host",),
    ("user_name",),
    ("remote_host", "user_name"),
    ("database_name", "remote_host", "user_name"),
]


@st.composite
def streams(draw: st.DrawFn) -> dict[str, Any]:
    """Events around an interval that starts at tick 0: many ties, many exactly W apart, many on the edges."""
    window_minutes = draw(st.integers(1, 4))
    group_by = draw(st.sampled_from(GROUPINGS))
    window = window_minutes * TICKS_PER_MINUTE
    end = draw(st.integers(1, 3 * window))
    edges = st.sampled_from([-2 * window - 1, -2 * window, -window - 1, -window, -1, 0, 1, end - window, end - 1, end])
    ticks = st.one_of(st.integers(-3 * window, end + 2), edges)
    event = st.builds(
        Event,
        st.sampled_from(KINDS), ticks, st.sampled_from(HOSTS[: draw(st.integers(1, 3))]),
        st.sampled_from(USERS[: draw(st.sampled_from([1, 2, 7]))]), st.sampled_from(["dev", "prod"]),
    )  # fmt: skip
    return {
        "events": draw(st.lists(event, max_size=45)),
        "end": end,
        "window_minutes": window_minutes,
        "thresholds": draw(st.lists(st.integers(1, 5), min_size=1, max_size=2, unique=True)),
        "notify_when_over": draw(st.booleans()),
        "group_by": group_by,
        "count": draw(st.sampled_from(["failures", *(f"distinct {name}" for name in COLUMNS if name not in group_by)])),
        "source": draw(st.sampled_from(["stl_connection_log", "sys_connection_log"])),
    }


def run_over(start: int, end: int, **settings_in_force: Any) -> Evaluation:
    return make_run(start=NOON + start * TICK, end=NOON + end * TICK, **settings_in_force)


def as_rows(events: list[Event]) -> list[tuple[Any, ...]]:
    return [
        (
            event.kind,
            (NOON + event.at * TICK).replace(tzinfo=None),
            event.remote_host,
            event.user_name,
            event.database_name,
        )
        for event in events
    ]


def as_ticks(moment: datetime | None) -> int | None:
    return None if moment is None else (moment.replace(tzinfo=NOON.tzinfo) - NOON) // TICK


def measured(rows: list[dict[str, Any]], group_by: tuple[str, ...]) -> dict[tuple[str, ...], dict[str, Any]]:
    """The statement's rows in the oracle's form."""

    def login(row: dict[str, Any], name: str) -> tuple[int | None, str] | None:
        return (as_ticks(row[f"{name}_at"]), row[f"{name}_user"]) if row[f"{name}_at"] else None

    return {
        tuple(row[column] for column in group_by): {
            **{name: row[name] for name in ("failures", "most_at_failure", "peak", "most_before", "users_tried")},
            **{name: as_ticks(row[name]) for name in MOMENTS},
            "parts": [row[f"part_{part}"] for part in range(1, 13)],
            "first_login": login(row, "first_login"),
            "got_in": login(row, "got_in"),
            "top_users": [
                (row[f"user_{place}"], row[f"user_{place}_failures"])
                for place in range(1, 6)
                if row[f"user_{place}"] is not None
            ],
        }
        for row in rows
        if row["failures"] is not None
    }


@settings(max_examples=2_500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stream=streams())
def test_every_measured_column_equals_the_oracles(logs: psycopg.Connection, stream: dict[str, Any]) -> None:
    events, end, group_by, first = stream["events"], stream["end"], stream["group_by"], stream["thresholds"][0]
    asked = {name: stream[name] for name in ("window_minutes", "group_by", "source", "count", "notify_when_over")}
    run = replace(run_over(0, end, threshold=first, **asked), tried_thresholds=tuple(stream["thresholds"]))
    rows = measure(logs, run, as_rows(events))
    by_threshold = {each: [row for row in rows if row["threshold"] == each] for each in stream["thresholds"]}
    truth = {
        threshold: expected(
            events,
            start=0,
            end=end,
            window=stream["window_minutes"] * TICKS_PER_MINUTE,
            threshold=threshold,
            group_by=group_by,
            count=stream["count"],
            notify_when_over=stream["notify_when_over"],
        )
        for threshold in stream["thresholds"]
    }
    states = {threshold: [group.pop("state") for group in groups.values()] for threshold, groups in truth.items()}

    assert rows[0]["all_failures"] == all_failures(events, 0, end)
    assert {each: measured(rows, group_by) for each, rows in by_threshold.items()} == truth
    assert {each: {name: rows[0][name] for name in TOTALS} for each, rows in by_threshold.items() if rows} == {
        each: {
            "new_groups": found.count("new") + found.count("new, critical"),
            "ongoing_groups": found.count("ongoing") + found.count("ongoing, critical"),
            "critical_groups": found.count("new, critical") + found.count("ongoing, critical"),
            "ongoing_critical_groups": found.count("ongoing, critical"),
            "over_groups": found.count("over"),
        }
        for each, found in states.items()
        if found
    }


@pytest.fixture(scope="module")
def busy_day() -> list[Event]:
    """A day of ticks with bursts at its edges and drips across it, from three hosts."""
    burst = [
        Event(FAILURE, at, "192.0.2.1", "ann", "dev") for at in (*range(88, 95), *range(260, 264), 4310, 4311, 4319)
    ]
    drip = [Event(FAILURE, at, "192.0.2.2", "bob", "dev") for at in range(0, 4320, 17)]
    slow = [Event(FAILURE, at, "192.0.2.3", "eve", "dev") for at in range(0, 4320, 91)]
    return burst + drip + slow


@pytest.mark.parametrize("minutes", [5, 7, 30, 45, 90, 360, 1440])
def test_splitting_a_day_into_intervals_finds_each_breach_point_exactly_once(
    logs: psycopg.Connection, busy_day: list[Event], minutes: int
) -> None:
    ticks, day = minutes * TICKS_PER_MINUTE, 1440 * TICKS_PER_MINUTE
    in_force = {"window_minutes": 30, "threshold": 5, "group_by": ("remote_host",)}
    truth = {"start": 0, "end": day, "window": 90, "threshold": 5, "group_by": ("remote_host",)}
    found: list[tuple[str, int]] = []
    for start in range(0, day, ticks):
        end = min(start + ticks, day)
        rows = measure(logs, run_over(start, end, **in_force), as_rows(busy_day))
        assert (
            measured(rows, ("remote_host",)).keys() == expected(busy_day, **truth | {"start": start, "end": end}).keys()
        )
        found += [(row["remote_host"], start) for row in rows if row["failures"] is not None]

    points = breach_points(busy_day, window=90, threshold=5)
    assert sorted(found) == sorted({(host, at // ticks * ticks) for host, at in points})


def breach_points(events: list[Event], *, window: int, threshold: int) -> list[tuple[str, int]]:
    times: dict[str, list[int]] = {}
    for event in events:
        times.setdefault(event.remote_host, []).append(event.at)
    return [
        (host, at)
        for host, all_of in times.items()
        for at in all_of
        if len([other for other in all_of if at - window < other <= at]) >= threshold
    ]
