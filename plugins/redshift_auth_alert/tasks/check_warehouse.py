"""Checks of a monitor's set-up on the real thing: each source that it reads.

They run instead of the query where a run says ``check_only``, and from a shell that has the connections:
``python -m redshift_auth_alert.tasks.check_warehouse [--monitor DAG_ID]``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.message.setup import Check, build_setup_report
from redshift_auth_alert.message.text import write_setup
from redshift_auth_alert.settings.monitors import DAG_ID, load_monitors
from redshift_auth_alert.settings.sources import SOURCES
from redshift_auth_alert.tasks.sign_in import choose_hook
from redshift_auth_alert.tasks.source_check import OpenHook, SourceCheck


def check_sources(run: Evaluation, now: datetime, include: Path, open_hook: OpenHook) -> list[Check]:
    """Check each source that the monitor reads. ``open_hook(conn_id)`` returns the hook of a connection.

    ``now`` is when the run started: the statement measures the last window that had settled by then.
    """
    checks: list[Check] = []
    for source, conn_id in _sources(run):
        settings = run.settings.model_copy(update={"source": source})
        end = now - timedelta(minutes=max(settings.settle_minutes, SOURCES[source].settle_minutes))
        of_source = replace(run, settings=settings, interval=Interval(end - run.window, end))
        checks += SourceCheck(of_source, conn_id, now, include, open_hook).checks()
    return checks


def _sources(run: Evaluation) -> list[tuple[str, str]]:
    """Return each source that the monitor reads, with its connection."""
    settings = run.settings
    if settings.source != "auto":
        return [(settings.source, settings.read_through)]
    past = settings.past_source
    older = [(past, settings.athena_conn_id)] if past and settings.athena_conn_id else []
    return [(settings.auto_recent, settings.conn_id), *older]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a monitor's set-up and print the table; return 1 where something is not ok."""
    parser = argparse.ArgumentParser(prog="make check-warehouse", description="Check the set-up of a monitor.")
    parser.add_argument("--monitor", default=DAG_ID, help="id of the monitor's DAG; %(default)s by default")
    parser.add_argument("--include", type=Path, default=Path("include"), help="folder of monitors and SQL")
    options = parser.parse_args(arguments)
    monitors, problems = load_monitors(options.include / "monitors", only=options.monitor)
    if not monitors:
        print("; ".join(problems) or f"no monitor {options.monitor}", file=sys.stderr)
        return 1
    settings = monitors[0].settings.for_run({"check_only": True, "dry_run": True})
    now = datetime.now(UTC)
    window = Interval(now - timedelta(minutes=settings.window_minutes), now)
    run = Evaluation(options.monitor, "shell", "manual", settings, window)
    checks = check_sources(run, now, options.include, partial(choose_hook, queries=[], **settings.sign_in))
    checks.append(Check("topic", "not checked", 'trigger a run with {"check_only": true}'))
    print(write_setup(build_setup_report(checks, run)))
    return int(any(check.outcome == "not ok" for check in checks))


if __name__ == "__main__":
    sys.exit(main())
