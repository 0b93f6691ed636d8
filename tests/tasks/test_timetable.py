from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pendulum
import pytest
from airflow.models.dagrun import RUN_ID_REGEX, DagRun
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.utils.types import DagRunType
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.detection.interval import SKIPPED_MARK
from redshift_auth_alert.tasks import timetable as module
from redshift_auth_alert.tasks.timetable import SettledIntervalTimetable, settled_timetable
from tests.conftest import ROOT

LONG_AGO = pendulum.datetime(2025, 1, 1)
MINUTE = timedelta(minutes=1)


def at(time: str, day: int = 1) -> pendulum.DateTime:
    hour, minute = time.split(":")
    return pendulum.datetime(2026, 3, day, int(hour), int(minute))


def interval(start: str, end: str) -> DataInterval:
    return DataInterval(at(start), at(end))


def make_timetable(cron: str = "*/30 * * * *", *, settle: int = 5, catchup_hours: int = 4) -> SettledIntervalTimetable:
    return SettledIntervalTimetable(
        cron, settle=settle * MINUTE, max_catchup=timedelta(hours=catchup_hours), window=30 * MINUTE
    )


def automatic(
    monkeypatch: pytest.MonkeyPatch,
    timetable: SettledIntervalTimetable,
    *,
    now: pendulum.DateTime,
    last: DataInterval | None,
    earliest: pendulum.DateTime = LONG_AGO,
) -> Any:
    """What the scheduler gets: it asks with catchup=False, as the DAG says."""
    monkeypatch.setattr(module, "_now", lambda: now)
    restriction = TimeRestriction(earliest=earliest, latest=None, catchup=False)
    return timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)


def first_caught_up(monkeypatch: pytest.MonkeyPatch, timetable: SettledIntervalTimetable, **asked: Any) -> Any:
    """What follows the run that stands for the skipped intervals."""
    skipped = automatic(monkeypatch, timetable, **asked)
    return automatic(monkeypatch, timetable, **{**asked, "last": skipped.data_interval})


def backfill(
    timetable: SettledIntervalTimetable, first: pendulum.DateTime, last: pendulum.DateTime
) -> list[DagRunInfo]:
    """What a backfill walks: it asks with catchup=True."""
    restriction, infos = TimeRestriction(first, last, catchup=True), []
    info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    while info:
        infos.append(info)
        info = timetable.next_dagrun_info(last_automated_data_interval=info.data_interval, restriction=restriction)
    return infos


def test_a_run_starts_once_its_interval_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    info = automatic(monkeypatch, make_timetable(), now=at("14:10"), last=interval("13:30", "14:00"))
    assert info.data_interval == interval("14:00", "14:30")
    assert info.run_after == at("14:35")


def test_every_missed_interval_is_run_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    timetable, last, starts = make_timetable(), interval("13:30", "14:00"), []
    for _ in range(4):
        info = automatic(monkeypatch, timetable, now=at("15:40"), last=last)
        last = info.data_interval
        starts.append(last.start)
    assert starts == [at("14:00"), at("14:30"), at("15:00"), at("15:30")]


def test_one_run_stands_for_all_intervals_that_were_missed_longer_ago_than_the_catchup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skipped = automatic(monkeypatch, make_timetable(), now=at("20:00"), last=interval("13:30", "14:00"))
    assert skipped.data_interval == DataInterval(at("14:00") + SKIPPED_MARK, at("15:30"))
    assert skipped.run_after <= at("20:00")


def test_after_the_skipped_intervals_the_next_is_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    info = first_caught_up(monkeypatch, make_timetable(), now=at("20:00"), last=interval("13:30", "14:00"))
    assert info.data_interval == interval("15:30", "16:00")


def test_a_backfill_finds_no_date_of_the_skipped_intervals_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    timetable = make_timetable()
    skipped = automatic(monkeypatch, timetable, now=at("20:00"), last=interval("13:30", "14:00"))
    dates = [info.logical_date for info in backfill(timetable, at("13:30"), at("15:30"))]
    assert skipped.logical_date not in dates


def test_what_lies_before_a_start_date_that_was_moved_is_not_skipped_but_unasked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = interval("13:30", "14:00")
    info = automatic(monkeypatch, make_timetable(), now=at("20:00"), last=last, earliest=at("18:00"))
    assert info.data_interval == interval("18:00", "18:30")


@pytest.mark.parametrize(("now", "first_end"), [("20:05", "16:00"), ("20:06", "16:30")])
def test_an_interval_is_caught_up_until_exactly_max_catchup_after_it_was_due(
    monkeypatch: pytest.MonkeyPatch, now: str, first_end: str
) -> None:
    info = first_caught_up(monkeypatch, make_timetable(), now=at(now), last=interval("10:00", "10:30"))
    assert info.data_interval.end == at(first_end)


def test_the_newest_due_interval_runs_however_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    daily = make_timetable("0 0 * * *", catchup_hours=1)
    info = first_caught_up(monkeypatch, daily, now=at("12:00", day=9), last=DataInterval(at("0:00", 1), at("0:00", 2)))
    assert info.data_interval == DataInterval(at("0:00", 8), at("0:00", 9))


def test_a_settle_delay_longer_than_the_catchup_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    info = automatic(
        monkeypatch, make_timetable(settle=180, catchup_hours=1), now=at("18:00"), last=interval("14:00", "14:30")
    )
    assert info.data_interval == interval("14:30", "15:00")


def test_the_first_run_does_not_start_before_the_start_date(monkeypatch: pytest.MonkeyPatch) -> None:
    info = automatic(monkeypatch, make_timetable(), now=at("14:10"), last=None, earliest=at("13:10"))
    assert info.data_interval == interval("13:30", "14:00")


def follow(
    monkeypatch: pytest.MonkeyPatch,
    cron: str,
    last: DataInterval,
    *,
    count: int = 2,
    earliest: pendulum.DateTime = LONG_AGO,
) -> list[DagRunInfo]:
    """The runs after ``last`` on this schedule, each of which is due in time."""
    timetable, infos = make_timetable(cron), []
    for _ in range(count):
        info = automatic(monkeypatch, timetable, now=last.end, last=last, earliest=earliest)
        last = info.data_interval
        infos.append(info)
    return infos


@pytest.mark.parametrize(
    ("last", "cron", "expected"),
    [
        pytest.param(("14:00", "14:30"), "0 * * * *", [("14:30", "15:00"), ("15:00", "16:00")], id="coarser"),
        pytest.param(("14:30", "15:00"), "0 * * * *", [("15:00", "16:00"), ("16:00", "17:00")], id="coarser, on time"),
        pytest.param(("13:00", "14:00"), "15 * * * *", [("14:00", "14:15"), ("14:15", "15:15")], id="offset"),
        pytest.param(("13:00", "14:00"), "*/30 * * * *", [("14:00", "14:30"), ("14:30", "15:00")], id="finer"),
    ],
)
def test_a_changed_schedule_evaluates_each_moment_once(
    monkeypatch: pytest.MonkeyPatch, last: tuple[str, str], cron: str, expected: list[tuple[str, str]]
) -> None:
    infos = follow(monkeypatch, cron, interval(*last))
    assert [info.data_interval for info in infos] == [interval(*each) for each in expected]
    assert [info.run_after for info in infos] == [at(end) + 5 * MINUTE for _, end in expected]
    assert [info.logical_date for info in infos] == [at(start) for start, _ in expected]


def test_a_schedule_that_changes_within_the_hour_of_the_start_date_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    infos = follow(monkeypatch, "0 * * * *", interval("14:15", "14:30"), earliest=at("14:10"))
    assert infos[0].data_interval == interval("14:30", "15:00")


CRONS = ["* * * * *", "*/7 * * * *", "*/30 * * * *", "0 * * * *", "15 * * * *", "3 */5 * * *", "0 0 * * *", "9 4 * * 1"]


CHANGES = st.tuples(
    st.sampled_from(CRONS),
    st.sampled_from([0, 5, 35, 120, 1_440]),  # settle_minutes
    st.sampled_from([1, 4, 24, 168]),  # max_catchup_hours
    st.integers(1, 2),
    st.integers(0, 3_000),
)


def changed_runs(changes: list[tuple[str, int, int, int, int]]) -> Iterator[DagRunInfo]:
    """The runs, some of them late, while the schedule, the settle delay and the catch-up change."""
    last = interval("13:00", "14:00")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for cron, settle, catchup_hours, runs, minutes_late in changes:
            timetable = make_timetable(cron, settle=settle, catchup_hours=catchup_hours)
            for _ in range(runs):
                info = automatic(monkeypatch, timetable, now=last.end + minutes_late * MINUTE, last=last)
                yield info
                last = info.data_interval


@given(st.lists(CHANGES, max_size=4))
def test_whatever_the_schedule_becomes_and_however_late_it_runs_each_moment_is_evaluated_once_or_reported_as_skipped(
    changes: list[tuple[str, int, int, int, int]],
) -> None:
    last = interval("13:00", "14:00")
    for info in changed_runs(changes):
        assert info.data_interval.start - last.end in (timedelta(), SKIPPED_MARK)
        assert info.data_interval.end > info.data_interval.start
        last = info.data_interval


def run_id(timetable: SettledIntervalTimetable, info: DagRunInfo, run_after: pendulum.DateTime | None = None) -> str:
    return timetable.generate_run_id(
        run_type=DagRunType.SCHEDULED, run_after=run_after or info.run_after, data_interval=info.data_interval
    )


@given(st.lists(CHANGES, max_size=4))
def test_no_two_runs_have_one_id_nor_one_that_airflow_gave_before_whatever_the_schedule_and_the_delay_become(
    changes: list[tuple[str, int, int, int, int]],
) -> None:
    infos = list(changed_runs(changes))
    airflows = [f"scheduled__{moment.isoformat()}" for info in infos for moment in (info.run_after, info.logical_date)]
    ids = [run_id(make_timetable(), info) for info in infos]
    assert len({*ids, *airflows}) == len(ids) + len(set(airflows))


def test_a_shorter_settle_delay_gives_no_run_the_id_of_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = make_timetable(settle=35), make_timetable(settle=5)
    first = automatic(monkeypatch, before, now=at("15:06"), last=interval("13:30", "14:00"))
    then = automatic(monkeypatch, after, now=at("15:06"), last=first.data_interval)
    assert first.run_after == then.run_after
    assert run_id(before, first) != run_id(after, then)


def test_an_id_does_not_depend_on_what_an_airflow_version_calls_the_time_of_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    info = automatic(monkeypatch, make_timetable(), now=at("14:36"), last=interval("13:30", "14:00"))
    assert run_id(make_timetable(), info) == run_id(make_timetable(), info, run_after=at("14:00"))


@pytest.mark.parametrize(
    "data_interval",
    [interval("14:00", "14:30"), DataInterval(at("14:00") + SKIPPED_MARK, at("16:00"))],
    ids=["interval", "skipped intervals"],
)
def test_an_id_is_valid_however_few_ids_an_environment_allows(data_interval: DataInterval) -> None:
    info = DagRunInfo(run_after=at("16:05"), data_interval=data_interval)
    assert re.match(RUN_ID_REGEX, run_id(make_timetable(), info))


def test_a_run_by_hand_is_named_as_airflow_does() -> None:
    asked: Any = {"run_type": DagRunType.MANUAL, "run_after": at("14:07"), "data_interval": interval("13:37", "14:07")}
    assert make_timetable().generate_run_id(**asked) == "manual__2026-03-01T14:07:00+00:00"


def test_the_scheduler_goes_on_after_the_settle_delay_was_shortened_by_a_whole_interval() -> None:
    """Airflow's own scheduler, on a database of its own. Before 3.2, it lacks what writes DAGs there."""
    pytest.importorskip("airflow.dag_processing.dagbag")
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
    with tempfile.TemporaryDirectory() as home:
        env |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
        }
        command = [sys.executable, "-m", "tests.tasks.scheduler"]
        ran = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-3:] == ["13:30 to 14:00", "14:00 to 14:30", "14:30 to 15:00"]


def test_a_backfill_walks_the_schedule_as_it_is_now() -> None:
    infos = backfill(make_timetable("15 * * * *"), at("13:00"), at("15:15"))
    assert [info.data_interval for info in infos] == [
        interval("13:15", "14:15"), interval("14:15", "15:15"), interval("15:15", "16:15"),
    ]  # fmt: skip


def backfill_id(info: DagRunInfo) -> str:
    return DagRun.generate_run_id(
        run_type=DagRunType.BACKFILL_JOB, logical_date=info.logical_date, run_after=info.run_after
    )


@pytest.mark.parametrize(
    ("cron", "settle"),
    [("*/30 * * * *", 35), ("*/30 * * * *", 0), ("0 * * * *", 5), ("*/15 * * * *", 20)],
    ids=["a longer delay", "a shorter delay", "a coarser schedule", "a finer schedule and a longer delay"],
)
def test_a_backfill_leaves_no_interval_out_because_an_earlier_one_had(cron: str, settle: int) -> None:
    """Airflow leaves out each whose id it knows."""
    before, now = make_timetable(cron, settle=settle), make_timetable()
    infos = [info for timetable in (before, now) for info in backfill(timetable, at("13:00"), at("18:00"))]
    ids = {(backfill_id(info), info.logical_date) for info in infos}
    assert len({run_id for run_id, _ in ids}) == len(ids)


@pytest.mark.parametrize("settle", [0, 5])
def test_a_backfill_has_no_id_that_its_runs_had_before_and_runs_within_a_second_after_the_delay(settle: int) -> None:
    for info in backfill(make_timetable(settle=settle), at("13:00"), at("14:00")):
        late = info.run_after - info.data_interval.end - settle * MINUTE
        assert timedelta() < late < timedelta(seconds=1)


def test_a_backfill_goes_back_however_far() -> None:
    infos = backfill(make_timetable(), pendulum.datetime(2024, 5, 1), pendulum.datetime(2024, 5, 1, 23, 59))
    assert len(infos) == 48
    assert infos[0].data_interval.start == pendulum.datetime(2024, 5, 1)


def test_a_manual_run_shows_the_window_that_it_evaluates() -> None:
    shown = make_timetable().infer_manual_data_interval(run_after=at("14:07"))
    assert shown == interval("13:37", "14:07")


def test_it_survives_serialisation(monkeypatch: pytest.MonkeyPatch) -> None:
    timetable = make_timetable("7 * * * *", settle=3, catchup_hours=2)
    again = SettledIntervalTimetable.deserialize(timetable.serialize())
    asked = {"now": at("20:00"), "last": DataInterval(at("9:07"), at("10:07"))}
    assert automatic(monkeypatch, again, **asked) == automatic(monkeypatch, timetable, **asked)
    assert again.serialize() == timetable.serialize()
    assert again.infer_manual_data_interval(run_after=at("9:00")) == timetable.infer_manual_data_interval(
        run_after=at("9:00")
    )


def test_dags_with_the_same_times_share_one_timetable() -> None:
    times = {"settle": 5 * MINUTE, "max_catchup": timedelta(hours=4), "window": 30 * MINUTE}
    timetable = settled_timetable("7 * * * *", **times)
    assert SettledIntervalTimetable.deserialize(timetable.serialize()) is timetable


@pytest.mark.parametrize("other", ["settle", "max_catchup", "window"])
def test_dags_with_other_times_have_timetables_of_their_own(other: str) -> None:
    times = {"settle": 5 * MINUTE, "max_catchup": timedelta(hours=4), "window": 30 * MINUTE}
    timetable = settled_timetable("7 * * * *", **times | {other: MINUTE})
    assert timetable.serialize() == settled_timetable("7 * * * *", **times).serialize() | {other: 60.0}
