"""Per-run overrides that hold SQL, Jinja or shell: refused by name, or used as plain data and by nothing evaluated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.sdk import DAG
from airflow.sdk.api.datamodels._generated import DagRun

from redshift_auth_alert.settings.form import EXAMPLES
from redshift_auth_alert.settings.model import per_run_names
from redshift_auth_alert.tasks.operators import fetch_table
from redshift_auth_alert.tasks.versions import AirflowFailException
from tests.conftest import NOON, ROOT, TOPIC
from tests.tasks.conftest import Pushed
from tests.tasks.dagbag import DagBag

FRAGMENTS = [
    "'; DROP TABLE x; --", "1 OR 1=1", "x' UNION SELECT 1 --", "{{ var.value.secret }}", "{{ 1/0 }}", "{% raw %}", "{#",
    "$(id)", "`id`", "; id |", "\x00", "../sql/setup/audit_log_s3",
]  # fmt: skip
# What each override may rightly hold. A fragment is put after it, too.
VALID = {
    "start": "2026-03-01T10:00:00Z", "end": "2026-03-01T10:00:00Z", "conn_id": "redshift_default",
    "cluster": "warehouse", "source": "stl_connection_log", "count": "failures", "sns_topic_arn": TOPIC,
    "athena_conn_id": "athena",
}  # fmt: skip
SHAPES: dict[str, Callable[[str, str], Any]] = {
    "alone": lambda _, fragment: fragment,
    "in a list": lambda _, fragment: [fragment],
    "in an entry": lambda name, fragment: [EXAMPLES.get(name, [{}])[0] | {"user_name": fragment}],
    "as a key of an entry": lambda name, fragment: [EXAMPLES.get(name, [{}])[0] | {fragment: "x"}],
}
# What takes any text, within its bounds: a name, and patterns.
FREE = {"environment", "ignore", "thresholds"}
STRICT = sorted({*per_run_names()} - FREE)


@pytest.fixture(scope="module")
def dag() -> DAG:
    return DagBag(str(ROOT / "dags")).dags["redshift_auth_failure_alert"]


def context(dag: DAG, conf: dict[str, Any], pushed: Pushed | None = None) -> dict[str, Any]:
    """The context of a manual run at noon; its variables hold a secret."""
    facts = {
        "dag_id": dag.dag_id, "run_id": "manual__1", "run_type": "manual", "state": "running", "run_after": NOON,
        "start_date": NOON, "conf": conf, "consumed_asset_events": [],
    }  # fmt: skip
    dag_run = DagRun(**dict.fromkeys(DagRun.model_fields) | facts)
    pushed = Pushed() if pushed is None else pushed
    pushed.run_id, pushed.task_id = "manual__1", "check_threshold"
    pushed.xcom_pull = lambda key, **_: pushed[key]
    variables = SimpleNamespace(redshift_auth_alert_topic_arn=TOPIC, secret="evaluated")
    return {"dag": dag, "dag_run": dag_run, "ti": pushed, "var": {"value": variables}}


def rendered(dag: DAG, task_id: str, in_context: dict[str, Any]) -> Any:
    """A task after Airflow has rendered its templates."""
    task = dag.get_task(task_id).prepare_for_execution()
    task.render_template_fields(in_context, task.get_template_env(dag))
    return task


def refusal(dag: DAG, conf: dict[str, Any]) -> str:
    """Why the run is refused, before anything is queried."""
    with pytest.raises(AirflowFailException) as refused:
        rendered(dag, "query_auth_failures", context(dag, conf)).execute({})
    return str(refused.value)


@pytest.mark.parametrize("fragment", FRAGMENTS)
@pytest.mark.parametrize("name", STRICT)
def test_an_override_that_takes_no_free_text_refuses(dag: DAG, name: str, fragment: str) -> None:
    says = refusal(dag, {name: VALID.get(name, "") + fragment})
    assert says.startswith(f"run overrides: {name} is ")
    assert "evaluated" not in says


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", STRICT)
def test_an_override_that_takes_no_free_text_refuses_it(dag: DAG, name: str, shape: str) -> None:
    assert refusal(dag, {name: SHAPES[shape](name, FRAGMENTS[0])}).startswith(f"run overrides: {name} is ")


@pytest.mark.parametrize("fragment", FRAGMENTS)
@pytest.mark.parametrize("shape", ["in a list", "as a key of an entry"])
@pytest.mark.parametrize("name", ["ignore", "thresholds"])
def test_a_list_of_entries_refuses_what_is_no_entry(dag: DAG, name: str, shape: str, fragment: str) -> None:
    assert refusal(dag, {name: SHAPES[shape](name, fragment)}).startswith(f"run overrides: {name} entry 1")


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_a_key_that_is_no_setting_is_refused(dag: DAG, fragment: str) -> None:
    assert refusal(dag, {fragment: 1}).startswith(f"run overrides: unknown setting {fragment!r}; valid here: ")


def plain(name: str, fragment: str) -> dict[str, Any]:
    """Overrides of a run with ``fragment`` where free text may be."""
    entry = {"user_name": fragment}
    return {
        "environment": {"environment": fragment},
        "ignore": {"ignore": [entry | {"reason": "x"}, {"user_name": "known", "reason": fragment}]},
        "thresholds": {"thresholds": [entry | {"threshold": 10}]},
    }[name]


@pytest.mark.parametrize("fragment", [fragment for fragment in FRAGMENTS if fragment.isprintable()])
@pytest.mark.parametrize("name", sorted(FREE))
def test_free_text_is_data_from_the_statement_to_the_message(
    dag: DAG, logs: psycopg.Connection, name: str, fragment: str
) -> None:
    group_by = {"group_by": ["user_name"]}
    in_context = context(dag, group_by | plain(name, fragment))
    query = rendered(dag, "query_auth_failures", in_context)
    assert query.sql == rendered(dag, "query_auth_failures", context(dag, group_by)).sql

    with logs.transaction(force_rollback=True):
        logs.execute("RESET ROLE")
        for user in ("admin", "known"):
            logs.execute(
                "INSERT INTO stl_connection_log (event, recordtime, remotehost, username, dbname) SELECT"
                " 'authentication failure', at, '203.0.113.7', %s, 'dev'"
                " FROM generate_series(%s::timestamp, %s, %s) AS at",
                (user, (NOON - timedelta(minutes=15)).replace(tzinfo=None), NOON.replace(tzinfo=None), "1 minute"),
            )
        found = query.into_xcom(fetch_table(logs.execute(query.sql)), in_context)
    check = dag.get_task("check_threshold")
    assert check.python_callable(found, **in_context) == "publish_alert"

    alert = rendered(dag, "publish_alert", in_context)
    pushed = in_context["ti"]
    assert (alert.subject, alert.message) == (pushed["subject"], pushed["body"])
    shown = {"environment": f"({fragment})", "ignore": f"; {fragment})", "thresholds": "some have their own threshold"}[
        name
    ]
    assert shown in " ".join(f"{alert.subject}\n{alert.message}".split())
    assert "evaluated" not in alert.subject + alert.message.replace("evaluated and", "")


@pytest.mark.parametrize("name", ["environment", "ignore"])
def test_free_text_with_a_control_character_is_refused(dag: DAG, name: str) -> None:
    says = refusal(dag, {"group_by": ["user_name"]} | plain(name, "\x00"))
    assert says.startswith(f"run overrides: {name} ")
