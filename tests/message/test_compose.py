"""What all forms have in common: subject, attributes, SNS's limits, failures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.detection.findings import Coverage
from redshift_auth_alert.message.compose import MESSAGE_LIMIT
from tests.conftest import NOON, make_run, unwrapped
from tests.message.findings import GOT_IN, MINUTE, OVER, alert, failure, make_breach, make_verdict
from tests.message.test_document import SCHEMA

FORMS = ["text", "json", "chat", "ocsf"]
LONG = "\N{PILE OF POO}" * 50


def test_the_attributes_are_for_subscription_filters() -> None:
    attributes = alert(GOT_IN, make_breach(ongoing=True)).attributes
    assert {name: value for name, value in attributes.items() if name != "alert_id"} == {
        "monitor": "redshift_auth_failure_alert",
        "environment": "test",
        "severity": "critical",
        "run_type": "scheduled",
        "new_groups": 1,
        "ongoing_groups": 1,
    }


@pytest.mark.parametrize(
    ("breach", "severity"), [(make_breach(), "alert"), (GOT_IN, "critical"), (OVER, "over")], ids=str
)
def test_the_severity_is(breach: Any, severity: str) -> None:
    message = alert(breach)
    assert message.attributes["severity"] == severity
    assert message.subject.startswith(f"[{severity.upper()}] (test) ")


@pytest.mark.parametrize("message_format", FORMS)
def test_a_partly_seen_interval_without_a_breach_says_so(message_format: str) -> None:
    coverage = Coverage("stl_connection_log", "partial", "from 12:03 on only")
    message = alert(verdict=make_verdict(coverage=coverage), message_format=message_format)
    assert message.attributes["severity"] == "partial"
    assert "from 12:03 on only" in message.body


@pytest.mark.parametrize("message_format", FORMS)
def test_every_form_has_the_same_attributes(message_format: str) -> None:
    assert alert(message_format=message_format).attributes == alert().attributes


@pytest.mark.parametrize(
    "other",
    [{"start": NOON + 30 * MINUTE, "end": NOON + 60 * MINUTE}, {"run_type": "manual"}],
    ids=["another interval", "another run"],
)
def test_the_alert_id_is_the_same_for_a_retry_and_differs_for(other: dict[str, Any]) -> None:
    assert alert().attributes["alert_id"] == alert().attributes["alert_id"]
    assert alert(**other).attributes["alert_id"] != alert().attributes["alert_id"]


ENVIRONMENTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40).filter(str.strip)


@given(st.integers(1, 10**9), ENVIRONMENTS)
def test_the_subject_keeps_snss_limits(number: int, environment: str) -> None:
    subject = alert(verdict=make_verdict(new=number), environment=environment).subject
    assert len(subject) <= 99
    assert subject.isascii()
    assert subject.isprintable()


@pytest.mark.parametrize("message_format", FORMS)
def test_no_form_passes_the_limit_of_sns(message_format: str) -> None:
    group = {"remote_host": LONG, "user_name": LONG, "database_name": LONG}
    breaches = [make_breach(group=group, top_users=((LONG, 9),) * 5) for _ in range(300)]
    body = alert(verdict=make_verdict(*breaches, new=1_000_000), max_groups=100, message_format=message_format).body
    assert len(json.dumps({"default": body})) < 262_144


def test_a_message_too_long_is_cut_at_whole_groups_and_says_how_many_are_unnamed() -> None:
    breaches = [make_breach(group={"remote_host": LONG}, top_users=((LONG, 9),) * 5) for _ in range(200)]
    body = alert(verdict=make_verdict(*breaches, new=1_000), max_groups=100).body
    named = body.count(" times] new")
    assert 0 < named < 200
    assert f"\n... and {1_000 - named} remote hosts more" in body
    assert MESSAGE_LIMIT - 5_000 < len(json.dumps({"default": body})) < 262_144


def test_2000_groups_are_all_named_in_one_message() -> None:
    breaches = [make_breach(group={"remote_host": f"198.51.{n // 256}.{n % 256}"}) for n in range(2_000)]
    body = alert(*breaches).body
    assert body.count(" [14 times] new\n") == 2_000


def test_a_failure_reads_in_full() -> None:
    message = failure(make_run(environment="overridden"), reason='no "rights"\nForged: line')
    assert message.subject == "[FAILED] (overridden) Redshift: sign-ins not evaluated"
    assert (
        message.body
        == """\
An interval was not evaluated: it may hide an attack.

Environment  overridden
Monitor      redshift_auth_failure_alert
Interval     2026-03-01 12:00:00 to 2026-03-01 12:30:00 UTC
Run          scheduled__1
Task         query_auth_failures
Runbook      docs/runbook.md#failed

Reason: no "rights"\\nForged: line

Once fixed, clear query_auth_failures and the tasks after it. The run then
evaluates the same interval.
"""
    )


def test_a_failure_for_invalid_overrides_says_to_trigger_anew() -> None:
    message = failure(None, reason="run overrides: threshold is 0")
    assert message.subject == "[FAILED] (test) Redshift: sign-ins not evaluated"
    assert "Interval     unknown, as the run's settings are invalid\n" in message.body
    assert unwrapped(message.body).endswith(
        "Trigger a new run with valid overrides. Clearing this run would fail again.\n"
    )


def test_an_alert_that_could_not_be_published_is_not_called_not_evaluated() -> None:
    message = failure(make_run(), "publish_alert")
    assert message.subject == "[FAILED] (test) Redshift: alert not published"
    assert message.body.startswith("A message could not be published. It may report an attack.\n")
    assert message.body.endswith("Once fixed, clear publish_alert. It then publishes the same alert.\n")


def test_a_failure_says_the_interval_in_local_time() -> None:
    body = failure(make_run(display_timezone="Asia/Kolkata")).body
    assert "Local time   2026-03-01 17:30:00 to 2026-03-01 18:00:00 IST\n" in body


@pytest.mark.parametrize("task_id", ["query_auth_failures", "publish_alert", "require_coverage"])
@pytest.mark.parametrize("more", [{}, {"check_only": True}], ids=["an evaluation", "a check"])
def test_no_line_of_a_failure_is_longer_than_78_columns(task_id: str, more: dict[str, Any]) -> None:
    lines = failure(make_run(**more), task_id, "why " * 100).body.splitlines()
    assert [line for line in lines if len(line) > 78] == []


@pytest.mark.parametrize("run", [make_run(), None])
def test_a_failure_keeps_the_schema(run: Any) -> None:
    written = json.loads(failure(run, reason="why", message_format="json").body)
    SCHEMA.validate(written)
    assert (written["reason"], written["interval"] is None) == ("why", run is None)


@pytest.mark.parametrize(
    ("form", "begins"),
    [("text", "An interval was not"), ("json", '{"version"'), ("chat", '{"ver'), ("ocsf", '[{"class_uid":2004')],
)
def test_a_failure_has_the_form_of_the_monitor(form: str, begins: str) -> None:
    assert failure(None, reason="why <b>", message_format=form).body.startswith(begins)


def test_a_failures_alert_id_is_the_same_for_a_retry() -> None:
    first, second = failure(None, reason="first"), failure(None, reason="second")
    assert first.attributes == second.attributes
    assert len(str(first.attributes["alert_id"])) == 32
