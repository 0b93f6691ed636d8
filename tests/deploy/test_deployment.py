"""``make deploy`` and ``make undeploy`` on an environment of our own: what they write and update."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.deploy.conftest import Bucket, Run, read_by
from tests.deploy.mwaa_service import Service

DAG = "dags/redshift_auth_failure_alert.py"
DEFAULT = "dags/include/monitors/default.yaml"
MANIFEST = "dags/include/redshift_auth_alert.json"


def names_in(plugins: bytes) -> set[str]:
    return set(zipfile.ZipFile(io.BytesIO(plugins)).namelist())


def written(printed: str) -> list[str]:
    return [line.split()[1] for line in printed.splitlines() if line.startswith("write ")]


def test_a_first_deployment_puts_everything_there(run: Run, bucket: Bucket) -> None:
    status, printed = run()
    there = bucket.objects()
    assert status == 0
    assert {DAG, DEFAULT, "dags/include/sql/auth_failures.sql", MANIFEST} <= there.keys()
    assert {".airflowignore", "redshift_auth_alert/settings/model.py"} <= names_in(there["plugins.zip"])
    assert b"apache-airflow==3.3.1\n" in there["requirements.txt"]
    assert "Done. https://alerts.example/dags\n" in printed


def test_a_first_deployment_updates_the_environment_to_both_files(run: Run, bucket: Bucket, mwaa: Service) -> None:
    run()
    version = {key: bucket.s3.head_object(Bucket=bucket.name, Key=key)["VersionId"] for key in bucket.objects()}
    assert mwaa.updates == [
        {
            "PluginsS3Path": "plugins.zip",
            "PluginsS3ObjectVersion": version["plugins.zip"],
            "RequirementsS3Path": "requirements.txt",
            "RequirementsS3ObjectVersion": version["requirements.txt"],
        }
    ]


def test_it_waits_with_progress_until_the_environment_is_updated(run: Run, mwaa: Service) -> None:
    mwaa.looks_until_done = 3
    _, printed = run()
    assert printed.count("0 min  UPDATING") == 2
    assert mwaa.found["Status"] == "AVAILABLE"


def dag_is_there_at_each_look(bucket: Bucket, mwaa: Service) -> list[bool]:
    """A list that grows with each look at the environment."""
    seen: list[bool] = []
    look = mwaa.look

    def watched() -> dict[str, Any]:
        seen.append(DAG in bucket.objects())
        return look()

    mwaa.look = watched  # type: ignore[method-assign]
    return seen


def test_the_dag_comes_after_the_plugins_that_it_needs(run: Run, bucket: Bucket, mwaa: Service) -> None:
    seen = dag_is_there_at_each_look(bucket, mwaa)
    assert run()[0] == 0
    assert seen == [False] * 3


@pytest.mark.parametrize("shows_pending", [True, False])
def test_it_waits_though_the_update_does_not_begin_at_once(
    run: Run, bucket: Bucket, mwaa: Service, *, shows_pending: bool
) -> None:
    mwaa.shows_pending, mwaa.looks_until_begun, mwaa.looks_until_done = shows_pending, 2, 4
    seen = dag_is_there_at_each_look(bucket, mwaa)
    assert run()[0] == 0
    assert seen == [False] * 5


def test_a_second_update_is_waited_for_too(run: Run, bucket: Bucket, mwaa: Service, edited: Path) -> None:
    run()
    mwaa.looks_until_begun, mwaa.looks_until_done = 2, 4
    (edited / "plugins" / "redshift_auth_alert" / "settings" / "errors.py").write_text("# changed\n")
    _, printed = run()
    assert printed.count(" 0 min  ") == 4


def test_it_waits_though_it_cannot_look_for_a_while(
    run: Run, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    mwaa.throttled_looks = 14
    status, printed = run()
    assert (status, printed.count(" min  not seen: ")) == (0, 14)
    assert DAG in bucket.objects()


def test_only_looks_in_a_row_that_fail_end_the_wait(run: Run, mwaa: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    mwaa.throttled_looks, mwaa.looks_until_done = 14, 3
    look = mwaa.look

    def throttled_again() -> dict[str, Any]:
        mwaa.throttled_looks = 14
        return look()

    mwaa.look = throttled_again  # type: ignore[method-assign]
    assert run()[0] == 0


def test_the_same_again_changes_nothing(run: Run, bucket: Bucket, mwaa: Service) -> None:
    run()
    versions = bucket.versions()
    status, printed = run()
    assert status == 0
    assert printed == (
        "Environment alerts: Airflow 3.3.1, AVAILABLE\nAll of it is there already; nothing is changed.\n"
        "Parameters of deploy/template.yaml for alarms on these monitors:\n"
        "  MetricNamespace=RedshiftAuthAlert ScheduleSeconds=1800 Monitors=default\n"
    )
    assert (bucket.versions(), len(mwaa.updates)) == (versions, 1)


def test_a_changed_monitor_is_uploaded_without_an_update(run: Run, bucket: Bucket, mwaa: Service, edited: Path) -> None:
    run()
    with (edited / "include" / "monitors" / "default.yaml").open("a") as monitor:
        monitor.write("threshold: 20\n")
    _, printed = run()
    assert written(printed) == [DEFAULT, MANIFEST]
    assert b"threshold: 20" in bucket.get(DEFAULT)
    assert len(mwaa.updates) == 1


def test_a_monitor_that_was_removed_is_removed_there(run: Run, bucket: Bucket, edited: Path) -> None:
    other = edited / "include" / "monitors" / "other.yaml"
    other.write_text('environment: test\nsns_topic_arn: "{{ var.value.topic }}"\n')
    run()
    other.unlink()
    _, printed = run()
    assert "remove  dags/include/monitors/other.yaml\n" in printed
    assert "dags/include/monitors/other.yaml" not in bucket.objects()


def test_a_changed_plugin_updates_the_environment_to_its_version(
    run: Run, bucket: Bucket, mwaa: Service, edited: Path
) -> None:
    run()
    (edited / "plugins" / "redshift_auth_alert" / "settings" / "errors.py").write_text("# changed\n")
    run()
    latest = bucket.s3.head_object(Bucket=bucket.name, Key="plugins.zip")["VersionId"]
    assert mwaa.updates[1] == {"PluginsS3Path": "plugins.zip", "PluginsS3ObjectVersion": latest}


def test_a_dry_run_shows_the_plan_and_changes_nothing(run: Run, bucket: Bucket, mwaa: Service) -> None:
    status, printed = run("deploy", "--dry-run")
    assert status == 0
    assert "write   dags/redshift_auth_failure_alert.py\n" in printed
    assert "update  the environment\nA dry run: nothing is changed.\n" in printed
    assert (bucket.objects(), mwaa.updates) == ({}, [])


@pytest.mark.parametrize("version", ["3.0.6", "3.2.1"])
def test_the_requirements_are_those_of_the_environments_airflow(
    run: Run, bucket: Bucket, mwaa: Service, version: str
) -> None:
    mwaa.found["AirflowVersion"] = version
    run()
    assert f"apache-airflow=={version}\n".encode() in bucket.get("requirements.txt")


def test_an_upgrade_of_airflow_comes_with_its_requirements_in_one_update(
    run: Run, bucket: Bucket, mwaa: Service
) -> None:
    mwaa.found["AirflowVersion"] = "3.0.6"
    run()
    _, printed = run("deploy", "--airflow", "3.3.1")
    assert "update  the environment to Airflow 3.3.1\n" in printed
    assert sorted(mwaa.updates[1]) == ["AirflowVersion", "RequirementsS3ObjectVersion", "RequirementsS3Path"]
    assert bucket.get("requirements.txt") == (ROOT / "requirements.txt").read_bytes()


def test_an_index_of_packages_in_the_checkout_is_deployed_with_it(
    run: Run, bucket: Bucket, mwaa: Service, edited: Path
) -> None:
    run()
    requirements = edited / "deploy" / "airflow" / "3.3.1" / "requirements.txt"
    requirements.write_text("--index-url https://index.example/simple\n" + requirements.read_text())
    run()
    assert bucket.get("requirements.txt") == requirements.read_bytes()
    assert "nothing is changed" in run()[1]


def test_files_of_ours_that_were_put_there_by_hand_are_taken_over(run: Run, bucket: Bucket, mwaa: Service) -> None:
    pins = (ROOT / "deploy" / "airflow" / "3.2.1" / "requirements.txt").read_bytes()
    read_by(mwaa, bucket, "Requirements", "by/hand.txt", pins)
    assert run()[0] == 0
    assert bucket.get("by/hand.txt") == (ROOT / "requirements.txt").read_bytes()


def test_undeploy_leaves_two_empty_files(run: Run, bucket: Bucket, mwaa: Service) -> None:
    bucket.put("dags/others.py", b"")
    run()
    status, _ = run("undeploy")
    assert status == 0
    assert bucket.objects().keys() == {"dags/others.py", "plugins.zip", "requirements.txt"}
    assert bucket.get("requirements.txt") == b""
    assert names_in(bucket.get("plugins.zip")) == {".airflowignore"}
    assert len(mwaa.updates) == 2


def test_what_was_undeployed_can_be_deployed_again(run: Run, bucket: Bucket) -> None:
    run()
    before = bucket.objects()
    run("undeploy")
    assert run()[0] == 0
    assert bucket.objects() == before


def test_it_can_be_taken_out_of_an_airflow_that_is_not_supported(run: Run, bucket: Bucket, mwaa: Service) -> None:
    run()
    mwaa.found["AirflowVersion"] = "3.4.0"
    assert run("undeploy")[0] == 0
    assert DAG not in bucket.objects()


def test_a_dry_run_of_undeploy_changes_nothing(run: Run, bucket: Bucket) -> None:
    run()
    before = bucket.versions()
    assert "remove  dags/redshift_auth_failure_alert.py" in run("undeploy", "--dry-run")[1]
    assert bucket.versions() == before
