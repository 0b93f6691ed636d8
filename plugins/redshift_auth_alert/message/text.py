"""For people, by mail: at most 78 columns. Names out of the log are an attacker's text: see ``shown``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from redshift_auth_alert.detection.interval import format_utc
from redshift_auth_alert.message.forms import Alert, Failure

if TYPE_CHECKING:
    from redshift_auth_alert.detection.evaluation import Evaluation
    from redshift_auth_alert.detection.judge import Breach, Login, Verdict

COLUMNS = 78
_IGNORED_NAMED = 5

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


def write(alert: Alert) -> str:
    """Write the alert with the listed groups in full."""
    verdict, run = alert.verdict, alert.run
    blocks = [_block(each, run) for each in alert.told] + [_closing_block(each, run) for each in alert.over]
    return "\n\n".join([_head(verdict, run), *blocks, *_tail(alert)]) + "\n"


def write_failure(failure: Failure) -> str:
    """Write that an interval could not be evaluated, and why."""
    run = failure.run
    facts = [
        ("Monitor", str(failure.attributes["monitor"])),
        *(_interval(run) if run else [("Interval", "not known: the run's settings are invalid")]),
        ("Run", escaped(failure.run_id)),
        ("Task", failure.task_id),
    ]
    return "\n".join([
        "An interval could not be evaluated. Nobody may take this for 'no breach'.",
        "",
        *_facts(facts),
        "",
        *_wrapped(f"Reason: {printable(failure.reason)}", later="  "),
        "",
        "When it is mended, clear the failed task: the run then evaluates the same",
        "interval.\n",
    ])  # fmt: skip


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
    return printable(re.sub(r'(["\\])', r"\\\1", text))


def printable(text: str) -> str:
    """Escape all that does not print."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def name(group: Mapping[str, str]) -> str:
    """Write a group: its value, or each of its values with its column."""
    if len(group) == 1:
        return shown(next(iter(group.values())))
    return " ".join(f"{column}={shown(value)}" for column, value in group.items())


def state(breach: Breach) -> str:
    """Say whether a breach is new, and what became of it."""
    words = ["ongoing" if breach.ongoing else "new", "GOT IN" if breach.critical else "", "over" if breach.over else ""]
    return ", ".join(word for word in words if word)


def count_groups(number: int, run: Evaluation) -> str:
    """Write a number of groups, in the words of what they are."""
    columns = run.settings.group_by
    word = _COLUMN_WORDS[columns[0]] if len(columns) == 1 else "group"
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def time_of(moment: datetime, run: Evaluation) -> str:
    """Write a moment in UTC and, where the monitor has a ``display_timezone``, in local time."""
    zone = run.settings.display_timezone
    if zone is None:
        return f"{format_utc(moment)} UTC"
    local = moment.astimezone(ZoneInfo(zone))
    same_day = local.date() == moment.date()
    return f"{format_utc(moment)} UTC, {local:{'%H:%M:%S %Z' if same_day else '%Y-%m-%d %H:%M:%S %Z'}}"


def opening(verdict: Verdict, run: Evaluation) -> list[str]:
    """Say in a sentence or two what was found."""
    settings = run.settings
    window = _minutes(settings.window_minutes)
    if not verdict.told_groups:
        over = count_groups(verdict.over_groups, run)
        return [f"{over} quiet again: not at the threshold for {window}."]
    reached = _REACHED[settings.count].format(f"{settings.threshold:,} or more")
    own = ", or their own threshold," if settings.thresholds else ""
    sentences = [f"{count_groups(verdict.told_groups, run)} with {reached}{own} within {window}."]
    if verdict.critical_groups:
        sentences.append(f"{verdict.critical_groups:,} of them GOT IN as a user that it had failed as.")
    return sentences


def peak(breach: Breach, run: Evaluation) -> str:
    """Write the most that was counted in any window."""
    return f"{breach.peak:,} {_UNITS[run.settings.count]} within {_minutes(run.settings.window_minutes)}"


def tried(breach: Breach, write: Callable[[str], str] = shown) -> str:
    """Write the users that were tried most, each by ``write``, and how many more there were."""
    users = ", ".join(f"{write(user)} ({failures:,})" for user, failures in breach.top_users)
    more = breach.users_tried - len(breach.top_users)
    return users + (f" and {more:,} more users" if more else "")


def ignored(verdict: Verdict, run: Evaluation) -> str:
    """Name what is on the ignore list and breached all the same, with the reasons; '' where nothing did."""
    if not verdict.ignored_groups:
        return ""
    named = [
        f"{name(each.group)} ({each.failures:,} times{', GOT IN' if each.critical else ''}; {each.entry.reason})"
        for each in verdict.ignored[:_IGNORED_NAMED]
        if each.entry
    ]
    more = verdict.ignored_groups - len(named)
    rest = f" and {more:,} more" if more else ""
    return f"Ignored, though at the threshold: {count_groups(verdict.ignored_groups, run)}: {', '.join(named)}{rest}."


def ignore_note(breach: Breach, run: Evaluation) -> str:
    """Say why a group that an entry of the ignore list selects is told all the same; '' where none does."""
    if breach.entry is None:
        return ""
    if breach.entry.holds_on(run.interval.last_day):
        return f"holds it ({breach.entry.reason}), but it got in"
    return f"held it until {breach.entry.until} ({breach.entry.reason}); lapsed"


def _head(verdict: Verdict, run: Evaluation) -> str:
    settings = run.settings
    facts = [
        ("Environment", settings.environment),
        ("Monitor", run.monitor),
        *_interval(run),
        ("Source", verdict.coverage.source),
    ]
    if run.run_type != "scheduled":
        facts.append(("Run", f"{run.run_type} ({escaped(run.run_id)})"))
    if settings.dry_run:
        facts.append(("Dry run", "evaluated and logged, not published"))
    if verdict.coverage.reason:
        facts.append(("Coverage", f"{verdict.coverage.verdict}: {verdict.coverage.reason}"))
    sentences = [line for sentence in opening(verdict, run) for line in _wrapped(sentence)]
    return "\n".join([*sentences, "", *_facts(facts)])


def _block(breach: Breach, run: Evaluation) -> str:
    facts = [("Peak", peak(breach, run)), ("Threshold", _reached(breach, run))]
    if breach.first_failure_at and breach.last_failure_at:
        facts += [
            ("First failure", time_of(breach.first_failure_at, run)),
            ("Last failure", time_of(breach.last_failure_at, run)),
            ("Over time", _bar(breach.parts)),
        ]
        if "user_name" not in breach.group:
            facts.append(("Tried", tried(breach)))
    if breach.got_in:
        facts.append(("GOT IN", f"{_login(breach.got_in, run)}, whom it had failed as"))
    if breach.first_login and breach.first_login != breach.got_in:
        facts.append(("Logged in", f"{_login(breach.first_login, run)}, whom it had not failed as"))
    if breach.over:
        facts.append(("Over", f"since {time_of(breach.last_breach_at + run.window, run)}"))
    if note := ignore_note(breach, run):
        facts.append(("Ignore list", note))
    title = f"{name(breach.group)} [{breach.failures:,} times] {state(breach)}"
    return "\n".join([*_wrapped(title, later="  "), *_facts(facts, indent="    ")])


def _closing_block(breach: Breach, run: Evaluation) -> str:
    facts = [
        ("Threshold", f"last reached {time_of(breach.last_breach_at, run)}"),
        ("Over", f"since {time_of(breach.last_breach_at + run.window, run)}"),
    ]
    return "\n".join([*_wrapped(f"{name(breach.group)} over", later="  "), *_facts(facts, indent="    ")])


def _tail(alert: Alert) -> list[str]:
    verdict, run = alert.verdict, alert.run
    lines = []
    if left_out := verdict.told_groups - len(alert.told):
        lines.append(f"... and {count_groups(left_out, run)} more, less severe than those listed.")
    if left_out := verdict.over_groups - len(alert.over):
        lines.append(f"... and {count_groups(left_out, run)} more quiet again.")
    if verdict.held_back_groups:
        held_back = count_groups(verdict.held_back_groups, run)
        lines.append(f"{held_back} told of earlier still breached; no reminder is due.")
    if verdict.unchecked_groups:
        unchecked = count_groups(verdict.unchecked_groups, run)
        lines.append(
            f"Too many to compare all with the ignore list and the own thresholds: {unchecked} were not, and count as "
            "told."
        )
    if line := ignored(verdict, run):
        lines.append(line)
    return ["\n".join(_wrapped(line, later="  ")) for line in lines]


def _reached(breach: Breach, run: Evaluation) -> str:
    own = f"{breach.threshold:,} of its own, " if breach.threshold != run.settings.threshold else ""
    if breach.first_breach_at:
        return f"{own}reached {time_of(breach.first_breach_at, run)}"
    return f"{own}last reached {time_of(breach.last_breach_at, run)}, before the interval"


def _bar(parts: tuple[int, ...]) -> str:
    """Draw failures over the interval's parts: a dot for none, up to a full block for the most of all parts."""
    most = max(parts)
    return "".join(_BLOCKS[-(-number * (len(_BLOCKS) - 1) // most)] for number in parts)


def _login(login: Login, run: Evaluation) -> str:
    return f"{time_of(login.at, run)} as {shown(login.user)}"


def _interval(run: Evaluation) -> list[tuple[str, str]]:
    facts = [("Interval", str(run.interval))]
    if zone := run.settings.display_timezone:
        start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (run.interval.start, run.interval.end))
        facts.append(("Local time", f"{start:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S %Z}"))
    return facts


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
    if len(first) + len(text) <= COLUMNS:
        return [first + text]
    return textwrap.wrap(
        text, COLUMNS, initial_indent=first, subsequent_indent=later, break_on_hyphens=False, drop_whitespace=True
    )
