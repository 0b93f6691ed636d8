"""An MWAA environment and its bucket on the local AWS, and the command that deploys to them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import deploy.__main__ as command
from deploy.bundle import AIRFLOWS
from sandbox.aws import CREDENTIALS, REGION, Cloud, running_cloud
from tests.conftest import ROOT
from tests.deploy.mwaa_service import Service, running_service
from tests.deploy.stack import OPTIONS, Stack, create, make_network, with_role

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a bundle is made from, with other file times."""
    for folder in ("dags", "include", "plugins"):
        shutil.copytree(ROOT / folder, tmp_path / "checkout" / folder, copy_function=shutil.copyfile)
    for version in AIRFLOWS:
        (tmp_path / "checkout" / "deploy" / "airflow" / version).mkdir(parents=True)
        requirements = Path("deploy") / "airflow" / version / "requirements.txt"
        shutil.copyfile(ROOT / requirements, tmp_path / "checkout" / requirements)
    return tmp_path / "checkout"


@pytest.fixture
def edited(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout that is deployed, which may be edited."""
    monkeypatch.setattr(command, "ROOT", checkout)
    return checkout


@pytest.fixture(scope="package")
def store() -> Iterator[Cloud]:
    """The local AWS that holds the buckets."""
    with running_cloud() as running:
        yield running


@dataclass(frozen=True)
class Bucket:
    """A bucket with versions."""

    s3: Any
    name: str

    def objects(self) -> dict[str, bytes]:
        listed = self.s3.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {each["Key"]: self.get(each["Key"]) for each in listed}

    def versions(self) -> list[str]:
        return [each["VersionId"] for each in self.s3.list_object_versions(Bucket=self.name).get("Versions", [])]

    def get(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.name, Key=key)["Body"].read())

    def put(self, key: str, content: bytes) -> str:
        return str(self.s3.put_object(Bucket=self.name, Key=key, Body=content)["VersionId"])

    def forbid(self, action: str, key: str) -> None:
        resource = f"arn:aws:s3:::{self.name}/{key}"
        statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.s3.put_bucket_policy(Bucket=self.name, Policy=policy)


@pytest.fixture
def bucket(store: Cloud) -> Bucket:
    """The bucket of an MWAA environment, empty."""
    s3, name = store.client("s3"), f"alerts-{uuid4().hex}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return Bucket(s3, name)


@pytest.fixture
def mwaa(bucket: Bucket) -> Iterator[Service]:
    """The environment, which reads neither plugins.zip nor requirements.txt yet."""
    with running_service(bucket.name) as service:
        yield service


@pytest.fixture
def run(
    store: Cloud, bucket: Bucket, mwaa: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run the command; return its exit status and all that it printed."""
    monkeypatch.setattr("deploy.environment.time.sleep", lambda _: None)
    for name, value in {
        "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": store.endpoint,
        "AWS_ENDPOINT_URL_MWAA": mwaa.endpoint,
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }.items():
        monkeypatch.setenv(name, value)

    def run(
        what: str = "deploy", *options: str, bucket: str = bucket.name, environment: str = "alerts"
    ) -> tuple[int, str]:
        status, said = 0, ""
        try:
            command.main([what, "--bucket", bucket, "--environment", environment, *options])
        except SystemExit as end:
            status, said = (end.code, "") if isinstance(end.code, int) else (1, str(end.code))
        printed = capsys.readouterr()
        return status, printed.out + printed.err + said

    return run


def read_by(mwaa: Service, bucket: Bucket, setting: str, key: str, content: bytes) -> None:
    """Let the environment read a file."""
    mwaa.found |= {f"{setting}S3Path": key, f"{setting}S3ObjectVersion": bucket.put(key, content)}


def interrupted(run: Run, monkeypatch: pytest.MonkeyPatch, *what: str) -> int:
    """The exit status of a command that is interrupted while the environment updates, which goes on."""
    with monkeypatch.context() as patch:
        patch.setattr("deploy.environment.time.sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        return run(*what)[0]


def end_the_update(mwaa: Service, fails_with: str = "") -> None:
    """Let the update that was interrupted end."""
    mwaa.fails_with = fails_with
    mwaa.look()
    mwaa.look()
    mwaa.fails_with = ""


@pytest.fixture(scope="package")
def cloud(store: Cloud) -> Iterator[Cloud]:
    """The local AWS with an execution role."""
    yield from with_role(store)


@pytest.fixture(scope="package")
def network(cloud: Cloud) -> dict[str, str]:
    return make_network(cloud)


@pytest.fixture(scope="package")
def bare(cloud: Cloud) -> Stack:
    """The stack with no option on."""
    return create(cloud, "bare")


@pytest.fixture(scope="package")
def full(cloud: Cloud, network: dict[str, str]) -> Stack:
    """The stack with every option on."""
    return create(cloud, "full", **OPTIONS, **network)
