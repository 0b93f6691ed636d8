"""For people, by mail: at most 78 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import groupby
from zoneinfo import ZoneInfo

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach, Details, Login
from redshift_auth_alert.message import words
from redshift_auth_alert.message.alert import Alert
from redshift_auth_alert.message.failure import Failure

COLUMNS = 78
_BLOCKS = "·▁▂▃▄▅▆▇█"


def write(alert: Alert) -> str:
    """Write the alert: each group that has details in a block of its own, the others in one line each."""
    blocks = [_head(alert)]
    for in_full, breaches in groupby(alert.named, key=lambda each: each.details is not None):
        if in_full:
            blocks += [_block(each, each.details, alert.run) for each in breaches if each.details]
        else:
            blocks.append("\n".join(line for each in breaches for line in _wrapped(words.line(each), later="  ")))
    return "\n\n".join([*blocks, *_tail(alert)]) + "\n"


def write_failure(failure: Failure) -> str:
    """Write that an interval was not evaluated, why, and what to do."""
    run = failure.run
    facts = [
        ("Monitor", str(failure.attributes["monitor"])),
        *(_interval(run) if run else [("Interval", "unknown, as the run's settings are invalid")]),
        ("Run", words.escaped(failure.run_id)),
        ("Task", failure.task_id),
    ]
    blocks = [
        [failure.opening],
        _facts(facts),
        _wrapped(f"Reason: {words.printable(failure.reason)}", later="  "),
        _wrapped(failure.what_to_do),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head(alert: Alert) -> str:
    verdict, run, settings = alert.verdict, alert.run, alert.run.settings
    facts = [
        ("Environment", settings.environment),
        ("Monitor", run.monitor),
        *_interval(run),
        ("Source", verdict.coverage.source),
    ]
    if run.run_type != "scheduled":
        facts.append(("Run", f"{run.run_type} ({words.escaped(run.run_id)})"))
    if settings.dry_run:
        facts.append(("Dry run", "evaluated and logged, not published"))
    if verdict.coverage.reason:
        facts.append(("Coverage", f"{verdict.coverage.verdict}: {verdict.coverage.reason}"))
    sentences = [line for sentence in words.opening(verdict, run) for line in _wrapped(sentence)]
    return "\n".join([*sentences, "", *_facts(facts)])


def _block(breach: Breach, details: Details, run: Evaluation) -> str:
    over = ("Over", f"since {words.time_of(breach.last_breach_at + run.window, run)}")
    if breach.outcome == "over":
        facts = [("Threshold", f"last reached {words.time_of(breach.last_breach_at, run)}"), over]
    else:
        facts = _measures(breach, details, run) + ([over] if breach.over else [])
        if note := words.ignore_note(breach, run):
            facts.append(("Ignore list", note))
    return "\n".join([*_wrapped(words.line(breach), later="  "), *_facts(facts, indent="    ")])


def _measures(breach: Breach, details: Details, run: Evaluation) -> list[tuple[str, str]]:
    facts = [("Peak", words.peak(details, run)), ("Threshold", _reached(breach, details, run))]
    if details.first_failure_at and details.last_failure_at:
        facts += [
            ("First failure", words.time_of(details.first_failure_at, run)),
            ("Last failure", words.time_of(details.last_failure_at, run)),
            ("Over time", _bar(details.parts)),
        ]
        if "user_name" not in breach.group:
            facts.append(("Tried", words.tried(details)))
    if details.got_in:
        facts.append(("GOT IN", f"{_login(details.got_in, run)}, which had failed before"))
    if details.first_login and details.first_login != details.got_in:
        facts.append(("Signed in", f"{_login(details.first_login, run)}, which had not failed before"))
    return facts


def _tail(alert: Alert) -> list[str]:
    lines = []
    if alert.unnamed:
        lines.append(f"... and {words.count_groups(alert.unnamed, alert.run)} more, less severe than those named.")
    if unnamed := alert.verdict.totals.over - len(alert.over):
        lines.append(f"... and {words.count_groups(unnamed, alert.run)} more quiet again.")
    lines += words.notes(alert.verdict, alert.run)
    return ["\n".join(_wrapped(line, later="  ")) for line in lines]


def _reached(breach: Breach, details: Details, run: Evaluation) -> str:
    own = f"{breach.threshold:,} of its own, " if breach.threshold != run.settings.threshold else ""
    if details.first_breach_at:
        return f"{own}reached {words.time_of(details.first_breach_at, run)}"
    return f"{own}last reached {words.time_of(breach.last_breach_at, run)}, before the interval"


def _bar(parts: tuple[int, ...]) -> str:
    """Draw failures over the interval's parts: a dot for none, up to a full block for the most of all parts."""
    most = max(parts)
    return "".join(_BLOCKS[-(-number * (len(_BLOCKS) - 1) // most)] for number in parts)


def _login(login: Login, run: Evaluation) -> str:
    return f"{words.time_of(login.at, run)} as {words.shown(login.user)}"


def _interval(run: Evaluation) -> list[tuple[str, str]]:
    facts = [("Interval", str(run.interval))]
    if zone := run.settings.display_timezone:
        start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (run.interval.start, run.interval.end))
        facts.append(("Local time", f"{start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S %Z}"))
    return facts


def _facts(pairs: Iterable[tuple[str, str]], indent: str = "") -> list[str]:
    pairs = list(pairs)
    width = max(len(label) for label, _ in pairs) + 2
    return [
        line
        for label, value in pairs
        for line in _wrapped(value, first=f"{indent}{label:<{width}}", later=indent + " " * width)
    ]


def _wrapped(text: str, first: str = "", later: str = "") -> list[str]:
    """Wrap to lines that a mail client shows whole. What goes on is indented, so that it cannot pass for a new line."""
    if len(first) + len(text) <= COLUMNS:
        return [first + text]
    return textwrap.wrap(
        text, COLUMNS, initial_indent=first, subsequent_indent=later, break_on_hyphens=False, drop_whitespace=True
    )
