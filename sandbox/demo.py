"""``make demo``: real failed logins in, one alert out, by the monitors of this checkout."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from redshift_auth_alert.settings.model import Settings
from redshift_auth_alert.settings.monitors import Monitor
from sandbox.aws import Mail, running_cloud
from sandbox.monitors import for_sandbox, load_own
from sandbox.mwaa import NEVER, Airflow, airflow_home, running_airflow
from sandbox.process import ignore_interrupts
from sandbox.show import Show
from sandbox.warehouse import Warehouse, running_warehouse

# Only where these have their defaults does it follow from the failures and the threshold alone who breaches.
DECIDE = ("group_by", "count", "ignore", "thresholds", "max_groups", "message_format", "dry_run")
LEAST_WINDOW_MINUTES = 5  # so that the logins still lie in it when the run starts
ENDED = ("success", "failed", "upstream_failed", "skipped")


@dataclass(frozen=True)
class Attack:
    """Failed logins from an address; where it ``gets_in``, one that succeeds after them."""

    address: str
    user: str
    failures: int
    gets_in: bool = False

    def __str__(self) -> str:
        """Name the address and its failures."""
        return f"{self.address} ({self.failures} failures)"

    def carry_out(self, warehouse: Warehouse) -> None:
        """Log in, with a wrong password and with the right one."""
        for _ in range(self.failures):
            warehouse.login(self.address, self.user, "guess")
        if self.gets_in:
            warehouse.login(self.address, self.user, self.user)


ATTACKS = (
    Attack("127.0.0.2", "admin", 12),
    Attack("127.0.0.3", "analyst", 9),
    Attack("127.0.0.4", "analyst", 11, gets_in=True),
)


def run(_arguments: argparse.Namespace) -> int:
    """Fail real logins, run the DAGs, show the messages; return 0 where they name exactly the right hosts."""
    monitors, show = load_own(), Show()
    show.say("This takes about a minute. Everything runs on this machine and is removed at the end.\n")
    with contextlib.ExitStack() as running:
        with show.doing("Starting a local Redshift and a local AWS"):
            cloud, warehouse = running.enter_context(running_cloud()), running.enter_context(running_warehouse())
        show.step("A local Redshift and a local AWS are running.")
        for attack in ATTACKS:
            attack.carry_out(warehouse)
            got_in = f", then got in as {attack.user}" if attack.gets_in else ""
            show.step(f"{attack.address} failed {attack.failures} real logins{got_in}.")
        home = running.enter_context(airflow_home())
        with show.doing("Airflow creates its database"):
            files = for_sandbox(monitors, start_date=NEVER)
            airflow = running.enter_context(running_airflow(home, warehouse, cloud, files))
        with show.doing("Airflow starts and reads the DAGs"):
            for monitor in monitors:
                airflow.unpause(monitor.dag_id)
        show.step(f"Airflow is running at {airflow.url}, without a login.")
        runs = {monitor.dag_id: airflow.trigger({}, monitor.dag_id) for monitor in monitors}
        show.step(f"Triggered {', '.join(runs)}.")
        with show.doing("Airflow runs the tasks"):
            failed = _follow(airflow, runs, show)
        mails = cloud.take_mail()
        show.step(f"Messages that a subscriber of the topic has received: {len(mails)}.\n")
        for mail in mails:
            show.mail(mail)
        if failed:
            raise RuntimeError(f"WRONG: {', '.join(failed)} failed. Airflow's logs are in {home}")
        right = [judge(monitor, mails, home) for monitor in monitors]
        with show.doing("Stopping everything"):
            ignore_interrupts()
            running.close()
    show.step("Everything is stopped, and nothing is left behind.\n")
    for sentence in right:
        show.say(sentence, "green")
    show.say(
        'Next: "make up" keeps this running and prints the address of the page Sign-ins, which shows who attacked and '
        "when; docs/alert.md explains each line of an alert."
    )
    return 0


def _follow(airflow: Airflow, runs: Mapping[str, str], show: Show) -> list[str]:
    """Wait until the runs, ids by DAG, have ended; say of each task when it has. Returns the DAGs that failed."""
    said = set()

    def ended() -> bool:
        for dag_id, run_id in runs.items():
            for task_id, state in airflow.task_states(run_id, dag_id).items():
                task = task_id if len(runs) == 1 else f"{dag_id}.{task_id}"
                if state in ENDED and task not in said:
                    said.add(task)
                    show.step(f"{task}: {state}")
        return all(run["state"] in ("success", "failed") for dag_id in runs for run in airflow.runs(dag_id))

    airflow.wait_until(ended, 120 * len(runs), f"{', '.join(runs)} to end")
    return [dag_id for dag_id in runs for run in airflow.runs(dag_id) if run["state"] == "failed"]


def judge(monitor: Monitor, all_mails: Sequence[Mail], home: Path) -> str:
    """Say what was right about a monitor's messages; raise RuntimeError where something was wrong."""
    settings, mails = monitor.settings, [mail for mail in all_mails if mail.attributes["monitor"] == monitor.dag_id]
    file = f"include/monitors/{monitor.file.name}" + (f", {settings.warehouse}" if settings.warehouse else "")
    breaching = [attack for attack in ATTACKS if attack.failures >= settings.threshold]
    if undecided := _undecided(settings):
        return (
            f"Messages for {file}: {len(mails)}. The demo does not judge them: it knows what is right only for the "
            f"default {', '.join(undecided)}."
        )
    problem = _problem(mails, breaching)
    if problem:
        raise RuntimeError(f"WRONG: {file}, threshold {settings.threshold}: {problem}. Airflow's logs are in {home}")
    below = [attack for attack in ATTACKS if attack not in breaching]
    if not breaching:
        alert = f"no alert came, as {_listed(below)} stay below it"
    else:
        alert = f"one alert names {_listed(breaching)}" + (f", but not {_listed(below)}" if below else "")
    return f"As it should be: {file} has a threshold of {settings.threshold}, and {alert}."


def _undecided(settings: Settings) -> list[str]:
    changed = [name for name in DECIDE if getattr(settings, name) != Settings.model_fields[name].get_default()]
    return changed + (["window_minutes"] if settings.window_minutes < LEAST_WINDOW_MINUTES else [])


def _listed(attacks: Sequence[Attack]) -> str:
    *others, last = map(str, attacks)
    return f"{', '.join(others)} and {last}" if others else last


def _problem(mails: Sequence[Mail], breaching: Sequence[Attack]) -> str:
    expected = 1 if breaching else 0
    if len(mails) != expected:
        return f"messages expected: {expected}, arrived: {len(mails)}"
    for mail in mails:
        named = re.findall(r"^(\S+) \[\d+ times\]", mail.body, flags=re.MULTILINE)
        got_in = re.findall(r"^(\S+) \[\d+ times\].*GOT IN", mail.body, flags=re.MULTILINE)
        if sorted(named) != [attack.address for attack in breaching]:
            return f"the message names {named}, but {_listed(breaching)} breach"
        if got_in != [attack.address for attack in breaching if attack.gets_in]:
            return f"the message says that {got_in} got in, which is not so"
    return ""
