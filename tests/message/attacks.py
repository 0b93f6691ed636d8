"""The mails of a dozen attacks, as ``golden/`` keeps them. ``python -m tests.message.attacks`` writes them anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from redshift_auth_alert.detection.findings import Breach, Client, Coverage, Details, Known, Login
from redshift_auth_alert.message.alert import Message, build_alert
from redshift_auth_alert.message.compose import compose_alert
from tests.conftest import NOON, make_run
from tests.message.findings import MINUTE, OVER, failure, make_breach, make_verdict

GOLDEN = Path(__file__).with_name("golden")
WEEK = timedelta(days=7)
STEADY = (1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1)
NEVER = Known(0, NOON - WEEK, None)
OFTEN = Known(336, NOON - WEEK, Login(NOON - 31 * MINUTE, "etl"))
DRIVER = (Client("driver", "Redshift JDBC Driver 2.1.0.30", 0), Client("application", "dbt", 1))
PAGE = (
    "https://0123.c2.eu-central-1.airflow.amazonaws.com/dags/redshift_auth_failure_alert/runs/"
    "scheduled__2026-03-01T12%3A30%3A00%2B00%3A00"
)
HOSTILE = "'; DROP TABLE users; --\n203.0.113.9 [99 times] new\u202e"

GUESSED = make_breach(
    group={"remote_host": "198.51.100.20"},
    failures=11,
    parts=(0, 0, 0, 0, 0, 8, 3, 0, 0, 0, 0, 0),
    peak=11,
    first_failure_at=NOON + 14 * MINUTE,
    last_failure_at=NOON + 16 * MINUTE,
    got_in=Login(NOON + 17 * MINUTE, "analyst"),
    first_login=Login(NOON + 17 * MINUTE, "analyst"),
    users_tried=1,
    top_users=(("analyst", 11),),
    hosts=1,
    known=NEVER,
    clients=DRIVER,
    stranger=True,
)
SPRAYED = make_breach(
    group={"remote_host": "203.0.113.42"},
    failures=60,
    parts=(5,) * 12,
    peak=60,
    last_failure_at=NOON + 29 * MINUTE,
    users_tried=42,
    top_users=(("admin", 3), ("root", 3), ("postgres", 2), ("test", 2), ("etl", 2)),
    hosts=1,
    known=NEVER,
    stranger=True,
)
JOB = make_breach(
    group={"remote_host": "192.0.2.10"},
    failures=14,
    parts=STEADY,
    peak=14,
    last_failure_at=NOON + 28 * MINUTE,
    users_tried=1,
    top_users=(("etl", 14),),
    hosts=1,
    known=OFTEN,
    clients=DRIVER,
)
ADMIN = make_breach(
    failures=40,
    parts=(0, 3, 4, 3, 4, 3, 5, 4, 3, 4, 4, 3),
    peak=40,
    last_failure_at=NOON + 29 * MINUTE,
    users_tried=2,
    top_users=(("admin", 36, 36, NOON, True), ("dba", 4)),
    hosts=1,
    known=NEVER,
    stranger=True,
)
LOCKED = make_breach(
    group={"remote_host": "203.0.113.5"},
    failures=12,
    users_tried=2,
    top_users=(("ann", 10, 12, NOON - 5 * MINUTE, False, True), ("bob", 2, 2, NOON)),
    hosts=1,
    known=NEVER,
    stranger=True,
    lockout=True,
)
DISTRIBUTED = make_breach(
    group={"user_name": "analyst"},
    failures=45,
    threshold=4,
    parts=(2, 5, 3, 6, 2, 4, 5, 3, 4, 5, 2, 4),
    peak=45,
    last_failure_at=NOON + 29 * MINUTE,
    users_tried=1,
    top_users=(("analyst", 45, 48, NOON - 5 * MINUTE, False, True),),
    hosts=45,
    known=replace(OFTEN, last=replace(cast("Login", OFTEN.last), user="analyst")),
    lockout=True,
)
OWNER = replace(
    DISTRIBUTED,
    critical=True,
    details=replace(
        cast("Details", DISTRIBUTED.details),
        got_in=Login(NOON + 10 * MINUTE, "analyst", host="10.0.0.5", host_failed=False),
        first_login=Login(NOON + 10 * MINUTE, "analyst", host="10.0.0.5"),
    ),
)
BURST = make_breach(
    failures=400,
    parts=(0, 0, 0, 0, 390, 10, 0, 0, 0, 0, 0, 0),
    peak=400,
    first_failure_at=NOON + 11 * MINUTE,
    last_failure_at=NOON + 13 * MINUTE,
    users_tried=1,
    top_users=(("report", 400),),
    hosts=1,
    known=NEVER,
    stranger=True,
)
SHARED = make_breach(
    group={"remote_host": "192.0.2.77"},
    users_tried=2,
    top_users=(("carl", 9), ("carla", 5)),
    first_login=Login(NOON + 6 * MINUTE, "bi"),
    hosts=1,
    known=OFTEN,
)
FORGED = make_breach(
    group={"remote_host": 'fe80::1%"x'},
    users_tried=2,
    top_users=((HOSTILE, 9), ('x"y', 5)),
    got_in=Login(NOON + 10 * MINUTE, HOSTILE),
    first_login=Login(NOON + 10 * MINUTE, HOSTILE),
    hosts=1,
    known=NEVER,
    clients=(Client("application", "psql\n\u202e", 0),),
    stranger=True,
)
PAIR = make_breach(
    group={"remote_host": "192.0.2.1", "user_name": "o'neil"},
    users_tried=1,
    top_users=(("o'neil", 14),),
    got_in=Login(NOON + 10 * MINUTE, "o'neil"),
    first_login=Login(NOON + 10 * MINUTE, "o'neil"),
    hosts=1,
    known=OFTEN,
)


def _mail(*breaches: Breach, warehouse: str | None = "sales-dwh", **settings: Any) -> Message:
    run = replace(make_run(**{"environment": "production"} | settings), warehouse=warehouse, run_url=PAGE)
    lockouts, strangers = (
        sum(getattr(each, fact) for each in breaches if each.outcome == "reported") for fact in ("lockout", "stranger")
    )
    coverage = Coverage(run.settings.source, "seen")
    verdict = make_verdict(*breaches, coverage=coverage, lockouts=lockouts, strangers=strangers)
    return compose_alert(build_alert(verdict, run))


def _failure() -> Message:
    reason = "the interval is unseen: STL_CONNECTION_LOG shows no event at all"
    run = make_run(environment="production")
    return failure(run, "check_threshold", reason, warehouse="sales-dwh", run_url=PAGE)


MAILS = {
    "got_in": _mail(GUESSED),
    "spraying": _mail(SPRAYED),
    "old_password": _mail(JOB),
    "admin_tried": _mail(ADMIN),
    "locked_out": _mail(LOCKED, source="sys_connection_log"),
    "many_hosts": _mail(DISTRIBUTED, group_by=("user_name",), count="distinct remote_host", threshold=4),
    "owner_or_not": _mail(OWNER, group_by=("user_name",), count="distinct remote_host", threshold=4),
    "over": _mail(OVER, notify_when_over=True),
    "burst": _mail(BURST, display_timezone="Europe/Berlin"),
    "hostile_names": _mail(FORGED),
    "two_columns": _mail(PAIR, group_by=("remote_host", "user_name"), warehouse=None, source="sys_connection_log"),
    "shared_address": _mail(SHARED),
    "several": _mail(GUESSED, ADMIN, SPRAYED, replace(LOCKED, details=None, ongoing=True), OVER),
    "failed": _failure(),
}


def written(message: Message) -> str:
    """Return a mail as its file holds it."""
    return f"Subject: {message.subject}\n\n{message.body}"


if __name__ == "__main__":
    for name, message in MAILS.items():
        (GOLDEN / f"{name}.txt").write_text(written(message), encoding="utf-8")
