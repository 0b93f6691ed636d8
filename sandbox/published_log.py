"""Connection events as Redshift publishes them to S3 Tables: SYS_CONNECTION_LOG of one warehouse or many.

Parquet files stand in for the Iceberg table that AWS keeps, in folders by its partition columns.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from sandbox.aws import ACCOUNT, REGION, Cloud
from sandbox.log_files import RESULTS, ConnectionEvent, File

BUCKET = "aws-redshift"
NAMESPACE = f"{ACCOUNT}_sys"  # what granularity "account" gives: all warehouses of the account in one table
TABLE = "sys_connection_log"
# Which warehouse it was, and then the columns of the view. The partition columns are in the folders' names.
COLUMNS = {
    "warehouse_name": "VARCHAR", "warehouse_namespace_arn": "VARCHAR", "event": "VARCHAR", "record_time": "TIMESTAMP",
    "remote_host": "VARCHAR", "remote_port": "VARCHAR", "session_id": "INTEGER", "database_name": "VARCHAR",
    "user_name": "VARCHAR", "auth_method": "VARCHAR", "duration": "INTEGER", "ssl_version": "VARCHAR",
    "ssl_cipher": "VARCHAR", "mtu": "INTEGER", "ssl_compression": "VARCHAR", "ssl_expansion": "VARCHAR",
    "iam_auth_guid": "VARCHAR", "application_name": "VARCHAR", "os_version": "VARCHAR", "driver_version": "VARCHAR",
    "plugin_name": "VARCHAR", "protocol_version": "INTEGER", "global_session_id": "VARCHAR",
}  # fmt: skip


def publish(cloud: Cloud, by_warehouse: Mapping[str, Iterable[ConnectionEvent]]) -> int:
    """Put the table of these events into the local AWS; return the number of its files."""
    s3 = cloud.client("s3")
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in {BUCKET, RESULTS} - there:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    files = list(published_files(by_warehouse))
    for key, content in files:
        s3.put_object(Bucket=BUCKET, Key=key, Body=content)
    return len(files)


def published_files(
    by_warehouse: Mapping[str, Iterable[ConnectionEvent]], namespace: str = NAMESPACE
) -> Iterator[File]:
    """Yield key and content of the files in which Redshift would publish these events: one for each day."""
    rows = sorted(
        (event.at, warehouse, number, event)
        for warehouse, events in by_warehouse.items()
        for number, event in enumerate(events)
    )
    for number, (day, of_day) in enumerate(itertools.groupby(rows, lambda row: row[0].date())):
        folder = f"{namespace}/{TABLE}/year={day:%Y}/month={day:%m}/day={day:%d}"
        yield f"{folder}/{number:05}.parquet", _parquet([_row(warehouse, event) for _, warehouse, _, event in of_day])


def _row(warehouse: str, event: ConnectionEvent) -> dict[str, Any]:
    mapped = "::ffff:" if "." in event.remote_host else ""
    return dict.fromkeys(COLUMNS) | {
        "warehouse_name": warehouse,
        "warehouse_namespace_arn": f"arn:aws:redshift:{REGION}:{ACCOUNT}:namespace:{warehouse}",
        "event": event.kind,
        "record_time": event.at,
        "remote_host": mapped + event.remote_host,
        "remote_port": "50000",
        "session_id": 1234,
        "database_name": event.database_name,
        "user_name": event.user_name,
        "auth_method": "password",
        "ssl_version": "TLSv1.3",
        "application_name": "psql",
        "os_version": "Linux",
    }


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    columns = ", ".join(f"unnest(?::{kind}[]) AS {name}" for name, kind in COLUMNS.items())
    with tempfile.TemporaryDirectory(prefix="redshift-auth-alert-parquet-") as folder, duckdb.connect() as duck:
        file = Path(folder) / "part.parquet"
        duck.execute(f"CREATE TABLE part AS SELECT {columns}", [[row[name] for row in rows] for name in COLUMNS])
        duck.execute(f"COPY part TO '{file}' (FORMAT parquet)")
        return file.read_bytes()
