"""What the log shows of the interval: seen, partial or unseen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from redshift_auth_alert.detection.findings import Coverage
from redshift_auth_alert.detection.interval import Interval, format_utc
from redshift_auth_alert.settings.sources import SOURCES, Source


def judge_coverage(log: Mapping[str, Any], interval: Interval) -> Coverage:
    """Return the coverage of ``interval`` from the measured columns of the ``log``."""
    verdict, reason = _seen(log, SOURCES[log["source"]], interval)
    unreadable = int(log["unreadable_lines"])
    if unreadable:
        lines = f"{unreadable:,} line{'' if unreadable == 1 else 's'} of the scanned days could not be read"
        reason = f"{reason}; {lines}" if reason else lines
    return Coverage(log["source"], verdict, reason, unreadable)


def _seen(
    log: Mapping[str, Any], source: Source, interval: Interval
) -> tuple[Literal["seen", "partial", "unseen"], str]:
    name = source.log
    if log["oldest_event_at"] is None:
        return "unseen", source.shows_nothing.format(log=name)
    if not log["shows_others"]:
        return "unseen", source.shows_only_own.format(log=name)
    oldest, newest = (
        datetime.fromisoformat(log[column]).replace(tzinfo=UTC) for column in ("oldest_event_at", "newest_event_at")
    )
    if oldest >= interval.end:
        return "unseen", source.begins_later.format(log=name, oldest=format_utc(oldest))
    if newest < interval.start:
        stopped = f"{name} has stopped: its newest event is of {format_utc(newest)} UTC, before the interval"
        return "unseen", f"{stopped}; {source.has_stopped}"
    bounds = [f"from {format_utc(oldest)} UTC on"] if oldest >= interval.start else []
    if source.delivered and newest < interval.end:  # later events may be in a file that has not arrived yet
        bounds.append(f"up to {format_utc(newest)} UTC")
    if bounds:
        return "partial", f"{name} shows events {' and '.join(bounds)} only"
    return "seen", ""
