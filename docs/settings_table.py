"""Writes the tables of all settings into docs/settings.md, between its markers."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from redshift_auth_alert.settings.form import by_section
from redshift_auth_alert.settings.model import RunSettings, Settings
from redshift_auth_alert.settings.wording import schemas, valid_values

PAGE = Path(__file__).resolve().with_name("settings.md")
_TABLES = re.compile(r"(<!-- settings -->\n).*?(<!-- /settings -->)", flags=re.DOTALL)
_HEAD = "| setting | default | valid | per run | meaning |\n| --- | --- | --- | --- | --- |"


def tables() -> str:
    """Return a Markdown table for each section of the trigger form, with the settings of monitor files too."""
    return "\n\n".join(
        "\n".join([f"### {section}", "", _HEAD, *map(_row, names)]) for section, names in by_section().items()
    )


def with_tables(page: str) -> str:
    """Return the page with the tables in their place."""
    return _TABLES.sub(lambda found: f"{found[1]}\n{tables()}\n\n{found[2]}", page)


def _row(name: str) -> str:
    schema = schemas(RunSettings)[name]
    default = "required" if schema["required"] else f"`{_yaml(RunSettings.model_fields[name].default)}`"
    per_run = "only" if name not in Settings.model_fields else "yes" if schema["per_run"] else "no"
    return f"| `{name}` | {default} | {valid_values(schema)} | {per_run} | {schema['description']} |"


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
