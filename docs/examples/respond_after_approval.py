"""Responses that a person approves in Airflow: lock a user, or deny an address for a day. Both can be undone.

Needs Airflow 3.1 or later; 3.1 and 3.2 also need a triggerer. docs/runbook.md says how to set it up.

``respond_after_approval`` starts when an alert was published. Under *Required Actions* it asks whether to lock a user
that a group got in as, and whether to deny the address of a stranger: a host without an earlier sign-in in the log.

Nothing happens unless a person approves in time. An attacker chooses the users that he fails as, and would like to see
your jobs locked out. So failures alone lock nobody, and a run asks QUESTIONS questions at most.

``undo_responses`` removes expired denials each hour. To undo one response at once, trigger it with
``{"undo": {"deny": "198.51.100.7"}}`` or ``{"undo": {"lock": "analyst"}}``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Asset, BaseHook, Param, Variable, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from botocore.exceptions import ClientError

from redshift_auth_alert.message.words import name, shown

BREACHES = Asset("redshift_auth_failure_alert_breaches")  # the monitor's DAG id and "_breaches"
QUESTIONS = 5
TIME_TO_ANSWER = timedelta(hours=4)
DENY_FOR = timedelta(days=1)
RULES = range(1, 11)  # numbers of the network ACL's rules to use; lower than those of the rules that allow
APPROVERS = None  # whoever may respond in Airflow; or [{"id": "7", "name": "alice"}]
REDSHIFT, AWS = "redshift_responder", "aws_responder"  # connections
NEW_PASSWORD = "redshift_responder_unlock"  # noqa: S105 -- connection: the user to unlock, and its new password
ACL, DENIAL = (
    "redshift_responder_acl",
    "redshift_responder_denial_{}",
)  # variables: the ACL's id; by rule, what is denied
log = logging.getLogger(__name__)


def quoted(user: str) -> str:
    """Quote a user for SQL. Raises ValueError if the log may have cut the name, it does not print, or IAM signs in."""
    if not user.isprintable() or not 0 < len(user.encode()) < 50 or user.startswith(("IAM:", "IAMA:", "IAMR:")):
        raise ValueError(f"{shown(user)} cannot be locked safely")
    return '"' + user.replace('"', '""') + '"'


def network(address: str) -> dict[str, str]:
    """Return EC2's parameter for one address. Raises ValueError if it is none."""
    ip = ip_address(address)
    return {"CidrBlock": f"{ip}/32"} if ip.version == 4 else {"Ipv6CidrBlock": f"{ip}/128"}


def questions(alerts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return subject, body and action of each question: locks first, then the worst groups first."""
    found: dict[str, dict[str, Any]] = {}
    for alert in alerts:
        for breach in alert["breaches"]:
            tried = ", ".join(f"{shown(each['user'])} ({each['failures']})" for each in breach.get("top_users", []))
            facts = [
                name(breach["group"]),
                f"{breach['failures']} failures",
                f"as {tried}",
                "{start} to {end}".format(**alert["interval"]),
            ]
            body = "\n".join(f"    {fact}" for fact in facts)  # indented: no name is read as Markdown
            got_in = breach.get("got_in") or {}
            # From a host that had not failed it may be the user's owner: somebody has to look first.
            lock = got_in.get("user") if got_in.get("host_failed", True) else None
            stranger = breach.get("stranger") and {*breach["group"]} == {"remote_host"}
            deny = breach["group"]["remote_host"] if stranger else None
            for action, check, target in (("lock", quoted, lock), ("deny", network, deny)):
                try:
                    if target is not None and check(target):
                        subject = f"{action.capitalize()} {shown(target)}?"
                        found.setdefault(subject, {"subject": subject, "body": body, "action": {action: target}})
                except ValueError as error:
                    log.warning("Not asked: %s", error)
    asked = sorted(found.values(), key=lambda question: "deny" in question["action"])
    log.info("Asks %d of %d questions", min(QUESTIONS, len(asked)), len(asked))
    return asked[:QUESTIONS]


def alter_user(user: str, clause: str) -> None:
    """Change a user. The hook's own ``run`` would log the statement, which may hold a password."""
    from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook

    with closing(RedshiftSQLHook(redshift_conn_id=REDSHIFT).get_conn()) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"ALTER USER {quoted(user)} {clause}")


def unlock(user: str) -> None:
    """Unlock a user with the password of the connection NEW_PASSWORD, as Redshift unlocks with a new password only."""
    new = BaseHook.get_connection(NEW_PASSWORD)
    if new.login != user or not re.fullmatch(r"""[^\s'"\\/@]{8,64}""", new.password or ""):
        raise AirflowFailException(
            f"put this user and a new password without quotes into the connection {NEW_PASSWORD}"
        )
    alter_user(user, f"LOGIN PASSWORD '{new.password}'")


def change_acl(call: str, rule: int, known_error: str, **parameters: Any) -> bool:
    """Call EC2 about a rule; return False on the error that says that nothing is to be done."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    ec2 = AwsBaseHook(aws_conn_id=AWS, client_type="ec2").get_conn()
    try:
        getattr(ec2, call)(NetworkAclId=Variable.get(ACL), RuleNumber=rule, Egress=False, **parameters)
    except ec2.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != known_error:
            raise
        return False
    return True


def denials() -> dict[int, dict[str, str]]:
    """Return by rule which address is denied, and until when."""
    kept = {rule: Variable.get(DENIAL.format(rule), None, deserialize_json=True) for rule in RULES}
    return {rule: denial for rule, denial in kept.items() if denial}


def deny(address: str) -> None:
    """Deny an address for DENY_FOR from now on. It is recorded first, so that it expires whatever fails then."""
    kept, until = denials(), (datetime.now(UTC) + DENY_FOR).isoformat()
    own = [rule for rule, denial in kept.items() if denial["address"] == address]
    entry = {"RuleAction": "deny", "Protocol": "-1", **network(address)}
    for rule in own or [rule for rule in RULES if rule not in kept]:
        Variable.set(DENIAL.format(rule), {"address": address, "until": until}, serialize_json=True)
        try:
            denied = change_acl("create_network_acl_entry", rule, "NetworkAclEntryAlreadyExists", **entry)
        except ClientError:  # EC2 has made no entry
            if not own:
                Variable.delete(DENIAL.format(rule))
            raise
        if denied or own:
            return
        Variable.delete(DENIAL.format(rule))  # a rule of somebody else
    raise AirflowFailException(f"none of {RULES} is free in the network ACL; undo a denial, then clear this task")


with DAG("respond_after_approval", schedule=[BREACHES], max_active_runs=64, default_args={"retries": 3}):

    @task
    def propose(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """Return what to ask about the alerts that started this run."""
        asked = questions(event.extra for event in triggering_asset_events[BREACHES])
        return [each for each in asked if "lock" in each["action"] or Variable.get(ACL, None)]

    @task(max_active_tis_per_dag=1)  # two at once could take the same rule
    def respond(action: dict[str, str], answer: Any) -> None:
        """Do what was approved."""
        # The operator skips what comes after "Reject", but not in a mapped group: Airflow 3.3.1 goes on there.
        if not answer or answer["chosen_options"] != [ApprovalOperator.APPROVE] or not answer["responded_by_user"]:
            raise AirflowSkipException("not approved")
        log.info("%s: approved by %s", action, answer["responded_by_user"])
        if "lock" in action:
            alter_user(action["lock"], "NOLOGIN")
        else:
            deny(action["deny"])

    @task_group
    def ask(subject: str, body: str, action: dict[str, str]) -> None:
        """Ask one question, and respond once it is approved."""
        # Airflow 3.3.1 may lose an answer that comes within 5 seconds. The retry asks again.
        approve = ApprovalOperator(
            task_id="approve",
            subject=subject,
            body=body,
            defaults=ApprovalOperator.REJECT,
            response_timeout=TIME_TO_ANSWER,
            assigned_users=APPROVERS,
            retry_delay=timedelta(seconds=10),
        )
        respond(action, approve.output)

    ask.expand_kwargs(propose())

FORM = Param(None, type=["null", "object"], properties={"deny": {}, "lock": {}}, additionalProperties=False)
START = datetime(2026, 1, 1, tzinfo=UTC)
with DAG("undo_responses", schedule="@hourly", start_date=START, max_active_runs=1, params={"undo": FORM}):

    @task
    def undo(params: Any = None) -> None:
        """Undo what the run asks for, and what has expired."""
        wanted, now = params["undo"] or {}, datetime.now(UTC)
        if "lock" in wanted:
            unlock(wanted["lock"])
        for rule, denial in denials().items():
            due = denial["address"] == wanted.get("deny") or datetime.fromisoformat(denial["until"]) <= now
            if due and denials().get(rule) == denial:  # it was not renewed meanwhile
                change_acl("delete_network_acl_entry", rule, "InvalidNetworkAclEntry.NotFound")
                Variable.delete(DENIAL.format(rule))

    undo()
