"""For programs: JSON as ``docs/message.schema.json`` describes it. Names are as they are in the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach, Details, Login
from redshift_auth_alert.message.alert import Alert
from redshift_auth_alert.message.failure import Failure
from redshift_auth_alert.message.words import IGNORED_NAMED

VERSION = "2.0"


def write(alert: Alert) -> str:
    """Write the alert."""
    verdict, run, settings = alert.verdict, alert.run, alert.run.settings
    totals, coverage = verdict.totals, verdict.coverage
    return _json({
        "version": VERSION,
        "kind": "alert" if totals.reported else alert.attributes["severity"],
        "alert_id": alert.attributes["alert_id"],
        "subject": alert.subject,
        "severity": alert.attributes["severity"],
        "monitor": run.monitor,
        "environment": settings.environment,
        "run": {"id": run.run_id, "type": run.run_type, "dry_run": settings.dry_run},
        "interval": _interval(run),
        "source": coverage.source,
        "settings": {
            "threshold": settings.threshold,
            "window_minutes": settings.window_minutes,
            "group_by": list(settings.group_by),
            "count": settings.count,
        },
        "coverage": {
            "verdict": coverage.verdict,
            "reason": coverage.reason or None,
            "unreadable_lines": coverage.unreadable_lines,
        },
        "groups": {
            "reported": totals.reported,
            "new": totals.new,
            "ongoing": totals.ongoing,
            "critical": totals.critical,
            "held_back": totals.held_back,
            "over": totals.over,
            "ignored": totals.ignored,
            "unjudged": totals.unjudged,
            "unnamed": alert.unnamed,
        },
        "breaches": [_breach(each) for each in alert.reported],
        "over": [_breach(each) for each in alert.over],
        "ignored": [_breach(each) for each in verdict.having("ignored")[:IGNORED_NAMED]],
    })  # fmt: skip


def write_failure(failure: Failure) -> str:
    """Write that an interval was not evaluated; ``interval`` is null where the run's settings are invalid."""
    return _json({
        "version": VERSION,
        "kind": "failure",
        "alert_id": failure.attributes["alert_id"],
        "subject": failure.subject,
        "severity": failure.attributes["severity"],
        "monitor": failure.attributes["monitor"],
        "environment": failure.attributes["environment"],
        "run": {"id": failure.run_id, "task": failure.task_id},
        "interval": _interval(failure.run) if failure.run else None,
        "reason": failure.reason,
        "what_to_do": failure.what_to_do,
    })  # fmt: skip


def _breach(breach: Breach) -> dict[str, Any]:
    named = {
        "group": breach.group,
        "failures": breach.failures,
        "ongoing": breach.ongoing,
        "critical": breach.critical,
    }
    return named | _details(breach, breach.details) if breach.details else named


def _details(breach: Breach, details: Details) -> dict[str, Any]:
    return {
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
        "top_users": [{"user": user, "failures": failures} for user, failures in details.top_users],
        "ignore_entry": breach.entry and breach.entry.model_dump(mode="json"),
    }


def _login(login: Login | None) -> dict[str, Any] | None:
    return None if login is None else {"at": _time(login.at), "user": login.user}


def _interval(run: Evaluation) -> dict[str, Any]:
    return {"start": _time(run.interval.start), "end": _time(run.interval.end)}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
