"""The judgement, on rows that the statement really returned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from redshift_auth_alert.detection.findings import Login
from redshift_auth_alert.settings.entries import Ignore
from tests.conftest import LONG_AGO, NOON
from tests.detection.events import MINUTE, failures, hosts, sign_ins

GATEWAY = {"remote_host": "192.0.2.0/24", "reason": "BI gateway"}
HALF_PAST = {"start": NOON + 30 * MINUTE, "end": NOON + 60 * MINUTE}  # holds no multiple of 240 minutes
ATTACK = failures(*range(12))
ONGOING = failures(*range(20, 50))


def test_a_quiet_log_has_no_breach(judge: Any) -> None:
    verdict = judge(failures(1, 2, 3))
    assert (verdict.breaches, verdict.says_something, verdict.failures) == ((), False, 3)


@pytest.mark.parametrize(("number", "reported"), [(9, 0), (10, 1), (11, 1)])
def test_a_group_breaches_from_the_threshold_up(judge: Any, number: int, reported: int) -> None:
    assert judge(failures(*range(number))).totals.reported == reported


@pytest.mark.parametrize(("before", "ongoing"), [(9, False), (10, True)])
def test_a_breach_is_ongoing_if_it_reached_the_threshold_in_the_window_before(
    judge: Any, before: int, *, ongoing: bool
) -> None:
    log = failures(*(-1 - number for number in range(before))) + failures(*range(10))
    (breach,) = judge(log).breaches
    assert breach.ongoing is ongoing


def test_details_are_read_in_utc_and_in_order(judge: Any) -> None:
    log = failures(0, 1, 3) + failures(*range(20, 30), user="root") + sign_ins(29.5, user="etl") + sign_ins(29.7)
    (breach,) = judge(log).breaches
    details = breach.details
    assert details.parts == (2, 1, 0, 0, 0, 0, 0, 0, 3, 2, 3, 2)
    assert details.first_failure_at == NOON
    assert details.first_failure_at.tzinfo is UTC
    assert details.first_breach_at == NOON + 26 * MINUTE
    tried = [(user.name, user.failures) for user in details.top_users]
    assert (details.users_tried, tried) == (2, [("root", 10), ("admin", 3)])
    assert details.first_login == Login(NOON + 29.5 * MINUTE, "etl")
    assert details.got_in == Login(NOON + 29.7 * MINUTE, "admin")


def test_the_worst_come_first(judge: Any) -> None:
    log = (
        failures(*range(-5, 10), host="192.0.2.1")
        + failures(*range(11), host="192.0.2.2")
        + sign_ins(20, host="192.0.2.2")
        + failures(*range(20), host="192.0.2.3")
        + failures(*range(15), host="192.0.2.4")  # the same count as the first, and more failures
    )
    assert hosts(judge(log).breaches) == ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.1"]


def test_without_reminders_an_ongoing_breach_is_reported_in_every_interval(judge: Any) -> None:
    assert judge(ONGOING, **HALF_PAST).totals.ongoing == 1


def test_an_ongoing_breach_is_reported_in_an_interval_that_holds_a_multiple(judge: Any) -> None:
    log = failures(*range(-15, 10))
    assert judge(log, remind_every_minutes=240, reported_since=LONG_AGO).totals.ongoing == 1  # 12:00 is one


def test_an_ongoing_breach_is_held_back_in_an_interval_without_a_multiple(judge: Any) -> None:
    verdict = judge(ONGOING, remind_every_minutes=240, reported_since=LONG_AGO, **HALF_PAST)
    assert [each.outcome for each in verdict.breaches] == ["held_back"]
    assert (verdict.totals.reported, verdict.totals.held_back, verdict.says_something) == (0, 1, False)


def test_an_ongoing_breach_that_nobody_is_known_to_have_reported_is_not_held_back(judge: Any) -> None:
    assert judge(ONGOING, remind_every_minutes=240, **HALF_PAST).totals.ongoing == 1


def test_a_group_that_got_in_is_never_held_back(judge: Any) -> None:
    verdict = judge(ONGOING + sign_ins(55), remind_every_minutes=240, reported_since=LONG_AGO, **HALF_PAST)
    assert (verdict.totals.ongoing, verdict.totals.critical, verdict.totals.held_back) == (1, 1, 0)


def test_a_new_breach_is_never_held_back(judge: Any) -> None:
    log = failures(*range(35, 50))
    assert judge(log, remind_every_minutes=240, reported_since=LONG_AGO, **HALF_PAST).totals.new == 1


def test_an_ignored_group_is_counted_and_not_reported(judge: Any) -> None:
    verdict = judge(ATTACK + failures(*range(12), host="203.0.113.7"), ignore=[GATEWAY])
    assert hosts(verdict.having("reported")) == ["203.0.113.7"]
    assert hosts(verdict.having("ignored")) == ["192.0.2.1"]
    assert (verdict.totals.reported, verdict.totals.ignored) == (1, 1)


def test_nothing_is_published_where_every_breach_is_ignored(judge: Any) -> None:
    assert not judge(ATTACK, ignore=[GATEWAY]).says_something


def test_an_ignored_group_that_got_in_is_reported(judge: Any) -> None:
    verdict = judge(ATTACK + sign_ins(20), ignore=[GATEWAY])
    assert (verdict.totals.critical, verdict.totals.ignored) == (1, 0)
    assert verdict.breaches[0].entry == Ignore(**GATEWAY)


def test_an_ignored_group_that_got_in_is_ignored_if_its_entry_says_so(judge: Any) -> None:
    verdict = judge(ATTACK + sign_ins(20), ignore=[GATEWAY | {"even_if_authenticated": True}])
    assert (verdict.totals.reported, verdict.totals.critical, verdict.totals.ignored) == (0, 0, 1)


END_OF_DAY = datetime.fromisoformat("2026-03-02T00:00:00+00:00")


@pytest.mark.parametrize(("end", "ignored"), [(END_OF_DAY, 1), (END_OF_DAY + timedelta(minutes=1), 0)])
def test_an_entry_applies_through_its_last_day(judge: Any, end: datetime, ignored: int) -> None:
    log = failures(*(690 + number for number in range(12)))
    entry = GATEWAY | {"until": "2026-03-01"}
    assert judge(log, start=end - timedelta(minutes=31), end=end, ignore=[entry]).totals.ignored == ignored


def test_an_expired_entry_is_named_at_the_group_that_matches_it(judge: Any) -> None:
    (breach,) = judge(ATTACK, ignore=[GATEWAY | {"until": "2026-02-28"}]).breaches
    assert (breach.outcome, breach.entry.reason) == ("reported", "BI gateway")


def test_an_entry_that_applies_goes_before_an_expired_one(judge: Any) -> None:
    assert judge(ATTACK, ignore=[GATEWAY | {"until": "2026-02-28"}, GATEWAY]).totals.ignored == 1


@pytest.mark.parametrize(("number", "reported"), [(24, 0), (25, 1)])
def test_a_group_with_its_own_threshold_breaches_from_there_up(judge: Any, number: int, reported: int) -> None:
    own = [{"remote_host": "192.0.2.1", "threshold": 25}]
    assert judge(failures(*range(number)), thresholds=own).totals.reported == reported


def test_a_lower_threshold_holds_only_for_the_groups_that_match(judge: Any) -> None:
    log = failures(1, 2, 3, 4) + failures(1, 2, 3, 4, host="192.0.2.2")
    (breach,) = judge(log, thresholds=[{"remote_host": "192.0.2.1", "threshold": 3}]).breaches
    assert (breach.group["remote_host"], breach.threshold) == ("192.0.2.1", 3)


def test_the_first_entry_that_matches_sets_the_threshold(judge: Any) -> None:
    entries = [{"remote_host": "192.0.2.1", "threshold": 3}, {"remote_host": "192.0.2.0/24", "threshold": 20}]
    assert [breach.threshold for breach in judge(ATTACK, thresholds=entries).breaches] == [3]


@pytest.mark.parametrize(("host", "over"), [("192.0.2.0/24", 0), ("198.51.100.1", 1)])
def test_an_ignored_group_is_not_reported_as_over(judge: Any, host: str, over: int) -> None:
    verdict = judge(ATTACK, notify_when_over=True, ignore=[GATEWAY | {"remote_host": host}], **HALF_PAST)
    assert (verdict.totals.over, verdict.totals.ignored) == (over, 0)
