"""What ``make deploy`` and ``make undeploy`` refuse before anything is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.bundle import pack
from tests.deploy.conftest import Bucket, Run, read_by
from tests.deploy.mwaa_service import Service
from tests.deploy.test_deployment import DEFAULT, MANIFEST


def refused(run: Run, there: Bucket, *what: str, **changed: str) -> str:
    """What a command says that is to be refused before anything is changed."""
    before = there.versions()
    status, printed = run(*what, **changed)
    assert (status, there.versions()) == (1, before)
    return printed


def test_a_bucket_that_was_not_named_is_refused(run: Run, bucket: Bucket) -> None:
    assert f"BUCKET is '', but environment 'alerts' reads '{bucket.name}': name that" in refused(run, bucket, bucket="")


def test_an_environment_that_is_not_there_is_refused(run: Run, bucket: Bucket) -> None:
    says = refused(run, bucket, environment="nothing")
    assert "environment 'nothing' in eu-central-1: " in says
    assert "Environment not found" in says


@pytest.mark.parametrize("status", ["UPDATING", "CREATING", "DELETING", "UNAVAILABLE"])
def test_an_environment_that_is_not_available_is_refused(run: Run, bucket: Bucket, mwaa: Service, status: str) -> None:
    mwaa.found["Status"] = status
    assert f"environment 'alerts' is {status}: wait for AVAILABLE" in refused(run, bucket)


def test_an_airflow_version_that_is_not_supported_is_refused(run: Run, bucket: Bucket, mwaa: Service) -> None:
    mwaa.found["AirflowVersion"] = "2.10.3"
    assert "Airflow 2.10.3 is not supported; valid: 3.0.6, 3.2.1, 3.3.1" in refused(run, bucket)


def test_another_bucket_than_the_environments_is_refused(run: Run, bucket: Bucket) -> None:
    assert f"BUCKET is 'other', but environment 'alerts' reads '{bucket.name}'" in refused(run, bucket, bucket="other")


def test_a_bucket_that_is_not_there_is_refused(run: Run, bucket: Bucket, mwaa: Service) -> None:
    mwaa.found["SourceBucketArn"] = "arn:aws:s3:::nothing"
    assert "bucket 'nothing': An error occurred (NoSuchBucket)" in refused(run, bucket, bucket="nothing")


def test_a_bucket_without_versions_is_refused(run: Run, bucket: Bucket) -> None:
    bucket.s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Suspended"})
    says = refused(run, bucket)
    assert f"aws s3api put-bucket-versioning --bucket {bucket.name} --versioning-configuration Status=Enabled" in says


def test_a_monitor_that_does_not_validate_is_refused(run: Run, bucket: Bucket, edited: Path) -> None:
    (edited / "include" / "monitors" / "bad.yaml").write_text("treshold: 5\n")
    assert "bad.yaml: unknown setting 'treshold'; did you mean 'threshold'?" in refused(run, bucket)


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param("arn:aws:sns:us-east-1:123456789012:alerts", id="of another region"),
        pytest.param("arn:aws:sns:eu-central-1:210987654321:alerts", id="of another account"),
    ],
)
def test_a_topic_elsewhere_is_refused(run: Run, bucket: Bucket, edited: Path, topic: str) -> None:
    (edited / "include" / "monitors" / "default.yaml").write_text(f"environment: test\nsns_topic_arn: {topic}\n")
    says = refused(run, bucket)
    assert f"sns_topic_arn is '{topic}'; valid: a topic in eu-central-1 of account 123456789012" in says
    assert "default.yaml" in says


def test_a_shared_topic_elsewhere_is_refused_with_the_file_that_holds_it(
    run: Run, bucket: Bucket, edited: Path
) -> None:
    monitors = edited / "include" / "monitors"
    (monitors / "_shared.yaml").write_text("sns_topic_arn: arn:aws:sns:us-east-1:123456789012:alerts\n")
    (monitors / "default.yaml").write_text("environment: test\n")
    assert f"{monitors / '_shared.yaml'}: sns_topic_arn is " in refused(run, bucket)


def test_a_topic_of_the_environments_account_and_region_is_taken(run: Run, edited: Path) -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alerts"
    (edited / "include" / "monitors" / "default.yaml").write_text(f"environment: test\nsns_topic_arn: {topic}\n")
    assert run()[0] == 0


def test_an_object_that_no_deployment_wrote_is_not_overwritten(run: Run, bucket: Bucket) -> None:
    bucket.put(DEFAULT, b"of others\n")
    assert f"no deployment wrote {DEFAULT}: move these objects" in refused(run, bucket)


def test_plugins_that_are_no_zip_file_are_refused(run: Run, bucket: Bucket, mwaa: Service) -> None:
    read_by(mwaa, bucket, "Plugins", "plugins.zip", b"no zip")
    assert "plugins.zip of the environment cannot be read (File is not a zip file): fix" in refused(run, bucket)


@pytest.mark.parametrize("command", ["deploy", "undeploy"])
@pytest.mark.parametrize(
    ("key", "newer"),
    [("plugins.zip", pack({"others.py": b"# new\n"})), ("requirements.txt", b"humanize==5\n")],
    ids=["plugins", "requirements"],
)
def test_what_others_uploaded_and_the_environment_does_not_read_yet_is_not_overwritten(
    run: Run, bucket: Bucket, key: str, newer: bytes, command: str
) -> None:
    run()
    bucket.put(key, newer)
    assert f"{key} has a newer version of another team" in refused(run, bucket, command)


def test_a_file_of_others_that_the_environment_does_not_name_is_not_overwritten(run: Run, bucket: Bucket) -> None:
    bucket.put("plugins.zip", pack({"others.py": b""}))
    assert "plugins.zip has a newer version of another team" in refused(run, bucket)


def test_a_version_that_is_gone_is_named(run: Run, bucket: Bucket, mwaa: Service) -> None:
    bucket.put("plugins.zip", pack({}))
    mwaa.found |= {"PluginsS3Path": "plugins.zip", "PluginsS3ObjectVersion": "gone"}
    assert f"s3://{bucket.name}/plugins.zip gone: An error occurred (NoSuchVersion)" in refused(run, bucket)


@pytest.mark.parametrize("content", [b"{", b"{}", b"[]", b"\xff"])
def test_a_manifest_that_cannot_be_read_is_named(run: Run, bucket: Bucket, content: bytes) -> None:
    bucket.put(MANIFEST, content)
    assert f"the manifest {MANIFEST} cannot be read" in refused(run, bucket)


def test_taking_out_what_was_not_deployed_is_refused(run: Run, bucket: Bucket) -> None:
    assert "nothing of this package was deployed" in refused(run, bucket, "undeploy")
