"""``python -m redshift_auth_alert.tasks.tune``: how many alerts each threshold would have given before it is set.

Runs the monitor's own statement over its past intervals, and judges each by the monitor's own rules.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from airflow.exceptions import AirflowException
from croniter import croniter
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from redshift_auth_alert.detection.candidates import judge, read_candidates
from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.detection.statement import statement
from redshift_auth_alert.message.words import name
from redshift_auth_alert.settings.errors import AlertError, SettingsError
from redshift_auth_alert.settings.monitors import DAG_ID, Monitor, load_monitors
from redshift_auth_alert.tasks.operators import fetch_table
from redshift_auth_alert.tasks.remedies import explained_errors
from redshift_auth_alert.tasks.sign_in import choose_hook

THRESHOLDS = (5, 10, 20, 50, 100)
REMIND_EVERY_MINUTES = 240
GROUPS_SHOWN = 10
Query = Callable[[str, str], dict[str, list[Any]]]


@dataclass
class Tally:
    """What the thresholds would have given: alerts per day and threshold, and alerts per group and threshold."""

    days: list[date]
    remind_every_minutes: int
    alerts: Counter[tuple[date, int]] = field(default_factory=Counter)
    with_reminders: Counter[tuple[date, int]] = field(default_factory=Counter)
    groups: dict[int, Counter[str]] = field(default_factory=lambda: {each: Counter() for each in THRESHOLDS})
    intervals: int = 0
    unseen: list[str] = field(default_factory=list)


def past_intervals(schedule: str, until: datetime, days: int) -> list[Interval]:
    """Return the schedule's intervals of the last ``days`` days that end at or before ``until``, the oldest first."""
    ticks = croniter(schedule, until + timedelta(seconds=1))
    times: list[datetime] = []
    while not times or times[-1] > until - timedelta(days=days):
        times.append(ticks.get_prev(datetime).astimezone(UTC))
    return [Interval(start, end) for start, end in pairwise(reversed(times)) if start >= until - timedelta(days=days)]


def tally(monitor: Monitor, intervals: Iterable[Interval], query: Query, include: Path) -> Tally:
    """Run the statement over each interval and count what each threshold would have reported.

    ``query`` takes the id of the connection and the statement.
    """
    own = monitor.settings
    remind = own.remind_every_minutes or REMIND_EVERY_MINUTES
    found, now = Tally([], remind), datetime.now(UTC)
    changed = {"remind_every_minutes": None, "notify_when_over": False, "threshold": THRESHOLDS[0]}
    settings = own.for_run({}).model_copy(update=changed)
    for interval in intervals:
        day = interval.start.date()
        if day not in found.days:
            found.days.append(day)
        found.intervals += 1
        run = Evaluation(monitor.dag_id, "tune", "manual", settings, interval, THRESHOLDS).with_source(now)
        measured = read_candidates(query(run.conn_id, statement(run, include)), run)
        for threshold in THRESHOLDS:
            tried = _with(run, threshold=threshold)
            verdict = judge(measured, tried)
            if not verdict.totals.reported:
                break  # nor would a higher one have reported anybody
            found.alerts[day, threshold] += 1
            found.groups[threshold].update(name(breach.group) for breach in verdict.having("reported"))
            if judge(measured, _with(tried, remind_every_minutes=remind)).totals.reported:
                found.with_reminders[day, threshold] += 1
        if verdict.coverage.verdict == "unseen":  # which is the same at each threshold
            found.unseen.append(f"{interval}: {verdict.coverage.reason}")
    return found


def _with(run: Evaluation, **changed: int) -> Evaluation:
    return replace(run, settings=run.settings.model_copy(update=changed))


def show(found: Tally, monitor: Monitor, console: Console) -> None:
    """Print the tables."""
    console.print(f"{monitor.dag_id}: {found.intervals:,} intervals")
    alerts = Table(title=f"Alerts, each time / with a reminder every {found.remind_every_minutes} minutes")
    alerts.add_column("day (UTC)")
    for threshold in THRESHOLDS:
        alerts.add_column(f"from {threshold}", justify="right")
    for day in found.days:
        alerts.add_row(str(day), *(_both(found, [day], threshold) for threshold in THRESHOLDS))
    alerts.add_section()
    alerts.add_row("in all", *(_both(found, found.days, threshold) for threshold in THRESHOLDS))
    console.print(alerts)

    worst = sum(found.groups.values(), Counter[str]()).most_common(GROUPS_SHOWN)
    if worst:
        groups = Table(title="In how many alerts a group would have been")
        groups.add_column("group", overflow="fold")
        for threshold in THRESHOLDS:
            groups.add_column(f"from {threshold}", justify="right")
        for group, _ in worst:
            groups.add_row(Text(group), *(f"{found.groups[threshold][group]:,}" for threshold in THRESHOLDS))
        console.print(groups)
        everyone = set().union(*found.groups.values())
        if len(everyone) > len(worst):
            console.print(f"and {len(everyone) - len(worst):,} groups more, in fewer alerts")
    if found.unseen:
        console.print(
            f"{len(found.unseen):,} of {found.intervals:,} intervals are unseen and count for nothing; "
            f"the first: {found.unseen[0]}"
        )


def _both(found: Tally, days: Iterable[date], threshold: int) -> str:
    return " / ".join(
        f"{sum(counted[day, threshold] for day in days):,}" for counted in (found.alerts, found.with_reminders)
    )


def query_connection(sign_in: Mapping[str, str | None], conn_id: str, sql: str) -> dict[str, list[Any]]:
    """Run a statement over the Airflow connection ``conn_id``, with errors that say what to fix."""
    with explained_errors(conn_id):
        return dict(choose_hook(conn_id, [], **sign_in).run(sql, handler=fetch_table))


def find_monitor(include: Path, dag_id: str) -> Monitor:
    """Return the monitor of ``dag_id``; raise SettingsError where there is none or its file is invalid."""
    monitors, problems = load_monitors(include / "monitors")
    for monitor in monitors:
        if monitor.dag_id == dag_id:
            return monitor
    raise SettingsError(
        "; ".join([f"no monitor {dag_id}; valid: {', '.join(each.dag_id for each in monitors)}", *problems])
    )


def tune(include: Path, dag_id: str, *, days: int, until: datetime | None, console: Console) -> Tally:
    """Tally the last ``days`` days of a monitor up to ``until`` (by default now), and print the tables."""
    monitor = find_monitor(include, dag_id)
    end = until or datetime.now(UTC) - timedelta(minutes=monitor.settings.settle_minutes)
    intervals = past_intervals(monitor.settings.schedule, end.astimezone(UTC), days)
    progress = track(intervals, description="Intervals", console=console, transient=True)
    found = tally(monitor, progress, partial(query_connection, monitor.settings.sign_in), include)
    show(found, monitor, console)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m redshift_auth_alert.tasks.tune", description=__doc__)
    parser.add_argument("--monitor", default=DAG_ID, help="id of the monitor's DAG; %(default)s by default")
    parser.add_argument("--days", type=int, default=7, choices=range(1, 32), metavar="1..31", help="how far back")
    parser.add_argument(
        "--until", type=datetime.fromisoformat, help="end, such as 2026-03-01T00:00:00Z; now by default"
    )
    parser.add_argument("--include", type=Path, default=Path("include"), help="folder of monitors and SQL")
    options = parser.parse_args(arguments)
    if options.until and options.until.tzinfo is None:
        parser.error(f"--until {options.until.isoformat()} has no time zone, and none is guessed")
    console = Console()
    try:
        tune(options.include, options.monitor, days=options.days, until=options.until, console=console)
    except (AlertError, AirflowException) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
