"""For programs: JSON as ``docs/message.schema.json`` describes it. Names are as they are in the log."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach, Coverage, Details, Known, Login, Totals, TriedUser
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.message.advice import advise
from redshift_auth_alert.message.alert import Alert
from redshift_auth_alert.message.failure import Failure
from redshift_auth_alert.message.patterns import likeness
from redshift_auth_alert.message.setup import SetupReport
from redshift_auth_alert.message.words import IGNORED_NAMED, UNITS

VERSION = "2.3"


def write(alert: Alert) -> str:
    """Write the alert."""
    verdict, run, settings = alert.verdict, alert.run, alert.run.settings
    return ascii_json({
        "version": VERSION,
        "kind": "alert" if verdict.totals.reported else alert.attributes["severity"],
        "alert_id": alert.attributes["alert_id"],
        "subject": alert.subject,
        "severity": alert.attributes["severity"],
        "monitor": run.monitor,
        "environment": settings.environment,
        "warehouse": run.warehouse,
        "run_url": run.run_url,
        "run": {"id": run.run_id, "type": run.run_type, "dry_run": settings.dry_run},
        "interval": describe_interval(run.interval),
        "missing": run.missing and describe_interval(run.missing),
        "source": verdict.coverage.source,
        "settings": describe_settings(run),
        "coverage": describe_coverage(verdict.coverage),
        "groups": count_groups(verdict.totals) | {"unnamed": alert.unnamed},
        "breaches": [describe(each, run) for each in alert.reported],
        "over": [describe(each, run) for each in alert.over],
        "held_back": [describe(each, run) for each in verdict.having("held_back")[:IGNORED_NAMED]],
        "ignored": [describe(each, run) for each in verdict.having("ignored")[:IGNORED_NAMED]],
    })  # fmt: skip


def write_failure(failure: Failure) -> str:
    """Write that an interval was not evaluated; ``interval`` is null where the run's settings are invalid."""
    return ascii_json({
        "version": VERSION,
        "kind": "failure",
        "alert_id": failure.attributes["alert_id"],
        "subject": failure.subject,
        "severity": failure.attributes["severity"],
        "monitor": failure.attributes["monitor"],
        "environment": failure.attributes["environment"],
        "warehouse": failure.warehouse,
        "run_url": failure.run_url,
        "run": {"id": failure.run_id, "task": failure.task_id},
        "interval": describe_interval(failure.run.interval) if failure.run else None,
        "missing": failure.missing and describe_interval(failure.missing),
        "reason": failure.reason,
        "what_to_do": failure.what_to_do,
    })  # fmt: skip


def write_setup(report: SetupReport) -> str:
    """Write what a check of the set-up found."""
    return ascii_json({
        "version": VERSION,
        "kind": "test",
        "alert_id": report.attributes["alert_id"],
        "subject": report.subject,
        "severity": report.attributes["severity"],
        "monitor": report.run.monitor,
        "environment": report.run.settings.environment,
        "run": {"id": report.run.run_id, "type": report.run.run_type},
        "checks": [asdict(check) for check in report.checks],
    })  # fmt: skip


def describe_settings(run: Evaluation) -> dict[str, Any]:
    """Return the settings by which a run judges; ``counted`` is ``count`` in words."""
    settings = run.settings
    return {
        "threshold": settings.threshold,
        "window_minutes": settings.window_minutes,
        "group_by": list(settings.group_by),
        "count": settings.count,
        "counted": UNITS[settings.count],
        "own_thresholds": bool(settings.thresholds),
    }


def describe_coverage(coverage: Coverage) -> dict[str, Any]:
    """Return what the log shows of the interval, and why not all of it."""
    return {
        "verdict": coverage.verdict,
        "reason": coverage.reason or None,
        "unreadable_lines": coverage.unreadable_lines,
        "shown": coverage.shown and describe_interval(coverage.shown),
        "fleet": coverage.fleet and asdict(coverage.fleet),
    }


def count_groups(totals: Totals) -> dict[str, int]:
    """Return the exact numbers of groups."""
    return {
        "reported": totals.reported,
        "new": totals.new,
        "ongoing": totals.ongoing,
        "critical": totals.critical,
        "admin": totals.admin,
        "held_back": totals.held_back,
        "over": totals.over,
        "ignored": totals.ignored,
        "unjudged": totals.unjudged,
        "lockouts": totals.lockouts,
        "strangers": totals.strangers,
    }


def describe(breach: Breach, run: Evaluation) -> dict[str, Any]:
    """Return what is said of a group: four properties, and more where it has details."""
    named = {
        "group": breach.group,
        "failures": breach.failures,
        "ongoing": breach.ongoing,
        "critical": breach.critical,
    }
    return named | _details(breach, breach.details, run) if breach.details else named


def _details(breach: Breach, details: Details, run: Evaluation) -> dict[str, Any]:
    looks, advice = likeness(breach, details), advise(breach, details, run)
    return {
        "looks_like": looks and looks.words,
        "attack_techniques": list(looks.techniques) if looks else [],
        "what_to_do": advice.texts if advice else [],
        "runbook": advice and advice.runbook,
        "admins": [user.name for user in details.top_users if user.admin],
        "stranger": breach.stranger,
        "lockout": breach.lockout,
        "over": breach.over,
        "failures_over_time": list(details.parts),
        "peak": details.peak,
        "threshold": breach.threshold,
        "first_failure_at": _time(details.first_failure_at),
        "last_failure_at": _time(details.last_failure_at),
        "first_breach_at": _time(details.first_breach_at),
        "last_breach_at": _time(breach.last_breach_at),
        "got_in": _login(details.got_in),
        "first_login": _login(details.first_login),
        "users_tried": details.users_tried,
        "own_failures": details.own_failures,
        "top_users": [_user(user) for user in details.top_users],
        "hosts": details.hosts,
        "warehouses": _warehouses(details) if details.warehouses else None,
        "known": details.known and _known(details.known),
        "clients": {client.what: {"value": client.value, "others": client.others} for client in details.clients},
        "ignore_entry": breach.entry and breach.entry.model_dump(mode="json"),
    }


def _user(user: TriedUser) -> dict[str, Any]:
    lockout = {"failures_in_a_row": user.in_a_row, "since": _time(user.since)} if user.may_be_locked_out else None
    return {"user": user.name, "failures": user.failures, "lockout": lockout}


def _warehouses(details: Details) -> dict[str, Any]:
    return {"number": details.warehouses, "top": [asdict(each) for each in details.top_warehouses]}


def _known(known: Known) -> dict[str, Any]:
    last_at, last_user = (_time(known.last.at), known.last.user) if known.last else (None, None)
    return {"sign_ins": known.sign_ins, "since": _time(known.since), "last_at": last_at, "last_user": last_user}


def _login(login: Login | None) -> dict[str, Any] | None:
    if login is None:
        return None
    sign_in = {"at": _time(login.at), "user": login.user, "warehouse": login.warehouse}
    host = {"host": login.host, "host_failed": login.host_failed}
    return sign_in | {name: value for name, value in host.items() if value is not None}


def describe_interval(interval: Interval) -> dict[str, Any]:
    """Return an interval's two times."""
    return {"start": _time(interval.start), "end": _time(interval.end)}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def ascii_json(content: Any) -> str:
    """Write JSON."""
    # In ASCII, as SQS refuses some characters that a name may hold.
    return json.dumps(content, separators=(",", ":"))
