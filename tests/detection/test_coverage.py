"""What the statement says of the log, for each verdict of the table in docs/sources.md."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from redshift_auth_alert.detection.findings import Coverage
from tests.conftest import NOON, judged, make_run, measure

START, END, SECOND = NOON, NOON + timedelta(minutes=30), timedelta(seconds=1)


def coverage(logs: psycopg.Connection, *events: tuple[datetime, str], process: int | None = None) -> Coverage:
    """The coverage of a log in which these users signed in; the last of them in this ``process``."""
    run = make_run(start=START, end=END)
    stored = [("authenticated", at.replace(tzinfo=None), "192.0.2.9", user, "dev") for at, user in events]
    if process is not None:
        stored[-1] = (*stored[-1], process)
    return judged(measure(logs, run, stored), run).coverage


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([], "unseen", id="no event at all"),
        pytest.param([(START - SECOND, "auth_monitor"), (END, "auth_monitor")], "unseen", id="only the monitor's own"),
        pytest.param([(END, "rdsdb")], "unseen", id="aged out: the oldest event is at the end"),
        pytest.param([(END - SECOND, "rdsdb"), (END, "rdsdb")], "partial", id="the oldest is just before the end"),
        pytest.param([(START, "rdsdb"), (END, "rdsdb")], "partial", id="the oldest event is at the start"),
        pytest.param([(START - SECOND, "rdsdb")], "unseen", id="stopped: the newest event is just before the start"),
        pytest.param([(START - SECOND, "rdsdb"), (START, "rdsdb")], "partial", id="the newest event is at the start"),
        pytest.param(
            [(START - SECOND, "rdsdb"), (END - SECOND, "rdsdb")],
            "partial",
            id="the newest is just before the end",
        ),
        pytest.param([(START - SECOND, "rdsdb"), (END, "rdsdb")], "seen", id="the newest event is at the end"),
        pytest.param(
            [(START - SECOND, "rdsdb"), (END, "auth_monitor")], "seen", id="quiet, but the monitor's own login"
        ),
    ],
)
def test_coverage_is(logs: psycopg.Connection, events: list[tuple[datetime, str]], expected: str) -> None:
    assert coverage(logs, *events).verdict == expected


@pytest.mark.parametrize(
    ("newest", "behind"), [(START - SECOND, True), (END - SECOND, True), (END, False)], ids=["stopped", "before", "at"]
)
def test_a_live_log_is_behind_until_it_shows_an_event_from_the_intervals_end_on(
    logs: psycopg.Connection, newest: datetime, behind: Any
) -> None:
    assert coverage(logs, (START - timedelta(hours=1), "rdsdb"), (newest, "rdsdb")).behind is behind


def test_a_log_that_is_behind_says_up_to_when_it_shows_events(logs: psycopg.Connection) -> None:
    found = coverage(logs, (START - SECOND, "rdsdb"), (END - timedelta(minutes=2), "rdsdb"))
    assert found.reason == (
        "STL_CONNECTION_LOG shows events up to 2026-03-01 12:28:00 UTC only; it is late, or the warehouse's clock is "
        "slow. If that recurs, raise settle_minutes. Clear this run to see the rest"
    )


@pytest.mark.parametrize(
    "user",
    ["auth_monitor", "IAM:auth_monitor", "IAMA:auth_monitor:analysts"],
)
def test_a_log_that_shows_only_this_session_is_unseen_whatever_name_it_signed_in_as(
    logs: psycopg.Connection, user: str
) -> None:
    found = coverage(logs, (START - SECOND, user), (END + SECOND, user), process=logs.info.backend_pid)
    assert found.reason.startswith("STL_CONNECTION_LOG shows only the monitor's own logins")


@pytest.mark.parametrize("now", ["auth_monitor", "IAM:auth_monitor", None])
@pytest.mark.parametrize(
    "earlier",
    ["auth_monitor", "IAM:auth_monitor", "IAMA:auth_monitor:etl", "IAMR:auth_monitor", "IAMA:auth_monitor:\xfc"],
)
def test_a_log_that_shows_only_the_monitors_user_is_unseen_however_its_name_was_written_before(
    logs: psycopg.Connection, earlier: str, now: str | None
) -> None:
    newest = ((END + SECOND, now),) if now else ()
    found = coverage(logs, (START - SECOND, earlier), *newest, process=logs.info.backend_pid if now else None)
    assert found.reason.startswith("STL_CONNECTION_LOG shows only the monitor's own logins")


@pytest.mark.parametrize(
    "other",
    ["auth_monitor2", "auth_monito", "IAM:auth_monitor2", "IAMA:auth_monitor2:etl", "IAMA:ann:auth_monitor", "", "~"],
)
def test_a_log_that_shows_a_user_with_a_similar_name_is_seen(logs: psycopg.Connection, other: str) -> None:
    found = coverage(logs, (START - SECOND, other), (END + SECOND, "auth_monitor"), process=logs.info.backend_pid)
    assert found.verdict == "seen"


def test_somebody_else_who_had_this_sessions_process_number_is_not_the_monitor(logs: psycopg.Connection) -> None:
    found = coverage(logs, (START - SECOND, "analyst"), (END + SECOND, "analyst"), process=logs.info.backend_pid)
    assert found.verdict == "seen"
