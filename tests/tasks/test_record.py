"""What is reported of failures that share a cause. Airflow's Variables are a stand-in; tests/faults has real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from redshift_auth_alert.detection.evaluation import Evaluation
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.tasks import record as module
from redshift_auth_alert.tasks import turn
from redshift_auth_alert.tasks.record import add_failure, cause_of, forget_missing, keep_reported, take_missing
from redshift_auth_alert.tasks.versions import AirflowFailException
from tests.conftest import NOON, make_run
from tests.detection.events import HEARTBEAT, MINUTE
from tests.tasks.conftest import Variables

REFUSED = cause_of("query_auth_failures", "Connection 'x': refused (at 12:00)", "topic")
UNSEEN = cause_of("check_threshold", "the interval is unseen: no event", "topic")
KEY = "redshift_auth_alert_failed_redshift_auth_failure_alert_scheduled"
HALF_HOUR = 30 * MINUTE


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_WRITTEN", 0.005)


def run(number: int, **of: Any) -> Evaluation:
    """The run of that half hour after noon."""
    start = NOON + number * HALF_HOUR
    return replace(make_run(start=start, end=start + HALF_HOUR, **of), run_id=f"run_{number}")


def span(first: int, last: int) -> Interval:
    """From the start of one half hour to the end of another."""
    return Interval(NOON + first * HALF_HOUR, NOON + (last + 1) * HALF_HOUR)


def fails(number: int, cause: str = REFUSED, **of: Any) -> Interval | None:
    """Report that the run of that half hour failed; return the span that the report names, None where none is made."""
    failed = run(number, **of)
    try:
        missing = add_failure(failed, cause)
    except AirflowFailException:
        return None
    keep_reported(failed, cause)
    return missing


def succeeds(number: int, **of: Any) -> Interval | None:
    """Return the span that the message of a run that succeeds names, once it is published."""
    missing = take_missing(run(number, **of))
    forget_missing(run(number, **of))
    return missing


def test_48_failures_of_one_cause_are_reported_once() -> None:
    assert [fails(number) is not None for number in range(48)] == [True] + 47 * [False]


@pytest.mark.parametrize(("later", "reported"), [(timedelta(minutes=59), False), (timedelta(minutes=61), True)])
def test_the_same_cause_is_reported_again_after_an_hour(clock: Any, later: timedelta, *, reported: bool) -> None:
    fails(0)
    clock.moved = later
    assert (fails(1) is not None) is reported


def test_the_next_report_names_all_that_is_missing_in_whatever_order_it_failed(clock: Any) -> None:
    for number in (3, 1, 2):
        fails(number)
    clock.moved = timedelta(hours=2)
    assert fails(4) == Interval(NOON + 30 * MINUTE, NOON + 150 * MINUTE)


def test_another_cause_is_reported_at_once() -> None:
    fails(0)
    assert fails(1, cause_of("query_auth_failures", "the interval is unseen: no event", "topic"))


@pytest.mark.parametrize("length", [207, 208, 250])
def test_a_record_and_its_turn_have_a_key_that_airflow_takes_however_long_the_monitors_id(
    variables: Variables, length: int
) -> None:
    for last in "mn":
        keep_reported(replace(make_run(), monitor="m" * (length - 1) + last), REFUSED)
    assert [len(f"{key}_turn") <= 250 for key in variables] == [True, True]


def test_a_backfill_and_the_schedule_have_a_record_each() -> None:
    fails(0)
    assert fails(1, run_type="backfill")


def test_a_report_that_was_not_published_leaves_no_record(variables: Variables) -> None:
    add_failure(run(0), REFUSED)
    assert variables == {}


def test_a_manual_run_leaves_no_record(variables: Variables) -> None:
    manual = run(0, run_type="manual")
    assert add_failure(manual, REFUSED) is None
    keep_reported(manual, REFUSED)
    assert variables == {}


def test_failures_of_two_causes_are_missing_together() -> None:
    fails(0)
    fails(1, UNSEEN)
    assert succeeds(2) == span(0, 1)


def test_a_failure_while_another_run_is_about_to_report_what_is_missing_is_reported() -> None:
    fails(0)
    assert take_missing(run(2)) == span(0, 0)
    assert fails(1) == span(1, 1)
    forget_missing(run(2))
    assert succeeds(3) == span(1, 1)


def test_what_another_run_has_taken_is_not_kept_again_by_a_report_that_was_under_way() -> None:
    fails(0)
    assert add_failure(run(1), UNSEEN) == span(0, 1)
    assert take_missing(run(2)) == span(0, 0)
    keep_reported(run(1), UNSEEN)
    assert succeeds(3) == span(1, 1)


def while_waiting(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let this happen before the next turn begins."""

    def waits(name: str) -> Any:
        monkeypatch.setattr(module, "turn", turn.turn)
        happens()
        return turn.turn(name)

    monkeypatch.setattr(module, "turn", waits)


def test_a_failure_that_waits_for_its_turn_keeps_what_another_has_kept_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fails(1)
    while_waiting(monkeypatch, lambda: fails(0))
    fails(2)
    assert succeeds(3) == span(0, 2)


def test_a_success_that_waits_for_its_turn_reports_what_another_has_kept_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fails(0)
    while_waiting(monkeypatch, lambda: fails(1))
    assert take_missing(run(2)) == span(0, 1)


def test_what_is_missing_is_reported_by_one_run() -> None:
    fails(0)
    assert (take_missing(run(1)), take_missing(run(2))) == (span(0, 0), None)


def test_a_run_that_is_tried_again_reports_what_it_had_taken() -> None:
    fails(0)
    assert (take_missing(run(1)), take_missing(run(1))) == (span(0, 0), span(0, 0))


def test_what_a_run_did_not_publish_is_reported_by_the_next_one() -> None:
    fails(0)
    take_missing(run(1))
    add_failure(run(1), UNSEEN)  # publish_alert failed, and the topic may not take the report either
    assert succeeds(2) == span(0, 0)


def test_the_report_that_a_run_did_not_publish_names_what_it_was_to_report() -> None:
    fails(0)
    take_missing(run(1))
    assert fails(1, UNSEEN) == span(0, 1)


def test_once_it_is_published_nothing_is_left(variables: Variables) -> None:
    fails(0)
    succeeds(1)
    assert variables == {}


@pytest.mark.parametrize("stored", ["null", "{", "[]", '{"reported": {}}', '{"reported": {"x": 1}, "missing": null}'])
def test_a_record_that_cannot_be_read_keeps_no_report_back(
    variables: Variables, caplog: pytest.LogCaptureFixture, stored: str
) -> None:
    variables[KEY] = stored
    assert fails(0) == span(0, 0)
    assert KEY in caplog.text
    assert succeeds(1) == span(0, 0)


def test_a_record_that_cannot_be_read_fails_no_quiet_run(variables: Variables, check: Any) -> None:
    variables[KEY] = "null"
    assert check(HEARTBEAT)[0] == "no_alert"


def test_a_record_of_a_version_before_is_read(variables: Variables) -> None:
    variables[KEY] = '{"missing": ["2026-03-01T12:00:00+00:00", "2026-03-01T12:30:00+00:00"], "reported": {}}'
    assert succeeds(1) == span(0, 0)


@pytest.mark.parametrize(
    ("run_type", "hours", "missing"),
    [("backfill", 23, span(0, 1)), ("backfill", 25, None), ("scheduled", 25, span(0, 1))],
)
def test_what_failed_in_a_backfill_is_no_news_of_one_a_day_later(
    clock: Any, run_type: str, hours: int, missing: Interval | None
) -> None:
    fails(0, run_type=run_type)
    fails(1, run_type=run_type)
    clock.moved = timedelta(hours=hours)
    assert succeeds(9, run_type=run_type) == missing


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the oldest event is of 2026-03-01 12:00", "the oldest event is of 2026-03-02 13:30"),
        ("it is of 2026-03-01 12:00:00.", "it is of 2026-03-02 13:30:07."),
        ("until 2026-03-01T12:00:00+00:00, then", "until 2026-03-02T13:30:07.123456Z, then"),
        ("Athena scanned 1,234.5 GB", "Athena scanned 12 GB"),
        ("session 1073873049 (pid 4321) ended", "session 1073873050 (pid 4322) ended"),
        ("pid=4321: ended", "pid=4322: ended"),
        ("the warehouse refused the sign-in (ProgrammingError: no)", "the warehouse refused the sign-in (not tried)"),
        ("no event at all; GRANT SELECT", "no event at all; GRANT ROLE"),
    ],
    ids=[
        "times",
        "times at a sentence's end",
        "ISO times",
        "sizes",
        "sessions",
        "processes",
        "details in brackets",
        "what to do",
    ],
)
def test_reasons_have_one_cause_if_they_differ_only_in(one: str, other: str) -> None:
    assert cause_of("query", one, "topic") == cause_of("query", other, "topic")


def test_a_long_reason_has_a_short_cause() -> None:
    assert len(cause_of("query", "x" * 2_000, "topic")) < 300


STOPPED = "{} has stopped: its newest event is of 2026-03-01 12:00:00 UTC, before the interval"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (STOPPED.format("prod-1"), STOPPED.format("prod-2")),
        (STOPPED.format("2024.sales"), STOPPED.format("2025.sales")),
        ("no way to 192.0.2.1:5439", "no way to 192.0.2.2:5439"),
        (
            f"1 of 4 warehouses was not evaluated: {STOPPED.format('prod-1')}",
            f"2 of 4 warehouses were not evaluated: {STOPPED.format('prod-1')}, {STOPPED.format('prod-2')}",
        ),
        (
            f"4 of 9 warehouses were not evaluated: {', '.join(STOPPED.format(f'prod-{n}') for n in (1, 2, 3, 4))}",
            f"4 of 9 warehouses were not evaluated: {', '.join(STOPPED.format(f'prod-{n}') for n in (1, 2, 3, 5))}",
        ),
        (
            f"9 of 20 warehouses were not evaluated: {STOPPED.format('a')} and 8 more",
            f"10 of 20 warehouses were not evaluated: {STOPPED.format('a')} and 9 more",
        ),
    ],
    ids=[
        "a warehouse",
        "a name that begins with digits",
        "a host",
        "one more warehouse",
        "the last of four warehouses",
        "one more that is not named",
    ],
)
def test_reasons_that_name_another_thing_have_causes_of_their_own(one: str, other: str) -> None:
    assert cause_of("query", one, "topic") != cause_of("query", other, "topic")


@pytest.mark.parametrize(
    "other",
    [("check", "refused", "topic"), ("query", "unseen", "topic"), ("query", "refused", "another topic")],
    ids=["task", "reason", "topic"],
)
def test_reasons_have_causes_of_their_own_if_they_differ_in_the(other: tuple[str, str, str]) -> None:
    assert cause_of("query", "refused", "topic") != cause_of(*other)


def test_the_first_run_that_succeeds_reports_what_is_missing_and_the_next_is_quiet(check: Any) -> None:
    fails(-2)
    fails(-1)
    branch, pushed = check(HEARTBEAT)
    assert (branch, pushed["attributes"]["severity"]) == ("publish_alert", "recovered")
    assert "intervals within 2026-03-01 11:00:00 to 2026-03-01 12:00:00 UTC" in " ".join(pushed["body"].split())
    forget_missing(make_run())
    assert check(HEARTBEAT)[0] == "no_alert"


def test_a_check_that_is_tried_again_reports_what_is_missing(check: Any) -> None:
    fails(-1)
    assert [check(HEARTBEAT)[0], check(HEARTBEAT)[0]] == ["publish_alert", "publish_alert"]


@pytest.mark.parametrize(
    ("log", "settings"),
    [(HEARTBEAT, {"dry_run": True}), ([], {"when_unseen": "warn"})],
    ids=["dry run", "unseen"],
)
def test_a_run_that_evaluates_or_publishes_nothing_does_not_report_that_it_works_again(
    check: Any, variables: Variables, log: Any, settings: dict[str, Any]
) -> None:
    fails(-1)
    assert check(log, **settings)[0] == "no_alert"
    assert len(variables) == 1


def test_what_a_cleared_run_had_taken_is_left_to_the_next_one_where_it_sees_nothing_now(check: Any) -> None:
    fails(-1)
    check(HEARTBEAT)
    assert check([], when_unseen="warn")[0] == "no_alert"
    assert succeeds(1) == span(-1, -1)
