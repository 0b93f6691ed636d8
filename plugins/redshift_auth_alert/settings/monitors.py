"""Monitor files: one YAML file, one monitor, one DAG."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.model import Settings, refuse, unknown_settings, validated

DAG_ID = "redshift_auth_failure_alert"


class Monitor(BaseModel):
    """One monitor file: the id of its DAG and its settings."""

    model_config = ConfigDict(frozen=True)

    dag_id: str
    file: Path
    settings: Settings


def load_monitors(folder: Path) -> tuple[list[Monitor], list[str]]:
    """Read every monitor file of ``folder``.

    Returns the valid monitors and, for the others, one message each that names file, key, value and what is valid.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix in (".yaml", ".yml"))
    if not files:
        return [], [f"{folder}: no monitor file; put one there, for example default.yaml"]
    by_dag_id = defaultdict(list)
    for file in files:
        by_dag_id[DAG_ID if file.stem == "default" else f"{DAG_ID}__{file.stem}"].append(file)
    monitors, problems = [], []
    for dag_id, same in by_dag_id.items():
        try:
            monitors.append(_load_monitor(dag_id, same))
        except SettingsError as error:
            problems.append(str(error))
    return monitors, problems


class _Loader(yaml.SafeLoader):
    """Reads YAML, and refuses a key that stands twice, of which YAML itself would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        names = [key.value for key, _ in node.value]
        if twice := {str(name) for name in names if names.count(name) > 1}:
            raise yaml.YAMLError(f"{', '.join(sorted(twice))} stands twice; remove one")
        return super().construct_mapping(node, deep)


def _load_monitor(dag_id: str, files: list[Path]) -> Monitor:
    file = files[0]
    if len(files) > 1:
        names = " and ".join(str(each) for each in files)
        raise SettingsError(f"{names}: both give the DAG {dag_id}; rename or remove one")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", file.stem):
        raise SettingsError(
            f"{file}: the name must consist of letters, digits, '_', '-' and '.', as it is in the DAG id"
        )
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 -- a SafeLoader
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter two for a date that is none
        raise SettingsError(f"{file}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{file}: holds {content!r}; valid: settings as 'name: value' lines")
    refuse(str(file), unknown_settings(content, Settings.model_fields))
    settings = validated(Settings, content, str(file))
    refuse(str(file), settings.scheduling_problems())
    return Monitor(dag_id=dag_id, file=file, settings=settings)
