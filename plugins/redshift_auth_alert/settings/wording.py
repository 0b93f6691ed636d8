"""What a message says about an unknown setting or an invalid value."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError

from redshift_auth_alert.settings.errors import SettingsError

T = TypeVar("T", bound=BaseModel)
Schemas = dict[str, dict[str, Any]]
# Instead of pydantic's reasons that name Python types, show a regular expression, or repeat what is valid.
_REASONS = {
    "bool_type": "neither true nor false",
    "date_type": "not a date",
    "int_from_float": "not a whole number",
    "int_type": "not a whole number",
    "literal_error": "unknown",
    "model_type": "not a mapping of keys to values",
    "string_pattern_mismatch": "not allowed",
    "string_too_long": "too long",
    "string_too_short": "empty",
    "string_type": "not text",
    "too_long": "too long",
    "too_short": "empty",
    "tuple_type": "not a list",
}


@dataclass(frozen=True, slots=True)
class Valid:
    """Says in words what a type takes; the words become ``valid`` in its JSON Schema, and may name its ``{bounds}``."""

    words: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        return schema | {"valid": self.words.format_map(schema)}


class _Repr(reprlib.Repr):
    """Writes values into messages and cuts long ones: a few lines of YAML with aliases can stand for gigabytes."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict = 3, 10
        self.maxstring = self.maxother = 200

    def repr_date(self, value: date, _level: int) -> str:
        return value.isoformat()

    repr_datetime = repr_date

    def repr_int(self, value: int, _level: int) -> str:
        return repr(value) if abs(value) < 10**18 else hex(value)[:40] + "..."  # Python refuses long decimals


def written(value: object) -> str:
    """Return ``value`` as a message shows it."""
    text = _Repr().repr(value)
    return text if len(text) <= 400 else text[:400] + "..."


@cache
def schemas(model: type[BaseModel]) -> Schemas:
    """Return the flat JSON Schema of each field of ``model``, and whether it is ``required``.

    A list of entries has the schemas of their ``keys``.
    """
    whole = model.model_json_schema()
    return _properties(whole, whole.get("$defs", {}))


def _properties(schema: dict[str, Any], entries: dict[str, Any]) -> Schemas:
    required = schema.get("required", ())
    return {
        name: {"required": name in required} | _flat(field, entries) for name, field in schema["properties"].items()
    }


def _flat(schema: dict[str, Any], entries: dict[str, Any]) -> dict[str, Any]:
    """Write ``anyOf: [X, null]`` as X with two types, which the trigger form understands."""
    options = schema.pop("anyOf", None)
    if options:
        inner = next(option for option in options if option["type"] != "null")
        schema |= inner | {"type": [inner["type"], "null"]}
    if entry := schema.get("items", {}).pop("$ref", None):
        schema |= {"items": {"type": "object"}, "keys": _properties(entries[entry.split("/")[-1]], entries)}
    schema.pop("title", None)
    return schema


def valid_values(schema: dict[str, Any]) -> str:
    """Say in words what a field with this schema takes."""
    enum = schema.get("enum") or schema.get("items", {}).get("enum")
    kind = schema.get("type", "string")
    if "valid" in schema:
        words = str(schema["valid"])
    elif enum:
        words = ("one or more of " if kind == "array" else "one of ") + ", ".join(enum)
    elif "minimum" in schema:
        words = f"an integer from {schema['minimum']} to {schema['maximum']}"
    else:
        words = "true or false"
    return words + (", or null" if isinstance(kind, list) else "")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return a question about the name in ``known`` that is closest, to be appended; empty if none is close."""
    close = difflib.get_close_matches(name, list(known), n=1) if isinstance(name, str) else []
    return f"; did you mean {close[0]!r}?" if close else ""


def _with_valid(problem: str, valid: str) -> str:
    return f"{problem}{'' if problem.endswith('?') else ';'} {valid}"


def unknown_settings(given: Iterable[object], known: Iterable[str], elsewhere: Mapping[str, str]) -> list[str]:
    """Return a problem for each name in ``given`` that is not in ``known``; ``elsewhere`` says where others belong."""
    known = list(known)
    valid = f"valid here: {', '.join(known)}"
    return [
        f"{name} can be set {elsewhere[name]} only"
        if isinstance(name, str) and name in elsewhere
        else _with_valid(f"unknown setting {written(name)}{did_you_mean(name, known)}", valid)
        for name in given
        if name not in known
    ]


def validated(model: type[T], values: Mapping[str, Any], where: str) -> T:
    """Return ``values`` as ``model``. Raises SettingsError that names ``where`` and every invalid value."""
    valid, problems = examined(model, values)
    refuse(where, [problem for _, problem in problems])
    return cast(T, valid)


def examined(model: type[T], values: Mapping[str, Any]) -> tuple[T | None, list[tuple[str, str]]]:
    """Return ``values`` as ``model``; None where one is invalid, and for each of these its setting and problem."""
    try:
        return model.model_validate(values), []
    except ValidationError as error:
        found = [(str(each["loc"][0]), _problem(each, schemas(model), values)) for each in error.errors()]
        return None, list(dict.fromkeys(found))


def needed(why: str) -> PydanticCustomError:
    """Return the error that a setting is missing because of another one; ``why`` says what to do."""
    return PydanticCustomError("needed", "{why}", {"why": why})


def _problem(error: ErrorDetails, fields: Schemas, values: Mapping[str, Any]) -> str:
    """Say which value is wrong, in a list of entries of which entry and key, why, and what is valid."""
    name, *path = error["loc"]
    what, valid = str(name), f"valid: {valid_values(fields[str(name)])}"
    if path and (keys := fields[str(name)].get("keys")):
        what, valid = f"{name} entry {int(path[0]) + 1}", f"valid: keys {', '.join(keys)}"
        if len(path) > 1:
            if path[1] not in keys:
                entry: Iterable[object] = list(values[str(name)])[int(path[0])]
                key = next((each for each in entry if each == path[1]), path[1])  # as written: pydantic gives True as 1
                return _with_valid(f"{what}: unknown key {written(key)}{did_you_mean(key, keys)}", valid)
            what, valid = f"{what}: {path[1]}", f"valid: {valid_values(keys[str(path[1])])}"
    if error["type"] == "missing":
        return _with_valid(f"{what} is missing", valid)
    if error["type"] == "needed":
        return f"{what} is missing: {error['msg']}"
    reason = _REASONS.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    return _with_valid(f"{what} is {written(error['input'])}: {reason}", valid)


def refuse(where: str, problems: list[str]) -> None:
    """Raise SettingsError where there are problems."""
    if problems:
        raise SettingsError(f"{where}: " + "; and ".join(problems))
