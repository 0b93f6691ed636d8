"""Monitor files: one YAML file, one monitor, one DAG.

``python -m redshift_auth_alert.settings.monitors [FOLDER]`` checks a folder's files without Airflow.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.model import RunSettings, Settings
from redshift_auth_alert.settings.sources import SOURCES
from redshift_auth_alert.settings.wording import refuse, unknown_settings, validated, written

DAG_ID = "redshift_auth_failure_alert"
EXAMPLES = "examples"  # the subfolder of shipped monitors that are there to be copied
_SUFFIXES = (".yaml", ".yml")


class Monitor(BaseModel):
    """One monitor file: the id of its DAG and its settings."""

    model_config = ConfigDict(frozen=True)

    dag_id: str
    file: Path
    settings: Settings

    def __str__(self) -> str:
        """Name the DAG, the file, and the settings that differ from their defaults."""
        changed = self.settings.model_dump(mode="json", exclude_defaults=True)
        text = yaml.safe_dump(changed, default_flow_style=True, sort_keys=False, allow_unicode=True, width=sys.maxsize)
        return f"{self.dag_id} ({self.file}): {text.strip()[1:-1]}"


def load_monitors(folder: Path) -> tuple[list[Monitor], list[str]]:
    """Read every monitor file of ``folder``.

    Returns the valid monitors and, for the others, one message each that names file, key, value and what is valid.
    Hidden files and files of other kinds are ignored.
    """
    files, problems = [], []
    for file in sorted(folder.rglob("*")):
        place = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in place.parts)
        if place.suffix.lower() not in _SUFFIXES or place.parts[0] == EXAMPLES or hidden:
            continue
        if len(place.parts) > 1:
            problems.append(f"{file}: monitor files in a subfolder are not loaded; move it up into {folder}")
        elif place.suffix not in _SUFFIXES:
            problems.append(f"{file}: the suffix is {place.suffix}; valid: .yaml or .yml, in lower case")
        else:
            files.append(file)
    if not files:
        return [], [*problems, f"{folder}: no monitor file; add one, for example default.yaml"]
    by_dag_id = defaultdict(list)
    for file in files:
        by_dag_id[DAG_ID if file.stem == "default" else f"{DAG_ID}__{file.stem}"].append(file)
    monitors = []
    for dag_id, same in by_dag_id.items():
        try:
            monitors.append(_load_monitor(dag_id, same))
        except SettingsError as error:
            problems.append(str(error))
    return monitors, problems


class _Loader(yaml.SafeLoader):
    """Reads YAML, and refuses a key that appears twice, of which YAML itself would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := [name for name, times in names.items() if times > 1]:
            raise yaml.YAMLError(f"{' and '.join(sorted(twice))} appears twice; keep one")
        return super().construct_mapping(node, deep)


def _load_monitor(dag_id: str, files: list[Path]) -> Monitor:
    file = files[0]
    if len(files) > 1:
        raise SettingsError(f"{' and '.join(map(str, files))}: both define the DAG {dag_id}; rename or remove one")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", file.stem):
        raise SettingsError(f"{file}: the DAG is named after the file; valid: letters, digits, '_', '-' and '.'")
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 -- a SafeLoader
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:  # ValueError: as of a date 2026-13-01
        raise SettingsError(f"{file}: not valid YAML: {error}") from error
    if content is None:
        raise SettingsError(f"{file}: is empty; write settings as 'name: value' lines")
    if not isinstance(content, dict):
        raise SettingsError(f"{file}: holds {written(content)}; valid: settings as 'name: value' lines")
    refuse(str(file), unknown_settings(content, Settings.model_fields, RunSettings.model_fields, "for a manual run"))
    settings = validated(Settings, content, str(file))
    source = SOURCES.get(settings.source)
    if source and settings.settle_minutes < source.settle_minutes:  # which a run that is triggered need not heed
        raise SettingsError(
            f"{file}: settle_minutes is {settings.settle_minutes}: too soon for source {settings.source}, as "
            f"{source.settles}; valid: an integer from {source.settle_minutes} to 1440"
        )
    return Monitor(dag_id=dag_id, file=file, settings=settings)


def main(folder: Path) -> int:
    """Print a line for each valid monitor, and the problems of the others. Returns the exit code."""
    monitors, problems = load_monitors(folder)
    for monitor in monitors:
        print(monitor)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "include/monitors")))
