"""``make demo-history``: thirty days of logs, one backfill over both of their sources, the alerts that it finds."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sandbox.athena import answering_queries
from sandbox.aws import Mail, running_cloud
from sandbox.log_files import CLUSTER, FAILURE, LOGIN, ConnectionEvent, athena_connection, deliver, heartbeat
from sandbox.mwaa import DAG_ID, NEVER, Airflow, airflow_home, monitor_file, running_airflow
from sandbox.process import ignore_interrupts
from sandbox.show import Show
from sandbox.warehouse import running_warehouse

DAYS = 30
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Attack:
    """Failures of a host, one a minute, and on which day and in which log the backfill is to find it, if at all."""

    host: str
    at: datetime
    failures: int
    found: tuple[datetime, str] | None
    gets_in: bool = False

    @property
    def events(self) -> list[ConnectionEvent]:
        """Its connection events."""
        kinds = [FAILURE] * self.failures + [LOGIN] * self.gets_in
        return [ConnectionEvent(kind, self.at + n * MINUTE, self.host, "admin") for n, kind in enumerate(kinds)]


def attacks_before(midnight: datetime) -> list[Attack]:
    """Return the attacks; the cluster itself remembers only the last days."""
    ago = {days: midnight - days * DAY for days in range(DAYS)}
    in_s3, cluster = "audit_log_s3", "stl_connection_log"
    return [
        Attack("192.0.2.27", ago[27] - 6 * MINUTE, 12, (ago[27], in_s3)),  # its tenth failure comes after midnight
        Attack("192.0.2.12", ago[12] + 5 * HOUR, 15, (ago[12], in_s3), gets_in=True),
        Attack("192.0.2.10", ago[10] + 9 * HOUR, 9, None),  # stays below the threshold
        Attack("192.0.2.3", ago[3] + 7 * HOUR, 11, (ago[3], cluster)),
    ]


def run(_arguments: argparse.Namespace) -> int:
    """Run the demo; return 0 where exactly the right hosts were reported, each on its day and from its log."""
    show = Show()
    show.say("This takes about two minutes. Everything runs on this machine and is removed at the end.\n")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    attacks = attacks_before(midnight)
    events = [event for attack in attacks for event in attack.events]
    monitors = {"default.yaml": monitor_file(
        schedule="0 0 * * *", source="auto", athena_conn_id="athena_default", cluster=CLUSTER,
        start_date=NEVER,
    )}  # fmt: skip
    with contextlib.ExitStack() as running:
        with show.doing("Starting a local Redshift and a local AWS"):
            cloud, warehouse = running.enter_context(running_cloud()), running.enter_context(running_warehouse())
            running.enter_context(answering_queries(cloud.client("s3")))
        with show.doing(f"Writing the audit log of {DAYS} days"):
            files = deliver(cloud, heartbeat(midnight - (DAYS + 1) * DAY, midnight + DAY) + events)
            for event in events:
                if event.kind == FAILURE and event.at > midnight - 6 * DAY:
                    warehouse.remember_failure(event.at.replace(tzinfo=UTC), event.remote_host, event.user_name)
        show.step(f"{files} files of the audit log are in the local S3; the cluster itself remembers seven days.")
        home = running.enter_context(airflow_home())
        with show.doing("Airflow creates its database"):
            variables = athena_connection(cloud)
            airflow = running.enter_context(running_airflow(home, warehouse, cloud, monitors, variables=variables))
        with show.doing("Airflow starts and reads the DAG"):
            airflow.unpause()
        first, last = midnight - DAYS * DAY, midnight - DAY
        show.step(f"Airflow is running at {airflow.url}; one backfill from {first:%Y-%m-%d} to {last:%Y-%m-%d}.")
        with show.doing("A run for each day", DAYS) as advance:
            dates = ["--from-date", f"{first.isoformat()}Z", "--to-date", f"{last.isoformat()}Z"]
            airflow.cli("backfill", "create", "--dag-id", DAG_ID, "--max-active-runs", "8", *dates)
            failed = _wait(airflow, advance)
        mails = cloud.take_mail()
        show.step(f"All {DAYS} runs have ended. Messages that a subscriber of the topic has received: {len(mails)}.\n")
        for mail in mails:
            show.mail(mail)
        if problem := f"failed runs: {', '.join(failed)}" if failed else _problem(mails, attacks):
            raise RuntimeError(f"WRONG: {problem}. Airflow's logs are in {home}")
        with show.doing("Stopping everything"):
            ignore_interrupts()
            running.close()
    show.step("Everything is stopped, and nothing is left behind.\n")
    show.say(
        "As it should be: one alert for each attack that reached the threshold, on its day and from the right log.",
        "green",
    )
    show.say('Next: docs/sources.md says which log reaches how far back; "make up" runs the sandbox with pages.')
    return 0


def _wait(airflow: Airflow, advance: Callable[[int], None]) -> list[str]:
    """Wait until all runs have ended; return the ids of those that failed."""

    def ended() -> list[tuple[str, str]]:
        runs = [(run["dag_run_id"], run["state"]) for run in airflow.runs()]
        return [(run_id, state) for run_id, state in runs if state in ("success", "failed")]

    def all_ended() -> bool:
        done = len(ended())
        advance(done)
        return done == DAYS

    airflow.wait_until(all_ended, 600, "the backfill to end")
    return [run_id for run_id, state in ended() if state == "failed"]


def _problem(mails: Sequence[Mail], attacks: Sequence[Attack]) -> str:
    reported = sorted(
        (*re.findall(r"^(?:Interval|Source) +(\S+)", mail.body, flags=re.MULTILINE), host)
        for mail in mails
        for host in re.findall(r"^(\S+) \[\d+ times\]", mail.body, flags=re.MULTILINE)
    )
    expected = sorted((f"{each.found[0]:%Y-%m-%d}", each.found[1], each.host) for each in attacks if each.found)
    return "" if reported == expected else f"reported {reported}, where {expected} breached"
