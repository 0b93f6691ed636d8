"""From a verdict to the message that people read. Names out of the log are an attacker's text: see ``shown``."""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redshift_auth_alert.interval import format_utc

if TYPE_CHECKING:  # pandas comes with it, and the failure callback writes its message without
    from redshift_auth_alert.breaches import Breach, Login, Verdict
    from redshift_auth_alert.evaluation import Evaluation
    from redshift_auth_alert.settings import Monitor

SUBJECT_LIMIT = 100
GROUP_ID_LIMIT = 128
# SNS takes 262,144 bytes, of a message as it is sent: wrapped into JSON, each non-ASCII character as an escape.
MESSAGE_LIMIT = 250_000
COLUMNS = 78

_BLOCKS = "·▁▂▃▄▅▆▇█"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:@$%+/\[\]-]+")
_REACHED = {
    "failures": "{} authentication failures",
    "distinct user_name": "authentication failures as {} users",
    "distinct remote_host": "authentication failures from {} remote hosts",
    "distinct database_name": "authentication failures at {} databases",
}
_UNITS = {
    "failures": "failures",
    "distinct user_name": "users",
    "distinct remote_host": "remote hosts",
    "distinct database_name": "databases",
}
_COLUMN_WORDS = {"remote_host": "remote host", "user_name": "user", "database_name": "database"}


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
    """Write the alert for ``verdict``, cut at whole groups where it would pass SNS's limit."""
    severity = "CRITICAL" if verdict.critical_groups else "ALERT"
    groups = _groups(verdict.told_groups, run)
    subject = f"[{severity}] ({run.settings.environment}) Redshift authentication failures: {groups}"
    head = _head(verdict, run)
    blocks, size = [], _sent_size("\n".join(head)) + 200
    for breach in verdict.to_tell:
        block = _block(breach, run)
        size += _sent_size(block)
        if size > MESSAGE_LIMIT:
            break
        blocks.append(block)
    left_out = verdict.told_groups - len(blocks)
    tail = [f"... and {_groups(left_out, run)} more, less severe than those listed."] if left_out else []
    if verdict.held_back_groups:
        tail.append(f"{_groups(verdict.held_back_groups, run)} told of earlier still breached; no reminder is due.")
    attributes = {
        "monitor": run.monitor,
        "environment": run.settings.environment,
        "severity": severity.lower(),
        "run_type": run.run_type,
        "new_groups": verdict.new_groups,
        "ongoing_groups": verdict.ongoing_groups,
    }
    body = "\n\n".join(["\n".join(head), *blocks, *tail]) + "\n"
    return _message(subject, body, attributes, run.run_id, str(run.interval))


def failure_message(monitor: Monitor, run: Evaluation | None, run_id: str, task_id: str, reason: object) -> Message:
    """Write the message that says which interval could not be evaluated; ``run`` is None where that is unknown."""
    environment = (run or monitor).settings.environment
    facts = [
        ("Monitor", monitor.dag_id),
        ("Interval", str(run.interval) if run else "not known: the run's settings are invalid"),
        ("Run", escaped(run_id)),
        ("Task", task_id),
    ]
    body = [
        "An interval could not be evaluated. Nobody may take this for 'no breach'.",
        "",
        *_facts(facts),
        "",
        *_wrapped(f"Reason: {_printable(str(reason))[:2000]}", later="  "),
        "",
        "When it is mended, clear the failed task: the run then evaluates the same",
        "interval.",
    ]
    subject = f"[FAILED] ({environment}) Redshift authentication failures: not evaluated"
    attributes = {"monitor": monitor.dag_id, "environment": environment, "severity": "failed"}
    return _message(subject, "\n".join(body) + "\n", attributes, run_id, task_id)


def _message(subject: str, body: str, attributes: Mapping[str, Any], *identity: str) -> Message:
    monitor = str(attributes["monitor"])
    told_once = hashlib.sha256("\n".join([monitor, str(attributes["severity"]), *identity]).encode()).hexdigest()
    return Message(subject[:SUBJECT_LIMIT], body, attributes, monitor[:GROUP_ID_LIMIT], told_once)


def log_line(breach: Breach) -> str:
    """One line for the task log: the group and its number of failures."""
    return f"{_name(breach.group)} [{breach.failures} times], peak {breach.peak}, {_state(breach)}"


def shown(name: str) -> str:
    """Write a name out of the log so that it cannot pass for anything else.

    Bare where it consists of a few safe characters, else in quotes with all that does not print (line breaks,
    terminal codes, characters that turn the text around) escaped; '(empty)' for the empty name.
    """
    if not name:
        return "(empty)"
    return name if _PLAIN_NAME.fullmatch(name) else f'"{escaped(name)}"'


def escaped(text: str) -> str:
    """Escape backslashes, double quotes and all that does not print, as Python would write them."""
    return _printable(re.sub(r'(["\\])', r"\\\1", text))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _head(verdict: Verdict, run: Evaluation) -> list[str]:
    settings = run.settings
    reached = _REACHED[settings.count].format(f"{settings.threshold:,} or more")
    facts = [
        ("Environment", settings.environment),
        ("Monitor", run.monitor),
        ("Interval", str(run.interval)),
        ("Source", settings.source),
    ]
    if run.run_type != "scheduled":
        facts.append(("Run", f"{run.run_type} ({escaped(run.run_id)})"))
    if settings.dry_run:
        facts.append(("Dry run", "evaluated and logged, not published"))
    if verdict.coverage.reason:
        facts.append(("Coverage", f"{verdict.coverage.verdict}: {verdict.coverage.reason}"))
    opening = [f"{_groups(verdict.told_groups, run)} with {reached} within {_minutes(settings.window_minutes)}."]
    if verdict.critical_groups:
        opening.append(f"{verdict.critical_groups:,} of them GOT IN as a user that it had failed as.")
    return [*(line for sentence in opening for line in _wrapped(sentence)), "", *_facts(facts)]


def _block(breach: Breach, run: Evaluation) -> str:
    facts = [
        ("Peak", f"{breach.peak:,} {_UNITS[run.settings.count]} within {_minutes(run.settings.window_minutes)}"),
        ("Threshold", f"reached {format_utc(breach.first_breach_at)} UTC"),
        ("First failure", f"{format_utc(breach.first_failure_at)} UTC"),
        ("Last failure", f"{format_utc(breach.last_failure_at)} UTC"),
        ("Over time", _bar(breach.parts)),
    ]
    if "user_name" not in breach.group:
        facts.append(("Tried", _tried(breach)))
    if breach.got_in:
        facts.append(("GOT IN", f"{_login(breach.got_in)}, whom it had failed as"))
    if breach.first_login and breach.first_login != breach.got_in:
        facts.append(("Logged in", f"{_login(breach.first_login)}, whom it had not failed as"))
    title = f"{_name(breach.group)} [{breach.failures:,} times] {_state(breach)}"
    return "\n".join([*_wrapped(title, later="  "), *_facts(facts, indent="    ")])


def _bar(parts: tuple[int, ...]) -> str:
    """Draw failures over the interval's parts: a dot for none, up to a full block for the most of all parts."""
    most = max(parts)
    return "".join(_BLOCKS[-(-number * (len(_BLOCKS) - 1) // most)] for number in parts)


def _state(breach: Breach) -> str:
    return ("ongoing" if breach.ongoing else "new") + (", GOT IN" if breach.got_in else "")


def _tried(breach: Breach) -> str:
    users = ", ".join(f"{shown(user)} ({failures:,})" for user, failures in breach.top_users)
    more = breach.users_tried - len(breach.top_users)
    return users + (f" and {more:,} more users" if more else "")


def _login(login: Login) -> str:
    return f"{format_utc(login.at)} UTC as {shown(login.user)}"


def _name(group: dict[str, str]) -> str:
    if len(group) == 1:
        return shown(next(iter(group.values())))
    return " ".join(f"{column}={shown(value)}" for column, value in group.items())


def _groups(number: int, run: Evaluation) -> str:
    columns = run.settings.group_by
    word = _COLUMN_WORDS[columns[0]] if len(columns) == 1 else "group"
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _minutes(number: int) -> str:
    return f"{number:,} minute" + ("" if number == 1 else "s")


def _facts(pairs: Iterable[tuple[str, str]], indent: str = "") -> list[str]:
    pairs = list(pairs)
    width = max(len(label) for label, _ in pairs) + 2
    return [
        line
        for label, value in pairs
        for line in _wrapped(value, first=f"{indent}{label:<{width}}", later=indent + " " * width)
    ]


def _wrapped(text: str, first: str = "", later: str = "") -> list[str]:
    """Wrap to lines that a mail client shows whole; what goes on is indented, so that it can't pass for a line."""
    return textwrap.wrap(
        text, COLUMNS, initial_indent=first, subsequent_indent=later, break_on_hyphens=False, drop_whitespace=True
    )


def _sent_size(text: str) -> int:
    return len(json.dumps(text))
