"""What the log's text becomes: padding, NULLs, IPv4-mapped addresses and an attacker's names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.conftest import NOON, make_run, measure

MINUTE = timedelta(minutes=1)


def failures(number: int, host: Any, user: Any = "ann", database: Any = "dev") -> list[tuple[Any, ...]]:
    start = NOON.replace(tzinfo=None)
    return [("authentication failure", start + at * MINUTE, host, user, database) for at in range(number)]


@pytest.mark.parametrize(
    ("in_the_log", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("  192.0.2.1  ", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "::ffff:c000:201"),
        ("2001:db8::1", "2001:db8::1"),
        ("[local]", "[local]"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_host_is_grouped_as(logs: psycopg.Connection, in_the_log: str | None, group: str) -> None:
    rows = measure(logs, make_run(), failures(10, in_the_log))
    assert [(row["remote_host"], row["failures"]) for row in rows] == [(group, 10)]


def test_an_ipv4_mapped_address_and_its_ipv4_address_are_one_group(logs: psycopg.Connection) -> None:
    rows = measure(logs, make_run(), failures(5, "192.0.2.1") + failures(5, "::ffff:192.0.2.1"))
    assert [(row["remote_host"], row["failures"]) for row in rows] == [("192.0.2.1", 10)]


@pytest.mark.parametrize(
    "name",
    [
        "{{ 1/0 }}",
        "'; DROP TABLE x; --",
        'a"b',
        "a|b",
        "a\nb\x1b[2J",
        "é",
        "ä" * 50,
        "\N{PILE OF POO}" * 12,
        " leading",
    ],
)
@pytest.mark.parametrize("source", ["stl_connection_log", "sys_connection_log"])
def test_a_user_name_stays_what_the_attacker_typed(logs: psycopg.Connection, name: str, source: str) -> None:
    rows = measure(logs, make_run(group_by=("user_name",), source=source), failures(10, "192.0.2.1", name))
    assert [row["user_name"] for row in rows] == [name]


@pytest.mark.parametrize("name", [None, "", "   "])
def test_a_missing_user_name_is_an_ordinary_group(logs: psycopg.Connection, name: str | None) -> None:
    rows = measure(logs, make_run(group_by=("user_name",)), failures(10, "192.0.2.1", name))
    assert [(row["user_name"], row["failures"]) for row in rows] == [("", 10)]


@pytest.mark.parametrize(("number", "breaches"), [(9, 0), (10, 1), (11, 1)])
def test_the_threshold_is_reached_at_exactly_ten(logs: psycopg.Connection, number: int, breaches: int) -> None:
    rows = measure(logs, make_run(), failures(number, "192.0.2.1"))
    assert rows[0]["breaching_groups"] == breaches
