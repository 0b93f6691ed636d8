"""The judgement. The one place where a count meets a threshold, and where it is decided what becomes of each group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, get_args

import numpy as np
import pandas as pd

from redshift_auth_alert.detection.candidates import (
    BRIEF,
    Candidates,
    Mark,
    is_admin,
    may_be_locked_out,
)
from redshift_auth_alert.detection.evaluation import PARTS, Evaluation
from redshift_auth_alert.detection.findings import (
    Breach,
    Client,
    Details,
    FailedAt,
    Known,
    Login,
    Totals,
    TriedUser,
    What,
)
from redshift_auth_alert.detection.interval import parse_utc

# The worst outcome first: this is also the order in which groups are kept and named.
_OUTCOMES = ("reported", "over", "held_back", "ignored")
# Among those with the same outcome, what comes first. The marks' names are those of Mark.
_WORST = ("critical", "admin", "lockout", "stranger", "most_at_failure", "failures")


def judge_rows(found: Candidates, run: Evaluation) -> tuple[list[int], dict[str, int]]:
    """Return the places of the rows that count in ``found``, the worst first, and the totals of all."""
    judged = _judge(found, run)
    return judged.index.tolist(), asdict(_count(judged, found))


def judge_breaches(found: Candidates, run: Evaluation) -> tuple[tuple[Breach, ...], Totals]:
    """Return the breaches in ``found``, the worst first, and the totals of all candidates."""
    judged = _judge(found, run)
    totals = Totals(**found["totals"]) if found["totals"] else _count(judged, found)
    columns = ["group", "outcome", "ongoing", "critical", "admin", "lockout", "stranger", "over", "entry"]
    judgements = judged[columns].reset_index(names="place")
    return tuple(_breach(found, run, row) for row in judgements.to_dict("records")), totals


def _judge(found: Candidates, run: Evaluation) -> pd.DataFrame:
    """Judge each group at the threshold that holds for it; groups that have nothing to say are left out."""
    groups = [_group(row, run) for row in found["rows"]]
    frame = pd.DataFrame([row[: len(BRIEF) + len(groups[0])] for row in found["rows"]])
    frame.columns = pd.Index([*groups[0], *BRIEF])
    in_force = pd.Series([_threshold(group, run) for group in groups])
    frame = frame.assign(group=pd.Series(groups))[frame["threshold"] == in_force].copy()

    breached = frame["most_at_failure"] >= frame["threshold"]
    frame["ongoing"] = frame["most_before"] >= frame["threshold"]
    frame["critical"] = frame["got_in_at"].notna()
    for mark in Mark:
        frame[str(mark.name).lower()] = (frame["marks"] & int(mark)) > 0
    last_breach = pd.to_datetime(frame["last_breach_at"], utc=True, format="ISO8601")
    frame["over"] = (last_breach < run.interval.end - run.window) & run.settings.notify_when_over
    entries = [_ignore_entry(*each, run) for each in zip(frame["group"], frame["critical"], strict=True)]
    frame["entry"] = [index for index, _ in entries]
    ignored = pd.Series([applies for _, applies in entries], index=frame.index, dtype=bool)

    to_report = breached | frame["critical"]
    held_back = breached & ~frame["critical"] & frame["reported"]
    over = frame["over"] & ~frame["critical"] & (held_back | ~breached)
    frame["outcome"] = np.select(  # the first that holds
        [ignored & to_report, ignored, over, held_back, to_report],
        ["ignored", None, "over", "held_back", "reported"],
        default=None,
    )

    frame = frame[frame["outcome"].notna()]
    order = {outcome: place for place, outcome in enumerate(_OUTCOMES)}
    return frame.assign(rank=frame["outcome"].map(order)).sort_values(
        ["rank", *_WORST, *groups[0]], ascending=[True, *(False for _ in _WORST), *(True for _ in groups[0])]
    )


def _group(row: list[Any], run: Evaluation) -> dict[str, str]:
    return dict(zip(run.settings.group_by, row, strict=False))


def _threshold(group: Mapping[str, str], run: Evaluation) -> int:
    """Return the threshold that holds for ``group``: that of the first entry that matches it, else the monitor's."""
    own = (entry.threshold for entry in run.settings.thresholds if entry.matches(group))
    return next(own, run.settings.threshold)


def _ignore_entry(group: Mapping[str, str], critical: bool, run: Evaluation) -> tuple[int, bool]:  # noqa: FBT001
    """Return an index into the ignore list, and whether that entry applies.

    It is that of the first entry that applies to the group, else of the first that matches it, else -1.
    """
    first = -1
    for index, entry in enumerate(run.settings.ignore):
        if entry.matches(group):
            if entry.holds_on(run.interval.last_day) and (not critical or entry.even_if_authenticated):
                return index, True
            first = index if first < 0 else first
    return first, False


def _count(judged: pd.DataFrame, found: Candidates) -> Totals:
    numbers = judged["outcome"].value_counts()
    reported = judged[judged["outcome"] == "reported"]
    ongoing = int(reported["ongoing"].sum())
    return Totals(
        new=len(reported) - ongoing,
        ongoing=ongoing,
        critical=int(reported["critical"].sum()),
        admin=int(reported["admin"].sum()),
        over=int(numbers.get("over", 0)),
        held_back=int(numbers.get("held_back", 0)),
        ignored=int(numbers.get("ignored", 0)),
        unjudged=found["log"]["unjudged"],
        lockouts=int(reported["lockout"].sum()),
        strangers=int(reported["stranger"].sum()),
    )


def _breach(found: Candidates, run: Evaluation, judged: Mapping[Any, Any]) -> Breach:
    columns, values = found["columns"], found["rows"][judged["place"]]
    row = dict(zip(columns, values, strict=False))
    last_breach_at = _moment(row["last_breach_at"])
    assert last_breach_at, "each row of the statement has a breach point"  # noqa: S101
    return Breach(
        group=judged["group"],
        outcome=judged["outcome"],
        failures=row["failures"],
        threshold=row["threshold"],
        ongoing=judged["ongoing"],
        critical=judged["critical"],
        admin=judged["admin"],
        over=judged["over"],
        last_breach_at=last_breach_at,
        entry=None if judged["entry"] < 0 else run.settings.ignore[judged["entry"]],
        details=_details(row, found["log"], run) if len(values) == len(columns) else None,
        stranger=judged["stranger"],
        lockout=judged["lockout"],
    )


def _details(row: Mapping[str, Any], log: Mapping[str, Any], run: Evaluation) -> Details:
    users = (_tried_user(row, f"user_{place}", run) for place in run.LISTED)
    return Details(
        parts=tuple(row[f"part_{part}"] for part in range(1, PARTS + 1)),
        peak=row["peak"],
        first_failure_at=_moment(row["first_failure_at"]),
        last_failure_at=_moment(row["last_failure_at"]),
        first_breach_at=_moment(row["first_breach_at"]),
        first_login=_login(row, "first_login"),
        got_in=_login(row, "got_in"),
        users_tried=row["users_tried"],
        own_failures=row["own_failures"],
        top_users=tuple(user for user in users if user),
        hosts=row["hosts"],
        known=_known(row, log),
        clients=tuple(_clients(row)),
        warehouses=row.get("warehouses", 0),
        top_warehouses=tuple(_warehouses(row)),
    )


def _tried_user(row: Mapping[str, Any], column: str, run: Evaluation) -> TriedUser | None:
    name, in_a_row = row[column], row[f"{column}_in_a_row"]
    if name is None:
        return None
    return TriedUser(
        name,
        row[f"{column}_failures"],
        in_a_row,
        _moment(row[f"{column}_since"]),
        admin=is_admin(name, run),
        may_be_locked_out=may_be_locked_out(name, in_a_row, run),
    )


def _known(row: Mapping[str, Any], log: Mapping[str, Any]) -> Known | None:
    since = _moment(log["known_since"])
    return Known(row["sign_ins"], since, _login(row, "last_sign_in")) if since else None


def _clients(row: Mapping[str, Any]) -> Iterator[Client]:
    for what in get_args(What):
        if value := row[f"client_{what}"]:
            yield Client(what, value, row[f"client_{what}_others"])


def _warehouses(row: Mapping[str, Any]) -> Iterator[FailedAt]:
    for place in Evaluation.LISTED:
        if (name := row.get(f"warehouse_{place}")) is not None:
            yield FailedAt(name, row[f"warehouse_{place}_failures"])


def _login(row: Mapping[str, Any], name: str) -> Login | None:
    at = _moment(row[f"{name}_at"])
    if at is None:
        return None
    failed = row.get(f"{name}_host_failed")
    host_failed = None if failed is None else bool(failed)
    return Login(at, row[f"{name}_user"], row.get(f"{name}_warehouse"), row.get(f"{name}_host"), host_failed)


def _moment(value: str | None) -> datetime | None:
    return None if value is None else parse_utc(value)
