"""``python -m deploy deploy`` and ``undeploy``: put this checkout into an MWAA environment, or take it out again."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError

from deploy.bundle import AIRFLOWS, ROOT, write_bundle
from deploy.environment import Environment, Plan
from redshift_auth_alert.settings.errors import AlertError
from redshift_auth_alert.settings.monitors import load_monitors


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy", description=sys.modules[__name__].__doc__)
    parser.add_argument("command", choices=("deploy", "undeploy"))
    parser.add_argument("--bucket", required=True, type=_named, help="the bucket that the environment reads")
    parser.add_argument("--environment", required=True, type=_named, help="name of the MWAA environment")
    parser.add_argument("--region", help="the environment's region; boto3's by default")
    parser.add_argument("--airflow", choices=AIRFLOWS, help="upgrade the environment to this version")
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    parser.add_argument("--look-every", type=float, default=20, metavar="SECONDS", help="while the environment updates")
    options = parser.parse_args(arguments)
    try:
        run(options)
    except KeyboardInterrupt:
        print("\nInterrupted. An update of the environment that was begun goes on; then run the same command again.")
        return 130
    except (AlertError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _named(value: str) -> str:
    if not value.strip():
        raise argparse.ArgumentTypeError("is empty; make deploy BUCKET=NAME ENVIRONMENT=NAME")
    return value.strip()


def run(options: argparse.Namespace) -> None:
    """Check, show the plan, and carry it out unless this is a dry run. Raises AlertError or BotoCoreError."""
    session = boto3.Session(region_name=options.region)
    environment = Environment(session.client("s3"), session.client("mwaa"), options.environment)
    airflow = options.airflow or environment.airflow
    environment.check(options.bucket)
    facts = f"Airflow {environment.airflow}, {environment.status}, bucket {environment.bucket}"
    print(f"Environment {environment.name}: {facts}")
    plan = environment.plan_removal() if options.command == "undeploy" else _plan(environment, airflow)
    if not (plan.first or plan.updates or plan.then):
        print("All of it is there already; nothing is changed.")
        return
    print(plan)
    if options.dry_run:
        print("A dry run: nothing is changed.")
        return
    environment.apply(plan, lambda line: print(line, flush=True), seconds_between_looks=options.look_every)
    if options.command == "undeploy":
        print("Taken out.")
        return
    print("Deployed; MWAA sees the files within 30 seconds.", *environment.look_here(), sep="\n")


def _plan(environment: Environment, airflow: str) -> Plan:
    environment.check_airflow(airflow)
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder)
        write_bundle(build, airflow=airflow)
        environment.check_topics(load_monitors(ROOT / "include" / "monitors")[0])
        files = [path for path in sorted(build.rglob("*")) if path.is_file()]
        bundle = {path.relative_to(build).as_posix(): path.read_bytes() for path in files}
        return replace(environment.plan_deployment(bundle), upgrade="" if airflow == environment.airflow else airflow)


if __name__ == "__main__":
    sys.exit(main())
