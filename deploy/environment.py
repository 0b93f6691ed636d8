"""An MWAA environment and its bucket: what is there, what a deployment changes, and the change itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from deploy.bundle import AIRFLOWS
from deploy.shared_files import SHARED_FILES, DeployError, SharedFile
from redshift_auth_alert.settings.monitors import Monitor

_READY = ("AVAILABLE", "UPDATE_FAILED")
_UPDATE_MINUTES = 90
Say = Callable[[str], None]


class UpdateGoesOnError(DeployError):
    """The environment may still come to read what was written, so nothing is taken back."""


@dataclass(frozen=True)
class Change:
    """An object of the bucket that is to be written, or deleted where ``content`` is None.

    ``setting`` is what the environment calls a file that it has to be updated for: Plugins or Requirements.
    """

    key: str
    content: bytes | None
    is_new: bool = False
    setting: str = ""

    def __str__(self) -> str:
        """Say what becomes of the object."""
        return f"{'remove' if self.content is None else 'new' if self.is_new else 'change':8}{self.key}"


@dataclass(frozen=True)
class Plan:
    """What is written ``first``, what the environment has to be updated for, and what is written ``then``.

    ``upgrade`` is the Airflow version that the same update takes the environment to, '' where it keeps its own.
    """

    first: Sequence[Change]
    shared: Sequence[Change]
    then: Sequence[Change] = ()
    upgrade: str = ""

    @property
    def updates(self) -> bool:
        """Whether the environment has to be updated."""
        return bool(self.shared or self.upgrade)

    def __str__(self) -> str:
        """Say what changes, each object once."""
        lines = [str(change) for change in [*self.first, *self.shared, *self.then]]
        if self.updates:
            lines.append("update  the environment" + f" to Airflow {self.upgrade}" * bool(self.upgrade))
        return "\n".join(dict.fromkeys(lines))


class Environment:
    """An MWAA environment and its bucket, reached by boto3's clients ``s3`` and ``mwaa``.

    Each method raises DeployError.
    """

    def __init__(self, s3: Any, mwaa: Any, name: str) -> None:
        self._s3, self._mwaa, self.name = s3, mwaa, name
        self.read()

    def read(self) -> None:
        """Ask anew how the environment is."""
        with _refused(f"airflow:GetEnvironment of {self.name!r}", {"ResourceNotFoundException": self._not_there}):
            self._found: dict[str, Any] = self._mwaa.get_environment(Name=self.name)["Environment"]
        self.status, self.airflow = str(self._found["Status"]), str(self._found["AirflowVersion"])
        self.region, self.account = str(self._found["Arn"]).split(":")[3:5]
        self.bucket = str(self._found["SourceBucketArn"]).split(":::")[1]
        self._dags = str(self._found["DagS3Path"]).strip("/")
        self.manifest = f"{self._dags}/include/redshift_auth_alert.json"

    def check(self, bucket: str) -> None:
        """Refuse what cannot be changed now, and a ``bucket`` that is not the environment's."""
        if self.status not in _READY:
            raise DeployError(
                f"environment {self.name!r} is {self.status}: wait for AVAILABLE, then run the same command again"
            )
        if bucket != self.bucket:
            raise DeployError(f"BUCKET is {bucket!r}, but environment {self.name!r} reads {self.bucket!r}: name that")
        missing = {"404": lambda: f"there is no bucket {bucket!r}, though environment {self.name!r} names it"}
        with _refused(f"s3:ListBucket and s3:GetBucketVersioning of {bucket!r}", missing):
            self._s3.head_bucket(Bucket=bucket)
            versioning = self._s3.get_bucket_versioning(Bucket=bucket).get("Status")
        if versioning != "Enabled":
            raise DeployError(
                f"bucket {bucket!r} keeps no versions of its objects, which MWAA needs and taking back too: "
                f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"
            )

    def check_airflow(self, version: str) -> None:
        """Refuse an Airflow version that is not supported."""
        if version not in AIRFLOWS:
            raise DeployError(
                f"environment {self.name!r} runs Airflow {version}, which is not supported; "
                f"valid: {', '.join(AIRFLOWS)}"
            )

    def check_topics(self, monitors: Iterable[Monitor]) -> None:
        """Refuse a topic of another account or region than the environment's."""
        for monitor in monitors:
            topic = monitor.settings.sns_topic_arn
            if not topic.startswith("{{") and topic.split(":")[3:5] != [self.region, self.account]:
                raise DeployError(
                    f"{monitor.file}: sns_topic_arn is {topic!r}, of another account or region than environment "
                    f"{self.name!r}; valid: a topic in region {self.region} of account {self.account}"
                )

    def plan_deployment(self, bundle: Mapping[str, bytes]) -> Plan:
        """Return what it takes to have the ``bundle`` there, contents by name; an empty plan where it is there."""
        wanted = {f"{self._dags}/{name[5:]}": content for name, content in bundle.items() if name.startswith("dags/")}
        earlier = self._deployed()
        present = {key: self._get(key) for key in wanted}
        foreign = [key for key, there in present.items() if there not in (None, wanted[key]) and key not in earlier]
        if foreign:
            raise DeployError(
                f"these objects of {self.bucket!r} would be overwritten, and no deployment wrote them: "
                f"{', '.join(foreign)}; move them, or remove them where they are copies made by hand"
            )
        changes = [
            Change(key, content, is_new=present[key] is None)
            for key, content in wanted.items()
            if present[key] != content
        ]
        changes += [Change(key, None) for key in earlier if key not in wanted]
        shared = [change for file in SHARED_FILES for change in self._change(file, bundle[file.name])]
        if not changes and list(wanted) == earlier:
            return Plan([], shared)
        # First too, so that a missing right to write shows before anything else, and that what an interrupted
        # deployment has left can be found.
        known = Change(self.manifest, _manifest(dict.fromkeys([*earlier, *wanted])), is_new=not earlier)
        done = Change(self.manifest, _manifest(wanted), is_new=not earlier)
        return Plan([known], shared, [*changes, done])

    def plan_removal(self) -> Plan:
        """Return what it takes to have nothing of this package there."""
        earlier = self._deployed()
        if not earlier:
            raise DeployError(f"nothing of this package was deployed: {self.bucket!r} has no {self.manifest}")
        there = [key for key in earlier if self._get(key) is not None]
        shared = [change for file in SHARED_FILES for change in self._change(file, None)]
        # The manifest last, so that what was interrupted can be taken up again.
        return Plan([Change(key, None) for key in there], shared, [Change(self.manifest, None)])

    def apply(self, plan: Plan, say: Say, *, seconds_between_looks: float = 20) -> None:
        """Carry out the plan; where that fails, take back what was written since the environment last was whole."""
        written: list[tuple[str, str]] = []
        updated = ""
        try:
            self._write(plan.first, written)
            versions = self._write(plan.shared, written)
            if plan.updates:
                self._update(plan, versions, say, seconds_between_looks)
                written.clear()
                updated = " The environment has been updated all the same; mend this, and run the same command again."
            self._write(plan.then, written)
        except UpdateGoesOnError:
            raise
        except DeployError as error:
            raise DeployError(f"{error}\n{self._take_back(written)}{updated}") from error

    def look_here(self) -> list[str]:
        """Say where to look."""
        return [
            f"DAG     https://{self._found.get('WebserverUrl', '')}/dags/redshift_auth_failure_alert",
            f"Logs    log groups airflow-{self.name}-DAGProcessing and airflow-{self.name}-Task, in {self.region}",
        ]

    def _not_there(self) -> str:
        with _refused("airflow:ListEnvironments"):
            there = self._mwaa.list_environments()["Environments"]
        region = self._mwaa.meta.region_name
        return f"there is no environment {self.name!r} in {region}; there: {', '.join(there) or 'none'}"

    def _deployed(self) -> list[str]:
        content = self._get(self.manifest)
        try:
            return [str(key) for key in json.loads(content)["objects"]] if content else []
        except (ValueError, KeyError, TypeError) as error:
            raise DeployError(
                f"s3://{self.bucket}/{self.manifest}, which says what was deployed, cannot be read ({error}): "
                "restore an earlier version of it, or remove it and what it named"
            ) from error

    def _change(self, file: SharedFile, ours: bytes | None) -> list[Change]:
        """Return the change to a file that others share, if any: ``ours`` put into it, or taken out where None."""
        key, version = self._found.get(f"{file.setting}S3Path"), self._found.get(f"{file.setting}S3ObjectVersion")
        latest = self._get(key or file.name)
        read = (self._get(key, version) if version else latest) if key else None
        if latest is not None and file.parse(file.remove(latest)) != file.parse(file.remove(read)):
            raise DeployError(
                f"s3://{self.bucket}/{key or file.name} holds what environment {self.name!r} does not read yet: "
                f"somebody is about to change it (it reads {f'version {version}' if key else 'no such file'}). "
                "Update the environment to it, or remove that version"
            )
        wanted = file.remove(read) if ours is None else file.merge(read, ours)
        if read is not None and file.parse(read) == file.parse(wanted):
            return []
        return [Change(key or file.name, wanted, is_new=latest is None, setting=file.setting)]

    def _get(self, key: str, version: str | None = None) -> bytes | None:
        named = (
            f"environment {self.name!r} reads version {version} of {key}, which is not there: update it to one that is"
        )
        with _refused(f"s3:GetObject of s3://{self.bucket}/{key}", {"NoSuchVersion": lambda: named}):
            try:
                which = {"VersionId": version} if version else {}
                return bytes(self._s3.get_object(Bucket=self.bucket, Key=key, **which)["Body"].read())
            except self._s3.exceptions.NoSuchKey:
                return None

    def _write(self, changes: Sequence[Change], written: list[tuple[str, str]]) -> dict[str, str]:
        """Write the changes; add each key and its new version to ``written``, and return them."""
        versions = {}
        for change in changes:
            where = {"Bucket": self.bucket, "Key": change.key}
            action = "s3:DeleteObject" if change.content is None else "s3:PutObject"
            with _refused(f"{action} of s3://{self.bucket}/{change.key}"):
                if change.content is None:
                    answer = self._s3.delete_object(**where)
                else:
                    answer = self._s3.put_object(**where, Body=change.content)
            versions[change.key] = answer["VersionId"]
            written.append((change.key, answer["VersionId"]))
        return versions

    def _take_back(self, written: list[tuple[str, str]]) -> str:
        left = []
        for key, version in reversed(written):
            try:
                self._s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version)
            except (ClientError, BotoCoreError):
                left.append(f"{key} (version {version})")
        if left:
            return f"Not taken back, for want of s3:DeleteObjectVersion; delete these versions: {', '.join(left)}"
        return "What was written has been taken back." if written else "Nothing was written."

    def _update(self, plan: Plan, versions: Mapping[str, str], say: Say, between_looks: float) -> None:
        asked = {"Name": self.name} | ({"AirflowVersion": plan.upgrade} if plan.upgrade else {})
        for change in plan.shared:
            asked |= {
                f"{change.setting}S3Path": change.key,
                f"{change.setting}S3ObjectVersion": versions[change.key],
            }
        earlier = self._last_update.get("CreatedAt")
        try:
            with _refused(f"airflow:UpdateEnvironment of {self.name!r}"):
                self._mwaa.update_environment(**asked)
        except DeployError as error:
            if isinstance(error.__cause__, ClientError):
                raise
            raise UpdateGoesOnError(
                f"{error}\nWhether the environment is being updated is not known: when it is AVAILABLE, run the same "
                "command again"
            ) from error
        say(
            "The environment is being updated, which takes MWAA 20 to 30 minutes. It replaces its workers; "
            "tasks that it stops are tried again."
        )
        began = time.monotonic()
        while not self._has_ended(earlier):
            minutes = (time.monotonic() - began) / 60
            if minutes > _UPDATE_MINUTES:
                raise UpdateGoesOnError(
                    f"the update of environment {self.name!r} has not ended after {_UPDATE_MINUTES} minutes (status "
                    f"{self.status}): once it is AVAILABLE, run the same command again"
                )
            say(f"{minutes:4.0f} min  {self.status}")
            time.sleep(between_looks)
            try:
                self.read()
            except DeployError as error:  # the update goes on, whether or not we can see it
                say(str(error))
        if self.status == "UPDATE_FAILED" or self._last_update.get("Status") == "FAILED":
            why = self._last_update.get("Error", {})
            raise DeployError(
                f"MWAA could not update environment {self.name!r} and keeps what it had: {why.get('ErrorCode', '')} "
                f"{why.get('ErrorMessage', 'see its log group of the scheduler')}"
            )

    def _has_ended(self, earlier: Any) -> bool:
        """Whether an update later than that of ``earlier`` has; just after it was asked for, nothing shows it."""
        begun = self._last_update.get("CreatedAt") != earlier
        return begun and self.status in _READY and self._last_update.get("Status") != "PENDING"

    @property
    def _last_update(self) -> dict[str, Any]:
        return dict(self._found.get("LastUpdate", {}))


@contextmanager
def _refused(what: str, known: Mapping[str, Callable[[], str]] | None = None) -> Iterator[None]:
    """Raise an error of AWS as DeployError that says ``what`` was refused; ``known`` words by the error's code."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        words = (known or {}).get(code)
        if words:
            raise DeployError(words()) from error
        raise DeployError(f"AWS refused {what}: {code}: {error.response['Error'].get('Message', '')}") from error
    except BotoCoreError as error:
        raise DeployError(f"{what}: {error}; check region and credentials: aws sts get-caller-identity") from error


def _manifest(keys: Iterable[str]) -> bytes:
    return (json.dumps({"objects": list(keys)}, indent=1) + "\n").encode()
