"""The warehouse refuses the monitors' user: its password was changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.aws import Mail
from tests.conftest import unwrapped
from tests.faults.world import World

MONITORS = ("refused_a", "refused_b")


def begin(world: World) -> dict[str, Any]:
    """Two monitors that share a user, with ten intervals each to catch up, begun together."""
    with world.warehouse.admin() as admin:
        admin.execute("CREATE ROLE rotated LOGIN PASSWORD 'changed' IN ROLE \"sys:monitor\"")
    world.connect("rotated", world.warehouse.port, user="rotated")
    since = datetime.now(UTC)
    start = (since - timedelta(minutes=10)).isoformat()
    dags = [
        world.monitor(name, schedule="* * * * *", start_date=start, conn_id="rotated", max_catchup_hours=1)
        for name in MONITORS
    ]
    failed = [world.background(world.wait_for_failed_runs, dag_id, 10) for dag_id in dags]
    return {"since": since, "dags": dags, "failed": failed}


def sign_ins(world: World, event: str) -> int:
    """How often the user signed in, or was refused, as the log says."""
    with world.warehouse.admin() as admin:
        counted = admin.execute(
            "SELECT COUNT(*) FROM stl_connection_log WHERE username = 'rotated' AND event = %s", [event]
        )
        return int((counted.fetchone() or [0])[0])


def saying(world: World, name: str, words: str) -> list[Mail]:
    """The mail of a monitor that says so, without its report of the failure."""
    _, *mails = world.mail(name)
    return [mail for mail in mails if words in unwrapped(mail.body)]


def test_a_refused_user_is_tried_three_times_however_many_runs_and_monitors_share_it(
    world: World, begun: dict[str, Any]
) -> None:
    assert sum(failed.result() for failed in begun["failed"]) >= 20
    assert sign_ins(world, "authentication failure") == 3


def test_the_refusal_is_reported_once_by_each_monitor(world: World, begun: dict[str, Any]) -> None:
    for name in MONITORS:
        (mail,) = world.mail(name)
        assert mail.subject.startswith("[FAILED]")
        assert "the warehouse refused the sign-in: check user and password" in unwrapped(mail.body)


def test_once_it_may_sign_in_again_each_monitor_says_so_once_with_what_is_missing(
    world: World, begun: dict[str, Any]
) -> None:
    with world.warehouse.admin() as admin:
        admin.execute("ALTER ROLE rotated PASSWORD 'rotated'")
    world.airflow.api("DELETE", f"variables/redshift_auth_alert_sign_in_rotated_at_127.0.0.1_{world.warehouse.port}")
    for name, dag_id in zip(MONITORS, begun["dags"], strict=True):
        world.airflow.unpause(dag_id)
        first = min(run["data_interval_start"] for run in world.airflow.runs(dag_id) if run["state"] == "failed")
        missing = f"intervals within {first[:10]} {first[11:16]}:00 to"
        world.wait_until(lambda name=name, missing=missing: saying(world, name, missing), f"{name} to work again")  # type: ignore[misc]
        world.airflow.pause(dag_id)
        (mail,) = saying(world, name, missing)
        assert mail.subject.startswith(("[RECOVERED]", "[ALERT]"))


def test_the_monitors_own_refused_sign_ins_are_named_and_never_got_in(world: World, begun: dict[str, Any]) -> None:
    span = {"start": begun["since"].isoformat(), "end": datetime.now(UTC).isoformat()}
    run_id = world.trigger("own", conn_id="rotated", **span)
    state, (mail,) = world.outcome(run_id, "own")
    assert (state, mail.subject[:7]) == ("success", "[ALERT]")
    assert "3 of these failures are this monitor's own" in mail.body
    assert sign_ins(world, "authenticated") > 0
