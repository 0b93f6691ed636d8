from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from redshift_auth_alert.detection.judge import Coverage, Login, Verdict, judge
from tests.conftest import NOON, make_run

DAY = timedelta(days=1)


def iso(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat()


COVERAGE = {
    "source": "stl_connection_log",
    "unreadable_lines": 0,
    "all_failures": 31,
    "oldest_event_at": iso(NOON - DAY),
    "newest_event_at": iso(NOON + DAY),
    "shows_others": 1,
}
TOTALS = (
    "new_groups", "ongoing_groups", "critical_groups", "ongoing_critical_groups", "over_groups", "ignored_groups",
    "unchecked_groups",
)  # fmt: skip
NOBODY = dict.fromkeys(TOTALS, 0)


def row(host: str = "203.0.113.7", **facts: Any) -> dict[str, Any]:
    users = {f"user_{place}{what}": None for place in range(1, 6) for what in ("", "_failures")}
    at = iso(NOON + timedelta(minutes=1))
    return (
        COVERAGE
        | NOBODY
        | {
            "new_groups": 1, "threshold": 10, "closing": 0, "entry": None, "ignored": False, "remote_host": host,
            "failures": 12, "most_at_failure": 12, "peak": 12, "most_before": 0,
            "first_failure_at": at, "last_failure_at": at,
            "first_breach_at": at, "last_breach_at": at, "first_login_at": None, "first_login_user": None,
            "got_in_at": None, "got_in_user": None, "users_tried": 1,
        }
        | users
        | {f"part_{part}": part for part in range(1, 13)}
        | {"user_1": "admin", "user_1_failures": 12}
        | facts
    )  # fmt: skip


def quiet(**coverage: Any) -> dict[str, Any]:
    return dict.fromkeys(row()) | COVERAGE | NOBODY | coverage


def judged(*rows: dict[str, Any], **settings: Any) -> Verdict:
    return judge({"columns": list(rows[0]), "rows": [list(each.values()) for each in rows]}, make_run(**settings))


def test_nobody_breached() -> None:
    verdict = judged(quiet())
    assert (verdict.to_tell, verdict.told_groups, verdict.coverage) == ((), 0, Coverage("stl_connection_log", "seen"))


@pytest.mark.parametrize(("count", "breaches"), [(9, 0), (10, 1), (11, 1)])
def test_a_count_breaches_from_the_threshold_up(count: int, breaches: int) -> None:
    assert len(judged(row(most_at_failure=count)).to_tell) == breaches


@pytest.mark.parametrize(("before", "ongoing"), [(9, False), (10, True)])
def test_a_breach_is_ongoing_when_it_had_reached_the_threshold_before(before: int, *, ongoing: bool) -> None:
    assert judged(row(most_before=before)).to_tell[0].ongoing is ongoing


def test_times_are_utc() -> None:
    assert judged(row()).to_tell[0].first_failure_at == NOON + timedelta(minutes=1)
    assert judged(row()).to_tell[0].first_failure_at.tzinfo is UTC


def test_logins_are_read() -> None:
    facts = {"first_login_at": iso(NOON), "first_login_user": "etl", "got_in_at": iso(NOON), "got_in_user": "admin"}
    breach = judged(row(**facts)).to_tell[0]
    assert (breach.first_login, breach.got_in) == (Login(NOON, "etl"), Login(NOON, "admin"))


def test_the_failures_of_each_part_are_read_in_order() -> None:
    assert judged(row()).to_tell[0].parts == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)


def test_users_tried_are_read_with_their_counts() -> None:
    breach = judged(row(user_2="", user_2_failures=3, users_tried=7)).to_tell[0]
    assert (breach.top_users, breach.users_tried) == ((("admin", 12), ("", 3)), 7)


def test_groups_beyond_those_that_came_back_are_counted() -> None:
    rows = [row(f"192.0.2.{number}", new_groups=70, ongoing_groups=30) for number in range(20)]
    verdict = judged(*rows)
    assert (len(verdict.to_tell), verdict.told_groups) == (20, 100)


ONGOING = {"most_before": 10, "new_groups": 0, "ongoing_groups": 1}


def test_without_reminders_an_ongoing_breach_is_told_in_every_interval() -> None:
    assert judged(row(**ONGOING)).told_groups == 1


def test_an_ongoing_breach_is_told_in_an_interval_that_holds_a_multiple() -> None:
    assert judged(row(**ONGOING), remind_every_minutes=240).told_groups == 1  # 12:00 is one


def test_an_ongoing_breach_is_held_back_in_an_interval_without_a_multiple() -> None:
    half_past = {"start": NOON + timedelta(minutes=30), "end": NOON + timedelta(minutes=60)}
    verdict = judged(row(**ONGOING), remind_every_minutes=240, **half_past)
    assert (verdict.told_groups, verdict.to_tell) == (0, ())
    assert (verdict.held_back_groups, len(verdict.held_back)) == (1, 1)


def test_a_group_that_got_in_is_told_whether_a_reminder_is_due_or_not() -> None:
    half_past = {"start": NOON + timedelta(minutes=30), "end": NOON + timedelta(minutes=60)}
    got_in = {"got_in_at": iso(NOON), "got_in_user": "admin", "critical_groups": 1, "ongoing_critical_groups": 1}
    verdict = judged(row(**ONGOING | got_in), remind_every_minutes=240, **half_past)
    assert (verdict.told_groups, verdict.held_back_groups, verdict.critical_groups) == (1, 0, 1)


def test_a_new_breach_is_told_whether_a_reminder_is_due_or_not() -> None:
    half_past = {"start": NOON + timedelta(minutes=30), "end": NOON + timedelta(minutes=60)}
    assert judged(row(), remind_every_minutes=240, **half_past).told_groups == 1


@pytest.mark.parametrize(
    ("coverage", "says"),
    [
        (
            {"oldest_event_at": None, "newest_event_at": None, "shows_others": 0},
            "no event at all; give the monitor's user",
        ),
        ({"shows_others": 0}, "only the monitor's own logins; give the monitor's user"),
        ({"oldest_event_at": iso(NOON + DAY)}, "aged out of STL_CONNECTION_LOG, whose oldest event is of 2026-03-02"),
        ({"newest_event_at": iso(NOON - DAY)}, "STL_CONNECTION_LOG has stopped: its newest event is of 2026-02-28"),
    ],
)
def test_what_is_unseen_says_why_and_what_to_do(coverage: dict[str, Any], says: str) -> None:
    found = judged(quiet(**coverage)).coverage
    assert found.verdict == "unseen"
    assert says in found.reason


def test_what_is_partly_seen_says_from_when_on() -> None:
    found = judged(quiet(oldest_event_at=iso(NOON + timedelta(minutes=3)))).coverage
    reason = "STL_CONNECTION_LOG shows events from 2026-03-01 12:03:00 UTC on only"
    assert found == Coverage("stl_connection_log", "partial", reason)


def test_all_failures_of_the_interval_are_read() -> None:
    assert judged(quiet()).failures == 31
