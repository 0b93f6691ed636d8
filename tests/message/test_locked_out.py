"""What the forms say of users that may be locked out, and of admins."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import NOON, ROOT, unwrapped
from tests.message.findings import alert, make_breach

SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "message.schema.json").read_text()))
LOCKED = make_breach(top_users=(("dba <1>", 9, 11, NOON, True, True), ("etl", 5, 2, NOON)))
ADMIN = make_breach(top_users=(("dba", 9, 2, NOON, True),))


def test_the_text_names_who_may_be_locked_out_and_the_admins() -> None:
    body = alert(LOCKED).body
    assert '\n    Tried       "dba <1>" (9, an admin), etl (5)\n' in body
    assert '\n    Lockout     "dba <1>" (11 or more failures in a row) may be locked out\n' in body


def test_all_users_that_may_be_locked_out_are_named() -> None:
    body = alert(make_breach(top_users=(("ann", 9, 9, NOON, False, True), ("bob", 5, 5, NOON, False, True)))).body
    assert (
        "Lockout     ann (9 or more failures in a row), bob (5 or more failures in a row) may be locked out\n"
        in unwrapped(body)
    )


def test_a_user_that_is_the_group_may_be_locked_out() -> None:
    body = alert(replace(LOCKED, group={"user_name": "dba"})).body
    assert "Tried" not in body
    assert "may be locked out" in body


def test_the_chat_escapes_the_names_of_users_that_may_be_locked_out() -> None:
    description = json.loads(alert(LOCKED, message_format="chat").body)["content"]["description"]
    name = '`"dba \\x3c1\\x3e"`'
    assert f"; tried {name} (9, an admin), `etl` (5); {name} (11 or more failures in a row) may be" in description


def test_the_json_form_names_the_admins_and_who_may_be_locked_out() -> None:
    document = json.loads(alert(LOCKED, message_format="json").body)
    SCHEMA.validate(document)
    (breach,) = document["breaches"]
    lockout = {"failures_in_a_row": 11, "since": "2026-03-01T12:00:00Z"}
    assert breach["top_users"] == [
        {"user": "dba <1>", "failures": 9, "lockout": lockout},
        {"user": "etl", "failures": 5, "lockout": None},
    ]
    assert (breach["admins"], document["groups"]["admin"]) == (["dba <1>"], 1)


@pytest.mark.parametrize(("breach", "severity"), [(ADMIN, "critical"), (make_breach(), "alert")])
def test_an_alert_about_an_admin_is_critical(breach: Any, severity: str) -> None:
    message = alert(breach)
    assert message.attributes["severity"] == severity
    assert message.subject.startswith(f"[{severity.upper()}]")
    assert ("It tried to sign in as an admin." in message.body) is (severity == "critical")


def test_a_group_in_one_line_says_that_it_tried_an_admin() -> None:
    assert "\n203.0.113.7 [14 times] new, tried an admin\n" in alert(make_breach(), replace(ADMIN, details=None)).body
