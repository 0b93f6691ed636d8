from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.detection.judge import Breach, Coverage, Login, Verdict
from redshift_auth_alert.message.alert import MESSAGE_LIMIT, Message, compose, failure_message, log_line
from redshift_auth_alert.message.text import shown
from redshift_auth_alert.settings.entries import Ignore
from redshift_auth_alert.settings.monitors import Monitor
from tests.conftest import NOON, make_run, unwrapped

MINUTE = timedelta(minutes=1)


def make_breach(**facts: Any) -> Breach:
    return Breach(
        **{
            "group": {"remote_host": "203.0.113.7"},
            "failures": 14,
            "parts": (0, 0, 8, 4, 1, 1, 0, 0, 0, 0, 0, 0),
            "peak": 15,
            "threshold": 10,
            "ongoing": False,
            "over": False,
            "first_failure_at": NOON + MINUTE,
            "last_failure_at": NOON + 9 * MINUTE,
            "first_breach_at": NOON + 5 * MINUTE,
            "last_breach_at": NOON + 9 * MINUTE,
            "first_login": None,
            "got_in": None,
            "users_tried": 2,
            "top_users": (("admin", 9), ("root", 5)),
        }
        | facts
    )


def make_verdict(*breaches: Breach, told: int | None = None, **facts: Any) -> Verdict:
    return Verdict(
        **{
            "coverage": Coverage("stl_connection_log", "seen"),
            "failures": 12,
            "to_tell": breaches,
            "held_back": (),
            "closing": (),
            "ignored": (),
            "new_groups": len(breaches) if told is None else told,
            "ongoing_groups": 0,
            "critical_groups": 0,
            "held_back_groups": 0,
            "over_groups": 0,
            "ignored_groups": 0,
            "unchecked_groups": 0,
        }
        | facts
    )


def alert(*breaches: Breach, told: int | None = None, verdict: dict[str, Any] | None = None, **run: Any) -> Message:
    return compose(make_verdict(*(breaches or [make_breach()]), told=told, **(verdict or {})), make_run(**run))


def test_the_alert_reads_in_full() -> None:
    got_in = make_breach(
        group={"remote_host": "198.51.100.20"},
        ongoing=True,
        got_in=Login(NOON + 10 * MINUTE, "admin"),
        first_login=Login(NOON + 6 * MINUTE, "etl"),
    )
    message = alert(got_in, make_breach(), told=5, verdict={"critical_groups": 1})
    assert (message.subject, message.body, message.attributes) == (
        "[CRITICAL] (test) Redshift authentication failures: 5 remote hosts",
        """\
5 remote hosts with 10 or more authentication failures within 30 minutes.
1 of them GOT IN as a user that it had failed as.

Environment  test
Monitor      redshift_auth_failure_alert
Interval     2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC
Source       stl_connection_log

198.51.100.20 [14 times] ongoing, GOT IN
    Peak           15 failures within 30 minutes
    Threshold      reached 2026-03-01 12:05:00 UTC
    First failure  2026-03-01 12:01:00 UTC
    Last failure   2026-03-01 12:09:00 UTC
    Over time      ··█▄▁▁······
    Tried          admin (9), root (5)
    GOT IN         2026-03-01 12:10:00 UTC as admin, whom it had failed as
    Logged in      2026-03-01 12:06:00 UTC as etl, whom it had not failed as

203.0.113.7 [14 times] new
    Peak           15 failures within 30 minutes
    Threshold      reached 2026-03-01 12:05:00 UTC
    First failure  2026-03-01 12:01:00 UTC
    Last failure   2026-03-01 12:09:00 UTC
    Over time      ··█▄▁▁······
    Tried          admin (9), root (5)

... and 3 remote hosts more, less severe than those listed.
""",
        {
            "monitor": "redshift_auth_failure_alert",
            "environment": "test",
            "severity": "critical",
            "run_type": "scheduled",
            "new_groups": 5,
            "ongoing_groups": 0,
        },
    )


def test_an_alert_without_a_critical_group_is_no_critical_one() -> None:
    login = Login(NOON + 6 * MINUTE, "etl")
    message = alert(make_breach(first_login=login))
    assert message.subject.startswith("[ALERT] ")
    assert "Logged in      2026-03-01 12:06:00 UTC as etl, whom it had not failed as" in message.body


@pytest.mark.parametrize(
    ("count", "group_by", "says", "peak"),
    [
        ("failures", "remote_host", "1 remote host with 10 or more authentication failures within", "15 failures"),
        ("distinct user_name", "remote_host", "authentication failures as 10 or more users within", "15 users"),
        (
            "distinct remote_host",
            "user_name",
            "authentication failures from 10 or more remote hosts",
            "15 remote hosts",
        ),
        ("distinct database_name", "user_name", "authentication failures at 10 or more databases", "15 databases"),
    ],
)
def test_what_was_counted_is_said(count: str, group_by: str, says: str, peak: str) -> None:
    body = alert(make_breach(group={group_by: "x"}), count=count, group_by=(group_by,)).body
    assert says in body
    assert f"Peak           {peak} within 30 minutes" in body


def test_a_retry_of_a_run_is_told_once_and_another_run_or_interval_again() -> None:
    later = {"start": NOON + 30 * MINUTE, "end": NOON + 60 * MINUTE}
    ids = [alert().deduplication_id, alert(**later).deduplication_id, alert(run_type="manual").deduplication_id]
    assert alert().deduplication_id == ids[0]
    assert len(set(ids)) == 3
    assert alert().group_id == "redshift_auth_failure_alert"


def test_one_group_is_written_in_the_singular() -> None:
    assert alert().subject.endswith(": 1 remote host")


def test_a_group_of_several_columns_names_each() -> None:
    group = {"remote_host": "192.0.2.1", "user_name": "ann"}
    message = alert(make_breach(group=group), group_by=("remote_host", "user_name"))
    assert "\nremote_host=192.0.2.1 user_name=ann [14 times] new\n" in message.body
    assert message.subject.endswith(": 1 group")


def test_a_scheduled_run_does_not_speak_of_the_run() -> None:
    assert "\nRun " not in alert().body


@pytest.mark.parametrize("run_type", ["manual", "backfill"])
def test_another_run_says_what_it_is(run_type: str) -> None:
    assert f"\nRun          {run_type} ({run_type}__1)\n" in alert(run_type=run_type).body


def test_a_dry_run_says_so() -> None:
    assert "\nDry run      evaluated and logged, not published\n" in alert(dry_run=True).body


def test_partial_coverage_is_told() -> None:
    coverage = Coverage("stl_connection_log", "partial", "the log shows events from noon on only")
    assert "\nCoverage     partial: the log shows" in alert(verdict={"coverage": coverage}).body


def test_what_no_reminder_is_due_for_is_told_in_a_line() -> None:
    assert (
        "2 remote hosts told of earlier still breached; no reminder is due."
        in alert(verdict={"ongoing_groups": 2, "held_back_groups": 2}).body
    )


def test_users_beyond_the_five_listed_are_counted() -> None:
    top = tuple((f"user{number}", 3) for number in range(5))
    assert "user4 (3) and 37 more users\n" in unwrapped(alert(make_breach(users_tried=42, top_users=top)).body)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("[local]", "[local]"),
        ("IAM:ann@example.com", "IAM:ann@example.com"),
        ("", "(empty)"),
        ("(empty)", '"(empty)"'),
        ("ann bob", '"ann bob"'),
        ("a\nb", '"a\\nb"'),
        ("a\r\u2028\u202eb", '"a\\r\\u2028\\u202eb"'),
        ("\x1b[31m", '"\\x1b[31m"'),
        ('say "hi" \\', '"say \\"hi\\" \\\\"'),
        ("{{ 1/0 }}", '"{{ 1/0 }}"'),
        ("böb", '"böb"'),
    ],
)
def test_a_name_is_shown_so_that_it_passes_for_nothing_else(name: str, written: str) -> None:
    assert shown(name) == written


@given(st.text(max_size=50))
def test_a_shown_name_is_one_printable_line(name: str) -> None:
    assert shown(name).isprintable()


@given(st.text(max_size=50), st.text(max_size=50))
def test_two_names_are_never_shown_alike(one: str, other: str) -> None:
    assert (shown(one) == shown(other)) == (one == other)


@given(st.text(max_size=50))
def test_no_name_can_forge_a_line_of_the_body(name: str) -> None:
    forged = alert(make_breach(group={"remote_host": name}, top_users=((name, 9), ("root", 5)))).body
    assert [line[:4] for line in beginnings(forged)[1:-1]] == [line[:4] for line in beginnings(alert().body)[1:-1]]
    assert len(beginnings(forged)) == len(beginnings(alert().body))


def beginnings(body: str) -> list[str]:
    """The lines that are not the continuation of another one."""
    return [line for line in body.splitlines() if not line.startswith("  ")]


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_line_is_longer_than_78_columns(host: str, user: str) -> None:
    login = Login(NOON, user)
    breach = make_breach(group={"remote_host": host, "database_name": user}, top_users=((user, 9),), got_in=login)
    verdict = {
        "critical_groups": 1,
        "coverage": Coverage("stl_connection_log", "partial", "a reason that takes its time " * 9),
    }
    assert max(len(line) for line in alert(breach, verdict=verdict).body.splitlines()) <= 78


def test_a_burst_and_a_drip_look_different() -> None:
    drip = alert(make_breach(parts=(2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1))).body
    burst = alert(make_breach(parts=(0,) * 10 + (18, 0))).body
    assert "Over time      █▄█▄█▄█▄█▄█▄\n" in drip
    assert "Over time      ··········█·\n" in burst


@given(st.integers(1, 10**9), st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40))
def test_the_subject_keeps_snss_limits(told: int, environment: str) -> None:
    subject = alert(told=told, environment=environment).subject
    assert len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()


def test_a_message_too_long_is_cut_at_whole_groups_and_says_how_many_were_left_out() -> None:
    name = "\N{PILE OF POO}" * 50
    users = tuple((name, 9) for _ in range(5))
    breaches = [make_breach(group={"remote_host": name}, top_users=users) for _ in range(100)]
    body = alert(*breaches, told=1_000).body
    listed = body.count(" times] new")
    assert 0 < listed < 100
    assert f"\n... and {1_000 - listed} remote hosts more" in body
    assert MESSAGE_LIMIT - 5_000 < len(json.dumps({"default": body})) < 262_144


def test_the_log_line_names_the_group_and_its_times() -> None:
    assert log_line(make_breach(got_in=Login(NOON, "admin"))) == "203.0.113.7 [14 times], peak 15, new, GOT IN"


MONITOR = Monitor(dag_id="dag", file=Path("default.yaml"), settings=make_run().settings)


def test_a_failure_says_which_interval_was_not_evaluated_and_why() -> None:
    run = make_run(environment="overridden")
    message = failure_message(MONITOR, run, "scheduled__1", "query_auth_failures", 'no "rights"\nForged: line')
    assert message.subject == "[FAILED] (overridden) Redshift authentication failures: not evaluated"
    assert "Interval  2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC\n" in message.body
    assert 'Reason: no "rights"\\nForged: line\n' in message.body


def test_a_failure_of_a_run_with_invalid_settings_is_told_all_the_same() -> None:
    message = failure_message(MONITOR, None, "manual__1", "query_auth_failures", "run overrides: threshold is 0")
    assert message.subject == "[FAILED] (test) Redshift authentication failures: not evaluated"
    assert "Interval  not known: the run's settings are invalid\n" in message.body
    assert "Reason: run overrides: threshold is 0\n" in message.body


OVER = make_breach(
    failures=0, parts=(0,) * 12, ongoing=True, over=True, first_failure_at=None, last_failure_at=None,
    first_breach_at=None, last_breach_at=NOON - 20 * MINUTE, users_tried=0, top_users=(),
)  # fmt: skip


def test_the_closing_message_reads_in_full() -> None:
    verdict = {"to_tell": (), "closing": (OVER,), "new_groups": 0, "over_groups": 1}
    message = alert(verdict=verdict)
    assert message.subject == "[OVER] (test) Redshift authentication failures: 1 remote host quiet again"
    assert message.attributes["severity"] == "over"
    assert (
        message.body
        == """\
1 remote host quiet again: not at the threshold for 30 minutes.

Environment  test
Monitor      redshift_auth_failure_alert
Interval     2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC
Source       stl_connection_log

203.0.113.7 over
    Threshold  last reached 2026-03-01 11:40:00 UTC
    Over       since 2026-03-01 12:10:00 UTC
"""
    )


def test_what_is_over_is_told_with_what_breached() -> None:
    body = alert(make_breach(), verdict={"closing": (OVER,), "over_groups": 3}).body
    assert "203.0.113.7 [14 times] new" in body
    assert "\n203.0.113.7 over\n" in body
    assert body.endswith("... and 2 remote hosts more quiet again.\n")


def test_a_group_that_got_in_after_its_breach_says_when_it_had_reached_the_threshold() -> None:
    late = make_breach(first_breach_at=None, first_failure_at=None, last_failure_at=None, parts=(0,) * 12,
                       last_breach_at=NOON - MINUTE, got_in=Login(NOON, "admin"), ongoing=True, failures=0)  # fmt: skip
    body = alert(late, verdict={"critical_groups": 1}).body
    assert "203.0.113.7 [0 times] ongoing, GOT IN\n" in body
    assert "Threshold  last reached 2026-03-01 11:59:00 UTC, before the interval\n" in body
    assert "Over time" not in body


def test_a_threshold_of_its_own_is_named() -> None:
    message = alert(make_breach(threshold=25), thresholds=[{"remote_host": "203.0.113.7", "threshold": 25}])
    assert "Threshold      25 of its own, reached 2026-03-01 12:05:00 UTC\n" in message.body
    assert "10 or more authentication failures, or their own threshold,\nwithin 30 minutes." in message.body


GATEWAY = Ignore(remote_host="192.0.2.0/24", reason="BI gateway", until=date(2026, 2, 28))


def test_what_is_ignored_is_named_in_a_line_with_the_reasons() -> None:
    ignored = (make_breach(group={"remote_host": "192.0.2.1"}, entry=GATEWAY),)
    body = unwrapped(alert(verdict={"ignored": ignored, "ignored_groups": 4}).body)
    assert "Ignored, though at the threshold: 4 remote hosts: 192.0.2.1 (14 times; BI gateway) and 3 more.\n" in body


def test_a_lapsed_entry_of_the_ignore_list_is_told_at_its_group() -> None:
    body = unwrapped(alert(make_breach(entry=GATEWAY)).body)
    assert "Ignore list    held it until 2026-02-28 (BI gateway); lapsed\n" in body


def test_an_entry_that_holds_is_told_at_the_group_that_got_in() -> None:
    entry = Ignore(remote_host="192.0.2.0/24", reason="BI gateway")
    assert "Ignore list    holds it (BI gateway), but it got in\n" in alert(make_breach(entry=entry)).body


def test_groups_that_were_not_compared_with_the_lists_are_counted() -> None:
    body = unwrapped(alert(told=12_000, verdict={"unchecked_groups": 2_000}).body)
    assert "compare all with the ignore list and the own thresholds: 2,000 remote hosts were not, and count as" in body


def test_local_times_stand_beside_utc() -> None:
    body = alert(display_timezone="Europe/Berlin").body
    assert "Interval     2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC\n" in body
    assert "Local time   2026-03-01 13:00:00 to 2026-03-01 13:30:00 CET\n" in body
    assert "reached 2026-03-01 12:05:00 UTC, 13:05:00 CET\n" in body


def test_a_local_time_of_another_day_has_its_date() -> None:
    assert (
        "reached 2026-03-01 12:05:00 UTC, 2026-03-02 01:05:00 NZDT\n" in alert(display_timezone="Pacific/Auckland").body
    )


def test_a_failure_says_the_interval_in_local_time() -> None:
    body = failure_message(MONITOR, make_run(display_timezone="Asia/Kolkata"), "r", "t", "x").body
    assert "Local time  2026-03-01 17:30:00 to 2026-03-01 18:00:00 IST\n" in body
