from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
import pytest
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction

from redshift_auth_alert.detection.interval import SKIPPED_MARK
from redshift_auth_alert.tasks import timetable as module
from redshift_auth_alert.tasks.timetable import SettledIntervalTimetable, settled_timetable

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
