"""How often a refused user is tried. Airflow's Variables are a stand-in here; tests/faults has the real ones."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redshift_connector

from dags.redshift_auth_failure_alert import build_dag
from redshift_auth_alert.settings.model import Settings
from redshift_auth_alert.settings.monitors import Monitor
from redshift_auth_alert.tasks import lockout, turn
from redshift_auth_alert.tasks.lockout import SignInNotTriedError, guarded_sign_in
from redshift_auth_alert.tasks.remedies import explained_errors
from redshift_auth_alert.tasks.versions import AirflowFailException
from tests.conftest import NOON, TOPIC
from tests.tasks.conftest import Variables

MINUTE = timedelta(minutes=1)
KEY = "redshift_auth_alert_sign_in_auth_monitor_at_warehouse.example"


class Server:
    """Counts the sign-ins that reach it, and how many at once."""

    def __init__(self, *, refuses: bool, lockout_after: int | None = 5) -> None:
        self.refuses, self.lockout_after = refuses, lockout_after
        self.tried = self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def sign_in(self) -> None:
        with guarded_sign_in("auth_monitor", "warehouse.example", lockout_after=self.lockout_after):
            with self._lock:
                self.tried += 1
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
            threading.Event().wait(0.02)
            with self._lock:
                self.at_once -= 1
            if self.refuses:
                raise redshift_connector.ProgrammingError({"C": "28P01", "M": "password authentication failed"})


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "_WRITTEN", 0.05)
    monkeypatch.setattr(turn, "_HELD", 1.0)


def refused(server: Server) -> str:
    """Sign in to a server that refuses; return the error's text."""
    with pytest.raises((redshift_connector.ProgrammingError, SignInNotTriedError)) as error:
        server.sign_in()
    return str(error.value)


@pytest.mark.parametrize(
    ("lockout_after", "tries"), [(2, 1), (3, 1), (4, 2), (5, 3), (6, 3), (50, 3), (None, 3)], ids=str
)
def test_a_refused_user_is_tried_in_30_minutes_at_most(lockout_after: int | None, tries: int) -> None:
    server = Server(refuses=True, lockout_after=lockout_after)
    for _ in range(10):
        refused(server)
    assert server.tried == tries


@pytest.mark.parametrize(("lockout_after", "tries"), [(2, 1), (3, 1), (4, 2), (5, 3), (6, 4), (50, 48)], ids=str)
def test_a_refused_user_is_tried_in_a_day_two_times_less_than_locks_it(
    lockout_after: int, tries: int, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockout, "turn", lambda _: nullcontext())  # which waits
    server = Server(refuses=True, lockout_after=lockout_after)
    for half_hour in range(46):
        clock.moved = half_hour * 31 * MINUTE
        for _ in range(4):
            refused(server)
    assert server.tried == tries


def test_the_fourth_try_comes_a_day_after_the_first(clock: Any) -> None:
    server, tried = Server(refuses=True), []
    for moved in (0 * MINUTE, 1 * MINUTE, 2 * MINUTE, timedelta(hours=23), timedelta(hours=25)):
        clock.moved = moved
        refused(server)
        tried.append(server.tried)
    assert tried == [1, 2, 3, 3, 4]


def test_where_users_are_locked_later_the_fourth_try_comes_30_minutes_after_the_first(clock: Any) -> None:
    server, tried = Server(refuses=True, lockout_after=10), []
    for _ in range(3):
        refused(server)
    for moved in (29 * MINUTE, 31 * MINUTE):
        clock.moved = moved
        refused(server)
        tried.append(server.tried)
    assert tried == [3, 4]


def test_it_says_since_when_until_when_and_how_to_try_at_once() -> None:
    server = Server(refuses=True)
    for _ in range(3):
        refused(server)
    said = refused(server)
    assert said.startswith("not tried, as it was refused 3 times since 20")
    assert "locks a user after 5 times in a row (lockout_after): tried again after 20" in said
    assert said.endswith(f"or at once if you delete the Airflow Variable {KEY}")


def test_the_later_of_two_limits_says_when_it_is_tried_again(clock: Any) -> None:
    server = Server(refuses=True, lockout_after=6)
    begin = datetime.now(UTC)
    for minutes in (0, 1420, 1421, 1422):
        clock.moved = minutes * MINUTE
        refused(server)
    again = begin + 1450 * MINUTE
    assert any(f"tried again after {at:%Y-%m-%d %H:%M}" in refused(server) for at in (again, again + MINUTE))


def test_once_the_variable_is_deleted_it_is_tried_at_once(variables: Variables) -> None:
    server = Server(refuses=True)
    for _ in range(4):
        refused(server)
    variables.delete(KEY)
    server.refuses = False
    server.sign_in()
    assert server.tried == 4


def test_a_sign_in_that_succeeds_leaves_nothing_behind(variables: Variables) -> None:
    server = Server(refuses=True)
    refused(server)
    server.refuses = False
    server.sign_in()
    assert variables == {}


def test_a_sign_in_that_succeeds_resets_the_count() -> None:
    server = Server(refuses=True)
    for refuses in (True, True, False, True, True, True):
        server.refuses = refuses
        refused(server) if refuses else server.sign_in()
    assert server.tried == 6


def test_an_error_that_is_no_refusal_is_not_counted() -> None:
    for _ in range(5):
        with pytest.raises(TimeoutError), guarded_sign_in("auth_monitor", "warehouse.example", lockout_after=5):
            raise TimeoutError


def test_a_refusal_that_cannot_be_recorded_is_a_refusal(
    variables: Variables, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: Variables, key: str, value: str, **_: Any) -> None:
        if key == KEY:
            raise RuntimeError("API server: 503")
        self[key] = value

    monkeypatch.setattr(Variables, "set", fail)
    with pytest.raises(AirflowFailException), explained_errors("warehouse"):
        Server(refuses=True).sign_in()
    assert "The refused sign-in is not recorded" in caplog.text


def test_a_refusal_is_a_refusal_also_where_the_turn_cannot_be_given_back(
    variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Variables, key: str) -> None:
        raise RuntimeError("API server: 503")

    monkeypatch.setattr(Variables, "delete", fail)
    with pytest.raises(AirflowFailException), explained_errors("warehouse"):
        Server(refuses=True).sign_in()


def test_runs_side_by_side_sign_in_one_at_a_time_and_stop_at_three() -> None:
    server = Server(refuses=True)
    with ThreadPoolExecutor(8) as runs:
        list(runs.map(lambda _: refused(server), range(8)))
    assert (server.tried, server.most_at_once) == (3, 1)


@pytest.mark.parametrize(("seconds", "tried"), [(60, 0), (61, 1)], ids=["waits", "goes on"])
def test_a_run_that_was_killed_in_its_turn_stops_the_others_for_a_minute_only(
    seconds: int, tried: int, variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = json.dumps({"turn": "killed", "since": NOON.isoformat()})
    variables[f"{KEY}_turn"] = killed

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return (NOON + timedelta(seconds=seconds)).astimezone(tz)

    def sleep(_seconds: float) -> None:
        if variables[f"{KEY}_turn"] == killed:
            raise InterruptedError  # instead of waiting for the turn

    monkeypatch.setattr(turn, "datetime", Clock)
    monkeypatch.setattr(time, "sleep", sleep)
    server = Server(refuses=False)
    with suppress(InterruptedError):
        server.sign_in()
    assert server.tried == tried


def test_each_user_of_each_warehouse_has_its_own_count() -> None:
    server = Server(refuses=True)
    for _ in range(4):
        refused(server)
    for user, host in (("other", "warehouse.example"), ("auth_monitor", "other.example")):
        with guarded_sign_in(user, host, lockout_after=5):
            pass


def test_a_warehouse_with_a_long_name_has_a_key_that_airflow_takes(variables: Variables) -> None:
    user, host = "u" * 128, "h" * 200
    with pytest.raises(redshift_connector.ProgrammingError), guarded_sign_in(user, host, lockout_after=5):
        raise redshift_connector.ProgrammingError({"C": "28P01"})
    assert [len(key) <= 250 for key in variables] == [True]


def test_the_guard_of_a_monitor_knows_its_limit() -> None:
    settings = Settings(environment="test", sns_topic_arn=TOPIC, lockout_after=7)
    query = build_dag(Monitor(dag_id="seven", file=Path("seven.yaml"), settings=settings)).get_task(
        "query_auth_failures"
    )
    assert query.sign_in["guard"].keywords == {"lockout_after": 7}
