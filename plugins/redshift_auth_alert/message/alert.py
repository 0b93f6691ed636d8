"""From a verdict to the message that is published: its subject, its body in the monitor's form, its attributes."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from redshift_auth_alert.message import chat, document, text
from redshift_auth_alert.message.forms import Alert, Failure
from redshift_auth_alert.message.text import count_groups

if TYPE_CHECKING:  # pandas comes with it, and the failure callback writes its message without
    from redshift_auth_alert.detection.evaluation import Evaluation
    from redshift_auth_alert.detection.judge import Breach, Verdict
    from redshift_auth_alert.settings.monitors import Monitor

SUBJECT_LIMIT = 100
GROUP_ID_LIMIT = 128
# SNS takes 262,144 bytes, of a message as it is sent: wrapped into JSON, each non-ASCII character as an escape.
MESSAGE_LIMIT = 250_000

_FORMS = {"text": text, "json": document, "chat": chat}


@dataclass(frozen=True, slots=True)
class Message:
    """Subject (ASCII, at most 100 characters), body, and attributes that subscriptions can filter by.

    A FIFO topic keeps the messages of one ``group_id`` in order, and of those with one ``deduplication_id`` takes the
    first: it is the same for a retry and different for another run or interval.
    """

    subject: str
    body: str
    attributes: Mapping[str, str | int]
    group_id: str
    deduplication_id: str


def compose(verdict: Verdict, run: Evaluation) -> Message:
    """Write the alert for ``verdict``, or the closing message where no group is to be told but those that are over."""
    alert = _alert(verdict, run)
    write = _FORMS[run.settings.message_format].write
    return _message(alert.subject, write(_cut_to_fit(alert, write)), alert.attributes, run.run_id, str(run.interval))


def compose_document(verdict: Verdict, run: Evaluation) -> dict[str, Any]:
    """Return what the json form says, for programs, whatever form is published."""
    return document.alert_document(_cut_to_fit(_alert(verdict, run), document.write))


def _alert(verdict: Verdict, run: Evaluation) -> Alert:
    if verdict.told_groups:
        severity = "critical" if verdict.critical_groups else "alert"
        what = count_groups(verdict.told_groups, run)
    else:
        severity, what = "over", f"{count_groups(verdict.over_groups, run)} quiet again"
    attributes = {
        "monitor": run.monitor,
        "environment": run.settings.environment,
        "severity": severity,
        "run_type": run.run_type,
        "new_groups": verdict.new_groups,
        "ongoing_groups": verdict.ongoing_groups,
    }
    subject = _subject(severity, run.settings.environment, what)
    return Alert(subject, attributes, verdict, run, listed=(*verdict.to_tell, *verdict.closing))


def failure_message(monitor: Monitor, run: Evaluation | None, run_id: str, task_id: str, reason: object) -> Message:
    """Write the message that says which interval could not be evaluated; ``run`` is None where that is unknown."""
    settings = (run or monitor).settings
    attributes = {"monitor": monitor.dag_id, "environment": settings.environment, "severity": "failed"}
    subject = _subject("failed", settings.environment, "not evaluated")
    failure = Failure(subject, attributes, run, run_id, task_id, str(reason)[:2000])
    return _message(subject, _FORMS[settings.message_format].write_failure(failure), attributes, run_id, task_id)


def log_line(breach: Breach) -> str:
    """One line for the task log: the group and its number of failures."""
    return f"{text.name(breach.group)} [{breach.failures} times], peak {breach.peak}, {text.state(breach)}"


def _subject(severity: str, environment: str, what: str) -> str:
    return f"[{severity.upper()}] ({environment}) Redshift authentication failures: {what}"[:SUBJECT_LIMIT]


def _cut_to_fit(alert: Alert, write: Callable[[Alert], str]) -> Alert:
    """Keep as many whole groups as fit into SNS's limit."""

    def sent_size(number: int) -> int:
        return len(json.dumps(write(replace(alert, listed=alert.listed[:number]))))

    if sent_size(len(alert.listed)) <= MESSAGE_LIMIT:
        return alert
    fitting = bisect_right(range(len(alert.listed) + 1), MESSAGE_LIMIT, key=sent_size)
    return replace(alert, listed=alert.listed[: max(fitting - 1, 0)])


def _message(subject: str, body: str, attributes: Mapping[str, Any], *identity: str) -> Message:
    monitor = str(attributes["monitor"])
    told_once = hashlib.sha256("\n".join([monitor, str(attributes["severity"]), *identity]).encode()).hexdigest()
    return Message(subject, body, attributes, monitor[:GROUP_ID_LIMIT], told_once)
