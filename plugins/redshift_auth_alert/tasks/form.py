"""The trigger form of a monitor's DAG."""

from __future__ import annotations

from airflow.sdk import Param

from redshift_auth_alert.settings.model import Settings, schemas

# Airflow checks each field's schema against its meta-schema at every import; the flat one takes a quarter of the time.
_DRAFT = "http://json-schema.org/draft-07/schema#"


def params(settings: Settings) -> dict[str, Param]:
    """Return the trigger form's fields: each per-run setting with the monitor's value, bounds and meaning."""
    own = settings.model_dump(mode="json")
    fields = {}
    for name, schema in schemas().items():
        if not schema["per_run"]:
            continue
        keys = {key: value for key, value in schema.items() if key not in ("per_run", "required", "valid", "default")}
        if "enum" in schema.get("items", {}):
            keys["examples"] = schema["items"]["enum"]  # makes the form offer a choice
        default = own.get(name)
        if name == "sns_topic_arn":
            # A monitor's template is no valid override, so the field stays empty for "the monitor's own".
            default, keys = None, keys | {"type": ["string", "null"]}
        fields[name] = Param(default, **{"$schema": _DRAFT}, **keys)
    return fields
