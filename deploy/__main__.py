"""``python -m deploy deploy`` and ``undeploy``: put this checkout into an MWAA environment, or take it out again."""

from __future__ import annotations

import argparse
import sys

import boto3
from botocore.exceptions import BotoCoreError

from deploy.bundle import AIRFLOWS, ROOT, files_to_install, make_bundle
from deploy.environment import Environment
from deploy.plan import plan_deployment, plan_removal
from deploy.watch import watched_by
from redshift_auth_alert.settings.errors import AlertError
from redshift_auth_alert.settings.monitors import load_monitors


def main(arguments: list[str] | None = None) -> None:
    """Check, show the plan, and carry it out unless this is a dry run. Ends the process where that fails."""
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    parser.add_argument("command", choices=("deploy", "undeploy"))
    parser.add_argument("--bucket", required=True, help="the bucket that the environment reads")
    parser.add_argument("--environment", required=True, help="name of the MWAA environment")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--airflow", choices=AIRFLOWS, help="upgrade the environment to this version")
    how.add_argument("--dags-only", action="store_true", help="leave plugins.zip and requirements.txt as they are")
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    options = parser.parse_args(arguments)
    try:
        environment = Environment(boto3.client("s3"), boto3.client("mwaa"), options.environment)
        environment.check(options.bucket)
        print(f"Environment {environment.name}: Airflow {environment.airflow}, {environment.status}")
        alarms = ""
        if options.command == "undeploy":
            plan = plan_removal(environment, files_to_install(), dags_only=options.dags_only)
        else:
            airflow = options.airflow or environment.airflow
            monitors = load_monitors(ROOT / "include" / "monitors")[0]
            for monitor in monitors:
                environment.check_topic(monitor.place_of("sns_topic_arn"), monitor.settings.sns_topic_arn)
            plan = plan_deployment(environment, make_bundle(ROOT, airflow), dags_only=options.dags_only)
            plan = plan._replace(upgrade=airflow if airflow != environment.airflow else "")
            alarms = watched_by(monitors)
        print(plan if any(plan) else "All of it is there already; nothing is changed.")
        if options.dry_run:
            print("A dry run: nothing is changed.")
        elif any(plan):
            environment.apply(plan)
            print(f"Done. https://{environment.found['WebserverUrl']}/dags")
        if alarms:
            print(alarms)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. If the environment has begun to update, it goes on: wait until it is AVAILABLE, "
            "then run the same command again."
        )
        sys.exit(130)
    except (AlertError, BotoCoreError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
