"""For SIEMs: a list of Detection Findings of the Open Cybersecurity Schema Framework (OCSF), one for each state.

Schema: https://schema.ocsf.io/1.8.0/classes/detection_finding. A state is what the groups of a finding have in common:
new, ongoing or over. That an interval was seen in part or not at all is a finding of the same class, as a SIEM
takes one class per source. Names are as they are in the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from redshift_auth_alert import __version__
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.message import words
from redshift_auth_alert.message.alert import Alert, identify, is_critical
from redshift_auth_alert.message.document import ascii_json, describe
from redshift_auth_alert.message.failure import Failure
from redshift_auth_alert.message.fleet import failed_at
from redshift_auth_alert.message.patterns import GUESSING, SPRAYING, STUFFING, VALID_ACCOUNT, likeness
from redshift_auth_alert.message.setup import SetupReport

SCHEMA_VERSION = "1.8.0"
_CLASS = 2004
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Activity and severity, each by number and caption, and what the finding is about.
_STATES = {
    "new": (1, "Create", 3, "Medium", "authentication failures"),
    "ongoing": (2, "Update", 3, "Medium", "authentication failures"),
    "over": (3, "Close", 1, "Informational", "authentication failures"),
    "partial": (1, "Create", 3, "Medium", "coverage"),
    "failed": (1, "Create", 4, "High", "coverage"),
    "recovered": (3, "Close", 1, "Informational", "coverage"),
    "test": (99, "Other", 1, "Informational", "test"),
}
_CRITICAL = {"severity_id": 5, "severity": "Critical"}
_BRUTE_FORCE = {
    "tactic": {"uid": "TA0006", "name": "Credential Access"},
    "technique": {"uid": "T1110", "name": "Brute Force"},
}
_ATTACKS = {
    "T1110": _BRUTE_FORCE,
    GUESSING: _BRUTE_FORCE | {"sub_technique": {"uid": GUESSING, "name": "Password Guessing"}},
    SPRAYING: _BRUTE_FORCE | {"sub_technique": {"uid": SPRAYING, "name": "Password Spraying"}},
    STUFFING: _BRUTE_FORCE | {"sub_technique": {"uid": STUFFING, "name": "Credential Stuffing"}},
    VALID_ACCOUNT: {
        "tactic": {"uid": "TA0001", "name": "Initial Access"},
        "technique": {"uid": "T1078", "name": "Valid Accounts"},
    },
}


def write(alert: Alert) -> str:
    """Write the alert: a finding for each state of its groups, and for what coverage there is to report."""
    totals = alert.verdict.totals
    numbers = {"new": totals.new + totals.unjudged, "ongoing": totals.ongoing, "over": totals.over}
    findings = [_groups(alert, state, number) for state, number in numbers.items() if number]
    if alert.verdict.coverage.verdict == "partial":
        findings.append(_of_alert(alert, "partial", "interval only partly seen"))
    if alert.run.missing or not findings:
        findings.append(_of_alert(alert, "recovered", "evaluated again"))
    return ascii_json(findings)


def write_failure(failure: Failure) -> str:
    """Write that an interval was not evaluated, as a finding of the time that is missing."""
    run = failure.run
    interval = failure.missing or (run.interval if run else None)
    sentences = [
        failure.opening,
        *([f"Failed so far: intervals within {failure.missing}."] if failure.missing else []),
        f"Reason: {words.printable(failure.reason)}",
    ]
    finding = _finding(
        "failed",
        {**failure.attributes, "run_id": failure.run_id, "task_id": failure.task_id},
        interval,
        title=failure.subject,
        message=" ".join(sentences),
    )
    remediation = {"remediation": {"desc": failure.what_to_do}}
    return ascii_json([finding | remediation | _resources(failure.warehouse)])


def write_setup(report: SetupReport) -> str:
    """Write what a check of the set-up found, as a finding that is no alert."""
    tags = {**report.attributes, "run_id": report.run.run_id}
    finding = _finding("test", tags, None, title=report.subject, message=" ".join(report.opening))
    return ascii_json([finding | {"evidences": [{"data": asdict(check)} for check in report.checks]}])


def _techniques(breach: Breach) -> tuple[str, ...]:
    """Return the ids of the MITRE ATT&CK techniques that a breach shows, each a key of the table of attacks."""
    looks = likeness(breach, breach.details) if breach.details else None
    if looks:
        return looks.techniques
    return ("T1110", VALID_ACCOUNT) if breach.critical else ("T1110",)


def _groups(alert: Alert, state: str, number: int) -> dict[str, Any]:
    """Return the finding of the ``number`` groups in one state, named or not."""
    judged = [each for each in alert.verdict.having("reported", "over") if _state(each) == state]
    named = [each for each in alert.named if _state(each) == state]
    unnamed = number - len(named)
    subject = f"{words.count_groups(number, alert.run)} {state}"
    more = [f"{words.count_groups(unnamed, alert.run)} {state} not named here."] if unnamed else []
    finding = _of_alert(alert, state, subject, more)
    if state != "over" and any(map(is_critical, judged)):
        finding |= _CRITICAL
    finding["finding_info"]["attacks"] = _attacks(judged)
    if warehouses := failed_at(named):
        finding["resources"] = [_resource(name) for name in warehouses]
    if unnamed:
        finding["metadata"]["is_truncated"] = True
    return finding | {"evidences": [_evidence(each, alert.run) for each in named]}


def _state(breach: Breach) -> str:
    return "over" if breach.outcome == "over" else "ongoing" if breach.ongoing else "new"


def _of_alert(alert: Alert, state: str, subject: str, more: Sequence[str] = ()) -> dict[str, Any]:
    verdict, run, coverage = alert.verdict, alert.run, alert.verdict.coverage
    seen = [f"Coverage {coverage.verdict}: {coverage.reason}."] if coverage.reason else []
    finding = _finding(
        state,
        {**alert.attributes, "run_id": run.run_id},
        run.interval,
        title=f"Redshift authentication failures: {subject}",
        message=" ".join([*words.opening(verdict, run), *more, *seen, *words.notes(verdict, run)]),
    )
    provider = "AWS CloudTrail" if coverage.source == "cloudtrail" else "Amazon Redshift"
    finding["metadata"] |= {"log_provider": provider, "log_name": coverage.source}
    if coverage.reason:
        finding["status_detail"] = coverage.reason
    return finding | _resources(run.warehouse or run.settings.cluster)


def _resources(warehouse: str | None) -> dict[str, Any]:
    """Return the resource that a finding is about, where its name is known."""
    return {"resources": [_resource(warehouse)]} if warehouse else {}


def _finding(
    state: str, tags: Mapping[str, str | int], interval: Interval | None, *, title: str, message: str
) -> dict[str, Any]:
    """Return what every finding has. Its id follows from ``alert_id`` and state, so a repeat has the same one.

    The message attributes are tags, as a subscription that delivers raw messages may lose them. ``time`` is the
    interval's end; where the interval is unknown, as the run's settings are invalid, it is now.
    """
    activity_id, activity, severity_id, severity, kind = _STATES[state]
    uid = identify(tags["alert_id"], state)
    time = _milliseconds(interval.end if interval else datetime.now(UTC))
    span = {"start_time": _milliseconds(interval.start), "end_time": _milliseconds(interval.end)} if interval else {}
    # OCSF's "Resolved" would claim that somebody looked into it: a group that is over is only quiet.
    status_id, status = (1, "New") if activity == "Create" else (99, state.capitalize())
    return {
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity_id,
        "activity_name": activity,
        "type_uid": _CLASS * 100 + activity_id,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "is_alert": activity in ("Create", "Update"),
        "time": time,
        **span,
        "message": message,
        "metadata": {
            "version": SCHEMA_VERSION,
            "uid": uid,
            "correlation_uid": tags["alert_id"],
            "product": {"name": "redshift-auth-alert", "vendor_name": "redshift-auth-alert", "version": __version__},
            "tags": [{"name": name, "value": str(value)} for name, value in tags.items()],
        },
        "finding_info": {
            "uid": uid,
            "title": title,
            "types": [kind],
            "analytic": {"name": tags["monitor"], "type_id": 1, "type": "Rule"},
            "created_time": time,
        },
    }


def _attacks(breaches: Sequence[Breach]) -> list[dict[str, Any]]:
    shown = {technique for breach in breaches for technique in _techniques(breach)}
    return [attack for technique, attack in _ATTACKS.items() if technique in shown]


def _resource(warehouse: str) -> dict[str, Any]:
    return {"name": warehouse, "type": "Amazon Redshift", "role_id": 1}


def _evidence(breach: Breach, run: Evaluation) -> dict[str, Any]:
    facts = {name: value for name, value in describe(breach, run).items() if name not in ("group", "ongoing")}
    evidence = _who(breach.group) | {"data": facts | {"admin": breach.admin, "over": breach.over}}
    if breach.details and breach.details.got_in:
        evidence["actor"] = {"user": {"name": breach.details.got_in.user}}
    return evidence


def _who(group: Mapping[str, str]) -> dict[str, Any]:
    who: dict[str, Any] = {}
    if "remote_host" in group:
        who["src_endpoint"] = _endpoint(group["remote_host"])
    if "user_name" in group:
        who["user"] = {"name": group["user_name"]}
    if "database_name" in group:
        who["database"] = {"name": group["database_name"], "type_id": 1}
    if "warehouse" in group:
        who["dst_endpoint"] = {"name": group["warehouse"]}
    return who


def _endpoint(host: str) -> dict[str, str]:
    try:
        address = ip_address(host)
    except ValueError:
        return {"name": host}
    return {"name": host} if "%" in host else {"ip": str(address)}  # a zone may be any text


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
