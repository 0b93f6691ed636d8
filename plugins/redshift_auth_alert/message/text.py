"""For people, by mail: at most 78 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import groupby
from zoneinfo import ZoneInfo

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach, Details, Login
from redshift_auth_alert.message import times, words
from redshift_auth_alert.message.advice import RUNBOOK, Advice, Line, advise
from redshift_auth_alert.message.alert import Alert
from redshift_auth_alert.message.failure import Failure
from redshift_auth_alert.message.fleet import where_failed, where_signed_in
from redshift_auth_alert.message.patterns import likeness
from redshift_auth_alert.message.setup import SetupReport

COLUMNS = 78
_BLOCKS = "·▁▂▃▄▅▆▇█"
Fact = tuple[str, str | Line]  # a label, and a text or words that are never broken


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
        ("Environment", str(failure.attributes["environment"])),
        *_warehouse(failure.warehouse),
        ("Monitor", str(failure.attributes["monitor"])),
        *(_interval(run, str(run.interval)) if run else [("Interval", "unknown, as the run's settings are invalid")]),
        *([("Failed so far", f"intervals within {failure.missing}")] if failure.missing else []),
        ("Run", words.escaped(failure.run_id)),
        ("Task", failure.task_id),
        ("Runbook", failure.runbook),
        *_page(failure.run_url),
    ]
    blocks = [
        _wrapped(failure.opening),
        _facts(facts),
        _wrapped(f"Reason: {words.printable(failure.reason)}", later="  "),
        _wrapped(failure.what_to_do),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def write_setup(report: SetupReport) -> str:
    """Write a table of the checks: name, outcome, what was found."""
    settings = report.run.settings
    facts = [
        ("Environment", settings.environment),
        *_warehouse(report.run.warehouse),
        ("Monitor", report.run.monitor),
        ("Source", settings.source),
        ("Run", words.escaped(report.run.run_id)),
        *_page(report.run.run_url),
    ]
    blocks = [
        [line for sentence in report.opening for line in _wrapped(sentence)],
        _facts(facts),
        [
            line
            for check in report.checks
            for line in _wrapped(
                words.printable(check.says), f"{check.name:<14}{check.outcome.upper():<13}", " " * (14 + 13)
            )
        ],
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head(alert: Alert) -> str:
    verdict, run, settings = alert.verdict, alert.run, alert.run.settings
    facts = [
        ("Environment", settings.environment),
        *_warehouse(run.warehouse),
        ("Monitor", run.monitor),
        *_interval(run, words.interval(verdict, run)),
        ("Source", verdict.coverage.source),
    ]
    if run.run_type != "scheduled":
        facts.append(("Run", f"{run.run_type} ({words.escaped(run.run_id)})"))
    if settings.dry_run:
        facts.append(("Dry run", "evaluated and logged, not published"))
    if verdict.coverage.reason:
        facts.append(("Coverage", f"{verdict.coverage.verdict}: {verdict.coverage.reason}"))
    advice = [advise(each, each.details, run) for each in alert.named if each.details]
    if anchors := list(dict.fromkeys(f"#{each.anchor}" for each in advice if each)):
        facts.append(("Runbook", RUNBOOK + " and ".join(filter(None, [", ".join(anchors[:-1]), anchors[-1]]))))
    facts += _page(run.run_url)
    sentences = [line for sentence in words.opening(verdict, run) for line in _wrapped(sentence)]
    return "\n".join([*sentences, "", *_facts(facts)])


def _block(breach: Breach, details: Details, run: Evaluation) -> str:
    over: Fact = ("Over", f"since {words.time_of(breach.last_breach_at + run.window, run)}")
    if breach.outcome == "over":
        facts: list[Fact] = [("Threshold", f"last reached {words.time_of(breach.last_breach_at, run)}"), over]
    else:
        facts = _measures(breach, details, run) + ([over] if breach.over else [])
        if note := words.ignore_note(breach, run):
            facts.append(("Ignore list", note))
    return "\n".join([*_wrapped(words.line(breach), later="  "), *_facts(facts, indent="    ")])


def _measures(breach: Breach, details: Details, run: Evaluation) -> list[Fact]:
    """Say what was counted, what matters most first."""
    looks = likeness(breach, details)
    facts: list[Fact] = []
    if details.got_in:
        had_failed = ", after it had failed" if details.got_in.host is None else ""
        facts.append(("GOT IN", _login(details.got_in, run) + had_failed))
    if looks:
        techniques = f" ({', '.join(looks.techniques)})" if looks.techniques else ""
        facts.append(("Looks like", looks.words + techniques))
    if advice := advise(breach, details, run):
        facts += [("" if place else "What to do", line) for place, line in enumerate(_steps(advice))]
    if details.first_failure_at and details.last_failure_at:
        span = times.span(details.first_failure_at, details.last_failure_at, run)
        facts.append(("Failures", f"{span} {_bar(details.parts)} peak {words.peak_number(details, run)}"))
        if where := where_failed(details):
            facts.append(("Where", where))
        if "user_name" not in breach.group:
            facts.append(("Tried", words.tried(details)))
        if clients := words.clients(details):
            facts.append(("With", clients))
        if lockouts := words.lockouts(details):
            facts.append(("Lockout", lockouts))
        if own := words.own(details):
            facts.append(("Own", own))
    if known := words.known(details, run):
        facts.append(("Known", known))
    if reached := _reached(breach, details, run):
        facts.append(("Threshold", reached))
    if details.first_login and not details.got_in:
        facts.append(("Signed in", f"{_login(details.first_login, run)}; it had not failed as this user"))
    return facts


def _steps(advice: Advice) -> list[Line]:
    """Return what to do. What comes after a command is a comment: it can be pasted too, and needs no line."""
    *before, last = advice.lines
    return [*before, (*last, f"-- {advice.then}") if advice.then else last]


def _tail(alert: Alert) -> list[str]:
    lines = []
    if alert.unnamed:
        lines.append(f"... and {words.count_groups(alert.unnamed, alert.run)} more, less severe than those named.")
    if alert.unnamed_over:
        lines.append(f"... and {words.count_groups(alert.unnamed_over, alert.run)} more quiet again.")
    lines += words.notes(alert.verdict, alert.run)
    return ["\n".join(_wrapped(line, later="  ")) for line in lines]


def _reached(breach: Breach, details: Details, run: Evaluation) -> str:
    """Say where another threshold holds than the monitor's, or it was reached only before; '' where neither."""
    own = f"{breach.threshold:,} (its own)" if breach.threshold != run.settings.threshold else ""
    before = f"last reached {words.time_of(breach.last_breach_at, run)}, before the interval"
    return ", ".join(filter(None, [own, "" if details.first_breach_at else before]))


def _bar(parts: tuple[int, ...]) -> str:
    """Draw failures over the interval's parts: a dot for none, up to a full block for the most of all parts."""
    most = max(parts)
    return "".join(_BLOCKS[-(-number * (len(_BLOCKS) - 1) // most)] for number in parts)


def _login(login: Login, run: Evaluation) -> str:
    return f"{words.time_of(login.at, run)} as {words.shown(login.user)}{where_signed_in(login)}"


def _interval(run: Evaluation, interval: str) -> list[Fact]:
    facts: list[Fact] = [("Interval", interval)]
    if zone := run.settings.display_timezone:
        start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (run.interval.start, run.interval.end))
        begin = f"{start:%Y-%m-%d %H:%M:%S}{times.zone_if_other(start, end)}"
        facts.append(("Local time", f"{begin} to {end:%Y-%m-%d %H:%M:%S %Z}"))
    return facts


def _warehouse(name: str | None) -> list[Fact]:
    return [("Warehouse", name)] if name else []


def _page(run_url: str | None) -> list[Fact]:
    """Return the run's page as one word: half of an address leads nowhere."""
    return [("Page", (run_url,))] if run_url else []


def _facts(pairs: Iterable[Fact], indent: str = "") -> list[str]:
    pairs = list(pairs)
    width = max(len(label) for label, _ in pairs) + 2
    return [
        line
        for label, value in pairs
        for line in _wrapped(value, first=f"{indent}{label:<{width}}", later=indent + " " * width)
    ]


def _wrapped(text: str | Line, first: str = "", later: str = "") -> list[str]:
    """Wrap to lines that a mail client shows whole. What goes on is indented, so that it cannot pass for a new line."""
    if isinstance(text, tuple):
        return _filled(text, first, later)
    if len(first) + len(text) <= COLUMNS:
        return [first + text]
    return textwrap.wrap(
        text, COLUMNS, initial_indent=first, subsequent_indent=later, break_on_hyphens=False, drop_whitespace=True
    )


def _filled(line: Line, first: str, later: str) -> list[str]:
    """Fill lines with the words as they are."""
    lines = [first + line[0]]
    for word in line[1:]:
        if len(lines[-1]) + 1 + len(word) <= COLUMNS:
            lines[-1] += f" {word}"
        else:
            lines.append(later + word)
    return lines
