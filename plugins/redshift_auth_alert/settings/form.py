"""The trigger form: a field for each setting of a run, as JSON Schema."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from redshift_auth_alert.settings.fields import COMMON, SECTIONS
from redshift_auth_alert.settings.model import RunSettings, Settings
from redshift_auth_alert.settings.wording import schemas

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "ignore": [{"remote_host": "192.0.2.0/24", "reason": "BI gateway, SEC-1234", "until": "2026-12-31"}],
    "thresholds": [{"remote_host": "198.51.100.7", "threshold": 50}],
}
_OURS = ("section", "per_run", "required", "valid", "keys")


@cache
def by_section() -> dict[str, list[str]]:
    """Return the names of all settings by section, in the order of ``SECTIONS``; those of a run alone come first."""
    runs_first = sorted(schemas(RunSettings), key=lambda name: name in Settings.model_fields)
    return {
        section: [name for name in runs_first if schemas(RunSettings)[name]["section"] == section]
        for section in SECTIONS
    }


def values(settings: Settings) -> dict[str, Any]:
    """Return for each field of the form, in its order, the monitor's value."""
    return {name: getattr(settings, name, default) for name, default in _defaults().items()}


@cache
def _defaults() -> dict[str, Any]:
    names = [name for names in by_section().values() for name in names if schemas(RunSettings)[name]["per_run"]]
    return {name: RunSettings.model_fields[name].default for name in names}


def field_of(name: str, value: Any) -> dict[str, Any]:
    """Return the form's field of one setting: a JSON Schema, with ``value`` as default."""
    schema = schemas(RunSettings)[name]
    own = RunSettings.model_construct(**{name: value}).model_dump(mode="json", include={name}, exclude_defaults=True)
    field = {key: value for key, value in schema.items() if key not in _OURS}
    field["default"] = own.get(name, schema.get("default"))
    if schema["section"] != COMMON:  # fields without a section come first, in one that is open
        field["section"] = schema["section"]
    if "enum" in schema.get("items", {}):
        field["examples"] = schema["items"]["enum"]  # makes the form offer a choice
    if name in EXAMPLES:
        # The form shows description_md, as Markdown, only where there is no description.
        keys = ", ".join(f"`{key}`" for key in schema["keys"])
        field["description_md"] = f"{field.pop('description')} Keys: {keys}. Example: `{json.dumps(EXAMPLES[name])}`"
    if name == "sns_topic_arn":
        # A monitor's template is no valid override, so the field is empty for the monitor's own topic.
        field |= {"default": None, "type": ["string", "null"]}
        field["description"] = "SNS topic to publish to. Default: the monitor's topic."
    return field
