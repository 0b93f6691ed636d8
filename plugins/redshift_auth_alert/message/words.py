"""The words that the forms share. Names out of the log are an attacker's text: see ``shown``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Breach, Details, Verdict
from redshift_auth_alert.detection.interval import format_utc
from redshift_auth_alert.settings.english import counted, listed
from redshift_auth_alert.settings.model import Settings

IGNORED_NAMED = 5
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:@$%+/\[\]-]+")
_REACHED = {
    "failures": "{} authentication failures",
    "distinct user_name": "authentication failures as {} users",
    "distinct remote_host": "authentication failures from {} remote hosts",
    "distinct database_name": "authentication failures at {} databases",
}
UNITS = {
    "failures": "failures",
    "distinct user_name": "users",
    "distinct remote_host": "remote hosts",
    "distinct database_name": "databases",
}
_COLUMN_WORDS = {
    "remote_host": "remote host", "user_name": "user", "database_name": "database", "warehouse": "warehouse",
}  # fmt: skip


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


def name(group: Mapping[str, str], write: Callable[[str], str] = shown) -> str:
    """Write a group: its value, or each of its values with its column; each value by ``write``."""
    if len(group) == 1:
        return write(next(iter(group.values())))
    return " ".join(f"{column}={write(value)}" for column, value in group.items())


def state(breach: Breach) -> str:
    """Say whether a breach is new or ongoing, whether it got in or tried an admin, and whether it is over."""
    if breach.outcome == "over":
        return "over"
    facts = {"GOT IN": breach.critical, "tried an admin": breach.admin, "over": breach.over}
    return ", ".join(["ongoing" if breach.ongoing else "new", *(word for word, holds in facts.items() if holds)])


def line(breach: Breach) -> str:
    """Name a breach in one line."""
    times = "" if breach.outcome == "over" else f" [{breach.failures:,} times]"
    return f"{name(breach.group)}{times} {state(breach)}"


def count_groups(number: int, run: Evaluation, which: str = "") -> str:
    """Write a number of groups, in the words of what they are, and ``which`` before these."""
    columns = run.settings.group_by
    word = _COLUMN_WORDS[columns[0]] if len(columns) == 1 else "group"
    return counted(number, f"{which}{word}")


def time_of(moment: datetime, run: Evaluation) -> str:
    """Write a moment in UTC and, where the monitor has a ``display_timezone``, in local time."""
    zone = run.settings.display_timezone
    if zone is None:
        return f"{format_utc(moment)} UTC"
    local = moment.astimezone(ZoneInfo(zone))
    same_day = local.date() == moment.date()
    return f"{format_utc(moment)} UTC, {local:{'%H:%M:%S %Z' if same_day else '%Y-%m-%d %H:%M:%S %Z'}}"


def locked_out(run: Evaluation) -> str:
    """Say of a group that a user may be locked out: of a group by user, that is the user itself."""
    return "may be locked out" if run.settings.group_by == ("user_name",) else "may have locked users out"


def reached(settings: Settings) -> str:
    """Say what a group does that reaches the monitor's threshold."""
    return _REACHED[settings.count].format(f"{settings.threshold:,} or more")


def opening(verdict: Verdict, run: Evaluation) -> list[str]:
    """Say in a sentence or two what was found."""
    settings, totals = run.settings, verdict.totals
    window = counted(settings.window_minutes, "minute")
    if not (totals.reported or totals.over or verdict.coverage.verdict == "partial"):
        again = "The monitor works again. " if run.missing else ""
        return [f"{again}This interval was evaluated and has nothing to report."]
    if not (totals.reported or totals.over):
        return ["The log shows only a part of the interval. That part has nothing to report; the rest is unknown."]
    if not totals.reported:
        return [f"{count_groups(totals.over, run)} quiet again: below the threshold for {window}."]
    own = " (some have their own threshold)" if settings.thresholds else ""
    sentences = [f"{count_groups(totals.reported, run)} with {reached(settings)}{own} within {window}."]
    facts = (
        (totals.critical, "GOT IN: signed in as a user that it had failed as."),
        (totals.admin, "tried to sign in as an admin."),
        (totals.lockouts, f"{locked_out(run)}."),
        (totals.strangers, "had no earlier sign-in in the log."),
    )
    only = totals.reported == 1
    return sentences + [f"{'It' if only else f'{number:,} of them'} {says}" for number, says in facts if number]


def interval(verdict: Verdict, run: Evaluation) -> str:
    """Write the interval, and that the log shows all of it. Where there is more to say, the coverage says it."""
    coverage = verdict.coverage
    return f"{run.interval}{', seen in full' if coverage.verdict == 'seen' and not coverage.reason else ''}"


def peak(details: Details, run: Evaluation) -> str:
    """Write the most that was counted in any window."""
    return f"{details.peak:,} {UNITS[run.settings.count]} within {counted(run.settings.window_minutes, 'minute')}"


def peak_number(details: Details, run: Evaluation) -> str:
    """Write the most that was counted in any window, in short."""
    unit = "" if run.settings.count == "failures" else f" {UNITS[run.settings.count].removeprefix('remote ')}"
    return f"{details.peak:,}{unit}"


def tried(details: Details, write: Callable[[str], str] = shown) -> str:
    """Write the users that were tried most, each by ``write``, which are admins, and how many more there were."""
    users = ", ".join(
        f"{write(user.name)} ({user.failures:,}{', an admin' if user.admin else ''})" for user in details.top_users
    )
    more = details.users_tried - len(details.top_users)
    return users + (f" and {counted(more, 'more user')}" if more else "")


def lockouts(details: Details, write: Callable[[str], str] = shown) -> str:
    """Say which of the users that were tried most may be locked out, each by ``write``; '' where none may."""
    locked = [
        f"{write(user.name)} ({user.in_a_row:,} or more failures in a row)"
        for user in details.top_users
        if user.may_be_locked_out
    ]
    return f"{', '.join(locked)} may be locked out" if locked else ""


def own(details: Details) -> str:
    """Say how many of a group's failures are the monitor's own; '' where none is."""
    return f"{details.own_failures:,} of these failures are this monitor's own" if details.own_failures else ""


def known(details: Details, run: Evaluation, write: Callable[[str], str] = shown) -> str:
    """Say whether a group has signed in before, with the day since when the log shows it; '' where it shows nothing."""
    known = details.known
    if known is None:
        return ""
    since = f"since {known.since:%Y-%m-%d}"
    if known.last is None:
        return f"never signed in here before ({'scanned days' if run.source.delivered else 'log'} {since})"
    if run.source.delivered:
        since = f"in the scanned days, {since}"
    at = known.last.at
    last = f"{at:%H:%M}" if at.date() == run.interval.start.date() else f"{at:%Y-%m-%d %H:%M}"
    return f"{counted(known.sign_ins, 'sign-in')} {since}, last {last} UTC as {write(known.last.user)}"


def clients(details: Details, write: Callable[[str], str] = shown) -> str:
    """Write what most of a group's failures came with, and how many other values there were; '' where nobody knows."""
    return ", ".join(
        write(client.value) + (f" (+{client.others:,})" if client.others else "") for client in details.clients
    )


def ignored(verdict: Verdict, run: Evaluation, write: Callable[[str], str] = shown) -> str:
    """Name the ignored groups that breached, each by ``write``, with the reasons; '' where none did."""
    number = verdict.totals.ignored
    if not number:
        return ""
    named = [
        f"{name(each.group, write)} ({each.failures:,} times{', GOT IN' if each.critical else ''}; {each.entry.reason})"
        for each in verdict.having("ignored")[:IGNORED_NAMED]
        if each.entry
    ]
    return f"Ignored, though they reached the threshold: {count_groups(number, run)}: {listed(named, number)}."


def ignore_note(breach: Breach, run: Evaluation) -> str:
    """Say why a group that matches an entry of the ignore list is reported; '' where none matches."""
    entry = breach.entry
    if entry is None:
        return ""
    if entry.holds_on(run.interval.last_day):
        return f"matches an entry ({entry.reason}), but got in"
    return f"matches an entry ({entry.reason}) that expired on {entry.until}"


def notes(verdict: Verdict, run: Evaluation, write: Callable[[str], str] = shown) -> list[str]:
    """Say what is not reported, and why: groups held back, not judged or ignored, and failed intervals."""
    totals, lines = verdict.totals, []
    if run.missing and run.interval.holds(run.missing):
        lines.append("This interval failed before and is now evaluated.")
    elif run.missing:
        lines.append(
            f"Earlier runs failed. Some intervals within {run.missing} were not evaluated or not reported. In those "
            "runs, clear query_auth_failures and the tasks after it."
        )
    if totals.held_back:
        period = timedelta(minutes=run.settings.remind_every_minutes or 0)
        reminder = format_utc(run.interval.next_multiple_of(period))
        held_back = count_groups(totals.held_back, run)
        lines.append(f"{held_back} already reported and still over the threshold; next reminder at {reminder} UTC.")
    if totals.unjudged:
        more = count_groups(totals.unjudged, run, "more ")
        lines.append(
            f"{more} reached the threshold, beyond the {run.max_candidates:,} rows that the query returns: reported "
            "without applying the ignore list, own thresholds and reminders."
        )
    if text := ignored(verdict, run, write):
        lines.append(text)
    return lines
