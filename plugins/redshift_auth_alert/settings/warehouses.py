"""The entries of ``warehouses`` in a monitor file: one warehouse each, with what differs from the file's settings."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from redshift_auth_alert.settings.layers import Layer
from redshift_auth_alert.settings.model import RunSettings, Settings
from redshift_auth_alert.settings.wording import unknown_settings, written
from redshift_auth_alert.settings.yaml_file import Entry

WAREHOUSES = "warehouses"
RUNS_OWN = {name: "for a manual run" for name in RunSettings.model_fields if name not in Settings.model_fields}
EACH = [name for name in Settings.model_fields if name != "warehouse"]  # what many warehouses may share
_EXAMPLE = "- {name: sales, conn_id: redshift_sales}"
_VALID = "valid: 1 to 64 letters, digits, '_', '.' and '-', without '__'"
_ELSEWHERE = RUNS_OWN | {WAREHOUSES: "in a monitor file"}


class Warehouse(NamedTuple):
    """An entry: the warehouse's name, where it stands, and its settings."""

    name: str
    layer: Layer


def no_list(value: object) -> str:
    """Say that ``value`` is no list of warehouses."""
    return f"{WAREHOUSES} is {written(value)}; valid: a list of one or more entries such as {_EXAMPLE}"


def read_warehouse(entry: Entry, place: str) -> tuple[Warehouse | None, str]:
    """Return the entry that stands in ``place``, or what is wrong with it. Its values are not checked yet."""
    if problem := entry.fault or _problem(entry.value):
        return None, problem
    own = {key: value for key, value in entry.value.items() if key != "name"}
    name = entry.value["name"]
    return Warehouse(name, Layer(place, own | {"warehouse": name})), ""


def _problem(value: Any) -> str:
    if not isinstance(value, dict):
        return f"a warehouse is {written(value)}; valid: an entry such as {_EXAMPLE}"
    if "warehouse" in value:
        return f"warehouse is {written(value['warehouse'])}: the entry's name is the warehouse's; remove warehouse"
    if unknown := unknown_settings(value, ["name", *EACH], _ELSEWHERE):
        return "; and ".join(unknown)
    return _problem_of_name(value["name"]) if "name" in value else f"name is missing; {_VALID}"


def _problem_of_name(name: object) -> str:
    if not isinstance(name, str):
        return f"name is {written(name)}: not text, so put it in quotes; {_VALID}"
    if "__" in name or not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        return f"name is {written(name)}: not allowed; {_VALID}"
    return ""
