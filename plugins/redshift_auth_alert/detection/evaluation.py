"""What one run evaluates and with which settings: a pure function of a monitor and a DAG run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, ClassVar, Protocol, get_args

from croniter import croniter

from redshift_auth_alert.detection.findings import What
from redshift_auth_alert.detection.interval import SKIPPED_MARK, Interval, IntervalError, choose_interval, format_utc
from redshift_auth_alert.settings.model import RunSettings
from redshift_auth_alert.settings.monitors import Monitor
from redshift_auth_alert.settings.sources import SOURCES, Source

PARTS = 12
# Rows: some tens of MB in the worker.
CANDIDATES = 10_000


class DagRun(Protocol):
    """What is read of Airflow's DAG run."""

    run_id: str
    run_type: Any
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    start_date: datetime | None
    conf: dict[str, Any] | None


@dataclass(frozen=True)
class Evaluation:
    """One run of one monitor: the settings in force and the interval.

    The statement is rendered from it, so the constants hold for SQL and Python.
    """

    #: Places of the users, and of the warehouses, that a row names.
    LISTED: ClassVar = range(1, 6)
    #: Columns of what a failure came with, where the log says so.
    CLIENTS: ClassVar = tuple(f"client_{what}" for what in get_args(What))
    #: How the log begins the name of a user that signed in by IAM, in capitals: "iam:x" is a user like any other.
    FEDERATED: ClassVar = ("IAM:", "IAMA:", "IAMR:")

    monitor: str
    run_id: str
    run_type: str
    settings: RunSettings
    interval: Interval
    #: Measured beside the thresholds in force, to learn what they would have given.
    tried_thresholds: tuple[int, ...] = ()
    #: Since when the runs before this one have, without a gap, reported what breached. None where there is none.
    reported_since: datetime | None = None
    #: Whether the run stands for intervals that were missed too long ago to be caught up.
    skipped: bool = False
    #: Spans the intervals that failed since a run succeeded.
    missing: Interval | None = None
    #: The warehouse's name in messages, where it is known.
    warehouse: str | None = None
    #: The run's page in Airflow for messages, where it is known.
    run_url: str | None = None

    @property
    def source(self) -> Source:
        """The log that the run reads. Call ``with_source`` first where the settings say auto."""
        return SOURCES[self.settings.source]

    @property
    def conn_id(self) -> str:
        """Id of the Airflow connection that queries the source."""
        return self.settings.read_through

    @property
    def connection_types(self) -> str:
        """The types that this connection may have, comma-separated."""
        return ",".join(self.source.connection_types)

    def with_source(self, started: datetime) -> Evaluation:
        """Return the evaluation with the source that auto stands for in a run that started then.

        Raises IntervalError where no source that the monitor names reaches the interval.
        """
        settings = self.settings
        if settings.source != "auto":
            return self
        source = choose_source(
            self.interval,
            started,
            window=self.window,
            recent=settings.auto_recent,
            past=settings.past_source,
            retention=timedelta(days=settings.retention_days),
        )
        return replace(self, settings=settings.model_copy(update={"source": source}))

    @property
    def thresholds(self) -> list[int]:
        """The distinct thresholds that the statement measures at, the lowest first."""
        own = (entry.threshold for entry in self.settings.thresholds)
        return sorted({self.settings.threshold, *own, *self.tried_thresholds})

    @property
    def max_candidates(self) -> int:
        """How many rows the statement returns at most, one for each group and threshold that it reached."""
        return CANDIDATES

    @property
    def window(self) -> timedelta:
        """The span W that a count covers."""
        return timedelta(minutes=self.settings.window_minutes)

    @property
    def scan_start(self) -> datetime:
        """Where the scanned range starts: a count at ``start - W`` looks back one more W."""
        return self.interval.start - 2 * self.window

    @property
    def scanned_days(self) -> tuple[date, date]:
        """First and last day of files that may hold the scanned range: a first file also holds the day before."""
        return self.scan_start.date(), self.interval.last_day + timedelta(days=1)

    @property
    def dated(self) -> tuple[date, date]:
        """From which day on, and before which, the events of the scanned days are."""
        first, last = self.scanned_days
        return first - timedelta(days=1), last + timedelta(days=1)

    @property
    def scanned_months(self) -> list[tuple[date, date]]:
        """The scanned days by month: the first and the last of each."""
        first, last = self.scanned_days
        days = [first + timedelta(days=day) for day in range((last - first).days + 1)]
        months = [list(of_month) for _, of_month in groupby(days, lambda day: (day.year, day.month))]
        return [(month[0], month[-1]) for month in months]

    @property
    def part_edges(self) -> list[datetime]:
        """The edges of the equal parts of the interval. Failures are counted in each."""
        length = self.interval.end - self.interval.start
        return [self.interval.start + length * part / PARTS for part in range(PARTS + 1)]

    @property
    def counted_column(self) -> str | None:
        """The column with the distinct values to count, None where failures are counted."""
        column = self.settings.count.removeprefix("distinct ")
        return None if column == "failures" else column

    @property
    def measured_by(self) -> str:
        """The settings that the statement's rows follow from, of those that a monitor file may change meanwhile."""
        settings = self.settings
        return f"{', '.join(settings.group_by)}; {settings.count}; {settings.window_minutes}; {self.thresholds}"

    @property
    def judged_by(self) -> str:
        """A digest of the settings in force. The run before reported for this one only if it went by the same."""
        in_force = tuple(entry for entry in self.settings.ignore if entry.holds_on(self.interval.last_day))
        settings = self.settings.model_copy(update={"ignore": in_force})
        return hashlib.sha256(settings.model_dump_json(exclude={"start", "end"}).encode()).hexdigest()[:16]

    @property
    def held_back_from(self) -> datetime:
        """From when on a breach point before the interval means that an ongoing breach was reported, so is held back.

        That is since the runs before reported all, and since the interval in which a reminder was due last. With */5, a
        reminder at 16:00 and the interval [16:10, 16:15), a group with a breach point in [16:00, 16:10) is held back.
        One that had its last at 15:50 is reminded of. Where nothing is held back, it is the interval's start.
        """
        start, period = self.interval.start, self.settings.remind_every_minutes
        if period is None or self.reported_since is None:
            return start
        reminder = self.interval.last_multiple_of(timedelta(minutes=period))
        if reminder >= start:
            return start
        reminded: datetime = croniter(self.settings.schedule, reminder + timedelta(seconds=1)).get_prev(datetime)
        return max(reminded, self.reported_since)


def run_type_of(dag_run: DagRun) -> str:
    """Return Airflow's type of a run, such as scheduled, manual or backfill."""
    return str(getattr(dag_run.run_type, "value", dag_run.run_type))


def evaluate_run(monitor: Monitor, dag_run: DagRun) -> Evaluation:
    """Return what ``dag_run`` evaluates, its source as the settings name it.

    Raises SettingsError or IntervalError before anything is queried.
    """
    settings = monitor.settings.for_run(dag_run.conf)
    run_type = run_type_of(dag_run)
    if settings.check_only and run_type == "backfill":
        raise IntervalError(
            "check_only is for manual runs: a backfill would check once for each interval; trigger one run"
        )
    interval = choose_interval(
        run_type=run_type,
        data_interval=(dag_run.data_interval_start, dag_run.data_interval_end),
        logical_date=dag_run.logical_date,
        run_after=dag_run.run_after,
        window=timedelta(minutes=settings.window_minutes),
        usual_window=timedelta(minutes=monitor.settings.window_minutes),
        start=settings.start,
        end=settings.end,
    )
    skipped = run_type == "scheduled" and interval.start.microsecond > 0
    if skipped:
        interval = replace(interval, start=interval.start - SKIPPED_MARK)
    return Evaluation(monitor.dag_id, dag_run.run_id, run_type, settings, interval, skipped=skipped)


def choose_source(
    interval: Interval,
    run_started: datetime,
    *,
    window: timedelta,
    recent: str,
    past: str | None,
    retention: timedelta,
) -> str:
    """Return ``recent`` for an interval that lies within ``retention`` before the run started, else ``past``.

    The window before the interval must lie within it too, as counts at the interval's start reach back there. With a
    retention of 6 days and a window of 30 minutes, a run started on the 8th at 09:00 reads [2nd 09:30, 2nd 10:00) from
    ``recent``, and [2nd 09:29, 2nd 10:00) from ``past``. Raises IntervalError where that is None.
    """
    kept_from = run_started - retention
    if interval.start - window >= kept_from:
        return recent
    if past is None:
        raise IntervalError(
            f"source auto: {interval} or the window before it begins before {format_utc(kept_from)} UTC, from when on "
            f"{recent} is relied on (retention_days: {retention.days}). audit_log_s3 reaches further back: name the "
            "Airflow connection to Athena as athena_conn_id, with namespace for sys_connection_log_s3, or increase "
            "retention_days"
        )
    return past
