"""For chat rooms: the custom notification that Amazon Q Developer in chat applications takes from SNS.

Format: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach
from redshift_auth_alert.message import words
from redshift_auth_alert.message.advice import BLANK, advise
from redshift_auth_alert.message.alert import Alert
from redshift_auth_alert.message.failure import Failure
from redshift_auth_alert.message.fleet import where_failed, where_signed_in
from redshift_auth_alert.message.patterns import likeness
from redshift_auth_alert.message.setup import SetupReport

# A chat client folds a long text away. What does not fit is counted, and is in the task log in full.
DESCRIPTION_LIMIT = 3_000
_KEPT_FOR_SHORT = 600  # of it, so that some full lines do not keep other groups from being named
_REASON_LIMIT = 1_000
_NOTE_LIMIT = 600
_SAYS_LIMIT = 200
_NAME_LIMIT = 40  # of an attacker's name as it is shown: 50 back-ticks would take 200 characters

_ICONS = {
    "critical": ":rotating_light:", "alert": ":warning:", "over": ":white_check_mark:", "partial": ":grey_question:",
    "recovered": ":white_check_mark:", "failed": ":x:", "test": ":test_tube:",
}  # fmt: skip
_CHARACTER = re.compile(r"\\(?:x..|u.{4}|U.{8}|.)|.", re.DOTALL)  # as it is written: an escape is one
# What chat clients read as markup, a link, or an @ that begins a mention.
_MARKUP = re.compile(r"[<>&`*~|#!]|\](?=\()|(?<![A-Za-z0-9])@")


def write(alert: Alert) -> str:
    """Write the alert with as many of the named groups, a line each, as a chat shows at a glance."""
    verdict, run = alert.verdict, alert.run
    lines = [*words.opening(verdict, run), f"Interval {words.interval(verdict, run)}, source {verdict.coverage.source}"]
    if verdict.coverage.reason:
        lines.append(f"Coverage {verdict.coverage.verdict}: {_cut(plain(verdict.coverage.reason), _NOTE_LIMIT)}")
    if run.settings.dry_run:
        lines.append("Dry run: evaluated and logged, not published")
    lines += _origin(run.warehouse, run.run_url)
    notes = [_cut(plain(note), _NOTE_LIMIT) for note in words.notes(verdict, run, _short)]
    at_most = _more(replace(alert, named=()))
    room, named = DESCRIPTION_LIMIT - sum(len(line) + 1 for line in [*lines, *at_most, *notes]), []
    for breach in alert.named:
        line, advice = _line(breach, run), _advice(breach, run)
        if len(line) + len(advice) < room - DESCRIPTION_LIMIT // 2:  # what to do about the worst displaces no other
            line += advice
        if len(line) > room - _KEPT_FOR_SHORT:
            line = _line(replace(breach, details=None), run)
        if len(line) + 3 <= room:
            room -= len(line) + 3
            lines.append(f"• {line}")
            named.append(breach)
    lines += [*_more(replace(alert, named=tuple(named))), *notes]
    first = words.name(alert.named[0].group) if alert.named else ""
    thread = f"{run.monitor} {run.interval.start:%Y-%m-%d} {first}"
    return _notification(alert.subject, alert.attributes, lines, thread)


def write_failure(failure: Failure) -> str:
    """Write that an interval was not evaluated, why, and what to do."""
    run = failure.run
    lines = [
        failure.opening,
        f"Interval {run.interval}" if run else "Interval unknown, as the run's settings are invalid",
        *([f"Failed so far: intervals within {failure.missing}"] if failure.missing else []),
        f"Run {plain(words.escaped(failure.run_id))}, task {failure.task_id}",
        f"Reason: {plain(words.printable(failure.reason))[:_REASON_LIMIT]}",
        failure.what_to_do,
        *_origin(failure.warehouse, failure.run_url),
    ]
    thread = f"{failure.attributes['monitor']} {failure.run_id}"
    return _notification(failure.subject, failure.attributes, lines, thread)


def write_setup(report: SetupReport) -> str:
    """Write a line for each check, and what was found where it is not ok."""
    lines = [
        *report.opening,
        *(
            f"• {check.name}: {check.outcome}"
            + (f": {plain(words.printable(check.says))[:_SAYS_LIMIT]}" if check.outcome != "ok" else "")
            for check in report.checks
        ),
    ]
    return _notification(report.subject, report.attributes, lines, f"{report.run.monitor} {report.run.run_id}")


def plain(text: str) -> str:
    """Escape what a chat client would read as markup or as a mention."""
    return _MARKUP.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _more(alert: Alert) -> list[str]:
    unnamed = alert.unnamed + alert.unnamed_over
    return [f"... and {words.count_groups(unnamed, alert.run)} more"] if unnamed else []


def _line(breach: Breach, run: Evaluation) -> str:
    if breach.outcome == "over":
        return f"{_group(breach)} over since {words.time_of(breach.last_breach_at + run.window, run)}"
    facts = [f"{_group(breach)} {breach.failures:,} failures, {words.state(breach)}"]
    if details := breach.details:
        facts.append(f"peak {words.peak(details, run)}")
        if details.got_in:
            at = f"{words.time_of(details.got_in.at, run)} as {_user(details.got_in.user)}"
            facts.append(f"*GOT IN* {at}{where_signed_in(details.got_in, _user)}")
        if looks := likeness(breach, details):
            facts.append(f"looks like {looks.words}")
        if where := where_failed(details, _user):
            facts.append(where)
        if details.top_users and "user_name" not in breach.group:
            facts.append(f"tried {words.tried(details, _user)}")
        if lockouts := words.lockouts(details, _user):
            facts.append(lockouts)
        if own := words.own(details):
            facts.append(own)
    if note := words.ignore_note(breach, run):
        facts.append(f"ignore list: {plain(note)}")
    return "; ".join(facts)


def _advice(breach: Breach, run: Evaluation) -> str:
    """Say what to do, without commands where a chat would not show one as it is."""
    advice = breach.details and advise(breach, breach.details, run)
    if not advice:
        return ""
    texts = [text.replace(BLANK, "[new password]") for text in advice.texts]  # its <> would be markup
    if any(plain(text) != text for text in texts):  # one of two commands alone would be taken for all
        return f"; what to do: see the runbook: {advice.anchor}"
    return f"; what to do: {' '.join(map(_step, texts))} (runbook: {advice.anchor})"


def _step(text: str) -> str:
    return f"`{text}`" if text.endswith(";") else text


def _origin(warehouse: str | None, run_url: str | None) -> list[str]:
    facts = {"Warehouse": warehouse, "Run": run_url}
    return [f"{label} {value}" for label, value in facts.items() if value]


def _user(name: str) -> str:
    return f"`{_short(name)}`"


def _group(breach: Breach) -> str:
    return f"`{words.name(breach.group, _short)}`"


def _short(name: str) -> str:
    """Write a name out of the log, without its end where it is long."""
    return _cut(plain(words.shown(name)), _NAME_LIMIT)


def _cut(written: str, limit: int) -> str:
    """Leave out the end of a text that is longer than the limit, but no part of an escape."""
    if len(written) <= limit:
        return written
    kept = ""
    for char in _CHARACTER.findall(written):
        if len(kept) + len(char) > limit - 2:
            break
        kept += char
    return f"{kept}.."


def _notification(subject: str, attributes: Mapping[str, Any], lines: Sequence[str], thread: str) -> str:
    severity = str(attributes["severity"])
    notification = {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": f"{_ICONS[severity]} {plain(subject)}",
            "description": "\n".join(lines),
            "keywords": [severity, plain(str(attributes["environment"])), str(attributes["monitor"])],
        },
        "metadata": {"threadId": hashlib.sha256(thread.encode()).hexdigest(), "summary": plain(subject)},
    }
    return json.dumps(notification, ensure_ascii=False)
