"""Spans of time, in UTC and in the monitor's own zone."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.message.words import time_of


def span(first: datetime, last: datetime, run: Evaluation) -> str:
    """Write from when to when, in UTC and, where the monitor has a ``display_timezone``, in local time."""
    if first == last:
        return time_of(first, run)
    texts = [_span(first, last)]
    if zone := run.settings.display_timezone:
        start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (first, last))
        texts.append(_span(start, end, day=first.date()))
    return ", ".join(texts)


def _span(first: datetime, last: datetime, day: date | None = None) -> str:
    """Write two times with dates, but none that is ``day``, and none twice; with two zones where the clock changed."""
    dates = [f"{moment:%Y-%m-%d} " for moment in (first, last)]
    begin = ("" if first.date() == day else dates[0]) + f"{first:%H:%M:%S}{zone_if_other(first, last)}"
    return f"{begin} to {'' if dates[0] == dates[1] else dates[1]}{last:%H:%M:%S %Z}"


def zone_if_other(first: datetime, last: datetime) -> str:
    """Return the zone of a span's start where it is not that of the end, as the clock changed in between; else ''."""
    return f" {first:%Z}" if first.tzname() != last.tzname() else ""
