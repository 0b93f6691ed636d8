"""The files of a folder of monitors: which are read, and what they hold."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.layers import Layer, check_alone
from redshift_auth_alert.settings.problems import Problems
from redshift_auth_alert.settings.warehouses import EACH, RUNS_OWN, WAREHOUSES
from redshift_auth_alert.settings.wording import unknown_settings
from redshift_auth_alert.settings.yaml_file import Content, read_content

EXAMPLES = "examples"  # the subfolder of shipped monitors that are there to be copied
SHARED = "_shared.yaml"  # what all monitors have unless they say otherwise
_SUFFIXES = (".yaml", ".yml")


def find_files(folder: Path, problems: Problems) -> dict[str, list[Path]]:
    """Return the monitor files by their stem. Hidden files and files of other kinds are ignored."""
    files = defaultdict(list)
    for file in sorted(folder.rglob("*")):
        place = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in place.parts)
        if place.suffix.lower() not in _SUFFIXES or place.parts[0] == EXAMPLES or hidden:
            continue
        if len(place.parts) > 1:
            problems.add(str(file), f"monitor files in a subfolder are not loaded; move it up into {folder}")
        elif place.suffix not in _SUFFIXES:
            problems.add(str(file), f"the suffix is {place.suffix}; valid: .yaml or .yml, in lower case")
        elif file.name.startswith("_") and file.name != SHARED:
            problems.add(str(file), f"names that begin with '_' are reserved; valid: {SHARED} for shared settings")
        elif file.name != SHARED:
            files[file.stem].append(file)
    if not files:
        problems.add(str(folder), "no monitor file; add one, for example default.yaml")
    return files


def read_file(file: Path, problems: Problems, stops: str = "") -> Content | None:
    """Return what a file holds; None where it holds no settings."""
    try:
        return read_content(file, WAREHOUSES)
    except SettingsError as error:
        problems.add(str(file), str(error).removeprefix(f"{file}: "), stops)
        return None


def read_shared(folder: Path, problems: Problems) -> Layer | None:
    """Return what all monitors share; None where that is invalid, so that no monitor can be loaded."""
    file = folder / SHARED
    if not (file.exists() or file.is_symlink()):
        return Layer(str(file), {})
    content = read_file(file, problems, "all monitors")
    if content is None:
        return None
    shared = Layer(str(file), content.settings)
    elsewhere = RUNS_OWN | dict.fromkeys([WAREHOUSES, "warehouse"], "in a monitor file")
    wrong = unknown_settings(shared.values, EACH, elsewhere) or check_alone(shared)
    for text in wrong:
        problems.add(shared.place, text, "all monitors")
    return None if wrong else shared
