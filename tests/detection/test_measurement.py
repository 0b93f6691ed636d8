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
from redshift_auth_alert.detection.findings import Totals
from tests.conftest import LONG_AGO, NOON, judged, make_run, measure
from tests.detection.oracle import FAILURE, LOGIN, Event, all_failures, expected, outcome

TICK = timedelta(seconds=20)
TICKS_PER_MINUTE = 3
KINDS = [FAILURE, FAILURE, FAILURE, LOGIN, "disconnecting session"]
CLIENTS = ("method", "driver", "application", "system", "tls")
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
        st.tuples(*[st.sampled_from(["", "a", "b", "ü"][: draw(st.integers(1, 4))])] * 5),
    )  # fmt: skip
    return {
        "events": draw(st.lists(event, max_size=45)),
        "end": end,
        "window_minutes": window_minutes,
        "thresholds": draw(st.lists(st.integers(1, 5), min_size=1, max_size=2, unique=True)),
        "notify_when_over": draw(st.booleans()),
        # No multiple of a week since the epoch lies near the day of these events.
        "remind_every_minutes": draw(st.sampled_from([None, 7 * 1440])),
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
            None,
            *(f"{value}  " for value in event.client),
        )
        for event in events
    ]


def as_ticks(moment: datetime | None) -> int | None:
    return None if moment is None else (moment.replace(tzinfo=NOON.tzinfo) - NOON) // TICK


def measured(rows: list[dict[str, Any]], group_by: tuple[str, ...]) -> dict[tuple[str, ...], dict[str, Any]]:
    """The statement's rows in the oracle's form."""

    def login(row: dict[str, Any], name: str) -> tuple[Any, ...] | None:
        if not row[f"{name}_at"]:
            return None
        host = [row[f"{name}_{what}"] for what in ("host", "host_failed") if f"{name}_{what}" in row]
        return as_ticks(row[f"{name}_at"]), row[f"{name}_user"], *host

    return {
        tuple(row[column] for column in group_by): {
            **{name: row[name] for name in ("failures", "most_at_failure", "peak", "most_before", "users_tried")},
            **{name: as_ticks(row[name]) for name in MOMENTS},
            "parts": [row[f"part_{part}"] for part in range(1, 13)],
            "first_login": login(row, "first_login"),
            "got_in": login(row, "got_in"),
            "hosts": row["hosts"],
            "known": (
                row["sign_ins"],
                as_ticks(row["known_since"]),
                as_ticks(row["last_sign_in_at"]),
                row["last_sign_in_user"],
            ),
            "clients": [
                row[f"client_{what}"] and (row[f"client_{what}"], row[f"client_{what}_others"]) for what in CLIENTS
            ],
            "top_users": [
                (
                    *(row[f"user_{place}{of}"] for of in ("", "_failures", "_in_a_row")),
                    as_ticks(row[f"user_{place}_since"]),
                )
                for place in range(1, 6)
                if row[f"user_{place}"] is not None
            ],
        }
        for row in rows
        if row["failures"] is not None
    }


def truth(stream: dict[str, Any], threshold: int) -> dict[tuple[str, ...], dict[str, Any]]:
    return expected(
        stream["events"],
        start=0,
        end=stream["end"],
        window=stream["window_minutes"] * TICKS_PER_MINUTE,
        threshold=threshold,
        group_by=stream["group_by"],
        count=stream["count"],
    )


def run_of(stream: dict[str, Any], threshold: int) -> Evaluation:
    names = ("window_minutes", "group_by", "source", "count", "notify_when_over", "remind_every_minutes")
    changed = {name: stream[name] for name in names}
    return run_over(0, stream["end"], threshold=threshold, reported_since=LONG_AGO, **changed)


@settings(
    max_examples=2_500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(stream=streams())
def test_every_measured_column_equals_the_oracles_at_each_threshold(
    logs: psycopg.Connection, stream: dict[str, Any]
) -> None:
    thresholds, group_by = stream["thresholds"], stream["group_by"]
    run = replace(run_of(stream, thresholds[0]), tried_thresholds=tuple(thresholds))
    rows = measure(logs, run, as_rows(stream["events"]))
    at_each = {each: [row for row in rows if row["threshold"] == each] for each in thresholds}

    assert rows[0]["all_failures"] == all_failures(stream["events"], 0, stream["end"])
    assert {each: measured(rows, group_by) for each, rows in at_each.items()} == {
        each: truth(stream, each) for each in thresholds
    }
    lowest = truth(stream, min(thresholds)).values()
    assert rows[0]["breaching_groups"] == sum(found["first_breach_at"] is not None for found in lowest)
    at_threshold = truth(stream, run.settings.threshold).values()
    assert rows[0]["breaching_at_threshold"] == sum(found["first_breach_at"] is not None for found in at_threshold)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stream=streams())
def test_the_judgement_of_what_the_statement_returned_equals_the_oracles(
    logs: psycopg.Connection, stream: dict[str, Any]
) -> None:
    threshold = stream["thresholds"][0]
    run = run_of(stream, threshold)
    verdict = judged(measure(logs, run, as_rows(stream["events"])), run)
    measures = truth(stream, threshold)
    outcomes = {
        group: outcome(
            found,
            end=stream["end"],
            window=stream["window_minutes"] * TICKS_PER_MINUTE,
            threshold=threshold,
            notify_when_over=stream["notify_when_over"],
            reminder_due=stream["remind_every_minutes"] is None,
        )
        for group, found in measures.items()
    }
    expected_outcomes = {group: each for group, each in outcomes.items() if each}

    assert {
        tuple(each.group.values()): (each.outcome, each.ongoing, each.critical, each.over) for each in verdict.breaches
    } == expected_outcomes
    reported = [each for each in expected_outcomes.values() if each[0] == "reported"]
    of_reported = [measures[group] for group, each in expected_outcomes.items() if each[0] == "reported"]
    assert verdict.totals == Totals(
        new=sum(not ongoing for _, ongoing, _, _ in reported),
        ongoing=sum(ongoing for _, ongoing, _, _ in reported),
        critical=sum(critical for _, _, critical, _ in reported),
        over=sum(each[0] == "over" for each in expected_outcomes.values()),
        held_back=sum(each[0] == "held_back" for each in expected_outcomes.values()),
        lockouts=sum(
            any(in_a_row >= 5 and user for user, _, in_a_row, _ in found["top_users"]) for found in of_reported
        ),
        strangers=sum(found["known"][0] == 0 and found["known"][1] is not None for found in of_reported),
    )


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
    asked = {"window": 90, "threshold": 5, "group_by": ("remote_host",)}
    found: list[tuple[str, int]] = []
    for start in range(0, day, ticks):
        end = min(start + ticks, day)
        rows = measure(logs, run_over(start, end, **in_force), as_rows(busy_day))
        assert measured(rows, ("remote_host",)).keys() == expected(busy_day, start=start, end=end, **asked).keys()
        found += [(row["remote_host"], start) for row in rows if row["first_breach_at"] is not None]

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
