"""Who goes on where Airflow's API server is slow. Its Variables are a stand-in here; tests/faults has the real ones."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.exceptions import AirflowException

from redshift_auth_alert.tasks import turn as module
from redshift_auth_alert.tasks.turn import turn, variable_key
from tests.tasks.conftest import Variables


class SlowVariables(Variables):
    """A thread named ``slow`` waits for so many seconds before its first value is written."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.writes, self.asked = seconds, 0, threading.Event()

    def set(self, key: str, value: str, **_: Any) -> None:
        self.writes += 1
        if threading.current_thread().name == "slow" and not self.asked.is_set():
            self.asked.set()
            time.sleep(self.seconds)
        super().set(key, value)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WRITTEN", 0.3)
    monkeypatch.setattr(module, "_HELD", 2.4)
    monkeypatch.setattr(module, "_KEPT", timedelta(seconds=7.2))


def order_with_a_slow_task(variables: SlowVariables) -> list[str]:
    """Let a slow task look for the turn, then a quick one take it; return who began and ended when."""
    order: list[str] = []

    def go_on(name: str, seconds: float) -> None:
        with turn("a_turn"):
            order.append(f"{name} begins")
            time.sleep(seconds)
            order.append(f"{name} ends")

    slow = threading.Thread(target=go_on, args=["slow", 0], name="slow")
    slow.start()
    variables.asked.wait()
    go_on("quick", 1.8)
    slow.join()
    return order


ONE_AT_A_TIME = ["quick begins", "quick ends", "slow begins", "slow ends"]


def test_a_task_that_writes_slowly_does_not_go_on_beside_the_one_that_it_wrote_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = SlowVariables(1.5)
    monkeypatch.setattr(module, "Variable", variables)
    assert order_with_a_slow_task(variables) == ONE_AT_A_TIME
    assert (variables.writes, variables) == (2, {})


def test_a_task_that_writes_more_slowly_than_a_turn_is_held_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = SlowVariables(2.7)
    monkeypatch.setattr(module, "Variable", variables)
    assert order_with_a_slow_task(variables) == ONE_AT_A_TIME
    assert variables.writes == 3


def test_a_task_that_held_its_turn_too_long_leaves_that_of_its_successor(variables: Variables) -> None:
    with turn("a_turn"):
        variables["a_turn"] = successor = variables["a_turn"].replace('"turn": "', '"turn": "other')
    assert variables == {"a_turn": successor}


@pytest.mark.parametrize("refused", ["get", "delete"])
def test_a_task_goes_on_where_its_turn_cannot_be_given_back(
    variables: Variables, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, refused: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("API server: 503")

    with turn("a_turn"):
        monkeypatch.setattr(Variables, refused, fail)
    assert "a_turn" in caplog.text
    assert "a_turn" in variables


SINCE = '{{"turn": "one", "since": "{}"}}'
UNREADABLE = ["null", "{", "[]", "{}", SINCE.format("yesterday"), SINCE.format("2999-01-01")]


@pytest.mark.parametrize("value", UNREADABLE)
def test_a_turn_that_is_no_record_is_nobodys(variables: Variables, value: str) -> None:
    variables["a_turn"] = value
    with turn("a_turn"):
        pass
    assert variables == {}


def test_a_task_does_not_wait_for_ever_where_variables_cannot_be_written(
    variables: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT", 1.0)
    monkeypatch.setattr(Variables, "set", lambda *_, **__: None)  # as Airflow 3.0.6 does, with a line in its log
    with pytest.raises(AirflowException, match="the Airflow Variable a_turn, or it cannot be written"), turn("a_turn"):
        pytest.fail("nobody has the turn")


@pytest.mark.parametrize("length", [100, 225, 226, 1_000])
def test_a_key_and_that_of_its_turn_are_keys_that_airflow_takes(length: int) -> None:
    key = variable_key("kept", "m" * length)
    assert len(f"{key}_turn") <= 250
    assert key != variable_key("kept", "m" * (length - 1) + "n")


def test_a_key_holds_no_character_that_a_secrets_backend_may_refuse() -> None:
    assert variable_key("kept", "IAM:ann@warehouse:5439") == "redshift_auth_alert_kept_IAM_ann_warehouse_5439"
