"""What consecutive runs hold back where the window is longer than the interval, going by what each has recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from redshift_auth_alert.settings.monitors import Monitor
from redshift_auth_alert.tasks.operators import _plain
from redshift_auth_alert.tasks.run import Run
from tests.conftest import NOON, ROOT, TOPIC, make_run, measure
from tests.detection.events import HEARTBEAT, MINUTE, Events, failures

Reported = Callable[..., list[int]]


class Record:
    """What Airflow keeps of the runs: by the start of its interval, what each has pushed. A failed one has none."""

    def __init__(self) -> None:
        self.pushed: dict[str, dict[str, Any]] = {}

    def context(self, start: datetime, end: datetime) -> dict[str, Any]:
        """The context of the scheduled run over [start, end)."""
        kept = self.pushed[str(start)] = {}
        ti = SimpleNamespace(
            dag_id="monitor",
            try_number=4,
            max_tries=3,
            get_task_states=lambda logical_dates, **_: [str(at) for at in logical_dates if str(at) in self.pushed],
            get_dagrun_state=lambda run_id, **_: "success",
            xcom_pull=lambda key, run_id, **_: self.pushed[run_id].get(key),
            xcom_push=lambda key, value: kept.update({key: value}),
        )
        dag_run = SimpleNamespace(
            run_id=str(start), run_type="scheduled", logical_date=start, data_interval_start=start,
            data_interval_end=end, run_after=end, start_date=end, conf={},
        )  # fmt: skip
        return {"ti": ti, "dag_run": dag_run, "task": SimpleNamespace(render_template=lambda *_: TOPIC)}


@pytest.fixture
def reported(logs: psycopg.Connection) -> Reported:
    """The minutes after noon at which the intervals start whose runs published."""

    def reported(log: Events, minutes: Iterable[int], *, every: int = 5, failed: int | None = None) -> list[int]:
        settings = make_run(schedule=f"*/{every} * * * *", remind_every_minutes=240).settings
        monitor = Monitor(dag_id="monitor", file=Path("default.yaml"), settings=settings)
        run, record, published = Run(monitor, ROOT / "include"), Record(), []
        for minute in minutes:
            context = record.context(NOON + minute * MINUTE, NOON + (minute + every) * MINUTE)
            if minute == failed:
                del record.pushed[str(NOON + minute * MINUTE)]
                continue
            rows = measure(logs, run.evaluation(context), log + HEARTBEAT)
            table = {"columns": list(rows[0]), "rows": [[_plain(value) for value in row.values()] for row in rows]}
            if run.check_threshold(run.candidates(table, context), **context) == "publish_alert":
                published.append(minute)
        return published

    return reported


BURST = failures(*[6 + number / 20 for number in range(10)])


def test_a_breach_that_a_failed_run_left_is_reported_though_a_quiet_run_came_between(reported: Reported) -> None:
    assert reported(BURST + failures(16, 17), range(0, 30, 5), failed=5) == [15]


def test_a_breach_from_before_the_monitor_was_switched_on_is_reported_when_it_goes_on(reported: Reported) -> None:
    assert reported(BURST + failures(16, 17), range(10, 30, 5)) == [15]


def test_a_breach_that_was_reported_is_held_back_after_a_quiet_run(reported: Reported) -> None:
    assert reported(BURST + failures(16, 17), range(0, 30, 5)) == [5]


# 12 failures every 20 minutes: of a schedule of five minutes, few intervals hold any, and none that of the reminder.
JOB = failures(*[7 + 20 * cycle + number / 10 for cycle in range(27) for number in range(12)])


@pytest.mark.parametrize(("every", "first", "reminders"), [(30, 0, [240, 480]), (5, 5, [245, 485])])
def test_a_job_that_fails_for_hours_is_reported_again_every_four_hours(
    reported: Reported, every: int, first: int, reminders: list[int]
) -> None:
    assert reported(JOB, range(0, 540, every), every=every) == [first, *reminders]


def test_an_attack_without_a_pause_is_reported_in_the_interval_of_each_reminder(reported: Reported) -> None:
    assert reported(failures(*range(2, 250)), range(0, 250, 5)) == [10, 240]
