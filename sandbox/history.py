"""``make demo-history``: thirty days of logs, one backfill over both of their sources, the alerts that it finds."""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.athena import answering_queries
from sandbox.aws import CREDENTIALS, REGION, Cloud, Mail, running_cloud
from sandbox.log_files import CLUSTER, FAILURE, LOGIN, ConnectionEvent, audit_log_files, setup_statement
from sandbox.mwaa import DAG_ID, Airflow, monitor_file, running_airflow
from sandbox.warehouse import Warehouse, running_warehouse

DAYS = 30
LOGS, RESULTS = "audit-logs", "athena-results"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Attack:
    """Failures of a host, one a minute from ``at`` on; where it ``gets_in``, a login after them."""

    at: datetime
    host: str
    failures: int
    gets_in: bool = False

    @property
    def events(self) -> list[ConnectionEvent]:
        """Its connection events."""
        tries = [
            ConnectionEvent(FAILURE, self.at + count * MINUTE, self.host, "admin") for count in range(self.failures)
        ]
        login = ConnectionEvent(LOGIN, self.at + (self.failures + 1) * MINUTE, self.host, "admin")
        return [*tries, login] if self.gets_in else tries

    def breaches_on(self, threshold: int = 10) -> str:
        """Return the day of its first breach point, as the interval begins with it."""
        return f"{self.at + (threshold - 1) * MINUTE:%Y-%m-%d}"


def history(_arguments: argparse.Namespace) -> int:
    """Run the demo; return 0 only where exactly the right hosts were told, each on its day and from its source."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:4.0f} s  {text}", flush=True)

    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    attacks = [
        Attack(midnight - 27 * DAY - 6 * MINUTE, "192.0.2.27", 12),  # breaches only after midnight
        Attack(midnight - 12 * DAY + 5 * 60 * MINUTE, "192.0.2.12", 15, gets_in=True),
        Attack(midnight - 10 * DAY + 9 * 60 * MINUTE, "192.0.2.10", 9),  # stays below the threshold
        Attack(midnight - 3 * DAY + 7 * 60 * MINUTE, "192.0.2.3", 11),
    ]
    with running_cloud() as cloud, running_warehouse() as warehouse, answering_queries(cloud.client("s3")):
        happened = [event for attack in attacks for event in attack.events]
        files = deliver(cloud, heartbeat(midnight - (DAYS + 1) * DAY, midnight + DAY) + happened)
        _remember(warehouse, attacks, midnight)
        say(f"{files} files of the audit log lie in the local S3; the cluster itself remembers the last seven days.")
        monitors = {"default.yaml": monitor_file(
            schedule="0 0 * * *", source="auto", athena_conn_id="athena_default", cluster=CLUSTER,
            start_date=(datetime.now(UTC) + DAY).isoformat(),
        )}  # fmt: skip
        with (
            tempfile.TemporaryDirectory(prefix="redshift-auth-alert-", ignore_cleanup_errors=True) as home,
            running_airflow(Path(home), warehouse, cloud, monitors, variables=athena_connection(cloud)) as airflow,
        ):
            airflow.unpause()
            first, last = midnight - DAYS * DAY, midnight - DAY
            say(f"Airflow is up: {airflow.url}. One backfill, from {first:%Y-%m-%d} to {last:%Y-%m-%d}, a run a day.")
            dates = ["--from-date", f"{first.isoformat()}Z", "--to-date", f"{last.isoformat()}Z"]
            airflow.cli("backfill", "create", "--dag-id", DAG_ID, "--max-active-runs", "8", *dates)
            runs = _wait(airflow)
            scanned = sum(_scanned_bytes(airflow, run_id) for run_id in runs)
            mails = cloud.take_mail()
    failed = [run_id for run_id, state in runs.items() if state != "success"]
    say(f"All {len(runs)} runs ended; Athena scanned {scanned:,} bytes. What the subscriber received:\n")
    for mail in mails:
        print("-" * 78, f"Subject: {mail.subject}", "", mail.body, sep="\n")
    print("-" * 78)
    problem = f"WRONG: failed runs: {', '.join(failed)}" if failed else _problem(mails, attacks)
    print(problem or "As it should be: one alert for each attack, on the day and from the log that shows it.")
    return 1 if problem else 0


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


def heartbeat(first: datetime, last: datetime) -> list[ConnectionEvent]:
    """Redshift's internal user, which logs in all the time: here hourly."""
    hours = int((last - first) / timedelta(hours=1)) + 1
    return [ConnectionEvent(LOGIN, first + timedelta(hours=hour), "[local]", "rdsdb") for hour in range(hours)]


def _remember(warehouse: Warehouse, attacks: list[Attack], midnight: datetime) -> None:
    """Put what the cluster still remembers into its own log."""
    for attack in attacks:
        for event in attack.events if attack.at > midnight - 6 * DAY else []:
            warehouse.remember_failure(event.at.replace(tzinfo=UTC), event.remote_host, event.user_name)


def _wait(airflow: Airflow) -> dict[str, str]:
    def states() -> dict[str, str]:
        return {run["dag_run_id"]: run["state"] for run in airflow.runs()}

    airflow.wait_until(
        lambda: len(states()) == DAYS and set(states().values()) <= {"success", "failed"}, 600, "the backfill to end"
    )
    return states()


def _scanned_bytes(airflow: Airflow, run_id: str) -> int:
    path = f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/query_auth_failures/xcomEntries"
    entries = airflow.api("GET", path)["xcom_entries"]
    if not any(entry["key"] == "scanned_bytes" for entry in entries):
        return 0
    return int(airflow.api("GET", f"{path}/scanned_bytes")["value"])


def _problem(mails: list[Mail], attacks: list[Attack]) -> str:
    told = sorted(
        (
            re.findall(r"^Interval +(\S+)", mail.body, flags=re.MULTILINE)[0],
            re.findall(r"^Source +(\S+)", mail.body, flags=re.MULTILINE)[0],
            host,
        )
        for mail in mails
        for host in re.findall(r"^(\S+) \[\d+ times\]", mail.body, flags=re.MULTILINE)
    )
    retention = datetime.now(UTC).replace(tzinfo=None) - 6 * DAY
    expected = sorted(
        (
            attack.breaches_on(),
            "stl_connection_log" if attack.at.replace(hour=0, minute=0) >= retention else "audit_log_s3",
            attack.host,
        )
        for attack in attacks
        if attack.failures >= 10
    )
    return "" if told == expected else f"WRONG: told {told}, where {expected} breached."
