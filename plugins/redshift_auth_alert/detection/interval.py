"""Which [start, end) a run evaluates. The result does not depend on when the run executes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from redshift_auth_alert.settings.errors import AlertError

MAX_RANGE = timedelta(days=31)
# The data interval of the run that stands for all skipped intervals begins this much late: so it cannot be taken for
# one of the schedule, and a backfill finds none of its dates taken.
SKIPPED_MARK = timedelta(microseconds=1)


class IntervalError(AlertError):
    """A run asks for an interval that cannot be evaluated."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A half-open span of time ``[start, end)`` in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0):
            raise IntervalError(f"the interval {self.start} to {self.end} is not in UTC")
        if self.start >= self.end:
            raise IntervalError(f"start {self.start.isoformat()} is not before end {self.end.isoformat()}")

    @property
    def last_day(self) -> date:
        """The day (UTC) of its last moment."""
        return (self.end - timedelta(microseconds=1)).date()

    def holds(self, other: Interval) -> bool:
        """Whether ``other`` lies within the interval."""
        return self.start <= other.start and other.end <= self.end

    def last_multiple_of(self, period: timedelta) -> datetime:
        """Return the last whole multiple of ``period`` since the epoch before the interval's end."""
        return self.next_multiple_of(period) - period

    def next_multiple_of(self, period: timedelta) -> datetime:
        """Return the first whole multiple of ``period`` since the epoch at or after the interval's end."""
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + -(-(self.end - epoch) // period) * period  # rounded up

    def __str__(self) -> str:
        return f"{format_utc(self.start)} to {format_utc(self.end)} UTC"


def format_utc(moment: datetime) -> str:
    """Write a moment in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def parse_utc(text: str) -> datetime:
    """Read a moment that the statement returned, which is in UTC without saying so."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def choose_interval(
    *,
    run_type: str,
    data_interval: tuple[datetime | None, datetime | None],
    logical_date: datetime | None,
    run_after: datetime,
    window: timedelta,
    usual_window: timedelta,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Interval:
    """Return the interval that a run evaluates.

    Scheduled and backfill runs evaluate their data interval. Any other run evaluates ``[start, end)``; where one of
    them is missing, the other is ``window`` away. With neither, it evaluates the data interval that was given by hand,
    else the window up to the run itself: for a run at 14:07 with a window of 30 minutes, [13:37, 14:07). A data
    interval of the monitor's ``usual_window`` up to the logical date is the timetable's, not given by hand.

    Raises IntervalError for a range that is empty, too long or not over yet, naming the values.
    """
    first, last = data_interval
    if run_type in ("scheduled", "backfill"):
        if start or end:
            raise IntervalError(
                f"start and end are for manual runs; a {run_type} run evaluates its own data interval. "
                "Choose the backfill's dates instead, or trigger a manual run"
            )
        if first is None or last is None:
            raise IntervalError(f"this {run_type} run has no data interval; clear it or run a backfill over its dates")
        return Interval(first.astimezone(UTC), last.astimezone(UTC))

    by_hand = first and last and (last != logical_date or last - first != usual_window)
    if start is None and end is None and by_hand:
        start, end = first, last
    if start is None:
        end = end or logical_date or run_after
        start = end - window
    elif end is None:
        end = start + window
    interval = Interval(start.astimezone(UTC), end.astimezone(UTC))
    if interval.end - interval.start > MAX_RANGE:
        raise IntervalError(
            f"{interval} is longer than {MAX_RANGE.days} days; ask for a shorter one, or run a backfill"
        )
    if interval.end > run_after:
        raise IntervalError(
            f"end {interval.end.isoformat()} is in the future of the run ({run_after.astimezone(UTC).isoformat()}): "
            "the log cannot show it yet; ask for an end that has passed"
        )
    return interval
