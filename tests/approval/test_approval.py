"""docs/examples/respond_after_approval.py on a real Airflow: questions that are answered by users who may or may not.

Real failed logins make the alert. Two of the hosts have signed in before, the others are strangers.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redshift_connector

from docs.examples.respond_after_approval import ACL, AWS, DENIAL, NEW_PASSWORD, REDSHIFT, quoted
from sandbox.aws import CREDENTIALS, Cloud, running_cloud
from sandbox.mwaa import DAG_ID, NEVER, Airflow, monitor_file, running_airflow
from sandbox.warehouse import DATABASE, Warehouse, running_warehouse
from tests.conftest import ROOT

RESPOND, UNDO = "respond_after_approval", "undo_responses"
HOSTILE = 'x{{ 7 * 7 }}"'
USERS = {"admin": "admin", "alice": "user", "bob": "viewer", "carol": "user"}
APPROVED, EXPIRED, UNANSWERED, NOT_ASKED = (f"127.0.0.{each}" for each in (21, 22, 23, 24))
STRANGERS = {APPROVED: 8, EXPIRED: 7, UNANSWERED: 6, NOT_ASKED: 5}  # how often each fails
ANSWERS = {
    "Lock finance?": "Approve",
    'Lock "x{{ 7 * 7 }}\\""?': "Reject",
    f"Deny {APPROVED}?": "Approve",
    f"Deny {EXPIRED}?": "Approve",
}
# alice alone may answer, and within a time that a test can wait for.
CHANGED = {
    "APPROVERS = None": 'APPROVERS = [{"id": "alice", "name": "alice"}]',
    "TIME_TO_ANSWER = timedelta(hours=4)": "TIME_TO_ANSWER = timedelta(seconds=75)",
}


def example() -> str:
    """The example with what is CHANGED."""
    source = (ROOT / "docs" / "examples" / f"{RESPOND}.py").read_text()
    for before, after in CHANGED.items():
        assert before in source
        source = source.replace(before, after)
    return source


@dataclass
class World:
    """The running parts; each question by its subject, as it was asked and as it ended, and the ACL's rules then.

    ``refused`` holds by user what the REST API said to an answer.
    """

    warehouse: Warehouse
    cloud: Cloud
    airflow: Airflow
    acl: str
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    denied: dict[int, str] = field(default_factory=dict)

    def questions(self) -> dict[str, dict[str, Any]]:
        found = self.airflow.api("GET", f"dags/{RESPOND}/dagRuns/~/hitlDetails")["hitl_details"]
        return {each["subject"]: each for each in found}

    def answer(self, subject: str, user: str, choice: str) -> None:
        """Answer a question as a user, over the REST API."""
        ti = self.asked[subject]["task_instance"]
        path = f"dags/{RESPOND}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/{ti['map_index']}/hitlDetails"
        self.airflow.as_user(user).api("PATCH", path, {"chosen_options": [choice]})

    def rules(self) -> dict[int, str]:
        """The inbound rules of the network ACL: whom each denies, or allows."""
        acl = self.cloud.client("ec2").describe_network_acls(NetworkAclIds=[self.acl])["NetworkAcls"][0]
        inbound = [each for each in acl["Entries"] if not each["Egress"]]
        return {each["RuleNumber"]: f"{each['RuleAction']} {each['CidrBlock']}" for each in inbound}

    def undo(self, wanted: dict[str, str] | None) -> str:
        """Trigger the DAG that undoes; return how it ended."""
        return self.airflow.wait_for_run(self.airflow.trigger({"undo": wanted} if wanted else {}, UNDO), UNDO)

    def sign_in(self, user: str, password: str) -> bool:
        return self.warehouse.login("127.0.0.31", user, password)


def make_users(warehouse: Warehouse) -> None:
    """Make the users that are guessed, and the responder, who may change both of them."""
    with warehouse.admin() as admin:
        admin.execute("CREATE ROLE responder LOGIN CREATEROLE PASSWORD 'responder'")
        for user in ("finance", HOSTILE):
            admin.execute(f"CREATE ROLE {quoted(user)} LOGIN PASSWORD 'stolen'".encode())
            admin.execute(f"GRANT {quoted(user)} TO responder WITH ADMIN TRUE, INHERIT FALSE, SET FALSE".encode())


def make_acl(cloud: Cloud) -> str:
    """Make a network ACL with a rule of somebody else's; return its id."""
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    acl = str(ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"])
    theirs = {"RuleAction": "allow", "Protocol": "-1", "CidrBlock": "10.0.0.0/16", "Egress": False}
    ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=1, **theirs)
    return acl


def variables(warehouse: Warehouse, cloud: Cloud, acl: str) -> dict[str, str]:
    """The responder's connections and its variable, and time-outs that are looked for each second."""
    redshift = {"conn_type": "redshift", "host": "127.0.0.1", "port": warehouse.port, "login": "responder",
                "password": "responder", "schema": DATABASE, "extra": {"ssl": False}}  # fmt: skip
    aws = {"conn_type": "aws", "login": CREDENTIALS["aws_access_key_id"],
           "password": CREDENTIALS["aws_secret_access_key"],
           "extra": {"region_name": CREDENTIALS["region_name"], "endpoint_url": cloud.endpoint}}  # fmt: skip
    unlocked = {"conn_type": "generic", "login": "finance", "password": "new-password"}
    connections = {REDSHIFT: redshift, AWS: aws, NEW_PASSWORD: unlocked}
    found = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(each) for name, each in connections.items()}
    return found | {f"AIRFLOW_VAR_{ACL.upper()}": acl, "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1"}


def remember_sign_in(warehouse: Warehouse, host: str) -> None:
    """Put a sign-in of yesterday into the log, so that the host is no stranger."""
    with warehouse.admin() as admin:
        admin.execute(
            "INSERT INTO earlier_events (log_time, connection_from, user_name, database_name, message) VALUES"
            " (now() - INTERVAL '1 day', %s, 'etl', %s, 'connection authenticated: yesterday')",
            (f"{host}:50000", DATABASE),
        )


def attack(warehouse: Warehouse) -> None:
    """Fail and get in as two users, from a host each, and fail from the strangers."""
    for host, user in (("127.0.0.11", "finance"), ("127.0.0.12", HOSTILE)):
        remember_sign_in(warehouse, host)
        for _ in range(3):
            assert not warehouse.login(host, user, "guess")
        assert warehouse.login(host, user, "stolen")
    for host, times in STRANGERS.items():
        for _ in range(times):
            assert not warehouse.login(host, "admin", "guess")


def publish(airflow: Airflow) -> None:
    """Have the monitor evaluate and report what happened."""
    airflow.unpause(RESPOND)
    assert airflow.wait_for_run(airflow.trigger({})) == "success"


def asking_ended(airflow: Airflow) -> int:
    """How many questions the scheduler knows to wait for an answer.

    The process that asked tells it, up to 5 seconds later. Airflow 3.3.1 may lose an answer that comes sooner: it
    believes that the task was killed, and asks again in a retry.
    """
    log = (airflow.folder / "scheduler.log").read_text()
    return log.count(f"TaskInstance Finished: dag_id={RESPOND}, task_id=ask.approve,")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which each question was answered as ANSWERS says, or never, and the run has ended."""
    with contextlib.ExitStack() as parts:
        cloud, warehouse = parts.enter_context(running_cloud()), parts.enter_context(running_warehouse())
        make_users(warehouse)
        acl = make_acl(cloud)
        home: Path = tmp_path_factory.mktemp("airflow")
        monitors = {"default.yaml": monitor_file(start_date=NEVER, threshold=3)}
        given = variables(warehouse, cloud, acl)
        running = running_airflow(home, warehouse, cloud, monitors, variables=given, users=USERS)
        airflow = parts.enter_context(running)
        (home / "dags" / f"{RESPOND}.py").write_text(example())
        attack(warehouse)
        airflow.unpause(DAG_ID)
        publish(airflow)
        airflow.unpause(UNDO)
        world = World(warehouse, cloud, airflow, acl)
        airflow.wait_until(lambda: len(world.questions()) == 5, 180, "the questions to be asked")
        airflow.wait_until(lambda: asking_ended(airflow) == 5, 60, "the scheduler to know that they wait")
        world.asked = world.questions()
        for user in ("bob", "carol"):
            with pytest.raises(RuntimeError) as refused:
                world.answer(f"Deny {UNANSWERED}?", user, "Approve")
            world.refused[user] = str(refused.value)
        for subject, choice in ANSWERS.items():
            world.answer(subject, "alice", choice)
        run = airflow.runs(RESPOND)[0]["dag_run_id"]
        assert airflow.wait_for_run(run, RESPOND) == "success"
        world.ended, world.denied = world.questions(), world.rules()
        yield world


def ended(world: World, subject: str) -> tuple[list[str], str | None]:
    """What was chosen, and by whom."""
    question = world.ended[subject]
    return question["chosen_options"], (question["responded_by_user"] or {}).get("id")


def test_five_questions_are_asked_and_a_name_in_them_stays_text(world: World) -> None:
    assert {*world.asked} == {*ANSWERS, f"Deny {UNANSWERED}?"}


@pytest.mark.parametrize("user", ["bob", "carol"], ids=["a viewer", "no approver"])
def test_the_answer_of_a_user_who_may_not_answer_is_refused(world: World, user: str) -> None:
    assert ": 403 " in world.refused[user]


@pytest.mark.parametrize("subject", ANSWERS)
def test_an_answer_is_kept_with_who_gave_it(world: World, subject: str) -> None:
    assert ended(world, subject) == ([ANSWERS[subject]], "alice")


def test_no_answer_in_time_is_no(world: World) -> None:
    assert ended(world, f"Deny {UNANSWERED}?") == (["Reject"], None)


def test_a_user_whose_lock_is_approved_cannot_sign_in(world: World) -> None:
    with pytest.raises(redshift_connector.InterfaceError, match="is not permitted to log in"):
        world.sign_in("finance", "stolen")


def test_a_user_whose_lock_is_rejected_signs_in_as_before(world: World) -> None:
    assert world.sign_in(HOSTILE, "stolen")


def test_only_approved_addresses_are_denied_and_the_rules_of_others_stay(world: World) -> None:
    denied = {f"deny {APPROVED}/32", f"deny {EXPIRED}/32"}
    assert {*world.denied.values()} == denied | {"allow 10.0.0.0/16"}
    assert world.denied[1] == "allow 10.0.0.0/16"


def test_a_denial_is_undone_by_hand(world: World) -> None:
    assert world.undo({"deny": APPROVED}) == "success"
    assert {f"deny {APPROVED}/32", f"deny {EXPIRED}/32"} & {*world.rules().values()} == {f"deny {EXPIRED}/32"}


def test_a_denial_that_has_expired_is_removed_and_forgotten(world: World) -> None:
    rule = next(rule for rule, denied in world.rules().items() if denied == f"deny {EXPIRED}/32")
    name = DENIAL.format(rule)
    record = {"address": EXPIRED, "until": datetime.now(UTC).isoformat()}
    world.airflow.api("PATCH", f"variables/{name}", {"key": name, "value": json.dumps(record)})
    assert world.undo(None) == "success"
    assert rule not in world.rules()
    with pytest.raises(RuntimeError, match=": 404 "):
        world.airflow.api("GET", f"variables/{name}")


def test_a_locked_user_is_unlocked_by_hand_with_a_new_password(world: World) -> None:
    assert world.undo({"lock": "finance"}) == "success"
    assert world.sign_in("finance", "new-password")


def test_what_cannot_be_undone_is_refused_by_the_trigger_form(world: World) -> None:
    with pytest.raises(RuntimeError, match=": 400 "):
        world.airflow.trigger({"undo": {"drop": "finance"}}, UNDO)
