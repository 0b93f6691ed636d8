"""The monitor's own sign-ins: found by this session's process, counted like any other, and never "got in"."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import psycopg
import pytest

from redshift_auth_alert.detection.findings import Breach
from tests.conftest import judged, make_run, measure
from tests.detection.events import HEARTBEAT, Events, failures, sign_ins

WORKER = "10.0.0.7"


def worst(
    logs: psycopg.Connection, *events: Any, own: Events, current_user: str = "auth_monitor", **settings: Any
) -> Breach:
    """The worst group of a log in which this session's process signed in as ``own`` says."""
    run = make_run(**settings)
    session = [(*event, logs.info.backend_pid) for event in own]
    log = [*HEARTBEAT, *chain(*events), *session]
    return judged(measure(logs, run, log, current_user), run).breaches[0]


def own_failures(logs: psycopg.Connection, *own: Events, user: str, current_user: str = "auth_monitor") -> int:
    """How many of twelve failures of ``user`` from the worker's host count as the monitor's."""
    log = failures(*range(12), user=user, host=WORKER)
    found = worst(logs, log, own=[*chain(*own)], current_user=current_user)
    assert found.details
    return found.details.own_failures


def signed_in(user: str = "auth_monitor", host: str = WORKER) -> Events:
    return sign_ins(31, user=user, host=host)


@pytest.mark.parametrize("user", ["auth_monitor", "IAM:auth_monitor", "IAMA:auth_monitor:analysts"])
def test_the_monitors_own_sign_in_after_its_own_failures_is_not_got_in(logs: psycopg.Connection, user: str) -> None:
    own = {"user": user, "host": WORKER}
    found = worst(logs, failures(*range(12), **own), sign_ins(15, **own), own=signed_in(user))
    assert (found.group, found.critical) == ({"remote_host": WORKER}, False)


def test_the_monitors_own_failures_are_counted_and_named(logs: psycopg.Connection) -> None:
    own = {"user": "auth_monitor", "host": WORKER}
    found = worst(logs, failures(*range(12), **own), failures(13, 14, host=WORKER), own=signed_in())
    assert found.details
    assert (found.failures, found.details.own_failures) == (14, 12)


def test_who_guessed_the_monitors_password_elsewhere_got_in(logs: psycopg.Connection) -> None:
    attacker = {"user": "auth_monitor", "host": "203.0.113.5"}
    found = worst(logs, failures(*range(12), **attacker), sign_ins(15, **attacker), own=signed_in())
    assert found.details
    assert (found.critical, found.details.own_failures) == (True, 0)


def test_who_got_in_as_another_user_from_the_monitors_host_got_in(logs: psycopg.Connection) -> None:
    neighbour = {"user": "analyst", "host": WORKER}
    found = worst(logs, failures(*range(12), **neighbour), sign_ins(15, **neighbour), own=signed_in())
    assert found.critical


def test_the_monitors_own_sign_in_among_all_of_its_user_is_not_got_in(logs: psycopg.Connection) -> None:
    own = {"user": "auth_monitor", "host": WORKER}
    log = failures(*range(12), **own), sign_ins(15, **own)
    assert not worst(logs, *log, own=signed_in(), group_by=("user_name",)).critical


def test_a_session_that_the_log_does_not_show_yet_leaves_nobody_out(logs: psycopg.Connection) -> None:
    own = {"user": "auth_monitor", "host": WORKER}
    assert worst(logs, failures(*range(12), **own), sign_ins(15, **own), own=[]).critical


@pytest.fixture
def current_user(logs: psycopg.Connection, request: pytest.FixtureRequest) -> Iterator[str]:
    """A user of this name who may read the log."""
    with logs.transaction(force_rollback=True):
        logs.execute(
            f'RESET ROLE; CREATE ROLE "{request.param}"; GRANT SELECT ON stl_connection_log TO "{request.param}"'
        )
        yield request.param


@pytest.mark.parametrize(
    ("current_user", "written"),
    [
        pytest.param("monitor", "monitor", id="password"),
        pytest.param("monitor", "IAM:monitor", id="IAM"),
        pytest.param("monitor", "IAMA:monitor:analysts", id="IAM with a group"),
        pytest.param("ops-role", "IAMR:ops-role", id="role, and CURRENT_USER lacks its prefix"),
        pytest.param("IAMR:ops-role", "IAMR:ops-role", id="role, and CURRENT_USER has its prefix"),
        pytest.param("m" * 50, "m" * 50, id="as long as the log's names"),
        pytest.param("m" * 60, "m" * 50, id="cut"),
        pytest.param("r" * 45, "IAMR:" + "r" * 45, id="role that just fits"),
        pytest.param("r" * 60, "IAMR:" + "r" * 45, id="role, cut"),
        pytest.param("IAMR:" + "r" * 55, "IAMR:" + "r" * 45, id="role with its prefix, cut"),
        pytest.param("m" * 44, "IAMA:" + "m" * 44 + ":", id="cut after the group's colon"),
        pytest.param("m" * 40, "IAMA:" + "m" * 40 + ":anal", id="cut within the group"),
    ],
    indirect=["current_user"],
)
def test_the_session_finds_itself_under_the_name_that_the_log_writes(
    logs: psycopg.Connection, current_user: str, written: str
) -> None:
    assert own_failures(logs, signed_in(written), user=written, current_user=current_user) == 12


@pytest.mark.parametrize(
    "user",
    [
        "auth_monitor2",
        "my_auth_monitor",
        "auth_monito",
        "IAM:auth_monitor2",
        "IAM:my_auth_monitor",
        "IAMA:auth_monitor2:analysts",
        "IAMA:analyst:auth_monitor",
        "IAMR:auth_monitor2",
    ],
)
def test_who_had_this_sessions_process_number_and_a_similar_name_is_not_the_monitor(
    logs: psycopg.Connection, user: str
) -> None:
    assert own_failures(logs, signed_in(user), user=user) == 0


@pytest.mark.parametrize("days", [0, 1, 6])
def test_the_session_is_found_although_others_had_its_process_number_before(
    logs: psycopg.Connection, days: int
) -> None:
    others = sign_ins(31, user="analyst", host="192.0.2.7"), sign_ins(32, user="auth_monitor", host="192.0.2.8")
    newest = sign_ins(33 + days * 1440, user="auth_monitor", host=WORKER)
    assert own_failures(logs, *others, newest, user="auth_monitor") == 12


def test_an_earlier_sign_in_with_this_process_number_is_not_taken_for_the_session_if_another_user_had_it_since(
    logs: psycopg.Connection,
) -> None:
    earlier, since = signed_in(), sign_ins(32, user="analyst", host=WORKER)
    assert own_failures(logs, earlier, since, user="auth_monitor") == 0


@pytest.mark.parametrize("source", ["stl_connection_log", "sys_connection_log"])
def test_a_backfill_finds_the_session_that_signed_in_days_after_its_interval(
    logs: psycopg.Connection, source: str
) -> None:
    own = {"user": "IAM:auth_monitor", "host": WORKER}
    log = failures(*range(12), **own), sign_ins(15, **own)
    found = worst(logs, *log, own=sign_ins(6 * 1440, **own), source=source, run_type="backfill")
    assert found.details
    assert (found.critical, found.details.own_failures) == (False, 12)
