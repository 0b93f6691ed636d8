"""An MWAA environment and its bucket: what is there, and how a plan is carried out or taken back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from redshift_auth_alert.settings.errors import AlertError

_READY = ("AVAILABLE", "UPDATE_FAILED")
_BLIND = 15  # looks in a row that fail, one every 20 seconds: credentials that have expired do not come back
Objects = dict[str, bytes | None]  # content by key, None to delete


class Plan(NamedTuple):
    """What is written ``before`` the environment is updated to ``files`` and ``upgrade``, and what ``after``."""

    before: Objects
    files: dict[str, tuple[str, bytes]]  # key and content, by what the environment's settings call the file
    after: Objects
    upgrade: str = ""
    advice: str = ""  # for other teams

    def __str__(self) -> str:
        changes = {**self.before, **dict(self.files.values()), **self.after}
        lines = [f"{'remove' if content is None else 'write':8}{key}" for key, content in sorted(changes.items())]
        if self.files or self.upgrade:
            lines.append("update  the environment" + f" to Airflow {self.upgrade}" * bool(self.upgrade))
        return "\n".join(lines) + self.advice


class Environment:
    """An MWAA environment and its bucket, reached by boto3's clients. Errors are AlertErrors."""

    def __init__(self, s3: Any, mwaa: Any, name: str) -> None:
        self._s3, self._mwaa, self.name = s3, mwaa, name
        self._written: list[tuple[str, str]] = []
        self.read()

    def read(self) -> None:
        """Ask anew how the environment is."""
        with _errors_of(f"environment {self.name!r} in {self._mwaa.meta.region_name}"):
            self.found: dict[str, Any] = self._mwaa.get_environment(Name=self.name)["Environment"]
        self.status, self.airflow = str(self.found["Status"]), str(self.found["AirflowVersion"])
        self.bucket, self.dags = self.found["SourceBucketArn"].split(":::")[1], self.found["DagS3Path"].strip("/")
        self._last_update = self.found.get("LastUpdate", {})

    def check(self, bucket: str) -> None:
        """Refuse an environment that cannot be changed now, and a ``bucket`` that is not its own."""
        if self.status not in _READY:
            raise AlertError(f"environment {self.name!r} is {self.status}: wait for AVAILABLE, then run this again")
        if bucket != self.bucket:
            raise AlertError(f"BUCKET is {bucket!r}, but environment {self.name!r} reads {self.bucket!r}: name that")
        turn_on = f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"
        with _errors_of(f"bucket {bucket!r}"):
            if self._s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
                raise AlertError(f"bucket {bucket!r} keeps no versions to go back to: {turn_on}")

    def check_topic(self, file: str, topic: str) -> None:
        """Refuse a monitor's topic of another account or region than the environment's."""
        region, account = self.found["Arn"].split(":")[3:5]
        if not topic.startswith("{{") and topic.split(":")[3:5] != [region, account]:
            raise AlertError(f"{file}: sns_topic_arn is {topic!r}; valid: a topic in {region} of account {account}")

    def get(self, key: str, version: str = "") -> bytes | None:
        """Return an object's content; None where there is no such object."""
        which = {"VersionId": version} if version else {}
        with _errors_of(f"s3://{self.bucket}/{key} {version}".rstrip()), suppress(self._s3.exceptions.NoSuchKey):
            return bytes(self._s3.get_object(Bucket=self.bucket, Key=key, **which)["Body"].read())
        return None

    def apply(self, plan: Plan) -> None:
        """Carry out the plan; where that fails, take back what the environment does not read."""
        try:
            self._write(plan.before)
            self._write(dict(plan.files.values()))
            versions, asked = dict(self._written), {"AirflowVersion": plan.upgrade} if plan.upgrade else {}
            for setting, (key, _) in plan.files.items():
                asked |= {f"{setting}S3Path": key, f"{setting}S3ObjectVersion": versions[key]}
            if asked:
                self._update(asked)
            self._write(plan.after)
        except AlertError as error:
            taken_back = "What was written and not installed has been taken back. " * bool(self._written)
            try:
                self._take_back()
            except AlertError as further:
                left = ", ".join(f"{key} {version}" for key, version in self._written)
                what = f"Not everything was taken back; delete these versions: {left}"
                raise AlertError(f"{error}\n{what}: {further}") from error
            raise AlertError(f"{error}\n{taken_back}Fix this, then run the same command again.") from error

    def _write(self, objects: Objects) -> None:
        for key, content in objects.items():
            with _errors_of(f"s3://{self.bucket}/{key}"):
                call = self._s3.delete_object if content is None else self._s3.put_object
                answer = call(Bucket=self.bucket, Key=key, **({} if content is None else {"Body": content}))
            self._written.append((key, answer["VersionId"]))

    def _take_back(self) -> None:
        while self._written:
            key, version = self._written[-1]
            with _errors_of(f"s3://{self.bucket}/{key}"):
                self._s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version)
            self._written.pop()

    def _update(self, asked: dict[str, str]) -> None:
        before, began = self._last_update.get("CreatedAt"), time.monotonic()
        with _errors_of(f"environment {self.name!r}"):
            try:
                self._mwaa.update_environment(Name=self.name, **asked)
            except BotoCoreError:
                self._written.clear()  # the update may have begun, and then reads what was written
                print("MWAA gave no answer, so nothing is taken back: the update may have begun.")
                raise
        print("The environment is being updated, which takes 20 to 30 minutes. Tasks that this stops are tried again.")
        failures = 0
        while not self._is_updated(before):
            print(f"{(time.monotonic() - began) / 60:4.0f} min  {self.status}", flush=True)
            time.sleep(20)
            try:
                self.read()
                failures = 0
            except AlertError as error:  # the update goes on, whether or not we can see it
                failures, self.status = failures + 1, f"not seen: {error}"
                if failures == _BLIND:
                    self._written.clear()
                    what = "The update may go on, so nothing is taken back: wait until it has ended."
                    raise AlertError(f"{error}\n{what}") from error
        if self.status == "UPDATE_FAILED" or self._last_update.get("Status") == "FAILED":
            raise AlertError(f"MWAA keeps what environment {self.name!r} had: {self._last_update.get('Error')}")
        self._written.clear()

    def _is_updated(self, before: Any) -> bool:
        """Whether an update after that of ``before`` has ended; MWAA shows it only some time after it was asked for."""
        last = self._last_update
        return last.get("CreatedAt") != before and last.get("Status") != "PENDING" and self.status in _READY


@contextmanager
def _errors_of(what: str) -> Iterator[None]:
    """Raise an error of AWS as AlertError that names ``what``; AWS's own text names the operation."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise AlertError(f"{what}: {error}") from error
