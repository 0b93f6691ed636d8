"""The timetable: cron intervals, run after a settle delay, with a bounded catch-up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval
from airflow.timetables.interval import CronDataIntervalTimetable

from redshift_auth_alert.detection.interval import SKIPPED_MARK

if TYPE_CHECKING:
    from airflow.timetables.base import TimeRestriction
    from airflow.utils.types import DagRunType


class SettledIntervalTimetable(CronDataIntervalTimetable):
    """Runs each interval between two cron ticks (UTC) once its log rows have settled.

    With ``*/30 * * * *`` and a settle delay of 5 minutes, [14:00, 14:30) runs at 14:35. After an outage from 14:10 to
    20:00 with a catch-up of 4 hours, the first that is caught up is the interval that was due at or after 16:00:
    [15:30, 16:00), due 16:05. Before it, one run stands for [14:00, 15:30), which is skipped, so that it is reported.
    The newest interval that is due runs however short the catch-up is.

    After a change of the schedule, the first interval begins where the last one ended.

    The DAG must say ``catchup=False``. Airflow then asks the timetable with ``restriction.catchup`` false for the
    automatic schedule alone, while a backfill always asks with it true: so the bound holds for the former only.
    """

    def __init__(self, cron: str, *, settle: timedelta, max_catchup: timedelta, window: timedelta) -> None:
        super().__init__(cron, timezone="UTC")
        self._settle = settle
        self._max_catchup = max_catchup
        self._window = window

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next interval, to be run ``settle`` after its end, or what is skipped before it."""
        last, by_backfill = last_automated_data_interval, restriction.catchup
        if not by_backfill:
            bound = self._oldest_caught_up(_now())
            earliest = bound if restriction.earliest is None else max(bound, restriction.earliest)
            if last and last.end < bound == earliest:
                skipped = DagRunInfo.interval(last.end + SKIPPED_MARK, bound)
                return skipped._replace(run_after=bound + self._settle)
            goes_on = last and last.end >= earliest
            restriction = restriction._replace(earliest=None if goes_on else earliest, catchup=True)
        info = super().next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        # Airflow aligns the end of the last interval to the schedule. After [14:00, 14:30), one that has become hourly
        # would go back to 14:00, where a run already is; so the next interval is [14:30, 15:00).
        if info and last and info.data_interval.start < last.end:
            info = DagRunInfo.interval(last.end, info.data_interval.end)
        if info is None:
            return None
        run_after = info.data_interval.end + self._settle
        if by_backfill:
            # Airflow names a backfill's run by this time alone, and leaves the run out if it knows the name. So each
            # minute since the interval's start adds a microsecond: no other interval has the same time, whatever the
            # schedule and the delay were before.
            run_after += timedelta(microseconds=(run_after - info.data_interval.start).total_seconds() // 60)
        return info._replace(run_after=run_after)

    def _oldest_caught_up(self, now: pendulum.DateTime) -> pendulum.DateTime:
        """Start of the oldest interval that was due within the catch-up, or of the newest that is due."""
        newest_due_end = self._align_to_prev(now - self._settle)
        oldest_end = self._align_to_next(now - self._settle - self._max_catchup)
        start: pendulum.DateTime = self._get_prev(min(newest_due_end, oldest_end))
        return start

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the window up to the trigger, which is what a manual run without overrides evaluates."""
        return DataInterval(start=run_after - self._window, end=run_after)

    def generate_run_id(
        self, *, run_type: DagRunType, run_after: pendulum.DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """Return a scheduled run's id: the start of its interval, plus a second. [14:00, 14:30) gives 14:00:01.

        Airflow takes the time from which on the run may start. After a shorter ``settle``, that is the same for two
        runs, which stops the scheduler. Two intervals never have one start; and with the second, which no schedule
        has, the id is none that Airflow gave before.
        """
        if run_type == "scheduled" and data_interval:
            run_after = data_interval.start.replace(second=1, microsecond=0)
        run_id: str = super().generate_run_id(
            run_type=run_type, run_after=run_after, data_interval=data_interval, **extra
        )
        return run_id

    @property
    def summary(self) -> str:
        """The cron expression and the delay, for Airflow's pages."""
        return f"{self._expression} + {self._settle // timedelta(minutes=1)} min"

    def serialize(self) -> dict[str, Any]:
        """Return what ``deserialize`` needs, as JSON."""
        return {
            "cron": self._expression,
            "settle": self._settle.total_seconds(),
            "max_catchup": self._max_catchup.total_seconds(),
            "window": self._window.total_seconds(),
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SettledIntervalTimetable:
        """Rebuild the timetable from ``serialize``'s result."""
        return settled_timetable(
            data["cron"], **{name: timedelta(seconds=data[name]) for name in ("settle", "max_catchup", "window")}
        )


# Airflow rebuilds a DAG's timetable about 17 times to write the DAG to its database, and each new one puts its cron
# expression into words, which takes longer than all else. So DAGs with the same times share one timetable.
@lru_cache(maxsize=1024)
def settled_timetable(
    cron: str, *, settle: timedelta, max_catchup: timedelta, window: timedelta
) -> SettledIntervalTimetable:
    """Return the timetable of these times."""
    return SettledIntervalTimetable(cron, settle=settle, max_catchup=max_catchup, window=window)


def _now() -> pendulum.DateTime:
    return pendulum.instance(datetime.now(UTC))
