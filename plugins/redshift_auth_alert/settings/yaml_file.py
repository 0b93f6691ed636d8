"""Reads a YAML file of settings, and on which lines the entries of one of its lists stand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.wording import written

# Settings need 6 levels. PyYAML's C loader crashes the process on many thousands.
_DEEPEST = 50
_ERRORS = (yaml.YAMLError, ValueError, OverflowError, RecursionError)  # ValueError: as of a date 2026-13-01
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Entry(NamedTuple):
    """An entry of a list: its line, what it holds, and its ``fault`` where that cannot be read."""

    line: int
    value: Any
    fault: str = ""


class Content(NamedTuple):
    """What a file holds, and apart from it the ``entries`` of the list asked for; ``line`` is that of its key."""

    settings: dict[Any, Any]
    line: int = 0
    entries: tuple[Entry, ...] = ()


def read_content(file: Path, entries_of: str) -> Content:
    """Return what ``file`` holds, and the entries of its list ``entries_of`` apart: one may be faulty, not the others.

    Raises SettingsError that says why it holds no settings.
    """
    try:
        text = file.read_text(encoding="utf-8")
        _refuse_deep_nesting(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        line, entries = _entries(loader, node, entries_of)
        settings = loader.construct_document(node) if node else None
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}") from error
    except _ERRORS as error:
        raise SettingsError(_fault(error)) from error
    if settings is None:
        raise SettingsError("is empty; write settings as 'name: value' lines")
    if not isinstance(settings, dict):
        raise SettingsError(f"holds {written(settings)}; valid: settings as 'name: value' lines")
    return Content(settings, line, entries)


def _entries(loader: Any, node: yaml.Node | None, name: str) -> tuple[int, tuple[Entry, ...]]:
    """Return the line of the key ``name`` and its list's entries, which are taken out of ``node``.

    Raises YAMLError where a key appears twice in ``node``. All is searched for these before anything is constructed,
    as that writes into a mapping what it merges.
    """
    line = 0
    entries: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        for place, (key, value) in enumerate(node.value):
            if key.value == name and not line:
                line, entries = key.start_mark.line + 1, value.value if isinstance(value, yaml.SequenceNode) else []
                node.value[place] = key, yaml.SequenceNode(value.tag, []) if entries else value
    if twice := _appear_twice(node):
        raise yaml.YAMLError(twice)
    faults = [_appear_twice(entry) for entry in entries]
    return line, tuple(_entry(loader, entry, fault) for entry, fault in zip(entries, faults, strict=True))


def _entry(loader: Any, node: yaml.Node, fault: str) -> Entry:
    line = node.start_mark.line + 1
    try:
        if fault:
            raise yaml.YAMLError(fault)
        return Entry(line, loader.construct_document(node))
    except _ERRORS as error:
        return Entry(line, None, _fault(error))


def _fault(error: Exception) -> str:
    says = "a number is too large" if "integer string conversion" in str(error) else error  # that is advice on Python
    return f"not valid YAML: {says}"


def _appear_twice(root: yaml.Node | None) -> str:
    """Say which keys of a mapping appear twice: YAML itself would silently take the last one; '' where none does."""
    nodes, seen = [root], set()
    for node in nodes:
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            if twice := [name for name, times in names.items() if times > 1]:
                return f"{' and '.join(sorted(twice))} appears twice; keep one"
            nodes += [each for pair in node.value for each in pair]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
    return ""


def _refuse_deep_nesting(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise yaml.YAMLError(f"it nests more than {_DEEPEST} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
