"""The warehouse cannot be reached, falls silent, or restarts."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from typing import Any

import psycopg
import pytest

from sandbox.warehouse import login, running_warehouse
from tests.conftest import unwrapped
from tests.faults.world import HOST, World

Begun = dict[str, Future[Any]]


def begin(world: World) -> Begun:
    """A run over each connection that a fault stands before."""
    runs: Begun = {"restart": world.background(restart, world)}
    for fault in ("refuse", "hang", "silence", "cut"):
        stand_before(world, fault)
        runs[fault] = world.background(world.outcome, world.trigger(fault, conn_id=fault), fault)
    return runs


def stand_before(world: World, fault: Any) -> None:
    """Add a connection that a fault stands before."""
    proxy = world.proxy(fault)
    assert login(HOST, proxy.port, "auth_monitor", "auth_monitor")
    proxy.limit = proxy.answered + 300  # within the result
    proxy.last_words = b"Z\0\0\0\5I"  # ReadyForQuery: the sign-in works, and "silence" answers nothing after it
    proxy.behaviour = fault


def restart(world: World) -> tuple[str, list[Any]]:
    """Restart a warehouse while a query runs."""
    with running_warehouse() as warehouse:
        world.connect("restarted", warehouse.port)
        for _ in range(3):
            assert not warehouse.login(HOST, "admin", "guess")
        with contextlib.suppress(psycopg.OperationalError), warehouse.admin() as admin:
            admin.execute("BEGIN; LOCK TABLE earlier_events")
            run_id = world.trigger("restarted", conn_id="restarted")
            world.wait_until(lambda: world.statements("auth_monitor", warehouse), "the query to run")
            with warehouse.stopped():
                pass
        return world.outcome(run_id, "restarted")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("refuse", "the warehouse could not be reached: check host, port"),
        ("hang", "the warehouse could not be reached: check host, port"),
        ("silence", "the warehouse could not be reached: check host, port"),
        ("cut", "the connection to the warehouse was cut while the result was read"),
    ],
)
def test_a_warehouse_that_cannot_be_reached_is_reported_once(world: World, begun: Begun, fault: str, says: str) -> None:
    state, mails = begun[fault].result()
    assert (state, [mail.subject[:8] for mail in mails]) == ("failed", ["[FAILED]"])
    assert says in unwrapped(mails[0].body)


def test_a_run_whose_warehouse_restarts_during_the_query_is_evaluated_once(world: World, begun: Begun) -> None:
    state, mails = begun["restart"].result()
    assert (state, [mail.subject[:7] for mail in mails]) == ("success", ["[ALERT]"])
    assert f"{HOST} [3 times]" in mails[0].body
