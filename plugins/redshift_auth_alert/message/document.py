"""For machines: JSON after the schema in ``docs/message.schema.json``. Names stand as they are in the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from redshift_auth_alert.message.forms import Alert, Failure

if TYPE_CHECKING:
    from redshift_auth_alert.detection.evaluation import Evaluation
    from redshift_auth_alert.detection.judge import Breach, Login

VERSION = "1.0"
_IGNORED_LISTED = 5


def write(alert: Alert) -> str:
    """Write the alert with the listed groups."""
    return _json(alert_document(alert))


def alert_document(alert: Alert) -> dict[str, Any]:
    """Return what ``write`` writes."""
    verdict, run, settings = alert.verdict, alert.run, alert.run.settings
    return {
        "version": VERSION,
        "kind": "over" if alert.attributes["severity"] == "over" else "alert",
        "subject": alert.subject,
        "severity": alert.attributes["severity"],
        "monitor": run.monitor,
        "environment": settings.environment,
        "run": {"id": run.run_id, "type": run.run_type, "dry_run": settings.dry_run},
        "interval": _interval(run),
        "source": verdict.coverage.source,
        "settings": {
            "threshold": settings.threshold,
            "window_minutes": settings.window_minutes,
            "group_by": list(settings.group_by),
            "count": settings.count,
        },
        "coverage": {
            "verdict": verdict.coverage.verdict,
            "reason": verdict.coverage.reason or None,
            "unreadable_lines": verdict.coverage.unreadable_lines,
        },
        "groups": {
            "told": verdict.told_groups,
            "new": verdict.new_groups,
            "ongoing": verdict.ongoing_groups,
            "critical": verdict.critical_groups,
            "held_back": verdict.held_back_groups,
            "over": verdict.over_groups,
            "ignored": verdict.ignored_groups,
            "unchecked": verdict.unchecked_groups,
        },
        "breaches": [_breach(each) for each in alert.told],
        "over": [_breach(each) for each in alert.over],
        "ignored": [_breach(each) for each in verdict.ignored[:_IGNORED_LISTED]],
    }


def write_failure(failure: Failure) -> str:
    """Write that an interval could not be evaluated; ``interval`` is null where it is not known."""
    return _json({
        "version": VERSION,
        "kind": "failure",
        "subject": failure.subject,
        "severity": failure.attributes["severity"],
        "monitor": failure.attributes["monitor"],
        "environment": failure.attributes["environment"],
        "run": {"id": failure.run_id, "task": failure.task_id},
        "interval": _interval(failure.run) if failure.run else None,
        "reason": failure.reason,
    })  # fmt: skip


def _breach(breach: Breach) -> dict[str, Any]:
    return {
        "group": breach.group,
        "ongoing": breach.ongoing,
        "critical": breach.critical,
        "over": breach.over,
        "failures": breach.failures,
        "failures_over_time": list(breach.parts),
        "peak": breach.peak,
        "threshold": breach.threshold,
        "first_failure_at": _time(breach.first_failure_at),
        "last_failure_at": _time(breach.last_failure_at),
        "first_breach_at": _time(breach.first_breach_at),
        "last_breach_at": _time(breach.last_breach_at),
        "got_in": _login(breach.got_in),
        "first_login": _login(breach.first_login),
        "users_tried": breach.users_tried,
        "top_users": [{"user": user, "failures": failures} for user, failures in breach.top_users],
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
