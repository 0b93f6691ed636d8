"""From the candidates to the verdict, and on the way, the cut to what XCom takes."""

from __future__ import annotations

import json
from typing import Any

from redshift_auth_alert.detection.candidates import BRIEF, Candidates, Row
from redshift_auth_alert.detection.coverage import judge_coverage
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Totals, Verdict

BUDGET = 250_000  # bytes of JSON
NAMED = 2_000


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
        size = _size(row) + 2
        if size <= left:  # a group with too long names displaces none after it
            left -= size
            kept.append(row)
    return {**found, "rows": kept, "totals": totals}


def judge(found: Candidates, run: Evaluation) -> Verdict:
    """Return the verdict on ``found``, in which nobody may have breached, or only groups with too long names."""
    coverage = judge_coverage(found["log"], run.interval)
    failures = int(found["log"]["all_failures"])
    if not found["rows"]:
        return Verdict(coverage, failures, totals=Totals(**found["totals"] or {}))
    from redshift_auth_alert.detection.judge import judge_breaches  # as above

    breaches, totals = judge_breaches(found, run)
    return Verdict(coverage, failures, breaches, totals)


def _size(value: Any) -> int:
    return len(json.dumps(value))
