"""Writes the settings table into README.md, between its markers."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from redshift_auth_alert.settings.model import RunSettings, schemas, valid_values

README = Path(__file__).resolve().parents[1] / "README.md"
_TABLE = re.compile(r"(<!-- settings -->\n).*?(<!-- /settings -->)", flags=re.DOTALL)


def table() -> str:
    """Return the table of all settings as Markdown: name, default, what is valid, where it can be set, meaning."""
    lines = ["| setting | default | valid | per run | meaning |", "| --- | --- | --- | --- | --- |"]
    for name, schema in schemas().items():
        field = RunSettings.model_fields[name]
        default = "required" if schema["required"] else f"`{_yaml(field.default)}`"
        where = "only" if name in ("start", "end") else "yes" if schema["per_run"] else ""
        valid = valid_values(name).replace("|", r"\|")
        lines.append(f"| `{name}` | {default} | {valid} | {where} | {schema['description']} |")
    return "\n".join(lines)


def with_table(readme: str) -> str:
    """Return the README with the table in its place."""
    return _TABLE.sub(lambda found: f"{found[1]}{table()}\n{found[2]}", readme)


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
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
