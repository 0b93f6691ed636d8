"""The message of a check of the set-up, in each form."""

from __future__ import annotations

import json

from redshift_auth_alert.message.alert import Message
from redshift_auth_alert.message.compose import compose_setup_report
from redshift_auth_alert.message.setup import Check, build_setup_report
from tests.conftest import make_run
from tests.message.findings import failure
from tests.message.test_document import SCHEMA

SIGN_IN = Check("sign-in", "ok", "signed in as auth_monitor")
EVENTS = Check("events", "not ok", "'<!here>\n' (3): not known to the package")
LOCKOUT = Check("lockout", "not checked", "needs the sign-in")


def setup_report(*checks: Check, message_format: str = "text") -> Message:
    run = make_run(message_format=message_format, run_type="manual")
    return compose_setup_report(build_setup_report(checks, run))


def test_the_subject_counts_the_outcomes() -> None:
    subject = setup_report(SIGN_IN, EVENTS, LOCKOUT).subject
    assert subject == "[TEST] (test) Redshift: set-up: 1 ok, 1 not ok, 1 not checked"


def test_the_subject_leaves_out_an_outcome_that_no_check_has() -> None:
    assert setup_report(SIGN_IN, EVENTS).subject == "[TEST] (test) Redshift: set-up: 1 ok, 1 not ok"


def test_the_subject_says_that_all_is_ok() -> None:
    assert setup_report(SIGN_IN).subject.endswith(": all 1 checks ok")


def test_subscriptions_can_filter_it_by_its_severity() -> None:
    assert setup_report(SIGN_IN).attributes["severity"] == "test"


def test_the_text_is_a_table_that_says_it_is_a_test() -> None:
    body = setup_report(SIGN_IN, EVENTS, LOCKOUT).body
    assert body.startswith("This is a test: the set-up was checked, and no interval was evaluated.\n")
    assert body.endswith(
        "sign-in       OK           signed in as auth_monitor\n"
        "events        NOT OK       '<!here>\\n' (3): not known to the package\n"
        "lockout       NOT CHECKED  needs the sign-in\n"
    )


def test_a_check_that_fails_as_a_whole_speaks_of_no_interval() -> None:
    failed = failure(make_run(check_only=True))
    assert failed.subject.endswith(": set-up not checked")
    assert failed.body.startswith("The set-up was not checked, or the message about it was not published.\n")
    assert failed.body.endswith(
        "\n\nOnce fixed, clear query_auth_failures and the tasks after it. The run then\nchecks the set-up again.\n"
    )


def test_the_json_form_keeps_its_schema() -> None:
    body = json.loads(setup_report(SIGN_IN, EVENTS, message_format="json").body)
    SCHEMA.validate(body)
    assert body["checks"][0] == {"name": "sign-in", "outcome": "ok", "says": "signed in as auth_monitor"}


def test_a_chat_shows_what_is_not_ok_without_markup() -> None:
    content = json.loads(setup_report(SIGN_IN, EVENTS, message_format="chat").body)["content"]
    assert content["description"].splitlines()[2:] == [
        "• sign-in: ok",
        "• events: not ok: '\\x3c\\x21here\\x3e\\n' (3): not known to the package",
    ]
