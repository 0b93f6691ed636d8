"""The ignore list and the own thresholds."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from redshift_auth_alert.detection.judge import Verdict, judge
from redshift_auth_alert.detection.selection import select
from redshift_auth_alert.settings.entries import Ignore, OwnThreshold
from tests.conftest import NOON, make_run
from tests.detection.test_judge import iso, quiet, row

GATEWAY = {"remote_host": "192.0.2.0/24", "reason": "BI gateway"}
GOT_IN = {"got_in_at": iso(NOON), "got_in_user": "admin", "critical_groups": 1}


def selected(*rows: dict[str, Any], **settings: Any) -> dict[str, list[Any]]:
    came_back = [{name: each[name] for name in each if name not in ADDED} for each in rows]
    table = {"columns": list(came_back[0]), "rows": [list(each.values()) for each in came_back]}
    return select(table, make_run(**settings))


ADDED = ("entry", "ignored", "ignored_groups", "unchecked_groups")


def judged(*rows: dict[str, Any], **settings: Any) -> Verdict:
    return judge(selected(*rows, **settings), make_run(**settings))


def hosts(breaches: Any) -> list[str]:
    return [breach.group["remote_host"] for breach in breaches]


def test_an_ignored_group_is_counted_and_not_told() -> None:
    verdict = judged(row("192.0.2.1", new_groups=2), row("203.0.113.7", new_groups=2), ignore=[GATEWAY])
    assert (hosts(verdict.to_tell), hosts(verdict.ignored)) == (["203.0.113.7"], ["192.0.2.1"])
    assert (verdict.told_groups, verdict.new_groups, verdict.ignored_groups) == (1, 1, 1)


def test_nobody_is_told_where_all_that_breached_are_ignored() -> None:
    verdict = judged(row("192.0.2.1"), ignore=[GATEWAY])
    assert (verdict.says_something, verdict.ignored_groups) == (False, 1)


def test_an_ignored_group_that_got_in_is_told() -> None:
    verdict = judged(row("192.0.2.1", **GOT_IN), ignore=[GATEWAY])
    assert (hosts(verdict.to_tell), verdict.critical_groups, verdict.ignored_groups) == (["192.0.2.1"], 1, 0)
    assert verdict.to_tell[0].entry == Ignore(**GATEWAY)


def test_an_ignored_group_that_got_in_is_ignored_where_its_entry_says_so() -> None:
    verdict = judged(row("192.0.2.1", **GOT_IN), ignore=[GATEWAY | {"even_if_authenticated": True}])
    assert (verdict.told_groups, verdict.critical_groups, verdict.ignored_groups) == (0, 0, 1)


END_OF_DAY = datetime.fromisoformat("2026-03-02T00:00:00+00:00")


@pytest.mark.parametrize(("end", "ignored"), [(END_OF_DAY, 1), (END_OF_DAY + timedelta(minutes=1), 0)])
def test_an_entry_holds_through_its_last_day(end: datetime, ignored: int) -> None:
    table = selected(
        row("192.0.2.1"), start=end - timedelta(minutes=30), end=end, ignore=[GATEWAY | {"until": "2026-03-01"}]
    )
    assert table["rows"][0][table["columns"].index("ignored_groups")] == ignored


def test_an_entry_may_hold_until_the_last_day_there_is() -> None:
    assert judged(row("192.0.2.1"), ignore=[GATEWAY | {"until": "9999-12-31"}]).ignored_groups == 1


def test_a_lapsed_entry_is_named_at_the_group_that_it_selected() -> None:
    verdict = judged(row("192.0.2.1"), ignore=[GATEWAY | {"until": date(2026, 2, 28)}])
    assert verdict.to_tell[0].entry == Ignore(**GATEWAY, until=date(2026, 2, 28))


def test_an_entry_that_holds_goes_before_one_that_has_lapsed() -> None:
    verdict = judged(row("192.0.2.1"), ignore=[GATEWAY | {"until": "2026-02-28"}, GATEWAY])
    assert verdict.ignored_groups == 1


@pytest.mark.parametrize(("reached", "told"), [(24, 0), (25, 1)])
def test_a_group_with_a_threshold_of_its_own_breaches_from_there_up(reached: int, told: int) -> None:
    rows = [row("192.0.2.1", most_at_failure=reached)]
    if reached >= 25:
        rows.append(row("192.0.2.1", most_at_failure=reached, threshold=25))
    verdict = judged(*rows, thresholds=[{"remote_host": "192.0.2.1", "threshold": 25}])
    assert verdict.told_groups == told


def test_a_lower_threshold_of_its_own_tells_only_the_groups_that_it_selects() -> None:
    low = {"threshold": 3, "most_at_failure": 4, "new_groups": 2}
    verdict = judged(
        row("192.0.2.1", **low), row("192.0.2.2", **low), thresholds=[{"remote_host": "192.0.2.1", "threshold": 3}]
    )
    assert (hosts(verdict.to_tell), verdict.told_groups, verdict.to_tell[0].threshold) == (["192.0.2.1"], 1, 3)


def test_the_first_entry_that_selects_a_group_sets_its_threshold() -> None:
    entries = [{"remote_host": "192.0.2.1", "threshold": 3}, {"remote_host": "192.0.2.0/24", "threshold": 20}]
    verdict = judged(row("192.0.2.1", threshold=3), row("192.0.2.1"), thresholds=entries)
    assert [breach.threshold for breach in verdict.to_tell] == [3]


def test_the_statement_measures_at_each_threshold_in_force() -> None:
    run = make_run(threshold=10, thresholds=[OwnThreshold(remote_host="192.0.2.1", threshold=3)] * 2)
    assert run.thresholds == [3, 10]


def test_groups_that_did_not_come_back_count_as_told_and_as_unchecked() -> None:
    verdict = judged(row("192.0.2.1", new_groups=70, ongoing_groups=30), ignore=[GATEWAY])
    assert (verdict.told_groups, verdict.ignored_groups, verdict.unchecked_groups) == (99, 1, 99)


def test_without_entries_nothing_is_unchecked() -> None:
    assert judged(row(new_groups=70)).unchecked_groups == 0


def test_the_worst_first() -> None:
    rows = [row("192.0.2.1", most_at_failure=50), row("192.0.2.2", most_at_failure=11, **GOT_IN),
            row("192.0.2.3", most_at_failure=99), row("192.0.2.4", most_at_failure=50, failures=51)]  # fmt: skip
    assert hosts(judged(*rows).to_tell) == ["192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.1"]


def test_what_is_held_back_comes_after_what_is_told() -> None:
    half_past = {"start": NOON + timedelta(minutes=30), "end": NOON + timedelta(minutes=60)}
    rows = [row("192.0.2.1", most_at_failure=99, most_before=10), row("192.0.2.2")]
    verdict = judged(*rows, remind_every_minutes=240, max_groups=1, **half_past)
    assert hosts(verdict.to_tell) == ["192.0.2.2"]


def test_at_most_max_groups_are_listed() -> None:
    rows = [row(f"192.0.2.{number}", new_groups=20) for number in range(20)]
    verdict = judged(*rows, max_groups=7, ignore=[GATEWAY | {"remote_host": "192.0.2.0/29"}])
    assert (len(verdict.to_tell), len(verdict.ignored), verdict.told_groups, verdict.ignored_groups) == (7, 7, 12, 8)


def test_the_coverage_comes_through_where_nobody_breached() -> None:
    assert judged(quiet(), ignore=[GATEWAY]).coverage.verdict == "seen"


@pytest.mark.parametrize(("entry", "over"), [(GATEWAY, 0), (GATEWAY | {"remote_host": "198.51.100.1"}, 1)])
def test_an_ignored_group_is_not_told_as_over(entry: dict[str, Any], over: int) -> None:
    facts = {"closing": 1, "most_at_failure": 0, "most_before": 12, "new_groups": 0, "over_groups": 1}
    times = {"first_breach_at": None, "last_breach_at": iso(NOON - timedelta(minutes=10))}
    closing = row("192.0.2.1", **facts, **times)
    verdict = judged(closing, notify_when_over=True, ignore=[entry])
    assert (verdict.over_groups, len(verdict.closing), verdict.ignored_groups) == (over, over, 0)
