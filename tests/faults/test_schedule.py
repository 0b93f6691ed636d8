"""A schedule is paused, changes, or runs beside runs by hand: what one run knows of another."""

from __future__ import annotations

import time
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.attacker import breaches, reported, twice
from tests.faults.world import World

MINUTE = timedelta(minutes=1)
ONGOING = "127.0.0.12"


def this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def begin(world: World) -> dict[str, Future[Any]]:
    started = (this_minute() - MINUTE).isoformat()
    paused = world.monitor("paused", schedule="* * * * *", start_date=started)
    # No reminder is due within the week.
    minute = world.monitor("minute", schedule="* * * * *", start_date=started, remind_every_minutes=10_080)
    changed = world.monitor("changed", schedule="* * * * *", start_date=started)
    return {
        "paused": world.background(pause, world, paused),
        "minute": world.background(go_on, world, minute),
        "changed": world.background(make_coarser, world, changed, started),
    }


def pause(world: World, dag_id: str) -> tuple[Any, Any]:
    """Pause the schedule for three intervals; return the breaches in the log, and those reported."""
    paused_at = this_minute() + MINUTE
    world.wait_for_interval(dag_id, paused_at)
    world.airflow.pause(dag_id)
    end = this_minute() + 4 * MINUTE
    until(end)
    last = max(datetime.fromisoformat(run["data_interval_end"]) for run in world.airflow.runs(dag_id))
    assert end - last >= 2 * MINUTE
    world.airflow.unpause(dag_id)
    first = world.wait_for_interval(dag_id, end)
    world.airflow.pause(dag_id)
    return breaches(world.warehouse, first, end, MINUTE), reported(world.mail("paused"), first, end)


def test_each_breach_of_the_intervals_missed_while_the_dag_was_paused_is_reported_once(
    world: World, begun: dict[str, Future[Any]]
) -> None:
    expected, found = begun["paused"].result()
    assert len(expected) > 2
    assert set(found) == expected
    assert twice(found) == []


def make_coarser(world: World, dag_id: str, started: str) -> tuple[datetime, list[tuple[datetime, datetime]]]:
    """Change the schedule to every four minutes where none of its ticks is; return that moment, and the intervals."""
    changed = this_minute() + MINUTE
    while changed.minute % 4 != 2:
        changed += MINUTE
    world.wait_for_interval(dag_id, changed)
    world.monitor("changed", schedule="*/4 * * * *", start_date=started)
    world.wait_for_interval(dag_id, changed + 6 * MINUTE)
    world.airflow.pause(dag_id)
    runs = world.airflow.runs(dag_id)
    ends = [tuple(datetime.fromisoformat(run[f"data_interval_{end}"]) for end in ("start", "end")) for run in runs]
    return changed, sorted((start, end) for start, end in ends)


def test_a_schedule_that_becomes_coarser_loses_no_moment_and_runs_none_twice(
    world: World, begun: dict[str, Future[Any]]
) -> None:
    changed, intervals = begun["changed"].result()
    assert (changed + 2 * MINUTE, changed + 6 * MINUTE) in intervals
    assert [start for start, _ in intervals[1:]] == [end for _, end in intervals[:-1]]


def fail(world: World, times: int) -> datetime:
    """Fail from ONGOING within one minute; return the minute."""
    if datetime.now(UTC).second > 50:
        time.sleep(11)
    for _ in range(times):
        assert not world.warehouse.login(ONGOING, "admin", "guess")
    return this_minute()


def until(moment: datetime) -> None:
    time.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


def go_on(world: World, dag_id: str) -> dict[str, Any]:
    """Breach in one minute and go on in the next three; run the first by hand when it is due."""
    breached = fail(world, 3)
    until(breached + MINUTE)
    by_hand = world.trigger("by-hand", dag_id, start=breached.isoformat(), end=(breached + MINUTE).isoformat())
    minutes = []
    for number in range(3):
        minutes.append(fail(world, 1))
        if number == 1:  # as the form in Airflow's pages does: the present is its logical date
            world.airflow.trigger({"environment": "by-page"}, dag_id, datetime.now(UTC))
        until(minutes[-1] + MINUTE)
    world.wait_for_interval(dag_id, minutes[-1] + MINUTE)
    by_hand_state, by_hand_mails = world.outcome(by_hand, "by-hand", dag_id)
    world.airflow.pause(dag_id)
    scheduled = [mail for mail in world.mail("minute") if f"\n{ONGOING} [3 times]" in mail.body]
    held_back = [each for minute in minutes for each in went_on(world, dag_id, minute)]
    return {
        "by hand": (by_hand_state, [f"\n{ONGOING} [3 times]" in mail.body for mail in by_hand_mails]),
        "scheduled": len(scheduled),
        "alert ids": {mail.attributes["alert_id"] for mail in scheduled + by_hand_mails},
        "held back": [held for minute, held in held_back if minute != minutes[-1]],
        "held back after by-page": [held for minute, held in held_back if minute == minutes[-1]],
    }


def went_on(world: World, dag_id: str, minute: datetime) -> list[tuple[datetime, bool]]:
    """Return whether the run of a minute held the breach back; nothing where it began before the last run's end.

    A run that overtakes the one before it reports again, as nobody may have heard of the breach.
    """
    runs = {
        datetime.fromisoformat(run["data_interval_start"]): run
        for run in world.airflow.runs(dag_id)
        if run["run_type"] == "scheduled"
    }
    before, run = runs[minute - MINUTE], runs[minute]
    if before["end_date"] > run["start_date"]:
        return []
    log = world.airflow.task_log(run["dag_run_id"].replace("+", "%2B"), "check_threshold", dag_id)
    return [(minute, run["state"] == "success" and f"{ONGOING} [1 times] ongoing: held back" in log)]


def test_a_run_by_hand_beside_the_scheduled_run_of_the_same_interval_reports_the_breach_too(
    world: World, begun: dict[str, Future[Any]]
) -> None:
    found = begun["minute"].result()
    assert found["by hand"] == ("success", [True])
    assert found["scheduled"] == 1
    assert len(found["alert ids"]) == 2


def test_an_ongoing_breach_is_held_back_where_the_run_before_reported_it(
    world: World, begun: dict[str, Future[Any]]
) -> None:
    assert set(begun["minute"].result()["held back"]) == {True}


def test_an_ongoing_breach_is_held_back_where_somebody_ran_the_dag_by_hand_meanwhile(
    world: World, begun: dict[str, Future[Any]]
) -> None:
    assert set(begun["minute"].result()["held back after by-page"]) == {True}
