"""How a setting is declared: its section, its default and bounds, and whether a run may change it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

# The sections of the trigger form and of docs/settings.md, in this order.
SECTIONS = COMMON, DETECTION, SOURCE, SCHEDULE, MESSAGE = (
    "Changed most often",
    "Detection",
    "Source",
    "Schedule",
    "Message",
)


def per_run(section: str, default: Any, description: str, **bounds: Any) -> Any:
    """Declare a setting that a run may override."""
    return _field(section, default, description, per_run=True, **bounds)


def monitor_only(section: str, default: Any, description: str, **bounds: Any) -> Any:
    """Declare a setting that only a monitor file may hold."""
    return _field(section, default, description, per_run=False, **bounds)


def _field(section: str, default: Any, description: str, *, per_run: bool, **bounds: Any) -> Any:
    extra: dict[str, Any] = {"section": section, "per_run": per_run}
    return Field(default, description=description, json_schema_extra=extra, **bounds)
