"""The json form and the asset event."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from redshift_auth_alert.detection.findings import Client, Coverage, Known, Login
from redshift_auth_alert.message.alert import build_alert
from redshift_auth_alert.message.compose import compose_document
from redshift_auth_alert.settings.entries import Ignore
from tests.conftest import NOON, ROOT, make_run
from tests.message.findings import GOT_IN, MINUTE, OVER, alert, make_breach, make_verdict

SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "message.schema.json").read_text()))
GATEWAY = Ignore(remote_host="192.0.2.0/24", reason="BI gateway", until=date(2026, 12, 31))
IGNORED = make_breach(outcome="ignored", entry=GATEWAY)
PARTIAL = Coverage("stl_connection_log", "partial", "from 12:03 on only", unreadable_lines=2)
ALL_THERE_IS = make_verdict(
    GOT_IN,
    replace(make_breach(), details=None),
    OVER,
    IGNORED,
    coverage=PARTIAL,
    new=5,
    ongoing=3,
    held_back=2,
    ignored=7,
    unjudged=4,
)


def document(*breaches: Any, **more: Any) -> dict[str, Any]:
    return dict(json.loads(alert(*breaches, message_format="json", **more).body))


@pytest.mark.parametrize(
    "verdict",
    [
        make_verdict(make_breach()),
        ALL_THERE_IS,
        make_verdict(OVER),
        make_verdict(replace(make_breach(), details=None)),
        make_verdict(coverage=PARTIAL),
    ],
    ids=["new", "all there is", "over", "in one line", "partial"],
)
def test_the_json_form_keeps_its_schema(verdict: Any) -> None:
    SCHEMA.validate(document(verdict=verdict))


@given(st.text(max_size=50))
def test_the_json_form_gives_names_as_they_are(name: str) -> None:
    written = document(make_breach(group={"remote_host": name}, top_users=((name, 9),)))
    SCHEMA.validate(written)
    assert written["breaches"][0]["group"] == {"remote_host": name}
    assert [user["user"] for user in written["breaches"][0]["top_users"]] == [name]


def test_the_json_form_says_all_that_the_text_says() -> None:
    written = document(verdict=ALL_THERE_IS)
    assert written["severity"] == "critical"
    assert written["interval"] == {"start": "2026-03-01T12:00:00Z", "end": "2026-03-01T12:30:00Z"}
    assert written["groups"] == {
        "reported": 12, "new": 5, "ongoing": 3, "critical": 1, "admin": 0, "held_back": 2, "over": 1, "ignored": 7,
        "unjudged": 4, "lockouts": 0, "strangers": 0, "unnamed": 6,
    }  # fmt: skip
    assert written["breaches"][0]["got_in"] == {"at": "2026-03-01T12:10:00Z", "user": "admin", "warehouse": None}
    assert written["ignored"][0]["ignore_entry"]["reason"] == "BI gateway"


@pytest.mark.parametrize("failed", [True, False])
def test_the_json_form_says_from_where_a_group_got_in_that_may_sign_in_from_any_host(*, failed: bool) -> None:
    first = Login(NOON + MINUTE, "etl", host="10.0.0.6")
    got_in = Login(NOON + 10 * MINUTE, "etl", host="10.0.0.5", host_failed=failed)
    written = document(make_breach(group={"user_name": "etl"}, got_in=got_in, first_login=first))
    SCHEMA.validate(written)
    (breach,) = written["breaches"]
    assert (breach["got_in"]["host"], breach["got_in"]["host_failed"]) == ("10.0.0.5", failed)
    assert (breach["first_login"]["host"], "host_failed" in breach["first_login"]) == ("10.0.0.6", False)


def test_the_json_form_says_whether_a_group_is_known_and_what_it_came_with() -> None:
    known = Known(3, NOON - MINUTE, Login(NOON - MINUTE, "etl"))
    written = document(make_breach(known=known, clients=(Client("tls", "TLSv1.2", 1),), hosts=4))
    SCHEMA.validate(written)
    (breach,) = written["breaches"]
    at = "2026-03-01T11:59:00Z"
    assert breach["known"] == {"sign_ins": 3, "since": at, "last_at": at, "last_user": "etl"}
    assert breach["clients"] == {"tls": {"value": "TLSv1.2", "others": 1}}
    assert (breach["hosts"], breach["stranger"], breach["lockout"]) == (4, False, False)


def test_the_json_form_says_that_a_group_never_signed_in() -> None:
    written = document(make_breach(known=Known(0, NOON, None)))
    SCHEMA.validate(written)
    (breach,) = written["breaches"]
    assert (breach["known"]["last_at"], breach["stranger"], written["groups"]["strangers"]) == (None, True, 1)


@pytest.mark.parametrize(
    ("count", "counted"),
    [("failures", "failures"), ("distinct user_name", "users"), ("distinct database_name", "databases")],
)
def test_the_json_form_says_in_words_what_was_counted(count: str, counted: str) -> None:
    written = document(count=count)
    SCHEMA.validate(written)
    assert (written["settings"]["count"], written["settings"]["counted"]) == (count, counted)


@pytest.mark.parametrize("thresholds", [[], [{"remote_host": "192.0.2.1", "threshold": 25}]])
def test_the_json_form_says_whether_some_groups_have_thresholds_of_their_own(thresholds: Any) -> None:
    written = document(thresholds=thresholds)
    SCHEMA.validate(written)
    assert written["settings"]["own_thresholds"] is bool(thresholds)


def test_a_group_in_one_line_has_four_properties() -> None:
    written = document(*[make_breach()] * 3, max_groups=2)["breaches"]
    assert [len(each) > 4 for each in written] == [True, True, False]
    assert written[2] == {
        "group": {"remote_host": "203.0.113.7"}, "failures": 14, "ongoing": False, "critical": False,
    }  # fmt: skip


def test_the_schema_refuses_a_key_that_it_does_not_know() -> None:
    assert not SCHEMA.is_valid(document() | {"more": 1})


def test_the_schema_refuses_half_of_the_details() -> None:
    written = document()
    del written["breaches"][0]["threshold"]
    assert not SCHEMA.is_valid(written)


def test_the_asset_event_holds_the_json_form_whatever_is_published() -> None:
    alert = build_alert(make_verdict(GOT_IN), make_run(message_format="text"))
    SCHEMA.validate(compose_document(alert))


def test_the_asset_event_holds_2000_groups_within_256_kb() -> None:
    known = Known(1_000, NOON, Login(NOON, "analyst"))
    clients = tuple(Client(what, "x" * 15, 9) for what in ("method", "driver", "application", "system", "tls"))
    hosts = [f"203.0.{100 + number // 100}.{100 + number % 100}" for number in range(2_000)]
    breaches = [make_breach(group={"remote_host": host}, known=known, clients=clients) for host in hosts]
    written = compose_document(build_alert(make_verdict(*breaches), make_run()))
    assert len(written["breaches"]) == 2_000
    assert len(json.dumps(written)) <= 262_144
