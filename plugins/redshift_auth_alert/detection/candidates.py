"""The rows of the statement on their way through XCom: what judging needs of each group, details of the worst."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from redshift_auth_alert.detection.coverage import judge_coverage
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Verdict

Row = list[Any]
# The columns that each row of the statement repeats, as at least one row always comes.
_LOG = (
    "source", "oldest_event_at", "newest_event_at", "all_failures", "shows_others", "unreadable_lines",
    "breaching_groups",
)  # fmt: skip
# What the judgement reads of a row, after its group. All else is detail.
BRIEF = ("threshold", "failures", "most_at_failure", "most_before", "last_breach_at", "got_in_at")
BUDGET = 250_000  # bytes of JSON
NAMED = 2_000


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


def fit_budget(found: Candidates, run: Evaluation) -> Candidates:
    """Return ``found`` as it may go to XCom: within BUDGET, where needed by leaving out details, then groups.

    Groups to be reported stay before those that are over, held back or ignored. That takes the judgement, where not all
    of ``found`` fits: the same function that the check calls.
    """
    if len(found["rows"]) <= NAMED and _size(found) <= BUDGET:
        return found
    from redshift_auth_alert.detection.judge import judge_rows  # pandas: seconds that a quiet run should not pay

    ordered, totals = judge_rows(found, run)
    kept: list[Row] = []
    left = BUDGET - _size({**found, "rows": [], "totals": totals})
    for place in ordered[:NAMED]:
        row = found["rows"][place]
        # Half of the budget is for details, so that they never displace a group.
        if len(kept) >= run.settings.max_groups or left - _size(row) < BUDGET // 2:
            row = row[: len(run.settings.group_by) + len(BRIEF)]
        left -= _size(row) + 2
        if left < 0:
            break
        kept.append(row)
    return {**found, "rows": kept, "totals": totals}


def judge(found: Candidates, run: Evaluation) -> Verdict:
    """Return the verdict on ``found``, in which nobody may have breached."""
    coverage = judge_coverage(found["log"], run.interval)
    failures = int(found["log"]["all_failures"])
    if not found["rows"]:
        return Verdict(coverage, failures)
    from redshift_auth_alert.detection.judge import judge_breaches  # as above

    breaches, totals = judge_breaches(found, run)
    return Verdict(coverage, failures, breaches, totals)


def _size(value: Any) -> int:
    return len(json.dumps(value))
