"""Connection events as AWS delivers them to S3: files of Redshift's audit log, and of CloudTrail."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sandbox.aws import ACCOUNT, CREDENTIALS, REGION, Cloud

ROOT = Path(__file__).resolve().parents[1]
CLUSTER = "analytics"
LOGS, RESULTS = "audit-logs", "athena-results"
FAILURE, LOGIN = "authentication failure", "authenticated"
_HOUR = timedelta(hours=1)
_LATE_BY = 3 * _HOUR
# What follows the user name: authentication method, duration, and in today's files the other twelve fields.
_OLD_FIELDS = ["password", "0"]
_TODAYS_FIELDS = [*_OLD_FIELDS, "TLSv1.3", "TLS_AES_256_GCM_SHA384", "0", "", "", "", "psql", "Linux", "", "", "3", ""]


@dataclass(frozen=True)
class ConnectionEvent:
    """A row of the connection log; ``at`` is in UTC, without its zone."""

    kind: str
    at: datetime
    remote_host: str
    user_name: str
    database_name: str = "dev"


File = tuple[str, bytes]


def setup_statement(source: str, bucket: str) -> str:
    """Return the DDL of the table that ``source`` reads, for the logs of a bucket here."""
    ddl = (ROOT / "include" / "sql" / "setup" / f"{source}.sql").read_text()
    for placeholder, value in {"<bucket>": bucket, "<account>": ACCOUNT, "<region>": REGION}.items():
        ddl = ddl.replace(placeholder, value)
    return ddl


def heartbeat(first: datetime, last: datetime) -> list[ConnectionEvent]:
    """Return the logins of Redshift's internal user, which logs in all the time: here hourly."""
    hours = (last - first) // _HOUR + 1
    return [ConnectionEvent(LOGIN, first + hour * _HOUR, "[local]", "rdsdb") for hour in range(hours)]


def deliver(cloud: Cloud, events: Iterable[ConnectionEvent]) -> int:
    """Put the audit log of ``events`` and the table over it into the local AWS; return the number of files."""
    s3 = cloud.client("s3")
    for bucket in (LOGS, RESULTS):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    files = list(audit_log_files(events))
    for key, content in files:
        s3.put_object(Bucket=LOGS, Key=key, Body=content)
    cloud.client("athena").start_query_execution(
        QueryString=setup_statement("audit_log_s3", LOGS),
        ResultConfiguration={"OutputLocation": f"s3://{RESULTS}/"},
    )
    return len(files)


def athena_connection(cloud: Cloud) -> dict[str, str]:
    """Return the environment variable that defines the connection ``athena_default``."""
    extra = {
        "region_name": REGION, "endpoint_url": cloud.endpoint, "s3_staging_dir": f"s3://{RESULTS}/",
        "poll_interval": 0.2,
    }  # fmt: skip
    athena = {
        "conn_type": "athena", "schema": "default", "login": CREDENTIALS["aws_access_key_id"],
        "password": CREDENTIALS["aws_secret_access_key"], "extra": extra,
    }  # fmt: skip
    return {"AIRFLOW_CONN_ATHENA_DEFAULT": json.dumps(athena)}


def audit_log_files(events: Iterable[ConnectionEvent], cluster: str = CLUSTER) -> Iterator[File]:
    """Yield key and content of the files in which audit logging would deliver ``events``, a file an hour.

    The file of 53 minutes past holds the hour before, but for the newest record, which waits for the next file: so the
    first file of a day holds the end of the day before, and the very last record is in none. Every fifth delivery comes
    hours late, in a file of its own; every other file has the 9 fields of old instead of 21; and beside them lie files
    of the user log.
    """
    waiting = sorted(events, key=lambda event: event.at)
    if not waiting:
        return
    delivery = waiting[0].at.replace(minute=53, second=0, microsecond=0)
    for number in itertools.count():
        ripe = [event for event in waiting if event.at < delivery]
        if not waiting[1:]:
            return
        if held_back := ripe[-1:]:
            ripe, waiting = ripe[:-1], held_back + waiting[len(ripe) :]
        if ripe:
            content = _gzipped("".join(_line(event, today=number % 2 == 1) for event in ripe))
            late = _LATE_BY + timedelta(minutes=1) if number % 5 == 4 else timedelta()
            yield audit_log_key(delivery + late, cluster=cluster), content
            yield (
                audit_log_key(delivery, "userlog", cluster),
                _gzipped("100 |alice |||alter |||||1|2|3|4\n"),
            )
        delivery += _HOUR


def audit_log_key(at: datetime, log: str = "connectionlog", cluster: str = CLUSTER) -> str:
    """Return the key of the file that was written at ``at``."""
    folder = f"AWSLogs/{ACCOUNT}/redshift/{REGION}/{at:%Y/%m/%d}"
    return f"{folder}/{ACCOUNT}_redshift_{REGION}_{cluster}_{log}_{at:%Y-%m-%dT%H:%M}.gz"


def _line(event: ConnectionEvent, *, today: bool) -> str:
    at = f"{event.at:%a, %d %b %Y %H:%M:%S}:{event.at.microsecond // 1000:03}"
    mapped = "::ffff:" if "." in event.remote_host else ""
    names = [mapped + event.remote_host, "50000", "1234", event.database_name, event.user_name]
    rest = _TODAYS_FIELDS if today else _OLD_FIELDS
    return "|".join([f"{event.kind} ", at, *(f"{field} " for field in [*names, *rest])]) + "\n"


def cloudtrail_files(events: Iterable[ConnectionEvent]) -> Iterator[File]:
    """Yield key and content of the files in which CloudTrail would deliver ``events``, a file a quarter of an hour.

    Failures are refused calls for credentials, logins granted ones, and what else there is calls of another service.
    """
    ordered = sorted(events, key=lambda event: event.at)
    for quarter, calls in itertools.groupby(ordered, lambda event: event.at.replace(second=0, microsecond=0)):
        at = quarter + timedelta(minutes=15 - quarter.minute % 15)
        folder = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{at:%Y/%m/%d}"
        name = f"{ACCOUNT}_CloudTrail_{REGION}_{at:%Y%m%dT%H%MZ}_{quarter:%d%H%M}.json.gz"
        yield f"{folder}/{name}", _gzipped(json.dumps({"Records": [_record(event) for event in calls]}))


def _record(event: ConnectionEvent) -> dict[str, object]:
    asks = event.kind in (FAILURE, LOGIN)
    record: dict[str, object] = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/someone", "userName": "someone"},
        "eventTime": f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "redshift.amazonaws.com" if asks else "s3.amazonaws.com",
        "eventName": "GetClusterCredentials" if asks else "ListBuckets",
        "awsRegion": REGION,
        "sourceIPAddress": event.remote_host,
        "requestParameters": {
            "dbUser": event.user_name, "dbName": event.database_name, "clusterIdentifier": CLUSTER,
        } if asks else None,
    }  # fmt: skip
    return record | ({"errorCode": "AccessDenied"} if event.kind == FAILURE else {})


def _gzipped(text: str) -> bytes:
    return gzip.compress(text.encode("utf-8", "surrogateescape"), compresslevel=1)
