"""What the messages say of the warehouse and of the run's page, and what fits into a subject."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redshift_auth_alert.message.alert import SUBJECT_LIMIT, Message, build_alert, write_subject
from redshift_auth_alert.message.compose import compose_alert
from tests.conftest import make_run
from tests.message.findings import GOT_IN, failure, make_breach, make_verdict
from tests.message.test_document import SCHEMA

URL = "https://airflow.example.com/dags/dag/runs/manual__1%2B1"
FORMS = ["text", "json", "chat"]


def published(form: str, warehouse: str | None = "sales-dwh", url: str | None = URL) -> Message:
    run = replace(make_run(message_format=form), warehouse=warehouse, run_url=url)
    return compose_alert(build_alert(make_verdict(GOT_IN), run))


def failed(form: str, warehouse: str | None = "sales-dwh", url: str | None = URL) -> Message:
    return failure(make_run(), message_format=form, warehouse=warehouse, run_url=url)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("write", [published, failed])
def test_every_form_names_the_warehouse_and_the_page(write: Any, form: str) -> None:
    message = write(form)
    assert "sales-dwh" in message.body
    assert URL in message.body
    assert "(test) sales-dwh: " in message.subject


@pytest.mark.parametrize("write", [published, failed])
def test_the_json_form_with_both_keeps_its_schema(write: Any) -> None:
    document = json.loads(write("json").body)
    SCHEMA.validate(document)
    assert (document["warehouse"], document["run_url"]) == ("sales-dwh", URL)


@pytest.mark.parametrize("write", [published, failed])
def test_the_json_form_has_null_for_what_is_not_known(write: Any) -> None:
    document = json.loads(write("json", None, None).body)
    SCHEMA.validate(document)
    assert (document["warehouse"], document["run_url"]) == (None, None)


@pytest.mark.parametrize("form", ["text", "chat"])
@pytest.mark.parametrize("write", [published, failed])
def test_what_is_not_known_is_left_out(write: Any, form: str) -> None:
    message = write(form, None, None)
    assert not [word for word in ("Warehouse", "Page", "None") if word in message.body]
    assert "(test) Redshift: " in message.subject


def test_the_pages_address_is_on_one_line_of_the_text() -> None:
    url = URL + "0" * 100
    assert f"\nPage         {url}\n" in published("text", url=url).body


def test_the_subject_says_what_matters_first() -> None:
    verdict = make_verdict(GOT_IN, make_breach(), admin=2, new=3)
    run = replace(make_run(environment="production"), warehouse="sales-dwh")
    assert build_alert(verdict, run).subject == (
        "[CRITICAL] (production) sales-dwh: 1 of 3 remote hosts GOT IN, 2 tried an admin"
    )


@pytest.mark.parametrize(
    ("totals", "says"),
    [
        ({"new": 1, "critical": 1}, "1 remote host GOT IN"),
        (
            {"new": 1, "critical": 1, "admin": 1, "lockouts": 1},
            "1 remote host GOT IN, tried an admin, may have locked users out",
        ),
        ({"new": 2, "critical": 1, "lockouts": 1}, "1 of 2 remote hosts GOT IN, 1 may have locked users out"),
        ({"new": 2_000, "critical": 1_500}, "1,500 of 2,000 remote hosts GOT IN"),
        ({"new": 2, "critical": 2, "admin": 2}, "2 remote hosts GOT IN, 2 tried an admin"),
        ({"new": 2, "admin": 1}, "1 of 2 remote hosts tried an admin"),
        ({"new": 1, "admin": 1, "lockouts": 1}, "1 remote host tried an admin, may have locked users out"),
        ({"new": 3, "lockouts": 2}, "2 of 3 remote hosts may have locked users out"),
        ({"new": 1}, "1 remote host failed to sign in"),
    ],
    ids=[
        "the only one",
        "the only one did more",
        "one of two",
        "many",
        "all of them",
        "none got in",
        "the only one tried an admin",
        "users that may be locked out",
        "none did more",
    ],
)
def test_the_subject_counts_no_host_twice(totals: dict[str, int], says: str) -> None:
    assert build_alert(make_verdict(**totals), make_run()).subject.endswith(f" Redshift: {says}")


def test_a_subject_that_is_too_long_keeps_who_got_in_and_the_warehouse() -> None:
    verdict = make_verdict(new=10**6, critical=10**6, admin=10**6, lockouts=10**6)
    run = replace(make_run(environment="e" * 40), warehouse="sales-dwh")
    assert build_alert(verdict, run).subject == (
        "[CRITICAL] (eeeeeeeeeeeeeeeee..) sales-dwh: 1,000,000 remote hosts GOT IN, 1,000,000 tried an admin"
    )


def test_the_subject_and_the_text_say_how_many_may_have_locked_users_out() -> None:
    message = compose_alert(build_alert(make_verdict(make_breach(), lockouts=1), make_run()))
    assert message.subject == "[ALERT] (test) Redshift: 1 remote host may have locked users out"
    assert "\nIt may have locked users out.\n" in message.body


def test_the_text_says_how_many_are_strangers() -> None:
    message = compose_alert(build_alert(make_verdict(make_breach(), strangers=1, new=2), make_run()))
    assert "\n1 of them had no earlier sign-in in the log.\n" in message.body


SAYS = (
    "1 of 3 hosts GOT IN, 1 tried an admin, 2 may have locked users out",
    "1 of 3 hosts GOT IN, 1 tried an admin",
)


@pytest.mark.parametrize(
    ("environment", "warehouse", "subject"),
    [
        pytest.param("prod", "dwh", f"[CRITICAL] (prod) dwh: {SAYS[0]}", id="all of it"),
        pytest.param("e" * 25, "dwh", f"[CRITICAL] ({'e' * 25}) dwh: {SAYS[1]}", id="without locks"),
        pytest.param("e" * 40, "w" * 17, f"[CRITICAL] ({'e' * 27}..) {'w' * 17}: {SAYS[1]}", id="less environment"),
        pytest.param("e" * 40, "w" * 64, f"[CRITICAL] (eeee..) {'w' * 38}..: {SAYS[1]}", id="less warehouse too"),
    ],
)
def test_a_subject_is_shortened_from_what_matters_least(environment: str, warehouse: str, subject: str) -> None:
    assert write_subject("critical", environment, warehouse, *SAYS) == subject


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40).filter(str.strip),
    st.none() | st.from_regex("[A-Za-z0-9_.-]{1,64}", fullmatch=True),
)
def test_every_subject_is_within_snss_limit_and_says_who_got_in(
    critical: int, admin: int, lockouts: int, environment: str, warehouse: str | None
) -> None:
    verdict = make_verdict(new=10**6, critical=critical, admin=admin, lockouts=lockouts)
    subject = build_alert(verdict, replace(make_run(environment=environment), warehouse=warehouse)).subject
    assert len(subject) <= SUBJECT_LIMIT == 99
    assert ("remote hosts GOT IN" in subject) is (critical > 0)
    assert ("tried an admin" in subject) is (admin > 0)
    assert "1,000,000 remote hosts" in subject
