"""The rows of the statement as they go through XCom."""

from __future__ import annotations

from typing import Any, TypedDict

from redshift_auth_alert.detection.evaluation import Evaluation

Row = list[Any]
# The columns that each row of the statement repeats, as at least one row always comes.
_LOG = (
    "source", "oldest_event_at", "newest_event_at", "all_failures", "shows_others", "unreadable_lines",
    "breaching_groups",
)  # fmt: skip
# What the judgement reads of a row, after its group. All else is detail.
BRIEF = ("threshold", "failures", "most_at_failure", "most_before", "last_breach_at", "got_in_at")


class Candidates(TypedDict):
    """What the query found, ready for JSON: the ``log``'s columns, and one row per group and threshold.

    A row may be shorter than ``columns``: the details at its end are left out. ``totals`` are those of all candidates,
    and None where ``rows`` holds them all.
    """

    log: dict[str, Any]
    columns: list[str]
    rows: list[Row]
    totals: dict[str, int] | None


def read_candidates(table: dict[str, list[Any]], run: Evaluation) -> Candidates:
    """Split the statement's ``table`` into the log's columns and the groups; times are ISO 8601 text."""
    named = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    judged = [*run.settings.group_by, *BRIEF]
    columns = judged + [name for name in table["columns"] if name not in (*_LOG, *judged)]
    return {
        "log": {name: named[0][name] for name in _LOG},
        "columns": columns,
        "rows": [[row[name] for name in columns] for row in named if row["threshold"] is not None],
        "totals": None,
    }
