"""``make deploy`` and ``make undeploy``, on the local AWS."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import deploy.__main__ as command
from deploy.bundle import pack
from deploy.shared_files import members
from sandbox.aws import CREDENTIALS, REGION, Cloud, running_cloud
from tests.conftest import ROOT
from tests.deploy.mwaa_service import Service, running_service
from tests.deploy.test_bundle import checkout  # noqa: F401 -- a fixture

DAG = "dags/redshift_auth_failure_alert.py"
DEFAULT = "dags/include/monitors/default.yaml"
MANIFEST = "dags/include/redshift_auth_alert.json"


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud() as running:
        yield running


@pytest.fixture
def bucket(cloud: Cloud) -> Any:
    """A bucket of an MWAA environment, empty."""
    name = f"alerts-{uuid4().hex}"
    where = {"LocationConstraint": REGION}
    cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=where)
    cloud.client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return Bucket(cloud.client("s3"), name)


class Bucket:
    def __init__(self, s3: Any, name: str) -> None:
        self.s3, self.name = s3, name

    def objects(self) -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {each["Key"]: self.get(each["Key"]) for each in listed}

    def get(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.name, Key=key)["Body"].read())

    def put(self, key: str, content: bytes) -> str:
        return str(self.s3.put_object(Bucket=self.name, Key=key, Body=content)["VersionId"])

    def forbid(self, action: str, key: str) -> None:
        statement = {
            "Effect": "Deny", "Principal": "*", "Action": action, "Resource": f"arn:aws:s3:::{self.name}/{key}",
        }  # fmt: skip
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.s3.put_bucket_policy(Bucket=self.name, Policy=json.dumps(policy))


@pytest.fixture
def mwaa(bucket: Bucket) -> Iterator[Service]:
    with running_service(bucket.name) as service:
        yield service


@pytest.fixture
def run(
    cloud: Cloud, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run the command; its exit status and all that it printed."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": cloud.endpoint,
        "AWS_ENDPOINT_URL_MWAA": mwaa.endpoint,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }.items():
        monkeypatch.setenv(name, value)

    def run(
        what: str = "deploy", *options: str, bucket: str = bucket.name, environment: str = "alerts"
    ) -> tuple[int, str]:
        named = ["--bucket", bucket, "--environment", environment, "--look-every", "0.01"]
        status = command.main([what, *named, *options])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


@pytest.fixture
def edited(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """The checkout that is deployed, which may be edited."""
    write = command.write_bundle
    monkeypatch.setattr(command, "ROOT", checkout)
    monkeypatch.setattr(command, "write_bundle", lambda build, airflow: write(build, checkout, airflow))
    return checkout


def test_a_first_deployment_puts_everything_there_and_updates_the_environment(
    run: Any, bucket: Bucket, mwaa: Service
) -> None:
    status, printed = run()
    there = bucket.objects()
    assert status == 0
    assert {"dags/redshift_auth_failure_alert.py", DEFAULT, "dags/include/sql/auth_failures.sql", MANIFEST} <= set(
        there
    )
    assert "redshift_auth_alert/settings/model.py" in members(there["plugins.zip"])
    assert [sorted(update) for update in mwaa.updates] == [
        ["PluginsS3ObjectVersion", "PluginsS3Path", "RequirementsS3ObjectVersion", "RequirementsS3Path"]
    ]
    assert "https://alerts.example/dags/redshift_auth_failure_alert" in printed


def test_it_waits_with_progress_until_the_environment_is_updated(run: Any, mwaa: Service) -> None:
    mwaa.looks_until_done = 3
    _, printed = run()
    assert printed.count("0 min  UPDATING") == 2
    assert mwaa.found["Status"] == "AVAILABLE"


@pytest.mark.parametrize("shows_pending", [True, False])
def test_it_waits_though_the_update_does_not_begin_at_once(
    run: Any, bucket: Bucket, mwaa: Service, *, shows_pending: bool
) -> None:
    mwaa.shows_pending, mwaa.looks_until_begun, mwaa.looks_until_done = shows_pending, 2, 4
    seen = dag_is_there_at_each_look(bucket, mwaa)
    assert run()[0] == 0
    assert seen == [False] * 5


def test_it_waits_though_it_cannot_look_for_a_while(
    run: Any, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    mwaa.throttled_looks = 1
    status, printed = run()
    assert status == 0
    assert "AWS refused airflow:GetEnvironment of 'alerts': ThrottlingException" in printed
    assert DAG in bucket.objects()


def dag_is_there_at_each_look(bucket: Bucket, mwaa: Service) -> list[bool]:
    """A list that grows with each look at the environment."""
    seen: list[bool] = []
    look = mwaa.look

    def watched() -> dict[str, Any]:
        seen.append(DAG in bucket.objects())
        return look()

    mwaa.look = watched  # type: ignore[method-assign]
    return seen


def test_the_dag_comes_after_the_plugins_that_it_needs(run: Any, bucket: Bucket, mwaa: Service) -> None:
    seen = dag_is_there_at_each_look(bucket, mwaa)
    assert run()[0] == 0
    assert seen == [False] * 3


def test_the_same_again_changes_nothing(run: Any, bucket: Bucket, mwaa: Service) -> None:
    run()
    versions = bucket.s3.list_object_versions(Bucket=bucket.name)["Versions"]
    assert run() == (0, f"Environment alerts: Airflow 3.3.1, AVAILABLE, bucket {bucket.name}\n"
                        "All of it is there already; nothing is changed.\n")  # fmt: skip
    assert bucket.s3.list_object_versions(Bucket=bucket.name)["Versions"] == versions
    assert len(mwaa.updates) == 1


def test_a_changed_monitor_is_uploaded_without_an_update(run: Any, bucket: Bucket, mwaa: Service, edited: Path) -> None:
    run()
    with (edited / "include" / "monitors" / "default.yaml").open("a") as monitor:
        monitor.write("threshold: 20\n")
    status, printed = run()
    assert status == 0
    assert f"change  {DEFAULT}\n" in printed
    assert b"threshold: 20" in bucket.get(DEFAULT)
    assert len(mwaa.updates) == 1


def test_only_what_changed_is_uploaded(run: Any, bucket: Bucket, edited: Path) -> None:
    run()
    (edited / "include" / "sql" / "coverage" / "live.sql").write_text("-- changed\n")
    _, printed = run()
    assert [line.split()[1] for line in printed.splitlines() if line.startswith(("new ", "change "))] == [
        MANIFEST, "dags/include/sql/coverage/live.sql",
    ]  # fmt: skip


def test_a_monitor_that_was_removed_is_removed_there(run: Any, bucket: Bucket, edited: Path) -> None:
    other = edited / "include" / "monitors" / "other.yaml"
    other.write_text('environment: test\nsns_topic_arn: "{{ var.value.topic }}"\n')
    run()
    other.unlink()
    _, printed = run()
    assert "remove  dags/include/monitors/other.yaml\n" in printed
    assert "dags/include/monitors/other.yaml" not in bucket.objects()


def test_a_changed_plugin_updates_the_environment_to_its_version(
    run: Any, bucket: Bucket, mwaa: Service, edited: Path
) -> None:
    run()
    (edited / "plugins" / "redshift_auth_alert" / "settings" / "errors.py").write_text("# changed\n")
    run()
    latest = bucket.s3.head_object(Bucket=bucket.name, Key="plugins.zip")["VersionId"]
    assert mwaa.updates[1] == {"PluginsS3Path": "plugins.zip", "PluginsS3ObjectVersion": latest}


def test_a_dry_run_shows_the_plan_and_changes_nothing(run: Any, bucket: Bucket, mwaa: Service) -> None:
    status, printed = run("deploy", "--dry-run")
    assert status == 0
    assert "new     dags/redshift_auth_failure_alert.py\n" in printed
    assert "update  the environment\nA dry run: nothing is changed.\n" in printed
    assert (bucket.objects(), mwaa.updates) == ({}, [])


@pytest.mark.parametrize("version", ["3.0.6", "3.2.1"])
def test_the_requirements_are_those_of_the_environments_airflow(
    run: Any, bucket: Bucket, mwaa: Service, version: str
) -> None:
    mwaa.found["AirflowVersion"] = version
    run()
    assert f"apache-airflow=={version}\n".encode() in bucket.get("requirements.txt")


THEIRS = b"--constraint c.txt\nhumanize==4.1\npandas\n"


def test_an_upgrade_of_airflow_comes_with_its_requirements_in_one_update(
    run: Any, bucket: Bucket, mwaa: Service
) -> None:
    mwaa.found["AirflowVersion"] = "3.0.6"
    run()
    status, printed = run("deploy", "--airflow", "3.3.1")
    assert status == 0
    assert "update  the environment to Airflow 3.3.1\n" in printed
    assert sorted(mwaa.updates[1]) == ["AirflowVersion", "RequirementsS3ObjectVersion", "RequirementsS3Path"]
    assert b"apache-airflow==3.3.1\n" in bucket.get("requirements.txt")
    assert b"3.0.6" not in bucket.get("requirements.txt")


OTHERS = {"others.py": b"import this\n", ".airflowignore": b"others/\n"}


@pytest.fixture
def shared(bucket: Bucket, mwaa: Service) -> None:
    """Others have plugins and requirements there."""
    mwaa.found |= {
        "PluginsS3Path": "team/plugins.zip", "PluginsS3ObjectVersion": bucket.put("team/plugins.zip", pack(OTHERS)),
        "RequirementsS3Path": "team/requirements.txt",
        "RequirementsS3ObjectVersion": bucket.put("team/requirements.txt", THEIRS),
    }  # fmt: skip


@pytest.mark.usefixtures("shared")
def test_others_plugins_and_requirements_stay(run: Any, bucket: Bucket) -> None:
    run()
    plugins = members(bucket.get("team/plugins.zip"))
    assert plugins["others.py"].content == OTHERS["others.py"]
    ignored = plugins[".airflowignore"].content.splitlines()
    assert (ignored[0], ignored[-1]) == (b"others/", b"redshift_auth_alert/")
    requirements = bucket.get("team/requirements.txt").decode()
    assert requirements.startswith("--constraint c.txt\nhumanize==4.1\npandas\n# redshift-auth-alert: begin\n")


@pytest.mark.usefixtures("shared")
def test_taken_out_again_only_what_is_others_is_left(run: Any, bucket: Bucket, mwaa: Service) -> None:
    bucket.put("dags/others.py", b"")
    run()
    status, _ = run("undeploy")
    assert status == 0
    there = bucket.objects()
    assert set(there) == {"dags/others.py", "team/plugins.zip", "team/requirements.txt"}
    assert members(there["team/plugins.zip"]) == members(pack(OTHERS))
    assert there["team/requirements.txt"] == THEIRS
    assert mwaa.updates[-1]["PluginsS3ObjectVersion"] == mwaa.found["PluginsS3ObjectVersion"]


def test_taken_out_again_a_bucket_of_its_own_keeps_two_empty_files(run: Any, bucket: Bucket) -> None:
    run()
    run("undeploy")
    assert bucket.objects()["requirements.txt"] == b""
    assert zipfile.ZipFile(io.BytesIO(bucket.get("plugins.zip"))).namelist() == [".airflowignore"]


def interrupted(run: Any, monkeypatch: pytest.MonkeyPatch, *what: str) -> int:
    """The exit status of a command that is interrupted while the environment updates, which goes on."""
    with monkeypatch.context() as patch:
        patch.setattr("deploy.environment.time.sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        return int(run(*what)[0])


def fail_the_update(mwaa: Service) -> None:
    mwaa.fails_with = "no"
    mwaa.look()
    mwaa.look()
    mwaa.fails_with = ""


def test_taking_out_goes_on_where_it_was_interrupted(
    run: Any, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    assert interrupted(run, monkeypatch, "undeploy") == 130
    fail_the_update(mwaa)
    assert run("undeploy")[0] == 0
    assert set(bucket.objects()) == {"plugins.zip", "requirements.txt"}
    assert members(bucket.get("plugins.zip")).keys() == {".airflowignore"}


def test_it_can_be_taken_out_of_an_airflow_that_is_not_supported(run: Any, bucket: Bucket, mwaa: Service) -> None:
    run()
    mwaa.found["AirflowVersion"] = "3.4.0"
    assert run("undeploy")[0] == 0
    assert DAG not in bucket.objects()


def test_a_dry_run_of_taking_out_changes_nothing(run: Any, bucket: Bucket) -> None:
    run()
    before = bucket.objects()
    assert "remove  dags/redshift_auth_failure_alert.py" in run("undeploy", "--dry-run")[1]
    assert bucket.objects() == before


def refused(run: Any, there: Bucket, *what: str, **changed: str) -> str:
    """What a command says that is to be refused before anything is changed."""
    before = there.objects()
    status, printed = run(*what, **changed)
    assert (status, there.objects()) == (1, before)
    return str(printed)


def test_a_bucket_that_was_not_named_is_refused(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(bucket="")
    assert "--bucket: is empty; make deploy BUCKET=NAME ENVIRONMENT=NAME" in capsys.readouterr().err


def test_an_environment_that_is_not_there_is_refused(run: Any, bucket: Bucket) -> None:
    says = refused(run, bucket, environment="nothing")
    assert "there is no environment 'nothing' in eu-central-1; there: alerts" in says


@pytest.mark.parametrize("status", ["UPDATING", "CREATING", "DELETING", "UNAVAILABLE"])
def test_an_environment_that_is_not_available_is_refused(run: Any, bucket: Bucket, mwaa: Service, status: str) -> None:
    mwaa.found["Status"] = status
    assert f"environment 'alerts' is {status}: wait for AVAILABLE" in refused(run, bucket)


def test_an_airflow_version_that_is_not_supported_is_refused(run: Any, bucket: Bucket, mwaa: Service) -> None:
    mwaa.found["AirflowVersion"] = "2.10.3"
    assert "runs Airflow 2.10.3, which is not supported; valid: 3.0.6, 3.2.1, 3.3.1" in refused(run, bucket)


def test_another_bucket_than_the_environments_is_refused(run: Any, bucket: Bucket) -> None:
    assert f"BUCKET is 'other', but environment 'alerts' reads '{bucket.name}'" in refused(run, bucket, bucket="other")


def test_a_bucket_that_is_not_there_is_refused(run: Any, bucket: Bucket, mwaa: Service) -> None:
    mwaa.found["SourceBucketArn"] = "arn:aws:s3:::nothing"
    assert "there is no bucket 'nothing', though environment 'alerts'" in refused(run, bucket, bucket="nothing")


def test_a_bucket_without_versions_is_refused(run: Any, bucket: Bucket) -> None:
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Suspended"})
    assert "aws s3api put-bucket-versioning --bucket" in refused(run, bucket)


def test_a_monitor_that_does_not_validate_is_refused(run: Any, bucket: Bucket, edited: Path) -> None:
    (edited / "include" / "monitors" / "bad.yaml").write_text("treshold: 5\n")
    assert "bad.yaml: unknown setting 'treshold'; did you mean 'threshold'?" in refused(run, bucket)


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param("arn:aws:sns:us-east-1:123456789012:alerts", id="of another region"),
        pytest.param("arn:aws:sns:eu-central-1:210987654321:alerts", id="of another account"),
    ],
)
def test_a_topic_elsewhere_is_refused(run: Any, bucket: Bucket, edited: Path, topic: str) -> None:
    (edited / "include" / "monitors" / "default.yaml").write_text(f"environment: test\nsns_topic_arn: {topic}\n")
    says = refused(run, bucket)
    assert f"sns_topic_arn is '{topic}', of another account or region" in says
    assert "valid: a topic in region eu-central-1 of account 123456789012" in says


def test_a_topic_of_the_environments_account_and_region_is_taken(run: Any, edited: Path) -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alerts"
    (edited / "include" / "monitors" / "default.yaml").write_text(f"environment: test\nsns_topic_arn: {topic}\n")
    assert run()[0] == 0


def test_an_object_that_no_deployment_wrote_is_not_overwritten(run: Any, bucket: Bucket) -> None:
    bucket.put(DEFAULT, b"of others\n")
    assert f"would be overwritten, and no deployment wrote them: {DEFAULT}" in refused(run, bucket)


def reads(bucket: Bucket, mwaa: Service, setting: str, key: str, content: bytes) -> None:
    """Let the environment read a file that others wrote."""
    mwaa.found |= {f"{setting}S3Path": key, f"{setting}S3ObjectVersion": bucket.put(key, content)}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("Pandas<3  # for the reports", "has 'Pandas<3  # for the reports', which contradicts 'pandas==3.0.5'"),
        ("\ufeffpandas==2.0", "contradicts 'pandas==3.0.5'"),
        ("pandas==2.1.4 --hash=sha256:00", "contradicts 'pandas==3.0.5'"),
        ("pandas==2.1.4 \\\n  --hash=sha256:00", "contradicts 'pandas==3.0.5'"),
        ("pandas @ https://example.com/pandas.whl", "contradicts 'pandas==3.0.5'"),
        ("--no-index", "with which pip would not install ours"),
        ("humanize \\", "finish that line"),
        ("# redshift-auth-alert: begin\npandas==3.0.5\nboto3", "valid: '# redshift-auth-alert: begin', then"),
        ("# redshift-auth-alert: begin\nboto3\n# redshift-auth-alert: end", "has 'boto3' between the marks"),
    ],
)
def test_requirements_that_ours_do_not_go_with_are_refused(
    run: Any, bucket: Bucket, mwaa: Service, lines: str, says: str
) -> None:
    reads(bucket, mwaa, "Requirements", "requirements.txt", f"{lines}\n".encode())
    assert says in refused(run, bucket)


@pytest.mark.parametrize("line", ["pandas", "pandas>=2", "pandas<3; python_version < '3.9'", "pandas==3.0.5", ""])
def test_requirements_that_ours_go_with_are_taken(run: Any, bucket: Bucket, mwaa: Service, line: str) -> None:
    reads(bucket, mwaa, "Requirements", "requirements.txt", f"{line}\n".encode())
    assert run()[0] == 0
    assert bucket.get("requirements.txt").startswith(f"{line}\n# redshift-auth-alert: begin\n".encode())


def test_requirements_that_are_not_utf_8_are_refused(run: Any, bucket: Bucket, mwaa: Service) -> None:
    reads(bucket, mwaa, "Requirements", "requirements.txt", "# für\n".encode("latin-1"))
    assert "requirements.txt of the environment is not UTF-8" in refused(run, bucket)


def test_the_bundle_put_there_by_hand_is_ours(run: Any, bucket: Bucket, mwaa: Service) -> None:
    reads(bucket, mwaa, "Requirements", "requirements.txt", (ROOT / "requirements.txt").read_bytes())
    run()
    assert bucket.get("requirements.txt").count(b"pandas==") == 1


def test_plugins_that_are_no_zip_file_are_refused(run: Any, bucket: Bucket, mwaa: Service) -> None:
    reads(bucket, mwaa, "Plugins", "plugins.zip", b"no zip")
    assert "plugins.zip of the environment cannot be read (File is not a zip file)" in refused(run, bucket)


def test_modes_and_compression_of_others_plugins_stay(run: Any, bucket: Bucket, mwaa: Service) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as plugins:
        tool = zipfile.ZipInfo("bin/tool")
        tool.external_attr, tool.compress_type = 0o100755 << 16, zipfile.ZIP_DEFLATED
        plugins.writestr(tool, b"#!/bin/sh\n" * 100)
    reads(bucket, mwaa, "Plugins", "plugins.zip", packed.getvalue())
    run()
    kept = zipfile.ZipFile(io.BytesIO(bucket.get("plugins.zip"))).getinfo("bin/tool")
    assert (kept.external_attr >> 16, kept.compress_type) == (0o100755, zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize(
    ("key", "newer"),
    [("plugins.zip", pack({"others.py": b"# new\n"})), ("requirements.txt", b"humanize==5\n")],
    ids=["plugins", "requirements"],
)
@pytest.mark.usefixtures("shared")
def test_what_others_uploaded_and_the_environment_does_not_read_yet_is_not_overwritten(
    run: Any, bucket: Bucket, key: str, newer: bytes
) -> None:
    bucket.put(f"team/{key}", newer)
    assert f"team/{key} holds what environment 'alerts' does not read yet" in refused(run, bucket)


def test_a_file_of_others_that_the_environment_does_not_name_is_not_overwritten(run: Any, bucket: Bucket) -> None:
    bucket.put("plugins.zip", pack(OTHERS))
    assert "(it reads no such file)" in refused(run, bucket)


def test_a_version_that_is_gone_is_named(run: Any, bucket: Bucket, mwaa: Service) -> None:
    mwaa.found |= {"PluginsS3Path": "plugins.zip", "PluginsS3ObjectVersion": "gone"}
    bucket.put("plugins.zip", pack(OTHERS))
    assert "reads version gone of plugins.zip, which is not there" in refused(run, bucket)


@pytest.mark.parametrize("content", [b"{", b"{}", b"[]", b"\xff"])
def test_a_manifest_that_cannot_be_read_is_named(run: Any, bucket: Bucket, content: bytes) -> None:
    bucket.put(MANIFEST, content)
    assert f"{MANIFEST}, which says what was deployed, cannot be read" in refused(run, bucket)


def test_taking_out_what_was_not_deployed_is_refused(run: Any, bucket: Bucket) -> None:
    assert "nothing of this package was deployed" in refused(run, bucket, "undeploy")


@pytest.mark.parametrize(
    ("action", "key"),
    [
        pytest.param("s3:PutObject", "dags/*", id="the DAGs"),
        pytest.param("s3:PutObject", "plugins.zip", id="the plugins"),
    ],
)
def test_without_the_right_to_write_nothing_is_left(
    run: Any, bucket: Bucket, mwaa: Service, action: str, key: str
) -> None:
    bucket.forbid(action, key)
    says = refused(run, bucket)
    assert f"AWS refused {action} of s3://{bucket.name}/{key.removesuffix('*')}" in says
    assert mwaa.updates == []


def test_without_the_right_to_update_what_was_written_is_taken_back(run: Any, bucket: Bucket, mwaa: Service) -> None:
    mwaa.refuses_updates = True
    says = refused(run, bucket)
    assert "AWS refused airflow:UpdateEnvironment of 'alerts': AccessDeniedException" in says
    assert says.endswith("What was written has been taken back.\n")


def test_what_fails_after_the_update_leaves_the_plugins_that_the_environment_now_reads(
    run: Any, bucket: Bucket, mwaa: Service
) -> None:
    bucket.forbid("s3:PutObject", "dags/include/sql/*")
    status, printed = run()
    assert status == 1
    assert "The environment has been updated all the same; mend this, and run the same command again." in printed
    assert bucket.objects().keys() == {MANIFEST, "plugins.zip", "requirements.txt"}
    assert mwaa.found["PluginsS3Path"] == "plugins.zip"


def test_an_update_that_fails_is_taken_back(run: Any, bucket: Bucket, mwaa: Service) -> None:
    run()
    mwaa.fails_with = "requirements could not be installed"
    before = bucket.objects()
    reads(bucket, mwaa, "Requirements", "requirements.txt", b"humanize\n")
    status, printed = run()
    assert status == 1
    assert "keeps what it had: INCORRECT_CONFIGURATION requirements could not be installed" in printed
    assert bucket.objects() == before | {"requirements.txt": b"humanize\n"}


def test_an_update_that_takes_too_long_is_not_taken_back(
    run: Any, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.environment._UPDATE_MINUTES", 0)
    mwaa.looks_until_done = 1_000_000
    status, printed = run()
    assert status == 1
    assert "has not ended after 0 minutes (status AVAILABLE): once it is AVAILABLE, run the same" in printed
    assert "plugins.zip" in bucket.objects()


def test_after_an_interrupted_update_that_failed_the_same_command_updates_again(
    run: Any, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interrupted(run, monkeypatch) == 130
    fail_the_update(mwaa)
    assert run()[0] == 0
    assert len(mwaa.updates) == 2
    assert mwaa.found["PluginsS3Path"] == "plugins.zip"


def test_an_update_that_was_asked_for_without_an_answer_is_not_taken_back(
    run: Any, bucket: Bucket, mwaa: Service
) -> None:
    mwaa.breaks_off_updates = True
    status, printed = run()
    assert status == 1
    assert "Whether the environment is being updated is not known" in printed
    assert "plugins.zip" in bucket.objects()


def test_after_an_interrupted_update_the_same_command_goes_on(
    run: Any, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interrupted(run, monkeypatch) == 130
    mwaa.look()
    mwaa.look()
    assert run()[0] == 0
    assert DAG in bucket.objects()
    assert len(mwaa.updates) == 1
