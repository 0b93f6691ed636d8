"""The check task on what the statement returned: which branch it takes, what it logs and pushes."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from redshift_auth_alert.tasks.versions import AirflowFailException
from tests.conftest import LONG_AGO, NOON, make_run
from tests.detection.events import HEARTBEAT, MINUTE, Events, failures, sign_ins
from tests.tasks.conftest import Pushed

ATTACK = failures(*range(12), host="203.0.113.7")
GATEWAY = {"remote_host": "203.0.113.0/24", "reason": "BI gateway", "until": "2026-03-31"}
NEXT = {"start": NOON + 30 * MINUTE, "end": NOON + 60 * MINUTE}


def test_a_breach_is_published(check: Any) -> None:
    branch, pushed = check(ATTACK + HEARTBEAT)
    assert branch == "publish_alert"
    assert pushed["subject"].startswith("[ALERT] (test)")
    assert "203.0.113.7 [12 times]" in pushed["body"]


def test_a_breach_is_a_warning_in_the_log(check: Any, caplog: pytest.LogCaptureFixture) -> None:
    check(ATTACK + failures(*range(15), host="192.0.2.2") + HEARTBEAT)
    check_log = [record for record in caplog.records if record.name == "redshift_auth_alert.tasks.check"]
    warnings = [record.getMessage() for record in check_log if record.levelno == logging.WARNING]
    assert warnings == ["192.0.2.2 [15 times] new: reported", "203.0.113.7 [12 times] new: reported"]


def test_without_a_breach_nothing_is_published(check: Any) -> None:
    branch, pushed = check(HEARTBEAT)
    assert (branch, pushed.keys()) == ("no_alert", {"evaluated", "summary"})


def test_a_held_back_breach_is_not_published_and_is_in_the_log(check: Any, caplog: pytest.LogCaptureFixture) -> None:
    log = failures(*range(15, 45), host="203.0.113.7") + HEARTBEAT
    branch, pushed = check(log, remind_every_minutes=240, reported_since=LONG_AGO, **NEXT)
    assert branch == "no_alert"
    assert (pushed["document"]["kind"], len(pushed["document"]["held_back"])) == ("quiet", 1)
    assert "203.0.113.7 [15 times] ongoing: held back" in caplog.text


def test_a_dry_run_logs_the_full_message_and_publishes_nothing(check: Any, caplog: pytest.LogCaptureFixture) -> None:
    branch, pushed = check(ATTACK + HEARTBEAT, dry_run=True)
    assert (branch, pushed.keys()) == ("no_alert", {"summary", "document"})
    assert "[ALERT] (test)" in caplog.text
    assert "    Failures  " in caplog.text


def test_an_unseen_interval_fails_for_good_and_says_why(check: Any) -> None:
    pushed = Pushed()
    with pytest.raises(AirflowFailException, match="the interval is unseen: STL_CONNECTION_LOG shows no event at all"):
        check([], pushed=pushed)
    assert pushed["summary"]["coverage"]["verdict"] == "unseen"


def test_an_unseen_interval_is_a_warning_where_the_monitor_says_so(
    check: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert check([], when_unseen="warn")[0] == "no_alert"
    assert "Coverage is unseen: STL_CONNECTION_LOG shows no event at all" in caplog.text


def test_a_partly_seen_interval_alerts_and_says_from_when_on_it_could_see(check: Any) -> None:
    branch, pushed = check(failures(*range(3, 15)) + sign_ins(10_000, host="[local]", user="rdsdb"))
    assert branch == "publish_alert"
    assert "partial: STL_CONNECTION_LOG shows events from 2026-03-01 12:03:00" in pushed["body"]


def test_a_partly_seen_interval_is_reported_without_a_breach_too(check: Any) -> None:
    branch, pushed = check(sign_ins(3, 10_000, host="[local]", user="rdsdb"))
    assert branch == "publish_alert"
    assert pushed["subject"] == "[PARTIAL] (test) Redshift: interval only partly seen"
    assert "partial: STL_CONNECTION_LOG shows events from 2026-03-01 12:03:00" in pushed["body"]


def test_what_is_ignored_is_in_the_log_with_the_reason(check: Any, caplog: pytest.LogCaptureFixture) -> None:
    branch, pushed = check(ATTACK + HEARTBEAT, ignore=[GATEWAY])
    assert branch == "no_alert"
    assert pushed["document"]["ignored"][0]["ignore_entry"]["reason"] == "BI gateway"
    assert "203.0.113.7 [12 times] new: ignored (BI gateway)" in caplog.text


def test_an_expired_entry_is_a_warning_in_the_log(check: Any, caplog: pytest.LogCaptureFixture) -> None:
    check(HEARTBEAT, ignore=[GATEWAY | {"until": "2026-02-28"}])
    assert "ignore entry 1 (BI gateway) expired on 2026-02-28: renew or remove it" in caplog.text


def test_the_totals_are_in_the_log(check: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    check(ATTACK + failures(*range(15)) + HEARTBEAT, ignore=[GATEWAY])
    assert (
        "1 group reported; of all groups 1 new, 0 ongoing, 0 critical, 0 admin, 0 over, 0 held back, 1 ignored"
        in caplog.text
    )


def test_what_is_over_is_published_where_the_monitor_says_so(check: Any) -> None:
    branch, pushed = check(ATTACK + HEARTBEAT, notify_when_over=True, **NEXT)
    assert branch == "publish_alert"
    assert pushed["subject"].startswith("[OVER] (test)")


def test_each_run_pushes_a_summary(check: Any) -> None:
    summary = check(failures(1, 2) + HEARTBEAT)[1]["summary"]
    assert (summary["failures"], summary["coverage"]["verdict"], summary["worst"]) == (2, "seen", [])


def test_the_summary_names_the_worst_groups(check: Any) -> None:
    assert check(ATTACK + HEARTBEAT)[1]["summary"]["worst"] == [
        {"group": {"remote_host": "203.0.113.7"}, "outcome": "reported", "failures": 12, "critical": False}
    ]


def test_the_alert_is_pushed_as_data_too(check: Any) -> None:
    pushed = check(ATTACK + HEARTBEAT)[1]
    assert pushed["document"]["breaches"][0]["group"] == {"remote_host": "203.0.113.7"}


@pytest.mark.parametrize("part", ["body", "document"])
def test_no_part_that_is_pushed_passes_256_kb(check: Any, part: str) -> None:
    log = [
        event
        for host in range(3_000)
        for event in failures(*range(10), host=f"10.1.{host // 256}.{host % 256}", user="\N{PILE OF POO}" * 50)
    ]
    pushed = check(log + HEARTBEAT, max_groups=100)[1]
    assert pushed["subject"].endswith(": 3,000 remote hosts may have locked users out")
    assert 100_000 < len(json.dumps(pushed[part])) <= 262_144


RECORDED = f"2026-03-01T12:30:00+00:00 {make_run().judged_by} 2026-03-01T12:00:00+00:00"


@pytest.mark.parametrize(
    ("log", "settings", "recorded"),
    [
        (HEARTBEAT, {}, RECORDED),
        (ATTACK + HEARTBEAT, {}, RECORDED),
        (ATTACK + HEARTBEAT, {"dry_run": True}, None),
        ([], {"when_unseen": "warn"}, None),
        (sign_ins(-10_000, 10, host="[local]", user="rdsdb"), {}, None),
    ],
    ids=["quiet", "attack", "dry run", "unseen", "partly seen, so a breach after it may be news"],
)
def test_the_run_records_that_its_interval_was_evaluated_and_reported(
    check: Any, log: Events, settings: dict[str, Any], recorded: str | None
) -> None:
    assert check(log, **settings)[1].get("evaluated") == recorded
