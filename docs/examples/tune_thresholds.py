"""``make tune``: how many alerts each threshold would have given on past intervals, before it is set.

On MWAA, which has no shell, copy this file into ``dags/``, trigger the DAG by hand and read the task's log.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from airflow.exceptions import AirflowException
from airflow.sdk import DAG, Param, task
from croniter import croniter

from redshift_auth_alert.detection.candidates import read_candidates
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.detection.statement import statement
from redshift_auth_alert.detection.verdict import judge
from redshift_auth_alert.message.words import name
from redshift_auth_alert.settings.errors import AlertError, SettingsError
from redshift_auth_alert.settings.include import include_folder
from redshift_auth_alert.settings.monitors import DAG_ID, Monitor, load_monitors

THRESHOLDS = (5, 10, 20, 50, 100)
REMIND_EVERY_MINUTES = 240
GROUPS_SHOWN = 10
Query = Callable[[str, str], dict[str, list[Any]]]


@dataclass
class Tally:
    """What the thresholds would have given: alerts per day and threshold, and alerts per group and threshold."""

    days: list[date]
    remind_every_minutes: int
    intervals: int
    alerts: Counter[tuple[date, int]] = field(default_factory=Counter)
    with_reminders: Counter[tuple[date, int]] = field(default_factory=Counter)
    groups: dict[int, Counter[str]] = field(default_factory=lambda: {each: Counter() for each in THRESHOLDS})
    unseen: list[str] = field(default_factory=list)

    def numbers(self, days: Iterable[date], threshold: int) -> str:
        """Write the alerts of these days, each time and with reminders."""
        days = list(days)
        counted = (self.alerts, self.with_reminders)
        return " / ".join(f"{sum(alerts[day, threshold] for day in days):,}" for alerts in counted)


def past_intervals(schedule: str, until: datetime, days: int) -> list[Interval]:
    """Return the schedule's intervals of the last ``days`` days that end at or before ``until``, the oldest first."""
    ticks, first = croniter(schedule, until + timedelta(seconds=1)), until - timedelta(days=days)
    times: list[datetime] = []
    while not times or times[-1] > first:
        times.append(ticks.get_prev(datetime).astimezone(UTC))
    return [Interval(start, end) for start, end in pairwise(reversed(times)) if start >= first]


def tally(monitor: Monitor, intervals: Sequence[Interval], query: Query, include: Path) -> Tally:
    """Run the monitor's statement over each interval, and judge it at each threshold by the monitor's own rules.

    ``query`` takes the id of the connection and the statement.
    """
    own, now = monitor.settings, datetime.now(UTC)
    remind = own.remind_every_minutes or REMIND_EVERY_MINUTES
    days = list(dict.fromkeys(interval.start.date() for interval in intervals))
    found = Tally(days, remind, len(intervals))
    changed = {"remind_every_minutes": None, "notify_when_over": False, "threshold": THRESHOLDS[0]}
    settings = own.for_run({}).model_copy(update=changed)
    for interval in _progress(intervals):
        run = Evaluation(monitor.dag_id, "tune", "manual", settings, interval, tried_thresholds=THRESHOLDS)
        run = run.with_source(now)
        table = query(run.conn_id, statement(run, include))
        measured = read_candidates(table, run)
        reminded = read_candidates(table, _reminding(run, remind, intervals))
        for threshold in THRESHOLDS:
            tried = _with(run, threshold=threshold)
            verdict = judge(measured, tried)
            if not verdict.totals.reported:
                break  # nor would a higher threshold have reported anybody
            found.alerts[interval.start.date(), threshold] += 1
            found.groups[threshold].update(name(breach.group) for breach in verdict.having("reported"))
            if judge(reminded, _reminding(tried, remind, intervals)).totals.reported:
                found.with_reminders[interval.start.date(), threshold] += 1
        if verdict.coverage.verdict == "unseen":  # which is the same at each threshold
            found.unseen.append(f"{interval}: {verdict.coverage.reason}")
    return found


def _reminding(run: Evaluation, minutes: int, intervals: Sequence[Interval]) -> Evaluation:
    return replace(_with(run, remind_every_minutes=minutes), reported_since=intervals[0].start)


def _with(run: Evaluation, **changed: int) -> Evaluation:
    return replace(run, settings=run.settings.model_copy(update=changed))


def _progress(intervals: Sequence[Interval]) -> Iterable[Interval]:
    from rich.progress import track

    return track(intervals, description="Intervals", transient=True)


def show(found: Tally, monitor: Monitor, width: int | None) -> None:
    """Print the tables."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=width)
    console.print(f"{monitor.dag_id}: {found.intervals:,} intervals")
    alerts = Table(title=f"Alerts: in each interval / with a reminder every {found.remind_every_minutes} minutes")
    groups = Table(title="Alerts that name a group")
    alerts.add_column("day (UTC)")
    groups.add_column("group", overflow="fold")
    for threshold in THRESHOLDS:
        alerts.add_column(f"from {threshold}", justify="right")
        groups.add_column(f"from {threshold}", justify="right")
    for day in found.days:
        alerts.add_row(str(day), *(found.numbers([day], threshold) for threshold in THRESHOLDS))
    alerts.add_section()
    alerts.add_row("in all", *(found.numbers(found.days, threshold) for threshold in THRESHOLDS))
    console.print(alerts)

    named = sum(found.groups.values(), Counter[str]())
    for group, _ in named.most_common(GROUPS_SHOWN):
        groups.add_row(Text(group), *(f"{found.groups[threshold][group]:,}" for threshold in THRESHOLDS))
    if named:
        console.print(groups)
    if len(named) > GROUPS_SHOWN:
        console.print(f"and {len(named) - GROUPS_SHOWN:,} groups more, in fewer alerts")
    if found.unseen:
        console.print(
            f"{len(found.unseen):,} of {found.intervals:,} intervals are unseen and not counted; "
            f"the first: {found.unseen[0]}"
        )


def tune(include: Path, dag_id: str, *, days: int, until: datetime | None = None, width: int | None = None) -> None:
    """Print the tables for the last ``days`` days of a monitor up to ``until`` (by default now).

    Raises SettingsError where there is no such monitor, and AirflowException that says what to fix.
    """
    from redshift_auth_alert.tasks.operators import fetch_table
    from redshift_auth_alert.tasks.remedies import explained_errors
    from redshift_auth_alert.tasks.sign_in import choose_hook  # the drivers, which only its task should load

    monitors, problems = load_monitors(include / "monitors")
    monitor = next((each for each in monitors if each.dag_id == dag_id), None)
    if monitor is None:
        valid = f"no monitor {dag_id}; valid: {', '.join(each.dag_id for each in monitors)}"
        raise SettingsError("; ".join([valid, *problems]))

    def query(conn_id: str, sql: str) -> dict[str, list[Any]]:
        with explained_errors(conn_id):
            return dict(choose_hook(conn_id, [], **monitor.settings.sign_in).run(sql, handler=fetch_table))

    end = until or datetime.now(UTC) - timedelta(minutes=monitor.settings.settle_minutes)
    intervals = past_intervals(monitor.settings.schedule, end.astimezone(UTC), days)
    show(tally(monitor, intervals, query, include), monitor, width)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="make tune", description="How many alerts each threshold would have given.")
    parser.add_argument("--monitor", default=DAG_ID, help="id of the monitor's DAG; %(default)s by default")
    parser.add_argument("--days", type=int, default=7, choices=range(1, 32), metavar="1..31", help="how far back")
    parser.add_argument(
        "--until", type=datetime.fromisoformat, help="end, such as 2026-03-01T00:00:00Z; now by default"
    )
    parser.add_argument("--include", type=Path, default=Path("include"), help="folder of monitors and SQL")
    options = parser.parse_args(arguments)
    if options.until and options.until.tzinfo is None:
        parser.error(f"--until {options.until.isoformat()} has no time zone; add one, such as Z")
    try:
        tune(options.include, options.monitor, days=options.days, until=options.until)
    except (AlertError, AirflowException) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


with DAG(
    dag_id="tune_thresholds",
    schedule=None,
    params={"monitor": Param(DAG_ID, type="string"), "days": Param(7, type="integer", minimum=1, maximum=31)},
    tags=["redshift", "security"],
) as dag:

    @task(task_id="tune")
    def tune_monitor(params: Any = None) -> None:
        """Print the tables into the log."""
        tune(include_folder(__file__), params["monitor"], days=params["days"], width=100)

    tune_monitor()


if __name__ == "__main__":
    sys.exit(main())
