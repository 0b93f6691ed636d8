"""``make up``: the sandbox with Airflow's pages and a run a minute, until interrupted."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redshift_auth_alert.tasks.page import DAG_TAB
from sandbox.aws import running_cloud
from sandbox.fail import USER
from sandbox.monitors import for_sandbox, load_own
from sandbox.mwaa import ROOT, Airflow, airflow_home, running_airflow
from sandbox.show import Show
from sandbox.warehouse import DATABASE, Warehouse, running_warehouse


def run(_arguments: argparse.Namespace) -> int:
    """Run the sandbox and print each message that arrives, until interrupted."""
    monitors, show = load_own(), Show()
    # A little in the past: each moment from now on lies in an interval, though the first ends before Airflow is up.
    started = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    times = {"schedule": "* * * * *", "start_date": started}
    with _only_one() as lock, contextlib.ExitStack() as running:
        show.say("This takes about half a minute.\n")
        with show.doing("Starting a local Redshift and a local AWS"):
            cloud, warehouse = running.enter_context(running_cloud()), running.enter_context(running_warehouse())
        home = running.enter_context(airflow_home())
        with show.doing("Airflow creates its database"):
            airflow = running.enter_context(running_airflow(home, warehouse, cloud, for_sandbox(monitors, **times)))
        with show.doing("Airflow starts and reads the DAGs"):
            for monitor in monitors:
                airflow.unpause(monitor.dag_id)
        lock.write_text(airflow.url)
        _welcome(show, airflow, warehouse, [monitor.dag_id for monitor in monitors])
        with show.waiting("Waiting for messages; Ctrl-C stops"):
            while True:
                for mail in cloud.take_mail():
                    show.mail(mail)
                time.sleep(1)


def _welcome(show: Show, airflow: Airflow, warehouse: Warehouse, dag_ids: Sequence[str]) -> None:
    """Say where everything is and what to try; each command line works as pasted."""
    pages = "\n           ".join(f"{airflow.url}/dags/{dag_id}/plugin/{DAG_TAB}" for dag_id in dag_ids)
    show.say(f"""
Sign-ins   {pages}
           no login needed; a run starts every minute, and each has the tab Sign-ins
Redshift   127.0.0.1:{warehouse.port}, database {DATABASE}, user {USER}, password {USER}
Logs       {airflow.folder}

Fail ten logins, in another terminal:
""")
    python = Path(sys.executable)
    python = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    checkout, interpreter = shlex.quote(str(ROOT)), shlex.quote(str(python))
    show.command(f"cd {checkout} && {interpreter} -m sandbox fail {warehouse.port} 127.0.0.2")
    show.say("\nor with psql, which comes from 127.0.0.1:\n")
    attempt = f"PGPASSWORD=wrong psql -h 127.0.0.1 -p {warehouse.port} -U {USER} {DATABASE}"
    show.command(f"for i in $(seq 10); do {attempt}; done")
    show.say("\nThe alert shows here within two minutes. Ctrl-C stops everything.\n")


@contextlib.contextmanager
def _only_one() -> Iterator[Path]:
    path = ROOT / ".sandbox" / "up.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = path.read_text() or "it is still starting"
            raise RuntimeError(f"The sandbox of this checkout is already running: {where}") from None
        path.write_text("")
        yield path
