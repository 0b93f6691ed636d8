"""Which groups the ignore list and the own thresholds select, and what that makes of the statement's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redshift_auth_alert.detection.evaluation import Evaluation

_TOTALS = ("new_groups", "ongoing_groups", "critical_groups", "ongoing_critical_groups", "over_groups")


def own_threshold(group: Mapping[str, str], run: Evaluation) -> int:
    """Return the threshold in force for ``group``: that of the first entry that selects it, else the monitor's."""
    own = (entry.threshold for entry in run.settings.thresholds if entry.matches(group))
    return next(own, run.settings.threshold)


def select(table: dict[str, list[Any]], run: Evaluation) -> dict[str, list[Any]]:
    """Keep of the statement's ``table`` what the threshold check needs: each group once, at its own threshold.

    Rows come out the worst first, at most ``max_groups`` told and as many ignored, with two columns more: ``entry``,
    the index of the ignore entry that selects the group, and ``ignored``. The totals are those of the groups not
    ignored; ``ignored_groups`` and ``unchecked_groups`` join them, the latter being groups that did not come back:
    they are counted as told, as if no entry selected them.
    """
    rows: list[dict[str, Any]] = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    left_out = {row["threshold"]: {name: row[name] for name in _TOTALS} for row in rows}
    for row in rows:
        for name, number in _counts(row).items():
            left_out[row["threshold"]][name] -= number
    totals = left_out.get(run.settings.threshold, dict.fromkeys(_TOTALS, 0))
    unchecked = max(each["new_groups"] + each["ongoing_groups"] for each in left_out.values()) if run.selects else 0

    told, ignored = [], []
    for row in rows:
        if row["threshold"] is None:  # the row that holds the coverage alone
            continue
        group: dict[str, str] = {column: row[column] for column in run.settings.group_by}
        if row["threshold"] == own_threshold(group, run):
            entry, hides = _ignore_entry(group, row, run)
            judged = row | {"entry": entry, "ignored": hides}
            if not hides:
                told.append(judged)
                totals = {name: totals[name] + number for name, number in _counts(row).items()}
            elif not row["closing"]:
                ignored.append(judged)

    totals |= {"ignored_groups": len(ignored), "unchecked_groups": unchecked}
    worst_first = [
        row
        for some in (told, ignored)
        for row in sorted(some, key=lambda row: _severity(row, run))[: run.settings.max_groups]
    ]
    coverage_alone = rows[0] | {"threshold": None, "entry": None, "ignored": False}
    kept = [row | totals for row in worst_first or [coverage_alone]]
    return {"columns": list(kept[0]), "rows": [list(row.values()) for row in kept]}


def _ignore_entry(group: Mapping[str, str], row: Mapping[str, Any], run: Evaluation) -> tuple[int | None, bool]:
    """Return the index of the ignore entry that hides the group, else of the first that selects it; and which it is."""
    first = None
    for index, entry in enumerate(run.settings.ignore):
        if entry.matches(group):
            if entry.holds_on(run.interval.last_day) and (row["got_in_at"] is None or entry.even_if_authenticated):
                return index, True
            first = index if first is None else first
    return first, False


def _counts(row: Mapping[str, Any]) -> dict[str, int]:
    """Return what one row adds to the totals."""
    if row["threshold"] is None:
        return dict.fromkeys(_TOTALS, 0)
    closing, critical = bool(row["closing"]), row["got_in_at"] is not None
    ongoing = row["most_before"] >= row["threshold"]
    flags = (not ongoing and not closing, ongoing and not closing, critical, ongoing and critical, closing)
    return dict(zip(_TOTALS, map(int, flags), strict=True))


def _severity(row: Mapping[str, Any], run: Evaluation) -> tuple[Any, ...]:
    kept_out = row["got_in_at"] is None
    held_back = not run.reminder_due and kept_out and row["most_before"] >= row["threshold"]
    group = [row[column] for column in run.settings.group_by]
    return row["closing"], held_back, kept_out, -row["most_at_failure"], -row["failures"], group
