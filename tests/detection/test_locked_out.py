"""Who may be locked out and who tried an admin, judged on rows that the statement really returned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
import pytest

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import TriedUser, Verdict
from tests.conftest import LONG_AGO, NOON, candidates, judged, make_run, measure
from tests.detection.events import HEARTBEAT, MINUTE, failures, hosts, sign_ins

SPRAYED = [event for number in range(6) for event in failures(number, number + 0.5, user=f"user{number}")]
MUCH_TRIED = failures(*range(20), host="192.0.2.1", user="etl")
ADMIN = failures(*range(11), host="192.0.2.2", user="admin")
GOT_IN = failures(*range(10), host="192.0.2.3", user="bi") + sign_ins(20, host="192.0.2.3", user="bi")


def most_tried(verdict: Verdict) -> TriedUser:
    details = verdict.breaches[0].details
    assert details
    return details.top_users[0]


@pytest.mark.parametrize(("limit", "locked"), [(9, True), (10, True), (11, False), (None, False)])
def test_a_user_may_be_locked_out_from_the_limit_up(judge: Any, limit: int | None, *, locked: bool) -> None:
    assert most_tried(judge(failures(*range(10)), lockout_after=limit)).may_be_locked_out is locked


def test_failures_before_the_interval_and_from_other_hosts_count(judge: Any) -> None:
    log = failures(*range(10)) + failures(-60, -5, host="203.0.113.9")
    user = most_tried(judge(log))
    assert (user.failures, user.in_a_row, user.since) == (10, 12, NOON - 60 * MINUTE)


def test_failures_before_the_scanned_range_do_not_count(judge: Any) -> None:
    user = most_tried(judge(failures(-61, *range(10))))
    assert (user.in_a_row, user.since) == (10, NOON)


@pytest.mark.parametrize(
    ("at", "in_a_row", "since"), [(5.5, 4, NOON + 6 * MINUTE), (9, 0, None), (10, 0, None), (-1, 10, NOON)]
)
def test_a_sign_in_from_any_host_begins_the_row_anew(
    judge: Any, at: float, in_a_row: int, since: datetime | None
) -> None:
    user = most_tried(judge(failures(*range(10)) + sign_ins(at, host="203.0.113.9")))
    assert (user.in_a_row, user.since) == (in_a_row, since)


def test_a_sign_in_as_another_user_does_not_end_the_row(judge: Any) -> None:
    assert most_tried(judge(failures(*range(10)) + sign_ins(5.5, user="etl"))).in_a_row == 10


def test_the_monitors_own_failures_count(logs: psycopg.Connection) -> None:
    run = make_run()
    own = failures(*range(10), user="auth_monitor")
    session = [(*event, logs.info.backend_pid) for event in sign_ins(31, user="auth_monitor")]
    assert most_tried(judged(measure(logs, run, own + session + HEARTBEAT), run)).may_be_locked_out


@pytest.mark.parametrize("name", ["IAM:admin", "IAMA:admin:dba", "IAMR:admin"])
def test_a_user_of_iam_cannot_be_locked_out(judge: Any, name: str) -> None:
    user = most_tried(judge(failures(*range(10), user=name)))
    assert (user.in_a_row, user.may_be_locked_out) == (10, False)


@pytest.mark.parametrize("name", ["", "  ", "\t"])
def test_a_blank_name_cannot_be_locked_out(judge: Any, name: str) -> None:
    verdict = judge(failures(*range(10), user=name))
    user = most_tried(verdict)
    assert (user.in_a_row, user.may_be_locked_out, verdict.totals.lockouts) == (10, False, 0)


def test_refused_calls_in_cloudtrail_lock_nobody_out(logs: psycopg.Connection) -> None:
    live = make_run()
    found = candidates(measure(logs, live, failures(*range(10)) + HEARTBEAT), live)
    delivered = make_run(source="cloudtrail", athena_conn_id="athena")
    assert [most_tried(_verdict(found, run)).may_be_locked_out for run in (live, delivered)] == [True, False]


def _verdict(found: Any, run: Evaluation) -> Verdict:
    from redshift_auth_alert.detection.verdict import judge

    return judge(found, run)


def test_a_group_that_tried_an_admin_comes_right_after_those_that_got_in(judge: Any) -> None:
    verdict = judge(MUCH_TRIED + ADMIN + GOT_IN, admin_users=["adm*"])
    assert hosts(verdict.breaches) == ["192.0.2.3", "192.0.2.2", "192.0.2.1"]
    assert (verdict.totals.critical, verdict.totals.admin) == (1, 1)


@pytest.mark.parametrize(("pattern", "admin"), [("admin", True), ("a?m[hi]n", True), ("Admin", False), ("min", False)])
def test_an_admin_matches_by_its_whole_name(judge: Any, pattern: str, *, admin: bool) -> None:
    (breach,) = judge(ADMIN, admin_users=[pattern]).breaches
    assert (breach.admin, breach.details.top_users[0].admin) == (admin, admin)


def test_an_admin_beyond_the_five_most_tried_users_is_not_seen(judge: Any) -> None:
    assert [judge(SPRAYED, admin_users=[f"user{number}"]).totals.admin for number in (4, 5)] == [1, 0]


def test_an_ongoing_breach_of_an_admin_is_held_back_until_a_reminder_is_due(judge: Any) -> None:
    half_past = {"start": NOON + 30 * MINUTE, "end": NOON + 60 * MINUTE, "reported_since": LONG_AGO}
    verdict = judge(failures(*range(20, 50)), remind_every_minutes=240, admin_users=["admin"], **half_past)
    assert (verdict.totals.held_back, verdict.totals.admin) == (1, 0)


def test_a_group_without_details_still_tells_that_it_tried_an_admin(logs: psycopg.Connection) -> None:
    run = make_run(max_groups=1, admin_users=["admin"])
    log = [event for host in range(2_100) for event in failures(*range(10), host=f"10.1.{host // 256}.{host % 256}")]
    verdict = judged(measure(logs, run, log + HEARTBEAT), run)
    assert (verdict.breaches[-1].details, verdict.breaches[-1].admin, verdict.totals.admin) == (None, True, 2_100)
