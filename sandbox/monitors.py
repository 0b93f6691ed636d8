"""The monitors that the sandbox runs: those of ``include/monitors``, with the sandbox's topic, connection and log."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.monitors import DAG_ID, Monitor, load_monitors

MONITORS = Path(__file__).resolve().parents[1] / "include" / "monitors"
LOGS = ("stl_connection_log", "sys_connection_log")
_ONE = (
    "group_by names warehouse, and the sandbox has only one warehouse; to run it, move the monitor out of "
    "include/monitors, or remove warehouse from group_by"
)


def load_own() -> list[Monitor]:
    """Return the monitors of this checkout; raise SettingsError where a file is invalid or needs a fleet."""
    monitors, problems = load_monitors(MONITORS)
    fleets = {monitor.place_of("group_by") for monitor in monitors if "warehouse" in monitor.settings.group_by}
    problems += [f"{place}: {_ONE}" for place in sorted(fleets)]
    if problems:
        raise SettingsError("\n".join(problems))
    return monitors


def for_sandbox(monitors: Iterable[Monitor], **times: str) -> dict[str, str]:
    """Return a file for each monitor by name, with its settings but for what differs here; ``times`` says when it runs.

    Each has what the monitor takes from other files too, and gives a DAG of the same id.
    """
    return {_file_name(monitor): yaml.safe_dump(_content(monitor) | times) for monitor in monitors}


def _file_name(monitor: Monitor) -> str:
    return f"{monitor.dag_id.removeprefix(DAG_ID).removeprefix('__') or 'default'}.yaml"


def _content(monitor: Monitor) -> dict[str, object]:
    settings = monitor.settings
    source = settings.auto_recent if settings.source == "auto" else settings.source
    return settings.model_dump(mode="json", exclude_defaults=True) | {
        "sns_topic_arn": "{{ var.value.redshift_auth_alert_topic_arn }}",
        "source": source if source in LOGS else LOGS[0],
        "conn_id": "redshift_default",
        "aws_conn_id": "aws_default",
        "user_parameter": None,
        "password_parameter": None,
        "settle_minutes": 0,
    }
