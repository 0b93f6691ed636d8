"""The DAG file as Airflow loads it."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import ParamValidationError
from airflow.providers.amazon.aws.hooks.sns import SnsHook
from airflow.sdk import DAG

from redshift_auth_alert.settings.model import per_run_names
from redshift_auth_alert.tasks.versions import AirflowFailException, AirflowSkipException
from sandbox.home import lay_out
from tests.conftest import NOON, ROOT, TOPIC
from tests.tasks.dagbag import DagBag

VALID = f"environment: test\nsns_topic_arn: {TOPIC}\n"
TASKS = {
    "query_auth_failures": "RedshiftSQLOperator",
    "check_threshold": "BranchPythonOperator",
    "publish_alert": "SnsPublishOperator",
    "require_coverage": "PythonOperator",
    "no_alert": "EmptyOperator",
    "report_failure": "ReportFailureOperator",
}


def load(dags: Path) -> tuple[Mapping[str, DAG], str]:
    bag = DagBag(str(dags))
    return bag.dags, "\n".join(bag.import_errors.values())


@pytest.fixture(scope="module")
def dag() -> DAG:
    dags, problems = load(ROOT / "dags")
    assert problems == ""
    return dags["redshift_auth_failure_alert"]


def context(dag: DAG, conf: Mapping[str, Any] | None = None, **facts: Any) -> dict[str, Any]:
    """Airflow's context of a task of a manual run at noon, with some facts of the run changed."""
    dag_run = SimpleNamespace(
        **{
            "run_id": "manual__1",
            "run_type": "manual",
            "logical_date": None,
            "data_interval_start": None,
            "data_interval_end": None,
            "run_after": NOON,
            "start_date": NOON,
            "conf": dict(conf or {}),
        }
        | facts
    )
    pulled = {
        "subject": "[ALERT] {{ 1/0 }}",
        "body": "body of {{ 1/0 }}",
        "attributes": {"new_groups": 1},
    }
    ti = SimpleNamespace(run_id=dag_run.run_id, task_id="task", xcom_pull=lambda key, **_: pulled[key])
    topic = SimpleNamespace(redshift_auth_alert_topic_arn=TOPIC)
    return {"dag": dag, "dag_run": dag_run, "ti": ti, "var": {"value": topic}, "exception": ValueError("{{ 1/0 }}")}


def rendered(dag: DAG, task_id: str, **facts: Any) -> Any:
    task = dag.get_task(task_id).prepare_for_execution()
    task.render_template_fields(context(dag, **facts), task.get_template_env(dag))
    return task


def test_the_dag_has_these_tasks_of_these_operators(dag: DAG) -> None:
    assert {task.task_id: type(task).__name__ for task in dag.tasks} == TASKS


def test_the_dag_has_these_edges(dag: DAG) -> None:
    assert {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks if task.downstream_task_ids} == {
        "query_auth_failures": ["check_threshold", "report_failure"],
        "check_threshold": ["no_alert", "publish_alert", "report_failure"],
        "publish_alert": ["report_failure", "require_coverage"],
        "require_coverage": ["report_failure"],
    }


def test_publishing_is_an_event_of_the_monitors_asset(dag: DAG) -> None:
    assert [asset.name for asset in dag.get_task("publish_alert").outlets] == ["redshift_auth_failure_alert_breaches"]


def test_its_form_has_a_field_for_each_setting_of_a_run(dag: DAG) -> None:
    assert sorted(dag.params) == sorted(per_run_names())


def test_its_form_as_it_stands_is_valid(dag: DAG) -> None:
    dag.params.validate()


@pytest.mark.parametrize(
    "values",
    [{"threshold": 0}, {"threshold": "5"}, {"source": "x"}, {"start": "2026-03-01 12:00"}],
    ids=["a number out of bounds", "a number as text", "an unknown source", "a time without its zone"],
)
def test_its_form_refuses(dag: DAG, values: dict[str, Any]) -> None:
    with pytest.raises(ParamValidationError, match=next(iter(values))):
        copy.deepcopy(dag.params).update(values)


def test_its_statement_is_loaded(dag: DAG) -> None:
    assert "Measures the authentication failures" in dag.get_task("query_auth_failures").sql


@pytest.mark.parametrize("task_id", TASKS)
def test_a_task_has_an_owner_and_a_time_limit_and_retries_with_growing_pauses(dag: DAG, task_id: str) -> None:
    task = dag.get_task(task_id)
    assert task.owner == "security"
    assert task.retry_exponential_backoff
    assert task.execution_timeout == timedelta(minutes=10)


@pytest.mark.parametrize(("task_id", "retries"), [("query_auth_failures", 3), ("check_threshold", 3)])
def test_a_failing_evaluation_is_given_up_soon(dag: DAG, task_id: str, retries: int) -> None:
    from redshift_auth_alert.tasks.sign_in import CONNECT_SECONDS

    task = dag.get_task(task_id)
    # Airflow adds up to as much again to each pause. The connection and its time-out come on top, four times.
    longest = [min(task.retry_delay * 2 ** (number + 1), task.max_retry_delay) for number in range(task.retries)]
    assert task.retries == retries
    assert sum(longest, 4 * timedelta(seconds=CONNECT_SECONDS)) <= timedelta(minutes=5)


@pytest.mark.parametrize("task_id", ["publish_alert", "report_failure"])
def test_publishing_retries_for_two_hours_with_timeouts_below_15_seconds(dag: DAG, task_id: str) -> None:
    task = dag.get_task(task_id)
    pauses = [min(task.retry_delay * 2**number, task.max_retry_delay) for number in range(task.retries)]
    assert sum(pauses, timedelta()) >= timedelta(hours=2)
    config = task.botocore_config
    assert config["connect_timeout"] + config["read_timeout"] < 15
    assert config["retries"] == {"total_max_attempts": 1}


def test_its_tags_name_the_environment(dag: DAG) -> None:
    assert dag.tags == {"redshift", "security", "production"}


def test_its_documentation_shows_its_settings_and_what_its_outcomes_mean(dag: DAG) -> None:
    assert "| `file` | `default.yaml` |" in dag.doc_md
    assert "| `threshold` | `10` |" in dag.doc_md
    assert "| run red | the interval was not evaluated" in dag.doc_md


def test_the_statement_covers_the_runs_interval(dag: DAG) -> None:
    sql = rendered(dag, "query_auth_failures", conf={"start": "2026-03-01T10:00:00Z", "threshold": 7}).sql
    assert "TIMESTAMP '2026-03-01 10:00:00.000000'" in sql
    assert "TIMESTAMP '2026-03-01 10:30:00.000000'" in sql
    assert "HAVING COUNT(*) >= 7" in sql


def test_the_statement_of_a_manual_run_without_logical_date_ends_at_run_after(dag: DAG) -> None:
    assert "occurred_at < TIMESTAMP '2026-03-01 12:00:00.000000'" in rendered(dag, "query_auth_failures").sql


def test_a_run_may_read_another_source_over_another_connection(dag: DAG) -> None:
    task = rendered(dag, "query_auth_failures", conf={"source": "sys_connection_log", "conn_id": "other"})
    assert task.conn_id == "other"
    assert "FROM sys_connection_log" in task.sql


def test_a_run_on_a_log_in_s3_reads_it_through_athena_within_its_limit(dag: DAG) -> None:
    conf = {"source": "audit_log_s3", "athena_conn_id": "athena", "max_scanned_gb": 3}
    task = rendered(dag, "query_auth_failures", conf=conf)
    assert (task.conn_id, task.connection_types, task.max_scanned_gb) == ("athena", "athena", "3")
    assert "FROM redshift_audit_log" in task.sql


def test_a_run_on_the_clusters_log_reads_it_through_a_connection_to_the_warehouse(dag: DAG) -> None:
    assert rendered(dag, "query_auth_failures").connection_types == "redshift,postgres"


@pytest.mark.parametrize(("started_after", "log"), [(1, "stl_connection_log"), (7, "redshift_audit_log")])
def test_source_auto_goes_by_when_the_run_started_and_not_by_when_it_was_due(
    dag: DAG, started_after: int, log: str
) -> None:
    conf = {"source": "auto", "athena_conn_id": "athena"}
    started = NOON + timedelta(days=started_after)
    assert f"FROM {log}" in rendered(dag, "query_auth_failures", conf=conf, start_date=started).sql


def refusal(dag: DAG, **facts: Any) -> str:
    """What the query task raises when it is executed."""
    task = rendered(dag, "query_auth_failures", **facts)
    with pytest.raises(AirflowFailException) as refused:
        task.execute({})
    return str(refused.value)


def test_source_auto_without_athena_refuses_a_run_that_it_cannot_reach(dag: DAG) -> None:
    says = refusal(dag, conf={"source": "auto"}, start_date=NOON + timedelta(days=7))
    assert "audit_log_s3 reaches further back" in says


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ({"treshold": 5}, "did you mean 'threshold'"),
        ({"threshold": 0}, "threshold is 0"),
        ({"start": "2026-03-01T10:00:00"}, "has no time zone"),
        ({"start": "2026-03-01T11:00:00Z", "end": "2026-03-01T10:00:00Z"}, "is not before end"),
        ({"start": "2026-01-01T00:00:00Z", "end": "2026-03-01T00:00:00Z"}, "longer than 31 days"),
        ({"end": "2026-03-02T00:00:00Z"}, "in the future of the run"),
    ],
)
def test_bad_overrides_fail_the_run_for_good_before_any_query(dag: DAG, conf: dict[str, Any], says: str) -> None:
    assert says in refusal(dag, conf=conf)


def test_the_topic_is_the_monitors_template(dag: DAG) -> None:
    assert rendered(dag, "publish_alert").target_arn == TOPIC


def test_a_run_may_publish_to_another_topic(dag: DAG) -> None:
    other = "arn:aws:sns:eu-central-1:123456789012:other"
    assert rendered(dag, "publish_alert", conf={"sns_topic_arn": other}).target_arn == other


def test_a_user_name_with_braces_stays_text_in_the_message(dag: DAG) -> None:
    task = rendered(dag, "publish_alert")
    assert (task.subject, task.message) == ("[ALERT] {{ 1/0 }}", "body of {{ 1/0 }}")


def test_the_messages_attributes_are_published_with_their_types(dag: DAG) -> None:
    assert rendered(dag, "publish_alert").message_attributes == {"new_groups": 1}


def test_invalid_overrides_do_not_keep_the_topic_from_being_found(dag: DAG) -> None:
    assert rendered(dag, "publish_alert", conf={"treshold": 5}).target_arn == TOPIC


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is published, in place of publishing it."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(SnsHook, "publish_to_target", lambda _, **call: calls.append(call))
    return calls


def report(dag: DAG, conf: dict[str, Any] | None = None, reasons: dict[str, str] | None = None) -> None:
    """Run report_failure after the first of these tasks failed."""
    kept = {"query_auth_failures": "{{ 1/0 }}"} if reasons is None else reasons
    run = context(dag, conf)
    states = {run["ti"].run_id: dict.fromkeys(kept or ["check_threshold"], "failed")}
    ti = SimpleNamespace(
        dag_id=dag.dag_id,
        run_id=run["ti"].run_id,
        try_number=1,
        get_task_states=lambda **_: states,
        xcom_pull=lambda task_ids, key: kept.get(task_ids),
    )
    task = dag.get_task("report_failure").prepare_for_execution()
    task.execute({**run, "task": task, "ti": ti})


def test_a_failure_is_reported_with_its_interval_and_the_run_stays_failed(
    dag: DAG, published: list[dict[str, Any]]
) -> None:
    with pytest.raises(AirflowFailException, match="the failure is reported"):
        report(dag)
    (call,) = published
    assert call["target_arn"] == TOPIC
    assert "Interval     2026-03-01 11:30:00 to 2026-03-01 12:00:00 UTC" in call["message"]
    assert "Task         query_auth_failures" in call["message"]
    assert "Reason: {{ 1/0 }}" in call["message"]
    assert call["message_attributes"]["severity"] == "failed"


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("add_failure", "reported without a look at what was reported before"),
        ("keep_reported", "The failure is reported, but that is not recorded"),
    ],
    ids=["before it is published", "after it is published"],
)
def test_a_failure_is_reported_once_though_its_record_cannot_be_written(
    dag: DAG,
    published: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    record: str,
    says: str,
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("API server: 503")

    monkeypatch.setattr(f"redshift_auth_alert.tasks.run.{record}", fail)
    with pytest.raises(AirflowFailException, match="the failure is reported"):
        report(dag)
    assert len(published) == 1
    assert says in caplog.text


def test_a_task_that_was_killed_is_reported_without_a_reason_of_its_own(
    dag: DAG, published: list[dict[str, Any]]
) -> None:
    with pytest.raises(AirflowFailException):
        report(dag, reasons={})
    assert "Reason: check_threshold ended without a reason: it was killed, took too" in published[0]["message"]


def test_a_failure_for_bad_overrides_is_reported_to_the_monitors_topic(
    dag: DAG, published: list[dict[str, Any]]
) -> None:
    with pytest.raises(AirflowFailException):
        report(dag, {"treshold": 5})
    (call,) = published
    assert call["target_arn"] == TOPIC
    assert "unknown, as the run's settings are invalid" in call["message"]


@pytest.mark.parametrize("conf", [{"dry_run": True}, {"dry_run": True, "treshold": 5}])
def test_a_failure_of_a_dry_run_is_not_published(
    dag: DAG, published: list[dict[str, Any]], conf: dict[str, Any]
) -> None:
    with pytest.raises(AirflowSkipException):
        report(dag, conf)
    assert published == []


def test_an_invalid_monitor_is_an_import_error_of_another_file_than_the_dags(tmp_path: Path) -> None:
    dags, _ = lay_out(tmp_path, {"default.yaml": VALID, "bad.yaml": VALID + "treshold: 5\n", "worse.yaml": "a: ["})
    bag = DagBag(str(dags))
    assert list(bag.dags) == ["redshift_auth_failure_alert"]
    ((file, problems),) = bag.import_errors.items()
    assert Path(file).name == "redshift_auth_failure_monitors.py"
    assert "bad.yaml: unknown setting 'treshold'" in problems
    assert "worse.yaml: not valid YAML" in problems


def test_a_task_loads_its_own_monitor_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dags, _ = lay_out(tmp_path, {"default.yaml": VALID, "one.yaml": VALID, "two.yaml": VALID})
    own = "redshift_auth_failure_alert__one"
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", own)  # as Airflow's worker does
    assert list(load(dags / "redshift_auth_failure_alert.py")[0]) == [own]


FLEET = (
    f"{VALID}warehouses:\n- {{name: sales, conn_id: redshift_sales}}\n- {{name: ops, threshold: 0}}\n- {{name: lab}}\n"
)


def test_each_valid_warehouse_of_a_file_is_a_dag(tmp_path: Path) -> None:
    dags, _ = lay_out(tmp_path, {"fleet.yaml": FLEET})
    bag = DagBag(str(dags))
    assert sorted(bag.dags) == [f"redshift_auth_failure_alert__fleet__{name}" for name in ("lab", "sales")]
    ((file, problems),) = bag.import_errors.items()
    assert Path(file).name == "redshift_auth_failure_monitors.py"
    assert "fleet.yaml, line 5: threshold is 0: " in problems


def test_a_task_loads_its_own_warehouse_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dags, _ = lay_out(tmp_path, {"fleet.yaml": FLEET})
    own = "redshift_auth_failure_alert__fleet__lab"
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", own)
    assert list(load(dags / "redshift_auth_failure_alert.py")[0]) == [own]


def test_warehouses_of_a_file_keep_their_own_fields_in_the_trigger_form(tmp_path: Path) -> None:
    dags, _ = lay_out(tmp_path, {"fleet.yaml": FLEET.replace("threshold: 0", "threshold: 3")})
    forms = {dag_id[36:]: dag.params for dag_id, dag in load(dags)[0].items()}
    found = {name: (form["threshold"], form["conn_id"]) for name, form in forms.items()}
    assert found == {"sales": (10, "redshift_sales"), "ops": (3, "redshift_default"), "lab": (10, "redshift_default")}


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("text", "Warehouse    sales"),
        ("json", '"warehouse":"sales"'),
        ("chat", "sales"),
        ("ocsf", '"resources":[{"name":"sales",'),
    ],
)
def test_a_message_names_the_warehouse_of_the_list(
    tmp_path: Path, published: list[dict[str, Any]], form: str, names: str
) -> None:
    dags, _ = lay_out(tmp_path, {"fleet.yaml": f"message_format: {form}\n{FLEET}"})
    with pytest.raises(AirflowFailException, match="the failure is reported"):
        report(load(dags)[0]["redshift_auth_failure_alert__fleet__sales"])
    (call,) = published
    assert " sales: " in call["subject"]
    assert names in call["message"]
    assert call["message_attributes"]["monitor"] == "redshift_auth_failure_alert__fleet__sales"


@pytest.mark.parametrize(
    ("example", "dag_id"),
    [("respond_to_breaches.py", "respond_to_breaches"), ("tune_thresholds.py", "tune_thresholds")],
)
def test_an_example_loads_once_it_is_copied_into_the_dags_folder(tmp_path: Path, example: str, dag_id: str) -> None:
    dags, _ = lay_out(tmp_path, {"default.yaml": VALID})
    shutil.copy(ROOT / "docs" / "examples" / example, dags)
    loaded, problems = load(dags)
    assert problems == ""
    assert sorted(loaded) == sorted(["redshift_auth_failure_alert", dag_id])


def test_an_empty_monitor_folder_is_an_import_error(tmp_path: Path) -> None:
    dags, _ = lay_out(tmp_path, {})
    loaded, problems = load(dags)
    assert list(loaded) == []
    assert "no monitor file" in problems


LOAD_BUNDLE = (
    (ROOT / "tests/tasks/dagbag.py").read_text()
    + """
import json, sys
bag = DagBag(sys.argv[1])
from airflow import plugins_manager
plugins_manager.ensure_plugins_loaded()
bare = {"settings", "detection", "message", "tasks", "interval", "operators"}
loaded = sorted(bare & set(sys.modules))
statements = {dag_id: dag.get_task("query_auth_failures").sql for dag_id, dag in bag.dags.items()}
print(json.dumps({
    "dags": {dag_id: "steps/candidates.sql" in sql for dag_id, sql in statements.items()},
    "errors": bag.import_errors, "pandas": "pandas" in sys.modules, "numpy": "numpy" in sys.modules, "bare": loaded,
}))
"""
)


@pytest.fixture(scope="module", params=["glob", "regexp"])
def bundle(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Any]:
    """What Airflow finds in folders as on MWAA: ``dags/`` with ``include/`` inside, ``plugins/`` elsewhere."""
    folder = tmp_path_factory.mktemp("mwaa")
    dags, plugins = lay_out(folder, {"default.yaml": VALID, "spraying.yaml": VALID})
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins)}
    env |= {"AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX": request.param}
    printed = subprocess.run(
        [sys.executable, "-c", LOAD_BUNDLE, str(dags)], env=env, cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    return dict(json.loads(printed.splitlines()[-1]))


def test_the_bundle_loads_from_the_folders_of_mwaa(bundle: dict[str, Any]) -> None:
    assert bundle["errors"] == {}
    assert bundle["dags"] == {"redshift_auth_failure_alert": True, "redshift_auth_failure_alert__spraying": True}


def test_importing_the_dag_file_imports_neither_pandas_nor_numpy(bundle: dict[str, Any]) -> None:
    assert (bundle["pandas"], bundle["numpy"]) == (False, False)


def test_the_plugin_loader_leaves_the_packages_modules_alone(bundle: dict[str, Any]) -> None:
    assert bundle["bare"] == []
