"""The rows of the statement as they go through XCom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import IntFlag
from typing import Any, TypedDict

from redshift_auth_alert.detection.coverage import judge_fleet
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import parse_utc
from redshift_auth_alert.settings.entries import matches_any

Row = list[Any]
# Columns of the log, the same in every row; at least one row always comes.
_LOG = (
    "source", "oldest_event_at", "newest_event_at", "all_failures", "shows_others", "unreadable_lines",
    "known_since", "breaching_groups", "breaching_at_threshold",
)  # fmt: skip
# What the marks and the fleet's coverage follow from.
_ONLY_READ = ("covered_warehouse", "breach_before_at")
# What the judgement reads of a row, after its group. All else is detail.
BRIEF = ("threshold", "failures", "most_at_failure", "most_before", "last_breach_at", "got_in_at", "marks")
# Characters. An application chooses its own name, and may choose a long one.
_CLIENT_SHOWN = 60


class Mark(IntFlag):
    """What is known of a group beside its counts. All marks take a few bytes in XCom."""

    ADMIN = 1  # one of its most tried users is an admin
    LOCKOUT = 2  # one of them may be locked out
    STRANGER = 4  # the log shows sign-ins from before the interval, and none is its own
    REPORTED = 8  # its breach was reported before, so it may be held back


class Candidates(TypedDict):
    """What the query found, ready for JSON: the ``log``'s columns, and one row per group and threshold.

    The ``log`` counts the ``unjudged`` groups too: they breached at the monitor's threshold and did not come back. Of a
    log that holds many warehouses, the coverage of each is judged already: all of it would take too much room. A row
    may be shorter than ``columns``: the details at its end are left out. ``totals`` are those of all candidates, and
    None where ``rows`` holds them all. ``judged_by`` and ``reported_since`` are those of the run: what was left out
    followed from them, so the check goes by them too.
    """

    log: dict[str, Any]
    columns: list[str]
    rows: list[Row]
    totals: dict[str, int] | None
    measured_by: str
    judged_by: str
    reported_since: str | None


def read_candidates(table: dict[str, list[Any]], run: Evaluation) -> Candidates:
    """Split the statement's ``table`` into the log's columns and the groups; times are ISO 8601 text.

    A pattern never reaches SQL, so each row's ``marks`` are added here.
    """
    named = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    log, fleet = named[0], None
    if run.source.fleet:
        of_warehouses = {row["covered_warehouse"]: row for row in named if row["covered_warehouse"] is not None}
        named = [row for row in named if row["covered_warehouse"] is None]
        log, fleet = named[0], asdict(judge_fleet(of_warehouses, run))
    held_back_from = run.held_back_from
    for row in named:
        row["marks"] = int(_marks(row, run, held_back_from))
        for client in run.CLIENTS:
            row[client] = row[client] and row[client][:_CLIENT_SHOWN]
    judged = [*run.settings.group_by, *BRIEF]
    # Counted here, as the same rows may be judged at other thresholds too: make tune does.
    came_back = sum(row["threshold"] == run.settings.threshold and row["first_breach_at"] is not None for row in named)
    unjudged = int(log["breaching_at_threshold"]) - came_back
    columns = judged + [name for name in table["columns"] if name not in (*_LOG, *_ONLY_READ, *judged)]
    return {
        "log": {name: log[name] for name in _LOG} | {"fleet": fleet, "unjudged": unjudged},
        "columns": columns,
        "rows": [[row[name] for name in columns] for row in named if row["threshold"] is not None],
        "totals": None,
        "measured_by": run.measured_by,
        "judged_by": run.judged_by,
        "reported_since": run.reported_since.isoformat() if run.reported_since else None,
    }


def is_admin(user: str, run: Evaluation) -> bool:
    """Return whether ``user`` is one of the monitor's admins."""
    return matches_any(run.settings.admin_users, user)


def is_federated(user: str) -> bool:
    """Return whether ``user`` signs in by IAM: it has no password, and another name than the log's."""
    return user.startswith(Evaluation.FEDERATED)


def may_be_locked_out(user: str, in_a_row: int, run: Evaluation) -> bool:
    """Return whether Redshift may have locked ``user`` after that many failures in a row.

    It locks no federated one, and nobody has a blank name.
    """
    limit = run.settings.lockout_after
    has_password = user.strip() and not is_federated(user)
    return bool(run.source.locks_out and limit is not None and has_password and in_a_row >= limit)


def _looks_back(known_since: str, run: Evaluation) -> bool:
    """Return whether the log reaches back a day before the interval.

    With less, a group without a sign-in need not be a stranger.
    """
    return not run.source.delivered or parse_utc(known_since) <= run.interval.start - timedelta(days=1)


def _marks(row: Mapping[str, Any], run: Evaluation, held_back_from: datetime) -> Mark:
    marks = Mark(0)
    if row["breach_before_at"] is not None and parse_utc(row["breach_before_at"]) >= held_back_from:
        marks |= Mark.REPORTED
    if row["known_since"] is not None and row["sign_ins"] == 0 and _looks_back(row["known_since"], run):
        marks |= Mark.STRANGER
    for place in run.LISTED:
        user = row[f"user_{place}"]
        if user is not None and is_admin(user, run):
            marks |= Mark.ADMIN
        if user is not None and may_be_locked_out(user, row[f"user_{place}_in_a_row"], run):
            marks |= Mark.LOCKOUT
    return marks
