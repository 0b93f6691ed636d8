"""What the log shows of the interval: seen, partial or unseen. Of a log that holds many warehouses, of each of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.findings import Coverage, Fleet, Gap
from redshift_auth_alert.detection.interval import Interval, format_utc, parse_utc
from redshift_auth_alert.settings.english import counted, listed
from redshift_auth_alert.settings.sources import SOURCES, Source

# How many gaps are kept for XCom and the JSON form, and how many a sentence names.
GAPS_KEPT, GAPS_NAMED = 100, 8
_NOTHING = {"oldest_event_at": None, "newest_event_at": None, "shows_others": 1}


def judge_coverage(log: Mapping[str, Any], interval: Interval) -> Coverage:
    """Return the coverage of ``interval`` from the measured columns of the ``log``."""
    source = SOURCES[log["source"]]
    fleet = _fleet(log["fleet"])
    verdict, reason = _seen(log, source, source.log, interval)
    if fleet and fleet.warehouses:
        verdict, reason = _all_seen(fleet, source)
    unreadable = int(log["unreadable_lines"])
    if unreadable:
        lines = f"{counted(unreadable, 'line')} of the scanned days could not be read"
        reason = f"{reason}; {lines}" if reason else lines
    behind = not source.delivered and bool(log["shows_others"]) and parse_utc(log["newest_event_at"]) < interval.end
    # Of a fleet that is seen in part, each warehouse has its own part: the reason names them.
    shown = None if fleet and verdict == "partial" else _shown(log, verdict, interval)
    return Coverage(log["source"], verdict, reason, unreadable, behind, fleet, shown)


def judge_fleet(logs: Mapping[str, Mapping[str, Any]], run: Evaluation) -> Fleet:
    """Return the coverage of each warehouse that there should be, from its measured columns in ``logs``.

    There should be those that the settings name, else all that the scanned days show.
    """
    expected = expected_warehouses(run) or sorted(logs)
    gaps = []
    for warehouse in expected:
        log = logs.get(warehouse, _NOTHING)
        verdict, reason = _seen(log, run.source, escaped_name(warehouse), run.interval)
        if verdict != "seen":
            gaps.append(Gap(warehouse, verdict, reason.split("; ")[0]))
    gaps.sort(key=lambda gap: gap.verdict != "unseen")
    unseen = sum(gap.verdict == "unseen" for gap in gaps)
    return Fleet(len(expected), unseen, len(gaps) - unseen, tuple(gaps[:GAPS_KEPT]))


def expected_warehouses(run: Evaluation) -> list[str]:
    """Return the warehouses that must be there: ``cluster``, else ``expect_warehouses``; empty where neither is set."""
    return [run.settings.cluster] if run.settings.cluster else list(dict.fromkeys(run.settings.expect_warehouses))


def escaped_name(warehouse: str) -> str:
    """Write a warehouse's name, which AWS allows few characters, so that it cannot pass for anything else."""
    return warehouse if re.fullmatch(r"[A-Za-z0-9_.-]+", warehouse) else ascii(warehouse)


def _fleet(judged: Mapping[str, Any] | None) -> Fleet | None:
    return Fleet(**{**judged, "gaps": tuple(Gap(**gap) for gap in judged["gaps"])}) if judged else None


def _all_seen(fleet: Fleet, source: Source) -> tuple[Literal["seen", "partial", "unseen"], str]:
    if not (fleet.unseen or fleet.partial):
        return "seen", ""
    parts = []
    for verdict, number, what in (
        ("unseen", fleet.unseen, "not evaluated"),
        ("partial", fleet.partial, "seen in part"),
    ):
        named = [gap.reason for gap in fleet.gaps if gap.verdict == verdict][:GAPS_NAMED]
        if number:
            of = f"{number:,} of {counted(fleet.warehouses, 'warehouse')} {'was' if number == 1 else 'were'}"
            parts.append(f"{of} {what}" + (f": {listed(named, number)}" if named else ""))
    advice = source.has_stopped if fleet.unseen else source.is_late
    return "unseen" if fleet.unseen == fleet.warehouses else "partial", "; ".join([*parts, advice])


def _seen(
    log: Mapping[str, Any], source: Source, name: str, interval: Interval
) -> tuple[Literal["seen", "partial", "unseen"], str]:
    if log["oldest_event_at"] is None:
        return "unseen", source.shows_nothing.format(log=name)
    if not log["shows_others"]:
        return "unseen", source.shows_only_own.format(log=name)
    oldest, newest = parse_utc(log["oldest_event_at"]), parse_utc(log["newest_event_at"])
    if oldest >= interval.end:
        return "unseen", source.begins_later.format(log=name, oldest=format_utc(oldest))
    if newest < interval.start:
        stopped = f"{name} has stopped: its newest event is of {format_utc(newest)} UTC, before the interval"
        return "unseen", f"{stopped}; {source.has_stopped}"
    bounds = [f"from {format_utc(oldest)} UTC on"] if oldest >= interval.start else []
    if newest < interval.end:  # later events may still be on their way; a live log would show this very sign-in
        bounds.append(f"up to {format_utc(newest)} UTC")
    if bounds:
        late = f"; {source.is_late}" if newest < interval.end else ""
        return "partial", f"{name} shows events {' and '.join(bounds)} only{late}"
    return "seen", ""


def _shown(log: Mapping[str, Any], verdict: str, interval: Interval) -> Interval | None:
    if verdict != "partial":
        return interval if verdict == "seen" else None
    start = max(parse_utc(log["oldest_event_at"]), interval.start)
    end = min(parse_utc(log["newest_event_at"]), interval.end)
    return Interval(start, end) if start < end else None  # of a single event
