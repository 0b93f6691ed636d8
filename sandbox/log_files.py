"""Connection events as AWS delivers them to S3: files of Redshift's audit log, and of CloudTrail."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sandbox.aws import REGION

ROOT = Path(__file__).resolve().parents[1]
ACCOUNT = "123456789012"
CLUSTER = "analytics"
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
