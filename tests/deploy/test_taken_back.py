"""A deployment that fails or is interrupted: what is taken back, what stays, and how it goes on."""

from __future__ import annotations

import pytest

from tests.deploy.conftest import Bucket, Run, end_the_update, interrupted
from tests.deploy.mwaa_service import Service
from tests.deploy.test_deployment import DAG, MANIFEST, names_in

TAKEN_BACK = "What was written and not installed has been taken back. Fix this, then run the same command again."


@pytest.mark.parametrize("key", ["dags/*", "plugins.zip"])
def test_without_the_right_to_write_nothing_is_left(run: Run, bucket: Bucket, mwaa: Service, key: str) -> None:
    bucket.forbid("s3:PutObject", key)
    status, says = run()
    assert status == 1
    assert f"s3://{bucket.name}/{key.removesuffix('*')}" in says
    assert "when calling the PutObject operation" in says
    assert (bucket.objects(), mwaa.updates) == ({}, [])


def test_without_the_right_to_update_what_was_written_is_taken_back(run: Run, bucket: Bucket, mwaa: Service) -> None:
    mwaa.refuses_updates = True
    status, says = run()
    assert (status, bucket.objects()) == (1, {})
    assert "environment 'alerts': An error occurred (AccessDeniedException) when calling the UpdateEnv" in says
    assert says.endswith(TAKEN_BACK)


def test_what_cannot_be_taken_back_is_named(run: Run, bucket: Bucket, mwaa: Service) -> None:
    mwaa.refuses_updates = True
    bucket.forbid("s3:DeleteObject*", "*")
    _, says = run()
    version = bucket.s3.head_object(Bucket=bucket.name, Key="plugins.zip")["VersionId"]
    assert "Not everything was taken back; delete these versions: " in says
    assert f"plugins.zip {version}" in says


def test_what_was_taken_back_before_an_error_is_not_named(run: Run, bucket: Bucket, mwaa: Service) -> None:
    mwaa.refuses_updates = True
    bucket.forbid("s3:DeleteObject*", MANIFEST)  # written first, and so taken back last
    _, says = run()
    version = bucket.s3.head_object(Bucket=bucket.name, Key=MANIFEST)["VersionId"]
    assert f"delete these versions: {MANIFEST} {version}: " in says
    assert bucket.objects().keys() == {MANIFEST}


def test_an_update_that_fails_is_taken_back(run: Run, bucket: Bucket, mwaa: Service) -> None:
    mwaa.fails_with = "requirements could not be installed"
    status, says = run()
    assert (status, bucket.objects()) == (1, {})
    assert "INCORRECT_CONFIGURATION" in says
    assert "requirements could not be installed" in says
    assert says.endswith(TAKEN_BACK)


def test_a_failed_update_of_a_running_deployment_leaves_that_as_it_was(run: Run, bucket: Bucket, mwaa: Service) -> None:
    mwaa.found["AirflowVersion"] = "3.2.1"
    run()
    before = bucket.objects()
    mwaa.fails_with = "no"
    assert run("deploy", "--airflow", "3.3.1")[0] == 1
    assert bucket.objects() == before


def test_what_fails_after_the_update_leaves_the_plugins_that_the_environment_now_reads(
    run: Run, bucket: Bucket, mwaa: Service
) -> None:
    bucket.forbid("s3:PutObject", "dags/include/sql/*")
    assert run()[0] == 1
    assert bucket.objects().keys() == {MANIFEST, "plugins.zip", "requirements.txt"}
    assert mwaa.found["PluginsS3Path"] == "plugins.zip"


def test_an_update_that_was_asked_for_without_an_answer_is_not_taken_back(
    run: Run, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    mwaa.breaks_off_updates = True
    status, says = run()
    assert status == 1
    assert "MWAA gave no answer, so nothing is taken back" in says
    assert "plugins.zip" in bucket.objects()


def test_an_update_that_cannot_be_seen_any_more_is_not_taken_back(
    run: Run, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    mwaa.throttled_looks = 15
    status, says = run()
    assert status == 1
    assert says.count("0 min  not seen: environment 'alerts' in eu-central-1: An error occurred (Throttling") == 14
    assert "The update may go on, so nothing is taken back: wait until it has ended." in says
    assert "plugins.zip" in bucket.objects()


def test_after_an_interrupted_update_the_same_command_goes_on(
    run: Run, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interrupted(run, monkeypatch) == 130
    end_the_update(mwaa)
    assert run()[0] == 0
    assert DAG in bucket.objects()
    assert len(mwaa.updates) == 1


def test_after_an_interrupted_update_that_failed_the_same_command_updates_again(
    run: Run, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interrupted(run, monkeypatch) == 130
    end_the_update(mwaa, fails_with="no")
    assert run()[0] == 0
    assert len(mwaa.updates) == 2
    assert mwaa.found["PluginsS3Path"] == "plugins.zip"


def test_an_interrupted_deployment_may_overwrite_what_it_wrote(
    run: Run, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interrupted(run, monkeypatch) == 130
    end_the_update(mwaa)
    bucket.put(DAG, b"# half of it\n")
    assert run()[0] == 0
    assert bucket.get(DAG) != b"# half of it\n"


def test_undeploy_goes_on_where_it_was_interrupted(
    run: Run, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    assert interrupted(run, monkeypatch, "undeploy") == 130
    end_the_update(mwaa, fails_with="no")
    assert run("undeploy")[0] == 0
    assert bucket.objects().keys() == {"plugins.zip", "requirements.txt"}
    assert names_in(bucket.get("plugins.zip")) == {".airflowignore"}
