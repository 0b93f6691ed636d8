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

from redshift_auth_alert.settings.folder import Problems, find_files, read_file, read_shared
from redshift_auth_alert.settings.layers import (
    WAREHOUSES,
    Layer,
    Problem,
    check_above_list,
    check_entry,
    check_file,
    combine,
    combine_with,
    no_entries,
    of_entry,
    places,
)
from redshift_auth_alert.settings.model import Settings
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
        if self._problems.add_all(own.place, [*_too_long(dag_id), *check_file(own)]):
            return
        settings, problems = combine(layers)
        for place, text in problems:
            self._problems.add(place or own.place, text, file.name if place == self._shared.place else "")
        if settings:
            yield Monitor(dag_id=dag_id, file=file, settings=settings, places=places(layers))

    def _of_list(self, file: Path, content: Content) -> Iterator[Monitor]:
        own = Layer(str(file), {name: value for name, value in content.settings.items() if name != WAREHOUSES})
        if not content.entries:
            self._problems.add(f"{file}, line {content.line}", no_entries(content.settings[WAREHOUSES]))
        elif not self._problems.add_all(own.place, check_above_list(own), "all its warehouses"):
            _, of_all = combine([self._shared, own])
            for entry in content.entries:
                yield from self._of_entry(file, own, entry, of_all)

    def _of_entry(self, file: Path, own: Layer, entry: Entry, of_all: list[Problem]) -> Iterator[Monitor]:
        """Yield the monitor of one warehouse; ``of_all`` are the problems that its file has without the entry."""
        place, dag_id = f"{file}, line {entry.line}", ""
        wrong = check_entry(entry)
        if not wrong:
            dag_id = f"{DAG_ID}__{file.stem}__{entry.value['name']}"
            wrong = self._defined_before(dag_id, place) or _too_long(dag_id)
        if self._only not in (None, dag_id) or self._problems.add_all(place, wrong):
            return
        name, added = entry.value["name"], of_entry(entry, place)
        settings, problems = combine_with([self._shared, own], added)
        for each in problems:
            if each.place == self._shared.place:
                self._problems.add(each.place, each.text, f"{name} ({file.name}, line {entry.line})")
            elif each in of_all:
                self._problems.add(own.place, each.text, name)
            else:  # the entry makes it one
                self._problems.add(place, each.text)
        if settings:
            written_at = places([self._shared, own, added])
            yield Monitor(dag_id=dag_id, file=file, settings=settings, places=written_at)

    def _defined_before(self, dag_id: str, place: str) -> list[str]:
        """Say where the DAG is defined before ``place``; if nowhere, it is from now on defined there."""
        if dag_id in self._defined:
            return [f"{self._defined[dag_id]} defines the DAG {dag_id} already; rename or remove one of the two"]
        self._defined[dag_id] = place
        return []


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
