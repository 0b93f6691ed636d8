"""Verdicts to write messages of."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach, Coverage, Details, Login, Totals, TriedUser, Verdict
from redshift_auth_alert.message.alert import Message, build_alert
from redshift_auth_alert.message.compose import compose_alert, compose_failure
from redshift_auth_alert.message.failure import build_failure
from redshift_auth_alert.settings.monitors import Monitor
from tests.conftest import NOON, make_run

MINUTE = timedelta(minutes=1)
MONITOR = Monitor(dag_id=make_run().monitor, file=Path("default.yaml"), settings=make_run().settings)
_DETAILS = {field.name for field in fields(Details)}


def make_breach(**facts: Any) -> Breach:
    """A breach with some of its facts or details changed; its top users are given as the fields of TriedUser."""
    users = facts.pop("top_users", (("admin", 9), ("root", 5)))
    details = Details(
        **{
            "parts": (0, 0, 8, 4, 1, 1, 0, 0, 0, 0, 0, 0),
            "peak": 15,
            "first_failure_at": NOON + MINUTE,
            "last_failure_at": NOON + 9 * MINUTE,
            "first_breach_at": NOON + 5 * MINUTE,
            "first_login": None,
            "got_in": None,
            "users_tried": 2,
            "own_failures": 0,
            "top_users": tuple(TriedUser(*user) for user in users),
        }
        | {name: value for name, value in facts.items() if name in _DETAILS}
    )
    return Breach(
        **{
            "group": {"remote_host": "203.0.113.7"},
            "outcome": "reported",
            "failures": 14,
            "threshold": 10,
            "ongoing": False,
            "critical": details.got_in is not None,
            "admin": any(user.admin for user in details.top_users),
            "lockout": any(user.may_be_locked_out for user in details.top_users),
            "stranger": details.known is not None and not details.known.sign_ins,
            "over": False,
            "last_breach_at": NOON + 9 * MINUTE,
            "details": details,
        }
        | {name: value for name, value in facts.items() if name not in _DETAILS}
    )


# Breached before the interval only, and has been quiet for a window since.
OVER = make_breach(
    outcome="over", failures=0, parts=(0,) * 12, ongoing=True, over=True, first_failure_at=None, last_failure_at=None,
    first_breach_at=None, last_breach_at=NOON - 20 * MINUTE, users_tried=0, own_failures=0, top_users=(),
)  # fmt: skip
GOT_IN = make_breach(got_in=Login(NOON + 10 * MINUTE, "admin"), first_login=Login(NOON + 6 * MINUTE, "etl"))


def make_verdict(*breaches: Breach, coverage: Coverage | None = None, **totals: int) -> Verdict:
    """A verdict on these breaches; its totals are theirs, with some changed."""
    reported = [breach for breach in breaches if breach.outcome == "reported"]
    counted = {
        "new": sum(not breach.ongoing for breach in reported),
        "ongoing": sum(breach.ongoing for breach in reported),
        "critical": sum(breach.critical for breach in reported),
        "admin": sum(breach.admin for breach in reported),
        "lockouts": sum(breach.lockout for breach in reported),
        "strangers": sum(breach.stranger for breach in reported),
    }
    counted |= {each: sum(breach.outcome == each for breach in breaches) for each in ("over", "held_back", "ignored")}
    return Verdict(coverage or Coverage("stl_connection_log", "seen"), 12, breaches, Totals(**counted | totals))


def alert(*breaches: Breach, verdict: Verdict | None = None, **run: Any) -> Message:
    """The message of a run about these breaches, one by default, or about a whole verdict."""
    return compose_alert(build_alert(verdict or make_verdict(*(breaches or [make_breach()])), make_run(**run)))


def failure(
    run: Evaluation | None,
    task_id: str = "query_auth_failures",
    reason: str = "no rights",
    *,
    message_format: str = "text",
    **known: Any,
) -> Message:
    """The message of a task that failed: the first one of a warehouse without a name, where nothing else is known."""
    known = {"missing": None, "warehouse": None, "run_url": None} | known
    return compose_failure(build_failure(MONITOR, run, "scheduled__1", task_id, reason, **known), message_format)
