from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.detection.interval import MAX_RANGE, Interval, IntervalError, choose_interval
from tests.conftest import NOON

W = timedelta(minutes=30)
SECOND = timedelta(seconds=1)


def choose(**facts: Any) -> Interval:
    return choose_interval(
        **{
            "run_type": "manual",
            "data_interval": (None, None),
            "logical_date": NOON,
            "run_after": NOON,
            "window": W,
            "usual_window": W,
        }
        | facts
    )


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_a_scheduled_or_backfill_run_evaluates_its_data_interval(run_type: str) -> None:
    interval = choose(run_type=run_type, data_interval=(NOON - 3 * W, NOON - 2 * W))
    assert interval == Interval(NOON - 3 * W, NOON - 2 * W)


def test_a_manual_run_evaluates_the_window_up_to_its_logical_date() -> None:
    assert choose(run_after=NOON + 5 * W) == Interval(NOON - W, NOON)


def test_a_manual_run_without_logical_date_evaluates_the_window_up_to_run_after() -> None:
    assert choose(logical_date=None) == Interval(NOON - W, NOON)


def test_a_manual_run_evaluates_a_data_interval_that_was_given_by_hand() -> None:
    assert choose(data_interval=(NOON - 9 * W, NOON - 8 * W)) == Interval(NOON - 9 * W, NOON - 8 * W)


def test_a_data_interval_given_up_to_the_logical_date_may_have_another_length() -> None:
    assert choose(data_interval=(NOON - 3 * W, NOON)) == Interval(NOON - 3 * W, NOON)


def test_the_data_interval_that_the_timetable_gives_a_manual_run_gives_way_to_an_overridden_window() -> None:
    interval = choose(data_interval=(NOON - W, NOON), window=2 * W, usual_window=W)
    assert interval == Interval(NOON - 2 * W, NOON)


def test_start_and_end_go_before_a_data_interval_given_by_hand() -> None:
    interval = choose(data_interval=(NOON - 9 * W, NOON - 8 * W), start=NOON - 2 * W, end=NOON - W)
    assert interval == Interval(NOON - 2 * W, NOON - W)


def test_a_data_interval_given_by_hand_may_not_lie_in_the_future() -> None:
    with pytest.raises(IntervalError, match="in the future of the run"):
        choose(data_interval=(NOON, NOON + W))


def test_a_run_triggered_by_another_dag_or_an_asset_is_like_a_manual_one() -> None:
    assert choose(run_type="asset_triggered", logical_date=None) == Interval(NOON - W, NOON)


def test_start_and_end_are_evaluated_as_given() -> None:
    assert choose(start=NOON - 9 * W, end=NOON - 2 * W) == Interval(NOON - 9 * W, NOON - 2 * W)


def test_start_alone_means_the_window_from_it() -> None:
    assert choose(start=NOON - 9 * W) == Interval(NOON - 9 * W, NOON - 8 * W)


def test_end_alone_means_the_window_up_to_it() -> None:
    assert choose(end=NOON - 9 * W) == Interval(NOON - 10 * W, NOON - 9 * W)


def test_times_of_other_zones_become_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    interval = choose(start=datetime(2026, 3, 1, 11, tzinfo=berlin), end=datetime(2026, 3, 1, 12, tzinfo=berlin))
    assert interval == Interval(datetime(2026, 3, 1, 10, tzinfo=UTC), datetime(2026, 3, 1, 11, tzinfo=UTC))


def test_a_range_of_exactly_31_days_is_taken() -> None:
    assert choose(start=NOON - MAX_RANGE, end=NOON).end == NOON


def test_a_range_over_31_days_is_refused() -> None:
    with pytest.raises(IntervalError, match="longer than 31 days"):
        choose(start=NOON - MAX_RANGE - SECOND, end=NOON)


def test_an_end_at_the_run_itself_is_taken() -> None:
    assert choose(end=NOON).end == NOON


def test_an_end_in_the_future_of_the_run_is_refused() -> None:
    with pytest.raises(IntervalError, match="in the future of the run"):
        choose(end=NOON + SECOND)


def test_a_logical_date_in_the_future_of_the_run_is_refused() -> None:
    with pytest.raises(IntervalError, match="in the future of the run"):
        choose(logical_date=NOON + SECOND)


@pytest.mark.parametrize("end", [NOON - W, NOON - W - SECOND])
def test_a_start_not_before_the_end_is_refused(end: datetime) -> None:
    with pytest.raises(IntervalError, match="is not before end"):
        choose(start=NOON - W, end=end)


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_start_is_refused_for_a_run_that_has_its_own_interval(run_type: str) -> None:
    with pytest.raises(IntervalError, match="start and end are for manual runs"):
        choose(run_type=run_type, data_interval=(NOON - W, NOON), start=NOON - W)


def test_an_interval_out_of_utc_cannot_be_constructed() -> None:
    berlin = timezone(timedelta(hours=1))
    with pytest.raises(IntervalError, match="not in UTC"):
        Interval(NOON.astimezone(berlin), NOON + W)


@pytest.mark.parametrize(
    ("start_minute", "minutes", "holds"),
    [
        (0, 30, True),
        (30, 30, False),
        (210, 30, False),
        (239, 1, False),
        (239, 2, True),
        (240, 1, True),
        (241, 239, False),
    ],
)
def test_an_interval_holds_a_multiple_of_240_minutes(start_minute: int, minutes: int, *, holds: bool) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=start_minute)
    interval = Interval(start, start + timedelta(minutes=minutes))
    assert (interval.last_multiple_of(timedelta(minutes=240)) >= interval.start) is holds


@given(
    start=st.integers(0, 10_000),
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=20),
    period=st.integers(1, 700),
)
def test_each_multiple_lies_in_exactly_one_of_adjoining_intervals(start: int, lengths: list[int], period: int) -> None:
    edges = [start]
    for length in lengths:
        edges.append(edges[-1] + length)
    epoch, minute = datetime(1970, 1, 1, tzinfo=UTC), timedelta(minutes=1)
    intervals = [Interval(epoch + first * minute, epoch + last * minute) for first, last in itertools.pairwise(edges)]
    multiples = [at for at in range(start, edges[-1]) if at % period == 0]
    holding = [interval for interval in intervals if interval.last_multiple_of(period * minute) >= interval.start]
    assert len(holding) == len({
        next(index for index, last in enumerate(edges[1:]) if at < last) for at in multiples
    })  # fmt: skip
