"""For chat rooms: the custom notification that Amazon Q Developer in chat applications takes from SNS.

Format: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from redshift_auth_alert.message import text
from redshift_auth_alert.message.forms import Alert, Failure

if TYPE_CHECKING:
    from redshift_auth_alert.detection.evaluation import Evaluation
    from redshift_auth_alert.detection.judge import Breach

# A chat client folds a long text away; what does not fit is counted, and is in the task log in full.
DESCRIPTION_LIMIT = 3_000
_REASON_LIMIT = 1_000

_ICONS = {"critical": ":rotating_light:", "alert": ":warning:", "over": ":white_check_mark:", "failed": ":x:"}
# What chat clients read as markup, a link, or an @ that begins a mention.
_MARKUP = re.compile(r"[<>&`*~|#!]|\](?=\()|(?<![A-Za-z0-9])@")


def write(alert: Alert) -> str:
    """Write the alert with as many of the listed groups, a line each, as a chat shows at a glance."""
    verdict, run, listed = alert.verdict, alert.run, alert.listed
    lines = [*text.opening(verdict, run), f"Interval {run.interval}, source {verdict.coverage.source}"]
    if verdict.coverage.reason:
        lines.append(f"Coverage {verdict.coverage.verdict}: {verdict.coverage.reason}")
    if run.settings.dry_run:
        lines.append("Dry run: evaluated and logged, not published")
    size, shown = sum(map(len, lines)), 0
    written = [_told(each, run) for each in alert.told] + [_over(each, run) for each in alert.over]
    for line in (f"• {each}" for each in written):
        size += len(line) + 1
        if size > DESCRIPTION_LIMIT:
            break
        lines.append(line)
        shown += 1
    if left_out := verdict.told_groups + verdict.over_groups - shown:
        lines.append(f"... and {text.count_groups(left_out, run)} more")
    if verdict.held_back_groups:
        lines.append(f"{text.count_groups(verdict.held_back_groups, run)} still breached; no reminder is due")
    if verdict.unchecked_groups:
        lines.append(f"{text.count_groups(verdict.unchecked_groups, run)} not compared with the ignore list")
    if line := text.ignored(verdict, run):
        lines.append(plain(line))
    first = text.name(listed[0].group) if listed else ""
    thread = f"{run.monitor} {run.interval.start:%Y-%m-%d} {first}"
    return _notification(alert.subject, alert.attributes, lines, thread)


def write_failure(failure: Failure) -> str:
    """Write that an interval could not be evaluated, and why."""
    run = failure.run
    lines = [
        "An interval could not be evaluated. Nobody may take this for 'no breach'.",
        f"Interval {run.interval}" if run else "Interval not known: the run's settings are invalid",
        f"Run {plain(text.escaped(failure.run_id))}, task {failure.task_id}",
        f"Reason: {plain(text.printable(failure.reason))[:_REASON_LIMIT]}",
        "When it is mended, clear the failed task: the run then evaluates the same interval.",
    ]
    thread = f"{failure.attributes['monitor']} {failure.run_id}"
    return _notification(failure.subject, failure.attributes, lines, thread)


def plain(words: str) -> str:
    """Escape what a chat client would read as markup or as a mention."""
    return _MARKUP.sub(lambda found: f"\\x{ord(found[0]):02x}", words)


def _over(breach: Breach, run: Evaluation) -> str:
    return f"{_code(text.name(breach.group))} over since {text.time_of(breach.last_breach_at + run.window, run)}"


def _told(breach: Breach, run: Evaluation) -> str:
    words = [
        f"{_code(text.name(breach.group))} {breach.failures:,} failures, {text.state(breach)}",
        f"peak {text.peak(breach, run)}",
    ]
    if breach.got_in:
        words.append(f"*GOT IN* {text.time_of(breach.got_in.at, run)} as {_code(text.shown(breach.got_in.user))}")
    if breach.top_users and "user_name" not in breach.group:
        words.append(f"tried {text.tried(breach, write=lambda user: _code(text.shown(user)))}")
    if note := text.ignore_note(breach, run):
        words.append(f"the ignore list {plain(note)}")
    return "; ".join(words)


def _code(name: str) -> str:
    return f"`{plain(name)}`"


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
