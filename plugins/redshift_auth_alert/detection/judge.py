"""From the statement's rows to coverage and breaches. The only place where a count meets a threshold."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd

from redshift_auth_alert.detection.evaluation import PARTS, Evaluation
from redshift_auth_alert.detection.interval import format_utc
from redshift_auth_alert.settings.entries import Ignore
from redshift_auth_alert.settings.sources import SOURCES

_USERS_LISTED = 5


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the log ``source`` shows of the interval: the verdict, and in words why it is not ``seen``.

    ``unreadable_lines`` are lines of the scanned days that hold no event's time; they are told in ``reason`` too.
    """

    source: str
    verdict: Literal["seen", "partial", "unseen"]
    reason: str = ""
    unreadable_lines: int = 0


@dataclass(frozen=True, slots=True)
class Login:
    """A login of a group after its breach point."""

    at: datetime
    user: str


@dataclass(frozen=True, slots=True)
class Breach:
    """A group that breached, as measured in the interval; times in UTC.

    ``parts`` are its failures in each of the equal parts of the interval, ``got_in`` is its first login as a user that
    it had failed as, ``first_login`` its first login as any user. A group that breached before the interval and is
    here because it got in since, or because it is over, may have no failure and no breach point in the interval.
    ``entry`` is the ignore entry that selects it, though it may not hold.
    """

    group: dict[str, str]
    failures: int
    parts: tuple[int, ...]
    peak: int
    threshold: int
    ongoing: bool
    over: bool
    first_failure_at: datetime | None
    last_failure_at: datetime | None
    first_breach_at: datetime | None
    last_breach_at: datetime
    first_login: Login | None
    got_in: Login | None
    users_tried: int
    top_users: tuple[tuple[str, int], ...]
    entry: Ignore | None = None

    @property
    def critical(self) -> bool:
        """Whether it got in as a user that it had failed as, which is the worst case."""
        return self.got_in is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run found. ``failures`` are all of the interval, whosever they are.

    ``to_tell``, ``held_back`` (ongoing breaches that no reminder is due for; a critical one never is) and ``closing``
    (what is over and not told as breaching) hold at most ``max_groups`` breaches together, the worst first,
    ``ignored`` as many. The numbers of groups count all of them, listed or not, without the ignored ones;
    ``unchecked_groups`` of them were not compared with the entries of ``ignore`` and ``thresholds``.
    """

    coverage: Coverage
    failures: int
    to_tell: tuple[Breach, ...]
    held_back: tuple[Breach, ...]
    closing: tuple[Breach, ...]
    ignored: tuple[Breach, ...]
    new_groups: int
    ongoing_groups: int
    critical_groups: int
    held_back_groups: int
    over_groups: int
    ignored_groups: int
    unchecked_groups: int

    @property
    def told_groups(self) -> int:
        """How many groups are to be told as breaching."""
        return self.new_groups + self.ongoing_groups - self.held_back_groups

    @property
    def says_something(self) -> bool:
        """Whether there is anything to publish."""
        return self.told_groups + self.over_groups > 0


def judge(table: dict[str, list[Any]], run: Evaluation) -> Verdict:
    """Judge the ``table`` (columns and rows, the worst first) of the query for ``run``."""
    frame = pd.DataFrame(table["rows"], columns=table["columns"])
    for column in frame.columns[frame.columns.str.endswith("_at")]:
        frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
    first = frame.iloc[0]

    frame = frame[frame["threshold"].notna()]
    breached_before = frame["most_before"] >= frame["threshold"]
    reached = (frame["most_at_failure"] >= frame["threshold"]) | (breached_before & frame["got_in_at"].notna())
    over = (frame["last_breach_at"] < run.interval.end - run.window) & run.settings.notify_when_over
    closing = frame["closing"].astype(bool)
    ignored = frame["ignored"].astype(bool)
    found = [_breach(row, run) for row in frame.assign(ongoing=breached_before, over=over).to_dict("records")]

    def breaches(rows: pd.Series) -> tuple[Breach, ...]:
        return tuple(each for each, chosen in zip(found, rows, strict=True) if chosen)

    listed = breaches(reached & ~closing & ~ignored)
    held_back = tuple(each for each in listed if each.ongoing and not (run.reminder_due or each.critical))
    may_hold_back = int(first["ongoing_groups"]) - int(first["ongoing_critical_groups"])
    return Verdict(
        coverage=_coverage(first, run),
        failures=int(first["all_failures"]),
        to_tell=tuple(each for each in listed if each not in held_back),
        held_back=held_back,
        closing=breaches(closing & over & ~ignored),
        ignored=breaches(ignored),
        new_groups=int(first["new_groups"]),
        ongoing_groups=int(first["ongoing_groups"]),
        critical_groups=int(first["critical_groups"]),
        held_back_groups=0 if run.reminder_due else may_hold_back,
        over_groups=int(first["over_groups"]),
        ignored_groups=int(first["ignored_groups"]),
        unchecked_groups=int(first["unchecked_groups"]),
    )


def _breach(row: Mapping[Hashable, Any], run: Evaluation) -> Breach:
    return Breach(
        group={column: row[column] for column in run.settings.group_by},
        failures=int(row["failures"]),
        parts=tuple(int(row[f"part_{part}"]) for part in range(1, PARTS + 1)),
        peak=int(row["peak"]),
        threshold=int(row["threshold"]),
        ongoing=bool(row["ongoing"]),
        over=bool(row["over"]),
        first_failure_at=_moment(row["first_failure_at"]),
        last_failure_at=_moment(row["last_failure_at"]),
        first_breach_at=_moment(row["first_breach_at"]),
        last_breach_at=row["last_breach_at"].to_pydatetime().astimezone(UTC),
        first_login=_login(row, "first_login"),
        got_in=_login(row, "got_in"),
        users_tried=int(row["users_tried"]),
        top_users=tuple(
            (row[f"user_{place}"], int(row[f"user_{place}_failures"]))
            for place in range(1, _USERS_LISTED + 1)
            if not pd.isna(row[f"user_{place}"])
        ),
        entry=None if pd.isna(row["entry"]) else run.settings.ignore[int(row["entry"])],
    )


def _login(row: Mapping[Hashable, Any], name: str) -> Login | None:
    at = _moment(row[f"{name}_at"])
    return None if at is None else Login(at, row[f"{name}_user"])


def _moment(value: pd.Timestamp) -> datetime | None:
    return None if pd.isna(value) else value.to_pydatetime().astimezone(UTC)


def _coverage(row: pd.Series, run: Evaluation) -> Coverage:
    verdict, reason = _seen(row, run)
    unreadable = int(row["unreadable_lines"])
    if unreadable:
        lines = f"{unreadable:,} line{'' if unreadable == 1 else 's'} of the scanned days could not be read"
        reason = f"{reason}; {lines}" if reason else lines
    return Coverage(row["source"], verdict, reason, unreadable)


def _seen(row: pd.Series, run: Evaluation) -> tuple[Literal["seen", "partial", "unseen"], str]:
    source, interval = SOURCES[row["source"]], run.interval
    log, oldest, newest = source.log, row["oldest_event_at"], row["newest_event_at"]
    if pd.isna(oldest):
        return "unseen", source.shows_nothing.format(log=log)
    if not row["shows_others"]:
        return "unseen", source.shows_only_own.format(log=log)
    if oldest >= interval.end:
        return "unseen", source.begins_later.format(log=log, oldest=format_utc(oldest))
    if newest < interval.start:
        stopped = f"{log} has stopped: its newest event is of {format_utc(newest)} UTC, before the interval"
        return "unseen", f"{stopped}; {source.has_stopped}"
    bounds = [f"from {format_utc(oldest)} UTC on"] if oldest >= interval.start else []
    if source.delivered and newest < interval.end:  # what came after it may be in a file that is still on its way
        bounds.append(f"up to {format_utc(newest)} UTC")
    if bounds:
        return "partial", f"{log} shows events {' and '.join(bounds)} only"
    return "seen", ""
