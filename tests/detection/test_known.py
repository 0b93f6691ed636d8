"""Whether a group signed in before, what it came with, and what of that its place in the alert follows from."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from redshift_auth_alert.detection.findings import Client, Details, Known, Login, Verdict
from tests.conftest import NOON, judged, make_run, measure
from tests.detection.events import HEARTBEAT, MINUTE, Events, failures, hosts, sign_ins

DAY = 24 * 60
ATTACK = failures(*range(10))
FIRST = NOON - 10_000 * MINUTE  # the first of Redshift's internal user


def details(verdict: Verdict) -> Details:
    found = verdict.breaches[0].details
    assert found
    return found


def with_clients(events: Events, *clients: str | None) -> Events:
    return [(*event, None, *clients) for event in events]


def test_a_group_is_known_by_its_sign_ins_however_long_before_the_scanned_range(judge: Any) -> None:
    verdict = judge(ATTACK + sign_ins(-2 * DAY, -DAY, user="etl"))
    assert details(verdict).known == Known(2, FIRST, Login(NOON - DAY * MINUTE, "etl"))
    assert not verdict.breaches[0].stranger


@pytest.mark.parametrize(
    "before", [[], sign_ins(-5, host="203.0.113.9"), failures(-5)], ids=["nothing", "of another", "failed"]
)
def test_a_group_that_never_signed_in_is_a_stranger(judge: Any, before: Events) -> None:
    verdict = judge(ATTACK + before)
    assert details(verdict).known == Known(0, FIRST, None)
    assert (verdict.breaches[0].stranger, verdict.totals.strangers) == (True, 1)


@pytest.mark.parametrize(("at", "sign_ins_before"), [(-0.01, 1), (0, 0)])
def test_a_sign_in_makes_known_up_to_the_start_of_the_interval(judge: Any, at: float, sign_ins_before: int) -> None:
    assert details(judge(ATTACK + sign_ins(at))).known.sign_ins == sign_ins_before


def test_an_ipv4_mapped_address_makes_the_address_known(judge: Any) -> None:
    assert details(judge(ATTACK + sign_ins(-DAY, host="::ffff:192.0.2.1"))).known.sign_ins == 1


def test_a_log_without_any_sign_in_before_the_interval_makes_nobody_a_stranger(logs: psycopg.Connection) -> None:
    run = make_run()
    verdict = judged(measure(logs, run, ATTACK + failures(-500) + sign_ins(40, user="rdsdb")), run)
    assert (details(verdict).known, verdict.breaches[0].stranger) == (None, False)


def test_what_most_failures_came_with_is_told_with_the_number_of_other_values(judge: Any) -> None:
    jdbc = with_clients(failures(*range(6)), "password  ", "JDBC 2.1.0.9", "DBeaver", " ", "TLSv1.2")
    odbc = with_clients(failures(6, 7), "password", "ODBC 1.5", "x" * 250, None, "TLSv1.2")
    older = with_clients(failures(8, 9), "password", "JDBC 1.0", "DBeaver", "", "TLSv1.2")
    assert details(judge(jdbc + odbc + older)).clients == (
        Client("method", "password", 0),
        Client("driver", "JDBC 2.1.0.9", 2),
        Client("application", "DBeaver", 1),
        Client("tls", "TLSv1.2", 0),
    )


def test_what_failures_before_the_interval_came_with_does_not_count(judge: Any) -> None:
    before = with_clients(failures(*range(-20, 0)), "certificate")
    assert details(judge(with_clients(ATTACK, "password") + before)).clients == (Client("method", "password", 0),)


def test_a_long_name_of_an_application_is_cut(judge: Any) -> None:
    (application,) = details(judge(with_clients(ATTACK, None, None, "ü" * 250))).clients
    assert application.value == "ü" * 60


def test_the_hosts_of_a_user_are_counted(judge: Any) -> None:
    log = [event for number in range(12) for event in failures(number, host=f"192.0.2.{number % 3}")]
    assert details(judge(log + failures(-5, host="192.0.2.9"), group_by=["user_name"])).hosts == 3


def test_the_order_is_got_in_admin_lockout_stranger_and_then_the_highest_count(judge: Any) -> None:
    federated = {"user": "IAM:x"}
    log = (
        failures(*range(20), host="192.0.2.1", **federated)
        + sign_ins(-DAY, host="192.0.2.1")
        + failures(*range(12), host="192.0.2.2", **federated)  # a stranger
        + failures(*range(13), host="192.0.2.3", **federated)  # a stranger with more failures
        + failures(*range(11), host="192.0.2.4", user="etl")  # locked out
        + sign_ins(-DAY, host="192.0.2.4", user="bi")
        + failures(*range(10), host="192.0.2.5", user="IAM:root")  # an admin
        + sign_ins(-DAY, host="192.0.2.5", user="bi")
        + failures(*range(10), host="192.0.2.6", user="bi")
        + sign_ins(15, host="192.0.2.6", user="bi")
    )
    verdict = judge(log, admin_users=["*root"])
    assert hosts(verdict.breaches) == [f"192.0.2.{last}" for last in (6, 5, 4, 3, 2, 1)]
    assert (verdict.totals.lockouts, verdict.totals.strangers) == (1, 3)


def test_a_group_without_details_keeps_its_marks(logs: psycopg.Connection) -> None:
    run = make_run(max_groups=1)
    log = [event for host in range(2_050) for event in failures(*range(10), host=f"10.1.{host // 256}.{host % 256}")]
    last = judged(measure(logs, run, log + HEARTBEAT), run).breaches[-1]
    assert (last.details, last.stranger, last.lockout) == (None, True, True)
