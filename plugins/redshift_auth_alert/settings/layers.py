"""A monitor's settings come in layers: what all monitors share, the monitor's file, and an entry of its warehouses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redshift_auth_alert.settings.model import Settings, SingleSettings
from redshift_auth_alert.settings.sources import SOURCES
from redshift_auth_alert.settings.wording import examined

MOST_IGNORED = 100


class Layer(NamedTuple):
    """Settings, and the ``place`` where they are written: a file, or a line of it."""

    place: str
    values: Mapping[str, Any]


class Problem(NamedTuple):
    """What is wrong with a setting; ``place`` is empty where the setting is not written at all."""

    place: str
    text: str


def check_alone(layer: Layer) -> list[str]:
    """Return what is wrong in a layer whatever the others hold."""
    _, problems = examined(SingleSettings, layer.values)
    return [text for name, text in problems if name in layer.values]


def combine(layers: Sequence[Layer], added: Layer | None = None) -> tuple[Settings | None, list[Problem]]:
    """Return the settings that the layers amount to, of which a later one wins; None where they are invalid.

    The last layer, ``added``, replaces what is before it too, but its ``ignore`` is added to theirs.
    """
    if added is None or "ignore" not in added.values:
        return _settings([*layers, added] if added else layers)
    # Each list is checked by itself, so that a problem names the number that an entry has where it is written.
    others = Layer(added.place, {name: value for name, value in added.values.items() if name != "ignore"})
    settings, problems = _settings([*layers, others])
    own, own_problems = _settings([*layers, added])
    problems += [problem for problem in own_problems if problem not in problems]
    if not (settings and own) or problems:
        return None, problems
    both = settings.ignore + own.ignore
    if len(both) > MOST_IGNORED:
        says = f"ignore has {len(own.ignore)} entries, and {len(both)} with those that it is added to"
        return None, [Problem(added.place, f"{says}; valid: up to {MOST_IGNORED} together")]
    return settings.model_copy(update={"ignore": both}), []


def places(layers: Sequence[Layer]) -> dict[str, str]:
    """Return where each setting is written that one of the layers has; a later one wins."""
    return {name: layer.place for layer in layers for name in layer.values}


def _settings(layers: Sequence[Layer]) -> tuple[Settings | None, list[Problem]]:
    settings, problems = examined(Settings, {name: layer.values[name] for layer in layers for name in layer.values})
    if settings:
        problems = _too_soon(settings)
    if not problems:
        return settings, []
    written = places(layers)
    return None, [Problem(written.get(name, ""), text) for name, text in problems]


def _too_soon(settings: Settings) -> list[tuple[str, str]]:
    """Return the problem of a run that starts before its source's rows are complete.

    That is for a monitor's schedule: a run that is triggered need not heed it.
    """
    source = SOURCES.get(settings.source)
    if not source or settings.settle_minutes >= source.settle_minutes:
        return []
    text = (
        f"settle_minutes is {settings.settle_minutes}: too soon for source {settings.source}, as {source.settles}; "
        f"valid: an integer from {source.settle_minutes} to 1440"
    )
    return [("settle_minutes", text)]
