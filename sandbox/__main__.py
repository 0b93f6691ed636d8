"""``python -m sandbox demo``, ``history`` and ``up``."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from sandbox.aws import Cloud, Mail, running_cloud
from sandbox.history import history
from sandbox.mwaa import DAG_ID, ROOT, Airflow, monitor_file, running_airflow
from sandbox.warehouse import DATABASE, Warehouse, login, running_warehouse

BREACHES, STAYS_BELOW, GETS_IN = "127.0.0.2", "127.0.0.3", "127.0.0.4"


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=sys.modules["sandbox"].__doc__)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("demo", help="real failed logins in, one alert out").set_defaults(run=demo)
    commands.add_parser("history", help="thirty days of logs in S3, one backfill").set_defaults(run=history)
    commands.add_parser("up", help="run until interrupted").set_defaults(run=up)
    fail_command = commands.add_parser("fail", help="fail ten logins at a running sandbox")
    fail_command.add_argument("port", type=int, help="port of the local Redshift, as make up prints it")
    fail_command.add_argument("address", help="loopback address to come from, such as 127.0.0.2")
    fail_command.set_defaults(run=fail)
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        print("\nInterrupted; all is stopped.")
        return 130


def demo(_arguments: argparse.Namespace) -> int:
    """Fail real logins, run the DAG, show the message; return 0 only where it named exactly the right hosts."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:4.0f} s  {text}", flush=True)

    with running_cloud() as cloud, running_warehouse() as warehouse:
        say("A local Redshift and a local AWS are running.")
        _attack(warehouse)
        say(f"Real logins: {BREACHES} failed 12 times, {STAYS_BELOW} 9 times, {GETS_IN} 11 times and then got in.")
        with _airflow(warehouse, cloud, "0 0 * * *") as airflow:
            say(f"Airflow is starting: {airflow.url}")
            airflow.unpause()
            run_id = airflow.trigger({})
            say(f"Triggered {DAG_ID}; the run evaluates the last 30 minutes.")
            state = airflow.wait_for_run(run_id)
            say(f"The run ended: {state}, {airflow.task_states(run_id)}")
            mails = cloud.take_mail()
    say("All is stopped. What the subscriber received:\n")
    for mail in mails:
        _show(mail)
    problem = _problem(mails)
    print(problem or f"As it should be: one alert, naming {BREACHES} and {GETS_IN}, and not {STAYS_BELOW}.")
    return 1 if problem else 0


def _attack(warehouse: Warehouse) -> None:
    for _ in range(12):
        warehouse.login(BREACHES, "admin", "guess")
    for _ in range(9):
        warehouse.login(STAYS_BELOW, "analyst", "mistyped")
    for _ in range(11):
        warehouse.login(GETS_IN, "analyst", "guess")
    warehouse.login(GETS_IN, "analyst", "analyst")


def _problem(mails: list[Mail]) -> str:
    if len(mails) != 1:
        return f"WRONG: {len(mails)} messages arrived where one was expected."
    named = set(re.findall(r"^(\S+) \[\d+ times\]", mails[0].body, flags=re.MULTILINE))
    if named != {BREACHES, GETS_IN}:
        return f"WRONG: the message names {sorted(named)}, where {BREACHES} and {GETS_IN} breached."
    if not re.search(rf"^{re.escape(GETS_IN)} .*GOT IN", mails[0].body, flags=re.MULTILINE):
        return f"WRONG: the message does not say that {GETS_IN} got in."
    return ""


def up(_arguments: argparse.Namespace) -> int:
    """Run the sandbox and print each message that arrives, until interrupted."""
    with _only_one() as lock, running_cloud() as cloud, running_warehouse() as warehouse:
        print("Starting; Airflow takes half a minute.", flush=True)
        with _airflow(warehouse, cloud, "* * * * *") as airflow:
            airflow.unpause()
            lock.write_text(airflow.url)
            print(_welcome(airflow, warehouse), flush=True)
            while True:
                for mail in cloud.take_mail():
                    _show(mail)
                time.sleep(1)


def fail(arguments: argparse.Namespace) -> int:
    """Fail ten logins, as an attacker would."""
    for _ in range(10):
        login(arguments.address, arguments.port, "analyst", "wrong")
    print(f"Failed ten logins from {arguments.address} as analyst.")
    return 0


def _welcome(airflow: Airflow, warehouse: Warehouse) -> str:
    return f"""
Airflow    {airflow.url}/dags/{DAG_ID}   (no login; it runs every minute)
Redshift   127.0.0.1:{warehouse.port}, database {DATABASE}, user analyst, password analyst
Logs       {airflow.folder}

Fail ten logins, with psql:

  for i in $(seq 10); do PGPASSWORD=wrong psql -h 127.0.0.1 -p {warehouse.port} -U analyst {DATABASE}; done

or without psql, from another address:

  cd {ROOT} && .venv/bin/python -m sandbox fail {warehouse.port} 127.0.0.2

The alert shows here within two minutes. Stop with Ctrl-C.
"""


def _show(mail: Mail) -> None:
    print("-" * 78, f"Subject: {mail.subject}", "", mail.body, "-" * 78, sep="\n", flush=True)


@contextlib.contextmanager
def _airflow(warehouse: Warehouse, cloud: Cloud, schedule: str) -> Iterator[Airflow]:
    monitors = {"default.yaml": monitor_file(schedule=schedule)}
    with (
        tempfile.TemporaryDirectory(prefix="redshift-auth-alert-", ignore_cleanup_errors=True) as home,
        running_airflow(Path(home), warehouse, cloud, monitors) as airflow,
    ):
        yield airflow


@contextlib.contextmanager
def _only_one() -> Iterator[Path]:
    path = ROOT / ".sandbox" / "up.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"The sandbox of this checkout is already running: {path.read_text() or 'it is still starting'}")
        path.write_text("")
        yield path


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
