"""The check task: which branch it takes, what it logs and pushes."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from redshift_auth_alert.tasks.check import check_threshold
from redshift_auth_alert.tasks.versions import AirflowFailException
from tests.conftest import make_run, unwrapped
from tests.detection.test_judge import ONGOING, quiet, row

UNSEEN = quiet(oldest_event_at=None, newest_event_at=None, shows_others=0)


class Pushed(dict[str, Any]):
    """Stands in for the task instance, which is Airflow's."""

    def xcom_push(self, key: str, value: Any) -> None:
        self[key] = value


def check(*rows: dict[str, Any], **settings: Any) -> tuple[str, Pushed]:
    pushed = Pushed()
    table = {"columns": list(rows[0]), "rows": [list(each.values()) for each in rows]}
    return check_threshold(table, make_run(**settings), pushed), pushed


def test_a_breach_is_published() -> None:
    branch, pushed = check(row())
    assert branch == "publish_alert"
    assert pushed["subject"].startswith("[ALERT] (test)")
    assert "203.0.113.7 [12 times]" in pushed["body"]


def test_a_breach_is_a_warning_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    check(row("192.0.2.1", new_groups=2), row("192.0.2.2", new_groups=2))
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == ["192.0.2.1 [12 times], peak 12, new", "192.0.2.2 [12 times], peak 12, new"]


def test_nobody_breached_alerts_nobody() -> None:
    assert check(quiet()) == ("no_alert", {})


def test_a_held_back_breach_alerts_nobody_and_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert check(row(**ONGOING), remind_every_minutes=7 * 1440)[0] == "no_alert"
    assert "203.0.113.7 [12 times], peak 12, ongoing" in caplog.text


def test_a_dry_run_logs_the_full_message_and_publishes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert check(row(), dry_run=True) == ("no_alert", {})
    assert "[ALERT] (test)" in caplog.text
    assert "First failure" in caplog.text


def test_an_unseen_interval_fails_for_good_and_says_why() -> None:
    with pytest.raises(AirflowFailException, match="the interval is unseen: STL_CONNECTION_LOG shows no event at all"):
        check(UNSEEN)


def test_an_unseen_interval_is_a_warning_where_the_monitor_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert check(UNSEEN, when_unseen="warn")[0] == "no_alert"
    assert "Coverage is unseen: STL_CONNECTION_LOG shows no event at all" in caplog.text


def test_a_partly_seen_interval_still_alerts_and_says_from_when_on_it_could_see() -> None:
    branch, pushed = check(row(oldest_event_at="2026-03-01T12:03:00"))
    assert branch == "publish_alert"
    assert "shows events from 2026-03-01 12:03:00 UTC on only" in unwrapped(pushed["body"])


GATEWAY = {"remote_host": "203.0.113.0/24", "reason": "BI gateway", "until": "2026-03-31"}
HALF_AN_HOUR_AGO = "2026-03-01T11:35:00"
CLOSING = {
    "closing": 1,
    "most_at_failure": 0,
    "first_breach_at": None,
    "most_before": 12,
    "last_breach_at": HALF_AN_HOUR_AGO,
}


def test_what_is_ignored_is_in_the_log_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    ignored = row(entry=0, ignored=True, new_groups=0, ignored_groups=1)
    assert check(ignored, ignore=[GATEWAY])[0] == "no_alert"
    assert "Ignored (BI gateway): 203.0.113.7 [12 times], peak 12, new" in caplog.text
    assert "1 ignored" in caplog.text


def test_a_lapsed_entry_is_a_warning_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    check(quiet(), ignore=[GATEWAY | {"until": "2026-02-28"}])
    assert "ignore entry 1 (BI gateway) has lapsed on 2026-02-28: renew or remove it" in caplog.text


def test_what_is_over_is_published_where_the_monitor_says_so() -> None:
    branch, pushed = check(row(**CLOSING, new_groups=0, over_groups=1), notify_when_over=True)
    assert branch == "publish_alert"
    assert pushed["subject"].startswith("[OVER] (test)")


def test_the_alert_is_pushed_as_data_too() -> None:
    pushed = check(row())[1]
    assert pushed["document"]["breaches"][0]["group"] == {"remote_host": "203.0.113.7"}
