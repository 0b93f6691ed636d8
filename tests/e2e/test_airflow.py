"""A real scheduler, DAG processor, API server and LocalExecutor on PostgreSQL: what a subscriber receives, and when.

The tests share one Airflow and go on in the order in which they stand; the last one looks at all the mail.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.athena import answering_queries
from sandbox.aws import Cloud, Mail, running_cloud
from sandbox.log_files import FAILURE, ConnectionEvent, athena_connection, deliver, heartbeat
from sandbox.mwaa import DAG_ID, NEVER, Airflow, monitor_file, running_airflow
from sandbox.published_log import NAMESPACE, publish
from sandbox.warehouse import Warehouse, running_warehouse
from tests.conftest import ROOT, unwrapped

MINUTE = timedelta(minutes=1)
SETTLED, MISSED, PAST, MONTH, LACKING = (
    f"{DAG_ID}__{name}" for name in ("settled", "missed", "past", "month", "lacking")
)
FLEET = {"source": "sys_connection_log_s3", "athena_conn_id": "athena_default", "namespace": NAMESPACE}
A_MOMENT_AGO = (datetime.now(UTC) - 2 * MINUTE).isoformat()
EVERY_MINUTE = {"schedule": "* * * * *", "threshold": 3, "start_date": A_MOMENT_AGO}
MONITORS = {
    "default.yaml": monitor_file(environment="manual", start_date=NEVER),
    "settled.yaml": monitor_file(environment="settled", settle_minutes=1, **EVERY_MINUTE),
    "missed.yaml": monitor_file(environment="missed", **EVERY_MINUTE),
    "month.yaml": monitor_file(
        environment="month", schedule="0 0 * * *", start_date=NEVER, source="auto", athena_conn_id="athena_default"
    ),
    "lacking.yaml": monitor_file(
        environment="lacking", start_date=NEVER, settle_minutes=60, expect_warehouses=["sales", "gone"], **FLEET
    ),
    "past.yaml": monitor_file(environment="past", schedule="*/30 * * * *", start_date=NEVER),
    "invalid.yaml": monitor_file(treshold=3),
}


@dataclass
class World:
    """The running parts, and all the mail that has arrived."""

    warehouse: Warehouse
    cloud: Cloud
    airflow: Airflow
    scheduler: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    mails: list[Mail] = field(default_factory=list)
    attacks: dict[str, datetime] = field(default_factory=dict)

    def start_scheduler(self) -> None:
        self.scheduler.enter_context(self.airflow.running_scheduler())

    def fail(self, address: str, times: int, user: str = "admin") -> datetime:
        """Fail logins within one minute; return that minute's start."""
        if datetime.now(UTC).second > 55:
            time.sleep(6)
        for _ in range(times):
            assert not self.warehouse.login(address, user, "guess")
        return self.attacks.setdefault(address, datetime.now(UTC).replace(second=0, microsecond=0))

    def mail(self, environment: str) -> list[Mail]:
        """All the mail of an environment so far."""
        self.mails += self.cloud.take_mail()
        return [mail for mail in self.mails if f"({environment})" in mail.subject]

    def run_of(self, dag_id: str, start: datetime) -> dict[str, Any] | None:
        """The run of the interval that starts at ``start``, once it has ended."""
        for run in self.airflow.runs(dag_id):
            if datetime.fromisoformat(run["data_interval_start"]) == start and run["state"] in ("success", "failed"):
                return run
        return None

    def wait_for_run_of(self, dag_id: str, start: datetime) -> dict[str, Any]:
        self.airflow.wait_until(lambda: self.run_of(dag_id, start), 300, f"{dag_id}'s run of {start}")
        run = self.run_of(dag_id, start)
        assert run
        return run


def said(mail: Mail) -> tuple[str, str, list[str]]:
    """Kind of the message, its interval, and the groups that it names."""
    kind = re.match(r"\[(\w+)\]", mail.subject)
    interval = re.search(r"^Interval +(.*?)(?: UTC.*)?$", mail.body, flags=re.MULTILINE)
    assert kind
    assert interval
    return kind[1], interval[1], re.findall(r"^(\S+) \[\d+ times\]", mail.body, flags=re.MULTILINE)


def span(start: datetime, length: timedelta = MINUTE) -> str:
    return f"{start:%Y-%m-%d %H:%M:%S} to {start + length:%Y-%m-%d %H:%M:%S}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("airflow")
    with running_cloud() as cloud, running_warehouse() as warehouse, answering_queries(cloud.client("s3")):
        wrong = {"conn_type": "redshift", "host": "127.0.0.1", "port": warehouse.port, "login": "auth_monitor",
                 "password": "old", "schema": "dev", "extra": {"ssl": False}}  # fmt: skip
        blind = wrong | {"login": "newcomer", "password": "newcomer"}
        variables = {"AIRFLOW_CONN_WRONG_PASSWORD": json.dumps(wrong), "AIRFLOW_CONN_NO_RIGHTS": json.dumps(blind)}
        variables |= athena_connection(cloud)
        running = running_airflow(home, warehouse, cloud, MONITORS, scheduler=False, variables=variables)
        with running as airflow:
            world = World(warehouse, cloud, airflow)
            with world.scheduler:
                world.start_scheduler()
                shutil.copy(ROOT / "docs" / "examples" / "respond_to_breaches.py", home / "dags")
                for dag_id in (DAG_ID, SETTLED, MISSED, PAST, MONTH, LACKING, "respond_to_breaches"):
                    airflow.unpause(dag_id)
                yield world


@pytest.fixture(scope="module")
def attacked(world: World) -> datetime:
    """Somebody fails three logins in some minute; that minute's start."""
    return world.fail("127.0.0.11", 3)


@pytest.fixture(scope="module")
def refused_by_sns(world: World, attacked: datetime) -> str:
    """A run that publishes to a topic that does not exist yet. Each of its pauses is longer, so it comes early."""
    topic = world.cloud.topic_arn.replace("redshift-auth-alerts", "nowhere")
    return world.airflow.trigger({"sns_topic_arn": topic, "threshold": 3, "environment": "refused"})


def test_a_manual_run_by_the_api_takes_overrides(world: World, attacked: datetime, refused_by_sns: str) -> None:
    run_id = world.airflow.trigger({"threshold": 3, "group_by": ["user_name"], "environment": "by-api"})
    assert world.airflow.wait_for_run(run_id) == "success"
    assert [said(mail)[2] for mail in world.mail("by-api")] == [["admin"]]
    attributes = world.mail("by-api")[0].attributes
    assert len(attributes.pop("alert_id")) == 32
    assert attributes == {
        "monitor": DAG_ID, "environment": "by-api", "severity": "alert", "run_type": "manual",
        "new_groups": "1", "ongoing_groups": "0",
    }  # fmt: skip


def test_a_dag_scheduled_on_the_asset_gets_the_breaches_of_the_published_alert(world: World) -> None:
    world.airflow.wait_until(lambda: world.airflow.runs("respond_to_breaches"), 180, "the responding DAG to start")
    run_id = world.airflow.runs("respond_to_breaches")[0]["dag_run_id"]
    assert world.airflow.wait_for_run(run_id, "respond_to_breaches") == "success"
    log = world.airflow.task_log(run_id, "respond", "respond_to_breaches")
    assert "Would block {'user_name': 'admin'}: 3 failures" in log


def test_an_alert_that_sns_refuses_is_published_once_the_topic_is_there(world: World, refused_by_sns: str) -> None:
    def waits() -> bool:
        return world.airflow.task_states(refused_by_sns)["publish_alert"] == "up_for_retry"

    world.airflow.wait_until(waits, 120, "publish_alert to wait for a retry")
    world.cloud.subscribe("nowhere")
    assert world.airflow.wait_for_run(refused_by_sns, seconds=600) == "success"
    assert [said(mail)[0] for mail in world.mail("refused")] == ["ALERT"]


def test_a_manual_run_by_the_command_line_needs_no_logical_date(world: World, attacked: datetime) -> None:
    conf = {"threshold": 3, "environment": "by-cli", "start": attacked.isoformat()}
    conf["end"] = datetime.now(UTC).isoformat()
    world.airflow.cli("dags", "trigger", DAG_ID, "--run-id", "by-cli", "--conf", json.dumps(conf))
    assert world.airflow.wait_for_run("by-cli") == "success"
    assert [said(mail)[2] for mail in world.mail("by-cli")] == [["127.0.0.11"]]


def evaluated(world: World, run_id: str) -> str:
    """The interval that a run of the settled monitor evaluated; Airflow makes no tasks before a DAG's start date."""
    assert world.airflow.wait_for_run(run_id, SETTLED) == "success"
    log = world.airflow.task_log(run_id, "check_threshold", SETTLED)
    found = re.search(r"Interval (.*?) UTC of stl_connection_log is seen", log)
    assert found
    return found[1]


def trigger_settled(world: World, run_id: str, logical_date: datetime, **more: Any) -> str:
    body = {"dag_run_id": run_id, "logical_date": logical_date.isoformat(), "conf": {"environment": run_id}} | more
    return str(world.airflow.api("POST", f"dags/{SETTLED}/dagRuns", body)["dag_run_id"])


def test_a_manual_run_with_a_logical_date_evaluates_the_window_up_to_it(world: World, attacked: datetime) -> None:
    end = attacked - MINUTE / 2
    run_id = trigger_settled(world, "early", end)
    assert evaluated(world, run_id) == span(end - 30 * MINUTE, 30 * MINUTE)
    assert world.mail("early") == []


def test_a_manual_run_evaluates_a_data_interval_given_by_hand(world: World, attacked: datetime) -> None:
    first, last = attacked - 5 * MINUTE, attacked
    by_hand = {"data_interval_start": first.isoformat(), "data_interval_end": last.isoformat()}
    run_id = trigger_settled(world, "by-hand", attacked - MINUTE / 4, **by_hand)
    assert evaluated(world, run_id) == span(first, 5 * MINUTE)
    assert world.mail("by-hand") == []


def test_a_dry_run_publishes_nothing_and_logs_the_message(world: World, attacked: datetime) -> None:
    run_id = world.airflow.trigger({"threshold": 3, "environment": "dry", "dry_run": True})
    assert world.airflow.wait_for_run(run_id) == "success"
    assert world.mail("dry") == []
    assert "[ALERT] (dry)" in world.airflow.task_log(run_id, "check_threshold")


def test_a_failing_dry_run_publishes_nothing(world: World) -> None:
    run_id = world.airflow.trigger({"conn_id": "not_defined", "environment": "dry-failure", "dry_run": True})
    assert world.airflow.wait_for_run(run_id) == "failed"
    assert world.mail("dry-failure") == []


def test_a_check_of_the_set_up_publishes_one_test_message_and_nothing_else(world: World) -> None:
    responses = len(world.airflow.runs("respond_to_breaches"))
    run_id = world.airflow.trigger({"check_only": True, "environment": "checked"})
    assert world.airflow.wait_for_run(run_id) == "success"
    (mail,) = world.mail("checked")
    assert mail.subject == "[TEST] (checked) Redshift: set-up: 11 ok, 1 not ok, 1 not checked"
    assert re.findall(r"^(\S+) +NOT OK +(.*) \d", mail.body, re.MULTILINE) == [
        ("warehouse", "this is not Redshift: PostgreSQL")
    ]
    # Skipped once it has published, so that it is no event of the asset.
    assert world.airflow.task_states(run_id) == {
        "query_auth_failures": "success", "check_threshold": "success", "publish_alert": "skipped",
        "require_coverage": "skipped", "no_alert": "skipped", "report_failure": "skipped",
    }  # fmt: skip
    assert len(world.airflow.runs("respond_to_breaches")) == responses


def test_a_dry_check_of_the_set_up_logs_its_table_and_publishes_nothing(world: World) -> None:
    run_id = world.airflow.trigger({"check_only": True, "dry_run": True, "environment": "dry-check"})
    assert world.airflow.wait_for_run(run_id) == "success"
    assert world.mail("dry-check") == []
    assert "topic         NOT CHECKED  a dry run publishes nothing" in world.airflow.task_log(run_id, "check_threshold")


def test_an_invalid_monitor_is_an_import_error_and_stops_no_other(world: World) -> None:
    (error,) = world.airflow.api("GET", "importErrors")["import_errors"]
    assert error["filename"].endswith("redshift_auth_failure_monitors.py")
    assert "invalid.yaml: unknown setting 'treshold'; did you mean 'threshold'?" in error["stack_trace"]
    dags = {dag["dag_id"]: dag for dag in world.airflow.api("GET", "dags?exclude_stale=false")["dags"]}
    assert {dag_id for dag_id, dag in dags.items() if dag["is_stale"] or dag["has_import_errors"]} == set()
    assert {DAG_ID, SETTLED, MISSED, PAST, MONTH} <= dags.keys()


def test_a_misspelt_override_fails_the_run_before_any_query_and_is_reported(world: World) -> None:
    run_id = world.airflow.trigger({"treshold": 5})
    assert world.airflow.wait_for_run(run_id) == "failed"
    assert world.airflow.task_states(run_id)["query_auth_failures"] == "failed"
    log = world.airflow.task_log(run_id, "query_auth_failures")
    assert "Executing" not in log
    before, _, after = log.partition("::group::Pre Execute")
    pre_execute, _, execute = after.partition("::endgroup::")
    assert "did you mean 'threshold'?" in execute
    assert "did you mean 'threshold'?" not in before + pre_execute
    (mail,) = world.mail("manual")
    assert said(mail)[0] == "FAILED"
    assert "did you mean 'threshold'?" in unwrapped(mail.body)
    assert "Trigger a new run with valid overrides." in mail.body


@pytest.mark.parametrize(
    ("conn_id", "says"),
    [
        ("wrong_password", "the warehouse refused the sign-in: check user and password of the connection"),
        ("no_rights", "shows only the monitor's own logins; give the monitor's user the right to read it"),
        ("not_defined", "Connection 'not_defined' is not defined: add it"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_see_fails_and_reports_why(world: World, conn_id: str, says: str) -> None:
    environment = conn_id.replace("_", "-")
    run_id = world.airflow.trigger({"conn_id": conn_id, "environment": environment})
    assert world.airflow.wait_for_run(run_id) == "failed"
    (mail,) = world.mail(environment)
    assert mail.subject.startswith("[FAILED]")
    assert says in unwrapped(mail.body)


def test_a_backfill_finds_the_burst_that_straddles_two_intervals_once(world: World) -> None:
    noon = (datetime.now(UTC) - timedelta(days=2)).replace(hour=12, minute=0, second=0, microsecond=0)
    for minute in (-3, -2, -1, -1, -1, 1, 2, 3, 4, 5):
        world.warehouse.remember_failure(noon + minute * MINUTE, "203.0.113.7", "admin")
    first, last = noon - 60 * MINUTE, noon + 30 * MINUTE
    dates = ["--from-date", first.isoformat(), "--to-date", last.isoformat()]
    world.airflow.cli("backfill", "create", "--dag-id", PAST, *dates)
    starts = [first + number * 30 * MINUTE for number in range(4)]
    assert [world.wait_for_run_of(PAST, start)["state"] for start in starts] == ["success"] * 4
    assert [said(mail) for mail in world.mail("past")] == [("ALERT", span(noon, 30 * MINUTE), ["203.0.113.7"])]
    assert "\nRun          backfill (" in world.mail("past")[0].body


def test_a_backfill_with_source_auto_reads_each_interval_from_the_log_that_reaches_it(world: World) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=ago) for ago in (8, 7, 6, 5, 4)]
    attack = [days[0].replace(tzinfo=None) + timedelta(hours=12, minutes=minute) for minute in range(10)]
    forgotten = [ConnectionEvent(FAILURE, at, "192.0.2.8", "admin") for at in attack]
    deliver(world.cloud, forgotten + heartbeat(attack[0] - timedelta(days=2), attack[0] + timedelta(days=9)))
    for minute in range(10):
        world.warehouse.remember_failure(days[-1] + timedelta(hours=12, minutes=minute), "192.0.2.4", "admin")
    dates = ["--from-date", days[0].isoformat(), "--to-date", days[-1].isoformat()]
    world.airflow.cli("backfill", "create", "--dag-id", MONTH, *dates)
    assert [world.wait_for_run_of(MONTH, day)["state"] for day in days] == ["success"] * 5
    found = [(said(mail)[2], re.findall(r"^Source +(\w+)", mail.body, re.MULTILINE)) for mail in world.mail("month")]
    assert sorted(found) == [(["192.0.2.4"], ["stl_connection_log"]), (["192.0.2.8"], ["audit_log_s3"])]


@pytest.fixture(scope="module")
def fleet(world: World) -> dict[str, str]:
    """Three published warehouses, at each of which one host failed four times yesterday; the interval around that."""
    noon = (datetime.now(UTC) - timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    at = noon.replace(tzinfo=None)
    quiet = heartbeat(at - timedelta(hours=6), at + timedelta(hours=6))
    tried = [ConnectionEvent(FAILURE, at + (1 + minute) * MINUTE, "203.0.113.9", "admin") for minute in range(4)]
    publish(world.cloud, dict.fromkeys(("sales", "ops", "lab"), quiet + tried))
    return {"start": noon.isoformat(), "end": (noon + 30 * MINUTE).isoformat()}


def test_one_run_over_a_fleet_finds_who_is_spread_thinly_and_names_the_warehouses(
    world: World, fleet: dict[str, str]
) -> None:
    run_id = world.airflow.trigger(FLEET | fleet | {"environment": "fleet"})
    assert world.airflow.wait_for_run(run_id) == "success"
    (mail,) = world.mail("fleet")
    assert said(mail)[0::2] == ("ALERT", ["203.0.113.9"])
    assert "at 3 warehouses: lab, ops, sales" in unwrapped(mail.body)


def test_a_run_over_one_of_these_warehouses_finds_nothing(world: World, fleet: dict[str, str]) -> None:
    run_id = world.airflow.trigger(FLEET | fleet | {"environment": "alone", "cluster": "sales"})
    assert world.airflow.wait_for_run(run_id) == "success"
    assert world.mail("alone") == []


def test_a_run_that_lacks_a_warehouse_publishes_what_the_others_show_and_then_fails(
    world: World, fleet: dict[str, str]
) -> None:
    run_id = world.airflow.trigger(fleet, LACKING)
    assert world.airflow.wait_for_run(run_id, LACKING) == "failed"
    states = world.airflow.task_states(run_id, LACKING)
    assert (states["publish_alert"], states["require_coverage"]) == ("success", "failed")
    alert, failure = world.mail("lacking")
    assert said(alert)[0::2] == ("ALERT", ["203.0.113.9"])
    assert failure.subject.startswith("[FAILED]")
    assert "1 of 2 warehouses was not evaluated: gone" in unwrapped(failure.body)


def test_a_scheduled_run_starts_after_its_settle_delay_and_reports_once(world: World, attacked: datetime) -> None:
    run = world.wait_for_run_of(SETTLED, attacked)
    assert (run["run_type"], run["state"]) == ("scheduled", "success")
    assert datetime.fromisoformat(run["start_date"]) >= attacked + 2 * MINUTE
    assert ("ALERT", span(attacked), ["127.0.0.11"]) in [said(mail) for mail in world.mail("settled")]


def test_an_interval_missed_while_the_scheduler_was_down_is_run_once_it_is_back(world: World) -> None:
    world.scheduler.close()
    during = world.fail("127.0.0.12", 3)
    while datetime.now(UTC) < during + MINUTE + timedelta(seconds=3):
        time.sleep(1)
    assert world.run_of(MISSED, during) is None
    world.start_scheduler()
    assert world.wait_for_run_of(MISSED, during)["state"] == "success"
    assert ("ALERT", span(during), ["127.0.0.12"]) in [said(mail) for mail in world.mail("missed")]


def test_every_interval_since_the_start_was_run_exactly_once(world: World) -> None:
    starts = [datetime.fromisoformat(run["data_interval_start"]) for run in world.airflow.runs(MISSED)]
    assert starts == [starts[0] + number * MINUTE for number in range(len(starts))]


def test_all_the_mail_is_as_expected_none_missing_and_none_twice(world: World, attacked: datetime) -> None:
    for dag_id in (SETTLED, MISSED):
        world.wait_for_run_of(dag_id, world.attacks["127.0.0.12"])
    world.mails += world.cloud.take_mail()
    for environment in ("settled", "missed"):
        assert sorted(said(mail) for mail in world.mail(environment)) == sorted(
            ("ALERT", span(minute), [address]) for address, minute in world.attacks.items()
        )
    assert sorted(" ".join(mail.subject.split()[:2]) for mail in world.mails) == sorted([
        "[ALERT] (by-api)", "[ALERT] (by-cli)", "[ALERT] (refused)", "[ALERT] (past)", *["[ALERT] (month)"] * 2,
        "[ALERT] (fleet)", "[ALERT] (lacking)", "[FAILED] (lacking)",
        *["[ALERT] (settled)", "[ALERT] (missed)"] * 2,
        "[TEST] (checked)",
        "[FAILED] (manual)", "[FAILED] (wrong-password)", "[FAILED] (no-rights)", "[FAILED] (not-defined)",
    ])  # fmt: skip
