"""Monitor files: one YAML file, one monitor, one DAG; or one for each of the file's warehouses.

``python -m redshift_auth_alert.settings.monitors [FOLDER]`` checks a folder's files without Airflow.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from redshift_auth_alert.settings.folder import find_files, read_file, read_shared
from redshift_auth_alert.settings.layers import Layer, Problem, check_alone, combine, places
from redshift_auth_alert.settings.model import Settings
from redshift_auth_alert.settings.problems import Problems
from redshift_auth_alert.settings.warehouses import RUNS_OWN, WAREHOUSES, no_list, read_warehouse
from redshift_auth_alert.settings.wording import unknown_settings, written
from redshift_auth_alert.settings.yaml_file import Content, Entry

DAG_ID = "redshift_auth_failure_alert"
LONGEST_ID = 250  # of a DAG in Airflow


class Monitor(BaseModel):
    """One monitor: the id of its DAG, its file, its settings, and the ``places`` where these are written."""

    model_config = ConfigDict(frozen=True)

    dag_id: str
    file: Path
    settings: Settings
    places: Mapping[str, str] = {}

    def place_of(self, setting: str) -> str:
        """Return where the setting is written: a file, or a line of it."""
        return self.places.get(setting, str(self.file))

    def __str__(self) -> str:
        """Name the DAG, the file, and the settings that differ from their defaults."""
        changed = self.settings.model_dump(mode="json", exclude_defaults=True)
        text = yaml.safe_dump(changed, default_flow_style=True, sort_keys=False, allow_unicode=True, width=sys.maxsize)
        return f"{self.dag_id} ({self.file}): {text.strip()[1:-1]}"


def load_monitors(folder: Path, only: str | None = None) -> tuple[list[Monitor], list[str]]:
    """Read every monitor file of ``folder``, or what the DAG ``only`` is made of.

    Returns the valid monitors and, for the others, one message each that names file, key, value and what is valid.
    """
    problems = Problems()
    files = find_files(folder, problems)
    contents: dict[Path, Content | None] = {}
    for stem, (file, *others) in files.items():
        if only is not None and not _may_define(stem, only):
            continue
        contents[file] = None
        if others:
            both = " and ".join(map(str, (file, *others)))
            problems.add(both, f"both define the DAG {_dag_id(stem)}; rename or remove one")
        elif not re.fullmatch(r"[A-Za-z0-9_.-]+", stem):
            problems.add(str(file), "the DAG is named after the file; valid: letters, digits, '_', '-' and '.'")
        else:
            contents[file] = read_file(file, problems)
    shared = read_shared(folder, problems) if contents else None
    monitors = list(_Builder(shared, contents, problems, only).monitors()) if shared else []
    return monitors, problems.messages()


def _dag_id(stem: str) -> str:
    return DAG_ID if stem == "default" else f"{DAG_ID}__{stem}"


def _may_define(stem: str, dag_id: str) -> bool:
    return dag_id == _dag_id(stem) or dag_id.startswith(f"{DAG_ID}__{stem}__")


class _Builder:
    """Makes monitors of what they share and of the ``contents`` of their files."""

    def __init__(
        self, shared: Layer, contents: Mapping[Path, Content | None], problems: Problems, only: str | None
    ) -> None:
        self._shared, self._contents, self._problems, self._only = shared, contents, problems, only
        # Where each DAG is defined. A file goes before an entry of another file's list that gives the same id.
        self._defined = {
            _dag_id(file.stem): str(file)
            for file, content in contents.items()
            if content is None or WAREHOUSES not in content.settings
        }

    def monitors(self) -> Iterator[Monitor]:
        """Yield those that are valid."""
        for file, content in self._contents.items():
            if content and WAREHOUSES in content.settings:
                yield from self._of_list(file, content)
            elif content and self._only in (None, _dag_id(file.stem)):
                yield from self._of_file(file, Layer(str(file), content.settings))

    def _of_file(self, file: Path, own: Layer) -> Iterator[Monitor]:
        dag_id, layers = _dag_id(file.stem), [self._shared, own]
        unknown = unknown_settings(own.values, [*Settings.model_fields, WAREHOUSES], RUNS_OWN)
        if self._refuse(own.place, [*_too_long(dag_id), *unknown]):
            return
        settings, problems = combine(layers)
        for place, text in problems:
            self._problems.add(place or own.place, text, file.name if place == self._shared.place else "")
        if settings:
            yield Monitor(dag_id=dag_id, file=file, settings=settings, places=places(layers))

    def _of_list(self, file: Path, content: Content) -> Iterator[Monitor]:
        values = {name: value for name, value in content.settings.items() if name != WAREHOUSES}
        own = Layer(str(file), values)
        no_entries = [] if content.entries else [no_list(content.settings[WAREHOUSES])]
        unknown = unknown_settings(values, [*Settings.model_fields, WAREHOUSES], RUNS_OWN)
        if "warehouse" in values:
            unknown.append(
                f"warehouse is {written(values['warehouse'])}: each entry of warehouses has its name; remove it"
            )
        if self._refuse(f"{file}, line {content.line}", no_entries):
            return
        if self._refuse(own.place, unknown or check_alone(own), "all its warehouses"):
            return
        of_all = combine([self._shared, own])[1]
        for entry in content.entries:
            yield from self._of_entry(file, own, entry, of_all)

    def _of_entry(self, file: Path, own: Layer, entry: Entry, of_all: list[Problem]) -> Iterator[Monitor]:
        """Yield the monitor of one warehouse; ``of_all`` are the problems that its file has without the entry."""
        place = f"{file}, line {entry.line}"
        warehouse, problem = read_warehouse(entry, place)
        dag_id = f"{DAG_ID}__{file.stem}__{warehouse.name}" if warehouse else ""
        if dag_id in self._defined:
            problem = f"{self._defined[dag_id]} defines the DAG {dag_id} already; rename or remove one of the two"
        elif dag_id:
            self._defined[dag_id] = place
        if self._only not in (None, dag_id):
            return
        if self._refuse(place, [problem] if problem else _too_long(dag_id)) or not warehouse:
            return
        settings, problems = combine([self._shared, own], warehouse.layer)
        for each in problems:
            if each.place == self._shared.place:
                self._problems.add(each.place, each.text, f"{warehouse.name} ({file.name}, line {entry.line})")
            elif each in of_all:
                self._problems.add(own.place, each.text, warehouse.name)
            else:  # the entry makes it one
                self._problems.add(place, each.text)
        if settings:
            there = places([self._shared, own, warehouse.layer])
            yield Monitor(dag_id=dag_id, file=file, settings=settings, places=there)

    def _refuse(self, place: str, problems: list[str], stops: str = "") -> bool:
        """Whether there are problems, which are then added."""
        for text in problems:
            self._problems.add(place, text, stops)
        return bool(problems)


def _too_long(dag_id: str) -> list[str]:
    if len(dag_id) <= LONGEST_ID:
        return []
    return [f"the id of its DAG, {dag_id}, has {len(dag_id)} characters; valid: at most {LONGEST_ID}: shorten the name"]


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
