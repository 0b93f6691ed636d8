"""docs/examples/respond_after_approval.py: what it asks, and how it locks. tests/approval runs it in Airflow."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import redshift_connector

from docs.examples.respond_after_approval import NEW_PASSWORD, QUESTIONS, alter_user, questions, quoted, unlock
from redshift_auth_alert.detection.findings import Breach, Login
from redshift_auth_alert.tasks.versions import AirflowFailException
from sandbox.warehouse import Warehouse
from tests.conftest import NOON
from tests.message.findings import OVER, alert, make_breach

HOSTILE = 'x"; ALTER USER victim SUPERUSER; --'


def documents(*breaches: Breach, stranger: bool = False) -> list[dict[str, Any]]:
    """The data of one event: the monitor's own document, with each group as a stranger or not."""
    document = json.loads(alert(*breaches, message_format="json").body)
    return [document | {"breaches": [each | {"stranger": stranger} for each in document["breaches"]]}]


def got_in(user: str, host: str = "203.0.113.7") -> Breach:
    return make_breach(group={"remote_host": host}, got_in=Login(NOON, user))


def strangers(number: int) -> list[Breach]:
    return [make_breach(group={"remote_host": f"203.0.113.{each}"}) for each in range(1, number + 1)]


def asked(alerts: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [question["action"] for question in questions(alerts)]


def test_a_user_that_a_known_host_got_in_as_is_locked() -> None:
    assert asked(documents(got_in("analyst"))) == [{"lock": "analyst"}]


@pytest.mark.parametrize(("failed", "locks"), [(True, [{"lock": "etl"}]), (False, [])])
def test_a_user_is_locked_only_if_the_host_that_it_signed_in_from_had_failed(
    locks: list[dict[str, str]], *, failed: bool
) -> None:
    login = Login(NOON, "etl", host="10.0.0.5", host_failed=failed)
    assert asked(documents(make_breach(group={"user_name": "etl"}, got_in=login))) == locks


def test_the_address_of_a_stranger_is_denied_and_nobody_that_it_tried_is_locked() -> None:
    assert asked(documents(make_breach(), stranger=True)) == [{"deny": "203.0.113.7"}]


def test_a_stranger_that_got_in_is_denied_and_its_user_is_locked() -> None:
    assert asked(documents(got_in("analyst"), stranger=True)) == [{"lock": "analyst"}, {"deny": "203.0.113.7"}]


def test_nothing_is_asked_about_the_failures_of_a_known_host() -> None:
    assert asked(documents(make_breach())) == []


def test_nothing_is_asked_about_groups_that_are_over() -> None:
    assert asked(documents(OVER, stranger=True)) == []


def test_a_document_without_the_field_stranger_denies_nobody() -> None:
    document = json.loads(alert(make_breach(), message_format="json").body)
    document["breaches"][0].pop("stranger", None)
    assert asked([document]) == []


@pytest.mark.parametrize(
    "group", [{"user_name": "admin"}, {"remote_host": "203.0.113.7", "user_name": "admin"}], ids=["user", "both"]
)
def test_no_address_is_denied_where_the_group_is_more_than_a_host(group: dict[str, str]) -> None:
    assert asked(documents(make_breach(group=group), stranger=True)) == []


def test_one_question_is_asked_about_a_user_of_two_alerts() -> None:
    twice = documents(got_in("analyst")) + documents(got_in("analyst", "203.0.113.8"))
    assert asked(twice) == [{"lock": "analyst"}]


def test_no_more_questions_are_asked_than_the_limit() -> None:
    assert len(asked(documents(*strangers(QUESTIONS + 1), stranger=True))) == QUESTIONS


def test_locks_come_first_so_that_many_strangers_keep_none_back() -> None:
    last = got_in("analyst", "203.0.113.99")
    assert asked(documents(*strangers(QUESTIONS), last, stranger=True))[0] == {"lock": "analyst"}


@pytest.mark.parametrize(
    "user",
    ["IAM:analyst", "IAMA:analyst:group", "IAMR:role", "", "a\nb", "a\0", "ad\u202emin", "a" * 50, "ä" * 25, "\udc80"],
)
def test_a_user_that_cannot_be_locked_safely_is_not_asked_about_and_the_log_says_so(
    user: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert asked(documents(got_in(user), stranger=True)) == [{"deny": "203.0.113.7"}]
    assert "cannot be locked safely" in caplog.text


@pytest.mark.parametrize("address", ["", "203.0.113.0/24", "localhost", "203.0.113.7 0.0.0.0/0"])
def test_what_is_no_address_is_not_denied(address: str) -> None:
    assert asked(documents(make_breach(group={"remote_host": address}), stranger=True)) == []


@pytest.mark.parametrize("user", ["analyst", "a" * 49, "ä" * 24, "o'brien", "a b", "100%"])
def test_a_printable_name_shorter_than_the_logs_column_is_quoted_as_it_is(user: str) -> None:
    assert quoted(user) == f'"{user}"'


def test_no_name_ends_the_indented_block_that_keeps_markdown_out() -> None:
    hostile = make_breach(
        got_in=Login(NOON, "analyst"), group={"user_name": "\n![x](https://203.0.113.9)"}, top_users=(("\n# x", 9),)
    )
    body = questions(documents(hostile))[0]["body"]
    assert [line[:4] for line in body.splitlines()] == ["    "] * 4


@pytest.fixture
def victims(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A user of a plain name and one of a hostile name, and a connection of somebody who may change just these."""
    connection = {"conn_type": "redshift", "host": "127.0.0.1", "port": warehouse.port, "login": "responder",
                  "password": "responder", "schema": "dev", "extra": {"ssl": False}}  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_RESPONDER", json.dumps(connection))
    with warehouse.admin() as admin:
        admin.execute("CREATE ROLE responder LOGIN CREATEROLE PASSWORD 'responder'")
        for user in ("victim", HOSTILE):
            admin.execute(f"CREATE ROLE {quoted(user)} LOGIN PASSWORD 'stolen'".encode())
            admin.execute(f"GRANT {quoted(user)} TO responder WITH ADMIN TRUE, INHERIT FALSE, SET FALSE".encode())
        yield warehouse
        for user in ("victim", HOSTILE, "responder"):
            admin.execute(f"DROP ROLE {quoted(user)}".encode())


@pytest.mark.parametrize("user", ["victim", HOSTILE])
def test_a_locked_user_is_refused(victims: Warehouse, user: str) -> None:
    assert victims.login("127.0.0.11", user, "stolen")
    alter_user(user, "NOLOGIN")
    with pytest.raises(redshift_connector.InterfaceError, match="is not permitted to log in"):
        victims.login("127.0.0.11", user, "stolen")


def test_a_hostile_name_changes_no_other_user(victims: Warehouse) -> None:
    alter_user(HOSTILE, "NOLOGIN")
    with victims.admin() as admin:
        assert admin.execute("SELECT rolsuper, rolcanlogin FROM pg_roles WHERE rolname = 'victim'").fetchall() == [
            (False, True)
        ]


def test_a_user_that_the_responder_has_no_right_to_change_stays_as_it_is(victims: Warehouse) -> None:
    with pytest.raises(redshift_connector.ProgrammingError, match="permission denied"):
        alter_user("auth_monitor", "NOLOGIN")
    assert victims.login("127.0.0.11", "auth_monitor", "auth_monitor")


def test_an_unlocked_user_signs_in_with_the_new_password_alone(
    victims: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    alter_user("victim", "NOLOGIN")
    new = {"conn_type": "generic", "login": "victim", "password": "new-password"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{NEW_PASSWORD.upper()}", json.dumps(new))
    unlock("victim")
    assert not victims.login("127.0.0.11", "victim", "stolen")
    assert victims.login("127.0.0.11", "victim", "new-password")


@pytest.mark.parametrize(
    ("login", "password"), [("other", "new-password"), ("victim", ""), ("victim", "new'password"), ("victim", "short")]
)
def test_a_user_is_not_unlocked_without_a_new_password_of_its_own(
    monkeypatch: pytest.MonkeyPatch, login: str, password: str
) -> None:
    new = {"conn_type": "generic", "login": login, "password": password}
    monkeypatch.setenv(f"AIRFLOW_CONN_{NEW_PASSWORD.upper()}", json.dumps(new))
    with pytest.raises(AirflowFailException, match="put this user and a new password"):
        unlock("victim")
