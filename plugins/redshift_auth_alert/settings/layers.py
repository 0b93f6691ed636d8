"""A monitor's settings come in layers: what all monitors share, the monitor's file, and an entry of its warehouses.

Says what each of them may hold, and what they amount to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redshift_auth_alert.settings.model import RunSettings, Settings, SingleSettings
from redshift_auth_alert.settings.sources import SOURCES
from redshift_auth_alert.settings.values import WAREHOUSE
from redshift_auth_alert.settings.wording import examined, schemas, unknown_settings, valid_values, written
from redshift_auth_alert.settings.yaml_file import Entry

WAREHOUSES = "warehouses"
_RUNS_OWN = {name: "for a manual run" for name in RunSettings.model_fields if name not in Settings.model_fields}
_OF_MANY = [name for name in Settings.model_fields if name != "warehouse"]  # what many warehouses may share
_ELSEWHERE = _RUNS_OWN | {WAREHOUSES: "in a monitor file"}
_EXAMPLE = "- {name: sales, conn_id: redshift_sales}"


class Layer(NamedTuple):
    """Settings, and the ``place`` where they are written: a file, or a line of it."""

    place: str
    values: Mapping[str, Any]


class Problem(NamedTuple):
    """What is wrong with a setting; ``place`` is empty where the setting is not written at all."""

    place: str
    text: str


def check_shared(shared: Layer) -> list[str]:
    """Return what is wrong in what all monitors share, whatever their files hold."""
    elsewhere = _ELSEWHERE | {"warehouse": "in a monitor file"}
    return unknown_settings(shared.values, _OF_MANY, elsewhere) or _invalid(shared)


def check_file(own: Layer) -> list[str]:
    """Return which settings of a monitor file are unknown. Values are checked only in ``combine``."""
    return unknown_settings(own.values, [*Settings.model_fields, WAREHOUSES], _RUNS_OWN)


def check_above_list(own: Layer) -> list[str]:
    """Return what is wrong in a monitor file above its list of warehouses, whatever an entry holds."""
    wrong = check_file(own)
    if "warehouse" in own.values:
        given = written(own.values["warehouse"])
        wrong.append(f"warehouse is {given}: each entry of warehouses has its name; remove it")
    return wrong or _invalid(own)


def no_entries(value: object) -> str:
    """Say that ``value`` is no list of warehouses."""
    return f"{WAREHOUSES} is {written(value)}; valid: a list of one or more entries such as {_EXAMPLE}"


def check_entry(entry: Entry) -> list[str]:
    """Return what is wrong with an entry's keys or name. Other values are checked only in ``combine``."""
    if entry.fault:
        return [entry.fault]
    if not isinstance(entry.value, dict):
        return [f"a warehouse is {written(entry.value)}; valid: an entry such as {_EXAMPLE}"]
    if "warehouse" in entry.value:
        given = written(entry.value["warehouse"])
        return [f"warehouse is {given}: the entry's name is the warehouse's; remove warehouse"]
    return unknown_settings(entry.value, ["name", *_OF_MANY], _ELSEWHERE) or _wrong_name(entry.value)


def _wrong_name(entry: Mapping[str, Any]) -> list[str]:
    name, valid = entry.get("name"), f"valid: {schemas(Settings)['warehouse']['valid']}, without '__'"
    if "name" not in entry:
        return [f"name is missing; {valid}"]
    if not isinstance(name, str):
        return [f"name is {written(name)}: not text, so put it in quotes; {valid}"]
    if "__" in name or not re.fullmatch(WAREHOUSE, name):
        return [f"name is {written(name)}: not allowed; {valid}"]
    return []


def _invalid(layer: Layer) -> list[str]:
    _, problems = examined(SingleSettings, layer.values)
    return [text for name, text in problems if name in layer.values]


def of_entry(entry: Entry, place: str) -> Layer:
    """Return the settings of a valid entry."""
    others = {key: value for key, value in entry.value.items() if key != "name"}
    return Layer(place, others | {"warehouse": entry.value["name"]})


def combine(layers: Sequence[Layer]) -> tuple[Settings | None, list[Problem]]:
    """Return the settings that the layers amount to, of which a later one wins; None where they are invalid."""
    values = {name: value for layer in layers for name, value in layer.values.items()}
    settings, problems = examined(Settings, values)
    if settings:
        problems = _too_soon(settings)
    stands = places(layers)
    return (None if problems else settings), [Problem(stands.get(name, ""), text) for name, text in problems]


def combine_with(layers: Sequence[Layer], entry: Layer) -> tuple[Settings | None, list[Problem]]:
    """Return what ``combine`` does, but ``ignore`` of the ``entry`` is appended to that of the layers."""
    if "ignore" not in entry.values:
        return combine([*layers, entry])
    # Each list is checked by itself, so that a problem names the number that an entry has where it is written.
    others = Layer(entry.place, {name: value for name, value in entry.values.items() if name != "ignore"})
    settings, problems = combine([*layers, others])
    own, own_problems = combine([*layers, entry])
    if not (settings and own):
        return None, list(dict.fromkeys(problems + own_problems))
    both, most = settings.ignore + own.ignore, schemas(Settings)["ignore"]["maxItems"]
    if len(both) > most:
        says = f"ignore has {len(own.ignore)} entries, and {len(both)} with those that it is added to"
        return None, [Problem(entry.place, f"{says}; valid: up to {most} together")]
    return settings.model_copy(update={"ignore": both}), []


def places(layers: Sequence[Layer]) -> dict[str, str]:
    """Return where each setting is written that one of the layers has; a later one wins."""
    return {name: layer.place for layer in layers for name in layer.values}


def _too_soon(settings: Settings) -> list[tuple[str, str]]:
    """Return the problem of a run that starts before its source's rows are complete.

    That is for a monitor's schedule: a run that is triggered need not heed it.
    """
    source, settles = SOURCES.get(settings.source), settings.settle_minutes
    if not source or settles >= source.settle_minutes:
        return []
    valid = valid_values(schemas(Settings)["settle_minutes"] | {"minimum": source.settle_minutes})
    text = f"settle_minutes is {settles}: too soon for source {settings.source}, as {source.settles}; valid: {valid}"
    return [("settle_minutes", text)]
