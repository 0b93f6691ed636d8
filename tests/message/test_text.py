"""The text form, as a subscriber reads it in a mail."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.detection.findings import Breach, Client, Coverage, Known, Login
from redshift_auth_alert.settings.entries import Ignore
from tests.conftest import NOON, unwrapped
from tests.message.attacks import ADMIN, BURST, GUESSED
from tests.message.findings import MINUTE, OVER, alert, make_breach, make_verdict

SINCE = NOON - 7 * timedelta(days=1)
KNOWN = Known(2_311, SINCE, Login(NOON.replace(hour=8, minute=12), "etl_user"))
CLIENTS = (
    Client("method", "password", 0), Client("driver", "JDBC 2.1.0.9", 2), Client("application", "DBeaver", 0),
    Client("system", "Windows 10", 0), Client("tls", "TLSv1.2", 0),
)  # fmt: skip
GATEWAY = Ignore(remote_host="192.0.2.0/24", reason="BI gateway", until=date(2026, 2, 28))


def test_the_alert_reads_in_full() -> None:
    got_in = make_breach(
        group={"remote_host": "198.51.100.20"},
        ongoing=True,
        got_in=Login(NOON + 10 * MINUTE, "admin"),
        first_login=Login(NOON + 6 * MINUTE, "etl"),
        known=KNOWN,
        clients=CLIENTS,
    )
    others = [make_breach(group={"remote_host": f"192.0.2.{number}"}, ongoing=number > 1) for number in (1, 2)]
    verdict = make_verdict(got_in, make_breach(), *others, new=5)
    message = alert(verdict=verdict, max_groups=2)
    assert (message.subject, message.body) == (
        "[CRITICAL] (test) Redshift: 1 of 7 remote hosts GOT IN",
        """\
7 remote hosts with 10 or more authentication failures within 30 minutes.
1 of them GOT IN: signed in as a user that it had failed as.

Environment  test
Monitor      redshift_auth_failure_alert
Interval     2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC, seen in full
Source       stl_connection_log
Runbook      docs/runbook.md#got-in and #alert

198.51.100.20 [14 times] ongoing, GOT IN
    GOT IN      2026-03-01 12:10:00 UTC as admin, after it had failed
    Looks like  guessing 2 users in a burst, then got in (T1110.001, T1078)
    What to do  ALTER USER "admin" NOLOGIN;
                SELECT pg_terminate_backend(process) FROM stv_sessions WHERE
                user_name = 'admin';
    Failures    2026-03-01 12:01:00 to 12:09:00 UTC ··█▄▁▁······ peak 15
    Tried       admin (9), root (5)
    With        password, "JDBC 2.1.0.9" (+2), DBeaver, "Windows 10", TLSv1.2
    Known       2,311 sign-ins since 2026-02-22, last 08:12 UTC as etl_user

203.0.113.7 [14 times] new
    Looks like  guessing 2 users in a burst (T1110.001)
    What to do  find out who it is, or block the address
    Failures    2026-03-01 12:01:00 to 12:09:00 UTC ··█▄▁▁······ peak 15
    Tried       admin (9), root (5)

192.0.2.1 [14 times] new
192.0.2.2 [14 times] ongoing

... and 3 remote hosts more, less severe than those named.
""",
    )


def test_a_sign_in_as_a_user_that_had_not_failed_is_not_critical() -> None:
    message = alert(make_breach(first_login=Login(NOON + 6 * MINUTE, "etl")))
    assert message.subject.startswith("[ALERT] ")
    assert "Signed in   2026-03-01 12:06:00 UTC as etl; it had not failed as this user" in message.body


@pytest.mark.parametrize(
    ("count", "group_by", "says", "peak"),
    [
        ("failures", "remote_host", "1 remote host with 10 or more authentication failures within", "15"),
        ("distinct user_name", "remote_host", "authentication failures as 10 or more users within", "15 users"),
        (
            "distinct remote_host",
            "user_name",
            "authentication failures from 10 or more remote hosts",
            "15 hosts",
        ),
        ("distinct database_name", "user_name", "authentication failures at 10 or more databases", "15 databases"),
    ],
)
def test_what_was_counted_is_said(count: str, group_by: str, says: str, peak: str) -> None:
    body = alert(make_breach(group={group_by: "x"}), count=count, group_by=(group_by,)).body
    assert says in body
    assert re.search(rf"······ peak {peak}( Tried|\n)", unwrapped(body))


def test_a_group_of_several_columns_names_each() -> None:
    group = {"remote_host": "192.0.2.1", "user_name": "ann"}
    message = alert(make_breach(group=group), group_by=("remote_host", "user_name"))
    assert "\nremote_host=192.0.2.1 user_name=ann [14 times] new\n" in message.body
    assert message.subject.endswith(": 1 group failed to sign in")


def test_a_scheduled_run_is_not_named() -> None:
    assert "\nRun " not in alert().body


@pytest.mark.parametrize("run_type", ["manual", "backfill"])
def test_another_run_says_what_it_is(run_type: str) -> None:
    assert f"\nRun          {run_type} ({run_type}__1)\n" in alert(run_type=run_type).body


def test_a_dry_run_says_so() -> None:
    assert "\nDry run      evaluated and logged, not published\n" in alert(dry_run=True).body


@pytest.mark.parametrize(
    ("coverage", "says"),
    [
        (Coverage("stl_connection_log", "seen"), " UTC, seen in full\n"),
        (
            Coverage("stl_connection_log", "partial", "the log shows"),
            " UTC\nSource       stl_connection_log\nCoverage     partial: the log shows\n",
        ),
        (
            Coverage("audit_log_s3", "seen", "2 lines could not be read"),
            "\nCoverage     seen: 2 lines could not be read\n",
        ),
    ],
    ids=["seen", "partial", "unreadable lines"],
)
def test_the_head_says_what_the_log_shows(coverage: Coverage, says: str) -> None:
    body = alert(verdict=make_verdict(make_breach(), coverage=coverage)).body
    assert says in body
    assert ("seen in full" in body) is (not coverage.reason)


@pytest.mark.parametrize(
    ("breaches", "links"),
    [
        ([BURST], "#stranger"),
        ([GUESSED, BURST], "#got-in and #stranger"),
        ([GUESSED, ADMIN, BURST, BURST], "#got-in, #admin-tried and #stranger"),
    ],
    ids=["one", "two", "three"],
)
def test_the_head_names_each_place_in_the_runbook_once(breaches: list[Breach], links: str) -> None:
    assert f"\nRunbook      docs/runbook.md{links}\n" in alert(*breaches).body


def test_what_one_group_did_is_said_of_it() -> None:
    breach = make_breach(
        known=Known(0, SINCE, None), got_in=Login(NOON, "dba"), top_users=(("dba", 9, 9, NOON, True, True),)
    )
    assert alert(breach).body.split("\n\n")[0].splitlines()[1:] == [
        "It GOT IN: signed in as a user that it had failed as.",
        "It tried to sign in as an admin.",
        "It may have locked users out.",
        "It had no earlier sign-in in the log.",
    ]


def test_held_back_groups_are_counted_with_the_time_of_the_next_reminder() -> None:
    body = alert(verdict=make_verdict(make_breach(), held_back=2), remind_every_minutes=240).body
    assert unwrapped(body).endswith(
        "2 remote hosts already reported and still over the threshold; next reminder at 2026-03-01 16:00:00 UTC.\n"
    )


def test_users_beyond_the_five_listed_are_counted() -> None:
    top = tuple((f"user{number}", 3) for number in range(5))
    assert "user4 (3) and 37 more users\n" in unwrapped(alert(make_breach(users_tried=42, top_users=top)).body)


@given(st.text(max_size=50))
def test_no_name_can_forge_a_line_of_the_body(name: str) -> None:
    def beginnings(group: str, user: str) -> list[str]:
        """The first words of the lines that are not the continuation of another one."""
        named = make_breach(group={"remote_host": group}, top_users=((user, 9), ("root", 5)))
        body = alert(named, replace(named, details=None)).body
        return [line[:4] for line in body.splitlines() if not line.startswith("  ")]

    forged, honest = beginnings(name, name), beginnings("203.0.113.7", "admin")
    assert len(forged) == len(honest)
    assert forged[:-3] == honest[:-3]


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_line_is_longer_than_78_columns(host: str, user: str) -> None:
    login = Login(NOON, user)
    breach = make_breach(group={"remote_host": host, "database_name": user}, top_users=((user, 9),), got_in=login)
    coverage = Coverage("stl_connection_log", "partial", "a reason that takes its time " * 9)
    verdict = make_verdict(breach, replace(breach, details=None), coverage=coverage)
    assert max(len(line) for line in alert(verdict=verdict).body.splitlines()) <= 78


def test_a_burst_and_a_drip_look_different() -> None:
    drip = alert(make_breach(parts=(2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1))).body
    burst = alert(make_breach(parts=(0,) * 10 + (18, 0))).body
    assert " UTC █▄█▄█▄█▄█▄█▄ peak" in drip
    assert " UTC ··········█· peak" in burst


def test_the_closing_message_reads_in_full() -> None:
    message = alert(OVER)
    assert message.subject == "[OVER] (test) Redshift: 1 remote host quiet again"
    assert (
        message.body
        == """\
1 remote host quiet again: below the threshold for 30 minutes.

Environment  test
Monitor      redshift_auth_failure_alert
Interval     2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC, seen in full
Source       stl_connection_log

203.0.113.7 over
    Threshold  last reached 2026-03-01 11:40:00 UTC
    Over       since 2026-03-01 12:10:00 UTC
"""
    )


def test_a_group_that_is_over_is_reported_with_those_that_breach() -> None:
    body = alert(verdict=make_verdict(make_breach(), OVER, over=3)).body
    assert "203.0.113.7 [14 times] new" in body
    assert "\n203.0.113.7 over\n" in body
    assert body.endswith("... and 2 remote hosts more quiet again.\n")


@pytest.mark.parametrize("form", ["text", "chat"])
@pytest.mark.parametrize(
    ("failed", "says"), [(True, "203.0.113.9, which had failed too"), (False, "203.0.113.9, which had not failed")]
)
def test_a_group_that_may_sign_in_from_any_host_says_from_which_it_got_in(
    form: str, says: str, *, failed: bool
) -> None:
    login = Login(NOON + 10 * MINUTE, "etl", host="203.0.113.9", host_failed=failed)
    body = alert(make_breach(group={"user_name": "etl"}, got_in=login), message_format=form).body
    assert f"UTC as etl from {says}" in unwrapped(body.replace("`", ""))
    assert "after it had failed" not in body


def test_a_sign_in_as_another_user_says_from_which_host() -> None:
    login = Login(NOON + 10 * MINUTE, "bi", host="10.0.0.5")
    body = unwrapped(alert(make_breach(group={"database_name": "dev"}, first_login=login)).body)
    assert "UTC as bi from 10.0.0.5; it had not failed as this user" in body


def test_a_group_that_got_in_after_its_breach_says_when_it_reached_the_threshold() -> None:
    late = make_breach(first_breach_at=None, first_failure_at=None, last_failure_at=None, parts=(0,) * 12,
                       last_breach_at=NOON - MINUTE, got_in=Login(NOON, "admin"), ongoing=True, failures=0)  # fmt: skip
    body = alert(late).body
    assert "203.0.113.7 [0 times] ongoing, GOT IN\n" in body
    assert "Threshold   last reached 2026-03-01 11:59:00 UTC, before the interval\n" in body
    assert "    Failures" not in body


@pytest.mark.parametrize(
    ("known", "source", "says"),
    [
        (Known(0, SINCE, None), "stl_connection_log", "never signed in here before (log since 2026-02-22)"),
        (Known(1, SINCE, Login(SINCE, "a b")), "stl_connection_log",
         '1 sign-in since 2026-02-22, last 2026-02-22 12:00 UTC as "a b"'),
        (Known(0, SINCE, None), "audit_log_s3", "never signed in here before (scanned days since 2026-02-22)"),
    ],
)  # fmt: skip
def test_the_alert_says_whether_a_group_is_known(known: Known, source: str, says: str) -> None:
    body = alert(make_breach(known=known), source=source, athena_conn_id="athena").body
    assert f"\n    Known       {says}\n" in body


def test_nothing_is_said_of_sign_ins_that_the_log_cannot_show() -> None:
    assert "Known" not in alert(make_breach()).body


def test_what_a_client_calls_itself_is_escaped() -> None:
    body = alert(make_breach(clients=(Client("application", "x\n    Known  5 sign-ins", 0),))).body
    assert 'With        "x\\n    Known  5 sign-ins"\n' in body


def test_failures_over_midnight_have_both_days() -> None:
    body = alert(make_breach(last_failure_at=NOON + 13 * 60 * MINUTE)).body
    assert "Failures    2026-03-01 12:01:00 to 2026-03-02 01:00:00 UTC " in body


def test_a_single_failure_has_one_time() -> None:
    assert "Failures    2026-03-01 12:01:00 UTC " in alert(make_breach(last_failure_at=NOON + MINUTE)).body


def test_failures_have_local_times_too() -> None:
    body = alert(display_timezone="Europe/Berlin").body
    assert "Failures    2026-03-01 12:01:00 to 12:09:00 UTC, 13:01:00 to 13:09:00 CET\n" in body


@pytest.mark.parametrize("known", [KNOWN, Known(0, SINCE, None)], ids=["known", "a stranger"])
def test_a_group_that_got_in_has_ten_lines_at_most(known: Known) -> None:
    worst = make_breach(known=known, clients=CLIENTS, got_in=Login(NOON, "admin"), first_login=Login(NOON, "etl"))
    assert len(alert(worst).body.split("\n\n")[2].splitlines()) == 10


def test_a_threshold_of_its_own_is_named() -> None:
    message = alert(make_breach(threshold=25), thresholds=[{"remote_host": "203.0.113.7", "threshold": 25}])
    assert "Threshold   25 (its own)\n" in message.body
    assert "10 or more authentication failures (some have their own\nthreshold) within 30 minutes." in message.body


def test_ignored_groups_are_named_in_a_line_with_the_reasons() -> None:
    ignored = make_breach(group={"remote_host": "192.0.2.1"}, entry=GATEWAY, outcome="ignored")
    body = unwrapped(alert(verdict=make_verdict(make_breach(), ignored, ignored=4)).body)
    assert (
        "Ignored, though they reached the threshold: 4 remote hosts: 192.0.2.1 (14 times; BI gateway) and 3 more.\n"
        in body
    )


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (GATEWAY, "matches an entry (BI gateway) that expired on 2026-02-28"),
        (Ignore(remote_host="192.0.2.0/24", reason="BI gateway"), "matches an entry (BI gateway), but got in"),
    ],
)
def test_a_reported_group_says_why_its_ignore_entry_does_not_apply(entry: Ignore, says: str) -> None:
    assert f"Ignore list  {says}\n" in unwrapped(alert(make_breach(entry=entry)).body)


def test_groups_that_did_not_come_back_from_the_query_are_counted() -> None:
    message = alert(verdict=make_verdict(make_breach(), unjudged=2_000))
    assert message.subject.endswith(": 2,001 remote hosts failed to sign in")
    assert unwrapped(message.body).endswith(
        "2,000 more remote hosts reached the threshold, beyond the 10,000 rows that the query returns: reported "
        "without applying the ignore list, own thresholds and reminders.\n"
    )


def test_local_times_stand_beside_utc() -> None:
    body = alert(display_timezone="Europe/Berlin").body
    assert "Interval     2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC, seen in full\n" in body
    assert "Local time   2026-03-01 13:00:00 to 2026-03-01 13:30:00 CET\n" in body
    assert "Failures    2026-03-01 12:01:00 to 12:09:00 UTC, 13:01:00 to 13:09:00 CET" in body


def test_a_local_time_of_another_day_has_its_date() -> None:
    body = unwrapped(alert(display_timezone="Pacific/Auckland").body)
    assert "12:01:00 to 12:09:00 UTC, 2026-03-02 01:01:00 to 01:09:00 NZDT" in body


def named(count: int, **facts: Any) -> list[Any]:
    return [make_breach(group={"remote_host": f"192.0.2.{number}"}, **facts) for number in range(count)]


def test_every_group_is_named_the_worst_in_full_and_the_others_in_one_line_each() -> None:
    body = alert(*named(250), max_groups=50).body
    assert body.count(" [14 times] new\n") == 250
    assert body.count("    Failures ") == 50
    assert "... and" not in body


@pytest.mark.parametrize(
    ("start", "local"),
    [
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), ("01:30:00 CET to ", "03:30:00 CEST")),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), ("02:30:00 CEST to ", "02:30:00 CET")),
    ],
    ids=["forward", "back"],
)
def test_local_times_around_a_clock_change_name_both_zones(start: datetime, local: tuple[str, str]) -> None:
    end, day = start + 60 * MINUTE, f"{start:%Y-%m-%d}"
    breach = make_breach(first_failure_at=start, last_failure_at=end, first_breach_at=start)
    body = alert(breach, start=start, end=end, display_timezone="Europe/Berlin").body
    assert f"Local time   {day} {local[0]}{day} {local[1]}\n" in body
    assert f" UTC, {local[0]}{local[1]}" in unwrapped(body)
