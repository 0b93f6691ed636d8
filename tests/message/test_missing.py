"""What the messages say of intervals that failed or were skipped."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from redshift_auth_alert.detection.findings import Coverage, Verdict
from redshift_auth_alert.detection.interval import Interval
from redshift_auth_alert.message.alert import Message, build_alert
from redshift_auth_alert.message.compose import compose_alert
from tests.conftest import NOON, make_run, unwrapped
from tests.message.findings import MINUTE, failure, make_breach, make_verdict
from tests.message.test_document import SCHEMA

MISSING = Interval(NOON - 60 * MINUTE, NOON)
SPAN = "2026-03-01 11:00:00 to 2026-03-01 12:00:00 UTC"
FORMS = ["text", "json", "chat", "ocsf"]


def after_failures(verdict: Verdict, message_format: str = "text") -> Message:
    """The message of the first run that succeeds."""
    run = replace(make_run(message_format=message_format), missing=MISSING)
    return compose_alert(build_alert(verdict, run))


def test_the_first_run_that_succeeds_says_so_in_full() -> None:
    message = after_failures(make_verdict())
    assert message.subject == "[RECOVERED] (test) Redshift: evaluated again"
    assert (
        message.body
        == """\
The monitor works again. This interval was evaluated and has nothing to
report.

Environment  test
Monitor      redshift_auth_failure_alert
Interval     2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC, seen in full
Source       stl_connection_log

Earlier runs failed. Some intervals within 2026-03-01 11:00:00 to 2026-03-01
  12:00:00 UTC were not evaluated or not reported. In those runs, clear
  query_auth_failures and the tasks after it.
"""
    )


def test_a_run_with_nothing_to_report_after_none_that_failed_does_not_say_that_it_works_again() -> None:
    verdict = make_verdict(make_breach(outcome="held_back"))
    body = compose_alert(build_alert(verdict, make_run(remind_every_minutes=240))).body
    assert body.startswith("This interval was evaluated and has nothing to report.\n")


@pytest.mark.parametrize(
    ("verdict", "severity"),
    [
        pytest.param(make_verdict(make_breach()), "alert", id="a breach"),
        pytest.param(make_verdict(coverage=Coverage("stl_connection_log", "partial", "late")), "partial", id="partial"),
    ],
)
def test_a_run_that_has_more_to_report_says_that_others_failed_beside_it(verdict: Verdict, severity: str) -> None:
    message = after_failures(verdict)
    assert message.attributes["severity"] == severity
    assert f"Some intervals within {SPAN} were not evaluated" in unwrapped(message.body)


@pytest.mark.parametrize(
    ("missing", "says_so"),
    [
        (Interval(NOON, NOON + 30 * MINUTE), True),
        (Interval(NOON - MINUTE, NOON + 30 * MINUTE), False),
        (Interval(NOON, NOON + 31 * MINUTE), False),
    ],
    ids=["its own alone", "one before", "one after"],
)
def test_a_run_that_failed_itself_says_that_it_is_now_evaluated_if_no_other_failed(
    missing: Interval, *, says_so: bool
) -> None:
    body = compose_alert(build_alert(make_verdict(), replace(make_run(), missing=missing))).body
    assert ("\nThis interval failed before and is now evaluated.\n" in body) is says_so
    assert ("were not evaluated or not reported" in unwrapped(body)) is not says_so


@pytest.mark.parametrize("message_format", ["text", "chat", "ocsf"])
@pytest.mark.parametrize(("run_type", "says_so"), [("backfill", True), ("scheduled", False)])
def test_a_failure_in_a_backfill_says_that_others_may_fail_unreported(
    message_format: str, run_type: str, *, says_so: bool
) -> None:
    body = unwrapped(failure(make_run(run_type=run_type), message_format=message_format).body)
    says = "Other runs of this backfill may fail for the same reason. They are not reported one by one; clear them too."
    assert (says in " ".join(body.split())) is says_so


@pytest.mark.parametrize("message_format", FORMS)
def test_every_form_names_the_span_that_is_missing(message_format: str) -> None:
    start = "2026-03-01T11:00:00Z" if message_format == "json" else "2026-03-01 11:00:00"
    assert start in after_failures(make_verdict(), message_format).body
    assert start in failure(make_run(), message_format=message_format, missing=MISSING).body


@pytest.mark.parametrize("missing", [None, MISSING])
def test_both_documents_keep_the_schema(missing: Any) -> None:
    run = replace(make_run(message_format="json"), missing=missing)
    failed = failure(run, message_format="json", missing=missing)
    for message in (compose_alert(build_alert(make_verdict(), run)), failed):
        SCHEMA.validate(json.loads(message.body))


def test_a_failure_that_repeats_names_all_that_failed_so_far() -> None:
    body = failure(make_run(), missing=Interval(NOON - 60 * MINUTE, NOON + 30 * MINUTE)).body
    assert "\nFailed so far  intervals within 2026-03-01 11:00:00 to 2026-03-01 12:30:00 UTC\n" in body
    assert unwrapped(body).endswith(
        "Once fixed, clear query_auth_failures and the tasks after it, in all runs that\nfailed.\n"
    )


def test_a_first_failure_names_its_own_interval_once() -> None:
    assert "so far" not in failure(make_run(), missing=Interval(NOON, NOON + 30 * MINUTE)).body


def test_skipped_intervals_are_named_with_how_to_evaluate_them() -> None:
    body = failure(replace(make_run(), skipped=True)).body
    assert "\nInterval     2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC\n" in body
    assert "run a backfill over their dates, or trigger one run with this start and end" in " ".join(body.split())


@pytest.mark.parametrize(
    ("days", "by_one_run"), [pytest.param(31, True, id="31 days"), pytest.param(32, False, id="32 days")]
)
def test_one_run_is_recommended_only_for_intervals_that_it_could_evaluate(days: int, by_one_run: bool) -> None:  # noqa: FBT001
    body = failure(replace(make_run(start=NOON - timedelta(days=days), end=NOON), skipped=True)).body
    says = " ".join(body.split())
    assert ("run a backfill over their dates" in says, "trigger one run" in says) == (True, by_one_run)


@pytest.mark.parametrize(
    ("message_format", "says"),
    [
        ("text", "\n    Own         3 of these failures are this monitor's own\n"),
        ("chat", "; 3 of these failures are this monitor's own"),
        ("json", '"own_failures":3'),
        ("ocsf", '"own_failures":3'),
    ],
)
def test_the_monitors_own_failures_are_named(message_format: str, says: str) -> None:
    run = make_run(message_format=message_format)
    assert says in compose_alert(build_alert(make_verdict(make_breach(own_failures=3)), run)).body
