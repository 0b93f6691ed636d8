"""From the statement's rows to coverage and breaches. The only place where a count meets a threshold."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd

from redshift_auth_alert.evaluation import Evaluation
from redshift_auth_alert.interval import format_utc

_LOG_NAMES = {"stl_connection_log": "STL_CONNECTION_LOG", "sys_connection_log": "SYS_CONNECTION_LOG"}
_USERS_LISTED = 5


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the log shows of the interval: the verdict, and in words why it is not ``seen``."""

    verdict: Literal["seen", "partial", "unseen"]
    reason: str = ""
    visible_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A login of a group after its breach point."""

    at: datetime
    user: str


@dataclass(frozen=True, slots=True)
class Breach:
    """A group that breached, as measured in the interval; times in UTC.

    ``got_in`` is its first login as a user that it had failed as, ``first_login`` its first login as any user.
    """

    group: dict[str, str]
    failures: int
    peak: int
    ongoing: bool
    first_failure_at: datetime
    last_failure_at: datetime
    first_breach_at: datetime
    first_login: Login | None
    got_in: Login | None
    users_tried: int
    top_users: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run found. ``breaches`` holds those to tell, the worst first and at most ``max_groups`` of them.

    ``told`` counts all groups to tell, listed or not; ``held_back`` the ongoing ones that no reminder is due for.
    """

    coverage: Coverage
    breaches: tuple[Breach, ...]
    new_groups: int
    ongoing_groups: int
    told: int
    held_back: int


def judge(table: dict[str, list[Any]], run: Evaluation) -> Verdict:
    """Judge the statement's ``table`` (columns and rows) for ``run``."""
    frame = pd.DataFrame(table["rows"], columns=table["columns"])
    for column in frame.columns[frame.columns.str.endswith("_at")]:
        frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
    first = frame.iloc[0]

    measured = frame[frame["most_at_failure"].notna()]
    breaching = measured[measured["most_at_failure"] >= run.settings.threshold]
    ongoing = breaching["most_before"] >= run.settings.threshold
    new_groups, ongoing_groups = int(first["new_groups"]), int(first["ongoing_groups"])
    told, held_back = new_groups + ongoing_groups, 0
    if not run.reminder_due:
        breaching, ongoing = breaching[~ongoing], ongoing[~ongoing]
        told, held_back = new_groups, ongoing_groups
    worst = breaching.assign(ongoing=ongoing, kept_out=breaching["got_in_at"].isna()).sort_values(
        ["kept_out", "most_at_failure", "failures", *run.settings.group_by],
        ascending=[True, False, False, *(True for _ in run.settings.group_by)],
    )
    return Verdict(
        coverage=_coverage(first, run),
        breaches=tuple(
            _breach(row, run.settings.group_by) for row in worst.head(run.settings.max_groups).to_dict("records")
        ),
        new_groups=new_groups,
        ongoing_groups=ongoing_groups,
        told=told,
        held_back=held_back,
    )


def _breach(row: Mapping[Hashable, Any], group_by: tuple[str, ...]) -> Breach:
    return Breach(
        group={column: row[column] for column in group_by},
        failures=int(row["failures"]),
        peak=int(row["peak"]),
        ongoing=bool(row["ongoing"]),
        first_failure_at=_moment(row["first_failure_at"]),
        last_failure_at=_moment(row["last_failure_at"]),
        first_breach_at=_moment(row["first_breach_at"]),
        first_login=_login(row, "first_login"),
        got_in=_login(row, "got_in"),
        users_tried=int(row["users_tried"]),
        top_users=tuple(
            (row[f"user_{place}"], int(row[f"user_{place}_failures"]))
            for place in range(1, _USERS_LISTED + 1)
            if not pd.isna(row[f"user_{place}"])
        ),
    )


def _login(row: Mapping[Hashable, Any], name: str) -> Login | None:
    return None if pd.isna(row[f"{name}_at"]) else Login(_moment(row[f"{name}_at"]), row[f"{name}_user"])


def _moment(value: pd.Timestamp) -> datetime:
    return value.to_pydatetime().astimezone(UTC)


def _coverage(row: pd.Series, run: Evaluation) -> Coverage:
    log, interval = _LOG_NAMES[run.settings.source], run.interval
    oldest, newest = row["oldest_event_at"], row["newest_event_at"]
    if pd.isna(oldest):
        return Coverage("unseen", f"{log} shows no event at all; {_GRANT.format(log=log)}")
    if not row["shows_others"]:
        return Coverage("unseen", f"{log} shows only the monitor's own logins; {_GRANT.format(log=log)}")
    if oldest >= interval.end:
        return Coverage(
            "unseen",
            f"the interval has aged out of {log}, whose oldest event is of {format_utc(oldest)} UTC "
            "(it keeps about 7 days); the audit log that Redshift delivers to S3 reaches further back, where it is on",
        )
    if newest < interval.start:
        return Coverage(
            "unseen",
            f"{log} has stopped: its newest event is of {format_utc(newest)} UTC, before the interval; "
            "check the cluster, then clear this run",
        )
    if oldest >= interval.start:
        return Coverage("partial", f"{log} shows events from {format_utc(oldest)} UTC on only", _moment(oldest))
    return Coverage("seen")


_GRANT = "give the monitor's user the right to read it (GRANT SELECT ON {log} or GRANT ROLE sys:monitor)"
