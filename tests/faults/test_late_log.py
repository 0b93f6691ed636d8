"""Rows reach the live log late, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.conftest import unwrapped
from tests.faults.world import World


def begin(world: World) -> dict[str, str]:
    """A run on a log that is 100 seconds behind, and one on a log to which nothing comes any more."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat()
    for conn_id, until in (
        ("late", "now() AT TIME ZONE 'UTC' - interval '100 seconds'"),
        ("stopped_log", f"timestamp '{now}'"),
    ):
        world.reader(conn_id, f"SELECT * FROM public.stl_connection_log WHERE recordtime < {until}")
    for _ in range(3):
        assert not world.warehouse.login("127.0.0.21", "admin", "guess")
    return {conn_id: world.trigger(conn_id, conn_id=conn_id) for conn_id in ("late", "stopped_log")}


def test_a_log_that_is_behind_is_queried_until_it_has_caught_up_and_no_breach_is_missed(
    world: World, begun: dict[str, str]
) -> None:
    state, (mail,) = world.outcome(begun["late"], "late")
    assert (state, "127.0.0.21 [3 times]" in mail.body) == ("success", True)
    assert "Coverage" not in mail.body
    assert world.task(begun["late"], "query_auth_failures")["try_number"] > 1


def test_a_log_that_does_not_catch_up_is_reported_as_seen_in_part(world: World, begun: dict[str, str]) -> None:
    state, (mail,) = world.outcome(begun["stopped_log"], "stopped_log")
    task = world.task(begun["stopped_log"], "query_auth_failures")
    assert state == "success"
    assert "partial: STL_CONNECTION_LOG shows events up to" in unwrapped(mail.body)
    assert task["try_number"] == task["max_tries"] + 1
