"""What consecutive runs make of one attack: alerts, reminders, the closing message, a sign-in between two runs."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from redshift_auth_alert.detection.findings import Verdict
from tests.conftest import NOON, judged, make_run, measure
from tests.detection.events import HEARTBEAT, MINUTE, Events, failures, sign_ins


def runs(
    logs: psycopg.Connection, log: Events, *, since: int, until: int, every: int = 30, **settings: Any
) -> dict[int, Verdict]:
    """The verdict of each run from ``since`` to ``until``, by the minute after noon at which its interval starts."""
    verdicts = {}
    for start in range(since, until, every):
        end = NOON + (start + every) * MINUTE
        reported_since = NOON + since * MINUTE if start > since else None
        run = make_run(start=NOON + start * MINUTE, end=end, reported_since=reported_since, **settings)
        rows = measure(logs, run, log + HEARTBEAT)
        verdicts[start] = judged(rows, run)
    return verdicts


def reported(verdicts: dict[int, Verdict]) -> list[int]:
    return [start for start, verdict in verdicts.items() if verdict.totals.reported]


def over(verdicts: dict[int, Verdict]) -> list[int]:
    """The runs that say of a group that it is over, in a closing message or in the alert itself."""
    return [start for start, each in verdicts.items() if any(found.over for found in each.having("reported", "over"))]


THREE_HOURS = range(180)


@pytest.mark.parametrize(
    ("begins", "alerts"),
    [
        pytest.param(10, [0], id="no multiple inside"),
        pytest.param(59, [60], id="up to the minute before the next multiple"),
        pytest.param(61, [60, 240], id="one multiple inside"),
        pytest.param(225, [210, 240], id="a multiple right after it was new"),
    ],
)
def test_with_reminders_every_240_minutes_a_three_hour_attack_gives(
    logs: psycopg.Connection, begins: int, alerts: list[int]
) -> None:
    log = failures(*(begins + minute for minute in THREE_HOURS))
    assert reported(runs(logs, log, since=-60, until=480, remind_every_minutes=240)) == alerts


def test_without_reminders_every_interval_of_an_attack_alerts(logs: psycopg.Connection) -> None:
    log = failures(*(10 + minute for minute in THREE_HOURS))
    assert reported(runs(logs, log, since=-60, until=480)) == [0, 30, 60, 90, 120, 150, 180]


@pytest.mark.parametrize(
    ("every", "closes"), [pytest.param(5, 35, id="5"), pytest.param(30, 30, id="30"), pytest.param(45, 0, id="45")]
)
def test_the_closing_message_comes_once_a_window_after_the_last_breach_point(
    logs: psycopg.Connection, every: int, closes: int
) -> None:
    log = failures(*range(10))  # its only breach point is at 12:09
    assert over(runs(logs, log, since=-90, until=180, every=every, notify_when_over=True)) == [closes]


@pytest.mark.parametrize(
    ("every", "last", "closes"), [(30, 29.99, [30]), (30, 30, [60]), (5, 9.99, [35]), (5, 10, [40])]
)
def test_the_closing_message_belongs_to_the_interval_in_which_the_window_has_passed(
    logs: psycopg.Connection, every: int, last: float, closes: list[int]
) -> None:
    log = failures(*range(1, 10), last)
    assert over(runs(logs, log, since=-30, until=120, every=every, notify_when_over=True)) == closes


def test_a_group_that_breaches_again_within_the_window_is_not_over_in_between(logs: psycopg.Connection) -> None:
    log = failures(*range(10), *range(25, 40))
    assert over(runs(logs, log, since=-30, until=150, notify_when_over=True)) == [60]


def test_an_attack_that_ends_while_it_is_held_back_has_its_closing_message(logs: psycopg.Connection) -> None:
    hourly = {"every": 60, "remind_every_minutes": 1_440, "notify_when_over": True}
    verdicts = runs(logs, failures(*range(50, 80)), since=0, until=240, **hourly)
    assert (reported(verdicts), over(verdicts)) == ([0], [60])


def test_two_attacks_have_two_closing_messages(logs: psycopg.Connection) -> None:
    log = failures(*range(10), *range(90, 100))
    verdicts = runs(logs, log, since=-30, until=210, notify_when_over=True)
    assert (reported(verdicts), over(verdicts)) == ([0, 90], [30, 120])


def test_without_the_setting_nothing_is_said_when_it_is_over(logs: psycopg.Connection) -> None:
    assert over(runs(logs, failures(*range(10)), since=-30, until=120)) == []


@pytest.mark.parametrize(("at", "critical"), [(15, [0]), (29.99, [0]), (30, [30]), (38.9, [30]), (39, [])])
def test_a_sign_in_after_the_breach_is_reported_once_by_the_run_that_sees_it(
    logs: psycopg.Connection, at: float, critical: list[int]
) -> None:
    log = failures(*range(10)) + sign_ins(at)
    verdicts = runs(logs, log, since=-30, until=120)
    assert [start for start, verdict in verdicts.items() if verdict.totals.critical] == critical


def test_a_login_between_two_breaches_of_one_attack_is_reported(logs: psycopg.Connection) -> None:
    log = failures(*range(15, 50)) + sign_ins(30)
    verdicts = runs(logs, log, since=-30, until=120)
    assert [start for start, verdict in verdicts.items() if verdict.totals.critical] == [30]


def test_the_ignore_list_and_own_thresholds_hold_for_what_the_statement_measures(logs: psycopg.Connection) -> None:
    log = (
        failures(*range(12), host="192.0.2.1")
        + failures(*range(12), host="::ffff:198.51.100.9")
        + failures(*range(4), host="203.0.113.1")
        + failures(*range(4), host="203.0.113.2")
        + failures(*range(12), host="203.0.113.3")
    )
    verdict = runs(
        logs, log, since=0, until=30,
        ignore=[{"remote_host": "198.51.100.0/24", "reason": "BI gateway"}],
        thresholds=[{"remote_host": "203.0.113.1", "threshold": 3}, {"remote_host": "203.0.113.3", "threshold": 13}],
    )[0]  # fmt: skip
    reported_groups = verdict.having("reported")
    assert [breach.group["remote_host"] for breach in reported_groups] == ["192.0.2.1", "203.0.113.1"]
    assert [breach.details.first_breach_at for breach in reported_groups if breach.details] == [
        NOON + 9 * MINUTE,
        NOON + 2 * MINUTE,
    ]
    assert [breach.group["remote_host"] for breach in verdict.having("ignored")] == ["198.51.100.9"]
    assert (verdict.totals.reported, verdict.totals.ignored, verdict.totals.unjudged) == (2, 1, 0)


def test_a_sign_in_before_a_groups_own_threshold_is_not_got_in(logs: psycopg.Connection) -> None:
    log = failures(*range(20)) + sign_ins(12)
    verdict = runs(logs, log, since=0, until=30, thresholds=[{"remote_host": "192.0.2.1", "threshold": 20}])[0]
    assert (verdict.totals.reported, verdict.totals.critical) == (1, 0)
