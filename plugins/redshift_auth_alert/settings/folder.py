"""The files of a folder of monitors: which are read, what they hold, and what is wrong with them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from redshift_auth_alert.settings.english import listed
from redshift_auth_alert.settings.errors import SettingsError
from redshift_auth_alert.settings.layers import WAREHOUSES, Layer, check_shared
from redshift_auth_alert.settings.yaml_file import Content, read_content

EXAMPLES = "examples"  # the subfolder of shipped monitors that are there to be copied
SHARED = "_shared.yaml"  # what all monitors have unless they say otherwise
_SUFFIXES = (".yaml", ".yml")
_NAMED = 3  # of what a problem stops


class Problems:
    """What is wrong, by the place where it stands: each problem once, and what it stops."""

    def __init__(self) -> None:
        self._stopped: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)

    def add(self, place: str, text: str, stops: str = "") -> None:
        """Add a problem.

        ``stops`` names a monitor that the problem stops, where ``place`` is not that monitor's own file.
        """
        stopped = self._stopped[place, text]
        if stops:
            stopped[stops] = None

    def add_all(self, place: str, texts: list[str], stops: str = "") -> bool:
        """Add problems. Returns whether there are any."""
        for text in texts:
            self.add(place, text, stops)
        return bool(texts)

    def messages(self) -> list[str]:
        """Return a message for each place; more than one where its problems stop different monitors."""
        texts = defaultdict(list)
        for (place, text), stopped in self._stopped.items():
            texts[place, tuple(stopped)].append(text)
        return [f"{place}: {'; and '.join(each)}{_stops(stopped)}" for (place, stopped), each in texts.items()]


def _stops(stopped: tuple[str, ...]) -> str:
    return f"; this stops {listed(stopped[:_NAMED], len(stopped))}" if stopped else ""


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
        problems.add(str(file), str(error), stops)
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
    return None if problems.add_all(shared.place, check_shared(shared), "all monitors") else shared
